"""ALSA through pyalsaaudio 0.11: the Pi's own driver. The card is named, never numbered, never "default".

What the library does not tell: its constructor ignores settings the card refuses, so they are read back;
``write`` answers -32 after an underrun, with nothing written and the stream prepared again, so the whole
queue is filled before it starts anew; ``close`` plays what is queued, so it is dropped first.
"""

import errno
from types import ModuleType
from typing import Any, Final

from device.audio.card import CardSink
from device.audio.samples import Samples
from device.audio.sink import QUEUE_BLOCKS, Format
from device.contract.pattern import FloatArray
from device.errors import AudioError

BITS: Final = (16, 32)  # S16_LE where the card takes it: half the bytes
LAST_CHOICE: Final = ("vc4hdmi", "Headphones", "Loopback", "Dummy")  # outputs a drum is seldom meant for


def _library() -> ModuleType:
    try:
        import alsaaudio
    except ImportError as error:
        raise AudioError("ALSA needs pyalsaaudio: pip install 'latido[pi]', or --sink auto") from error
    module: ModuleType = alsaaudio
    return module


def device_name(detail: str, cards: list[str]) -> str:
    """The PCM to open for ``detail``: a card's name, any ALSA PCM name, or "" for the likeliest card."""
    if detail:
        return f"hw:CARD={detail}" if detail in cards else detail
    if not cards:
        raise AudioError("no sound card here: plug one in, or --sink auto")
    likely = [card for card in cards if not card.startswith(LAST_CHOICE)]
    return f"hw:CARD={(likely or cards)[0]}"


class AlsaCard:
    """One open PCM. Raises AudioError when it is not there or cannot play stereo at the rate."""

    def __init__(self, detail: str, form: Format) -> None:
        alsa = _library()
        cards = list(alsa.cards())
        device = device_name(detail, cards)
        self._error = alsa.ALSAAudioError
        for bits in BITS:
            pcm, info = self._open(alsa, device, bits, form, cards)
            if info["format_name"] == f"S{bits}_LE":
                break
            pcm.close()
        self._pcm = pcm
        self._buffer_frames = int(info["buffer_size"])
        found = (info["format_name"], info["rate"], info["channels"])
        if found != (f"S{bits}_LE", form.sample_rate, 2) or self._buffer_frames < 2 * form.block_frames:
            self.close()
            raise AudioError(
                f"{device} plays {found[0]}, {found[1]} Hz, {found[2]} channels in {self._buffer_frames} frames; "
                f"S16_LE or S32_LE, {form.sample_rate} Hz, 2 channels in {QUEUE_BLOCKS} x {form.block_frames} "
                f"are wanted: choose another card, or plughw:CARD=..."
            )
        self.name = f"alsa {device}"
        self.latency_ms = 1000.0 * self._buffer_frames / form.sample_rate
        self.underruns = 0
        self._samples = Samples(form.block_frames, bits)
        self._frame_bytes = 2 * bits // 8
        silence = (self._buffer_frames - form.block_frames) * self._frame_bytes
        self._start = bytearray(silence + len(self._samples.bytes))  # silence, then the first block: a full queue
        self._first_block = memoryview(self._start)[silence:]
        self._running = False

    @staticmethod
    def _open(alsa: ModuleType, device: str, bits: int, form: Format, cards: list[str]) -> tuple[Any, dict[str, Any]]:
        try:
            pcm = alsa.PCM(
                alsa.PCM_PLAYBACK,
                alsa.PCM_NORMAL,
                device=device,
                rate=form.sample_rate,
                channels=2,
                format=getattr(alsa, f"PCM_FORMAT_S{bits}_LE"),
                periodsize=form.block_frames,
                periods=QUEUE_BLOCKS,
            )
            return pcm, pcm.info()
        except alsa.ALSAAudioError as error:
            there = ", ".join(cards) or "none"
            raise AudioError(
                f"ALSA cannot open {device} ({error}): cards here: {there}; name one, or --sink auto"
            ) from error

    def play(self, block: FloatArray) -> int:
        """Hand a block over; an underrun is counted and repaired."""
        samples = self._samples.fill(block)
        try:
            queued = self._buffer_frames - int(self._pcm.avail()) if self._running else self._buffer_frames
            if not self._running:
                self._prefill(samples)
            elif not self._write(samples):
                self.underruns += 1
                self._prefill(samples)
                queued = 0
        except self._error as error:
            raise AudioError(f"{self.name} is gone: {error}") from error
        return min(max(queued, 0), self._buffer_frames)

    def _prefill(self, samples: memoryview) -> None:
        self._first_block[:] = samples
        self._running = self._write(memoryview(self._start))

    def _write(self, samples: memoryview) -> bool:
        """Write all of it; False after an underrun, when the rest was not written."""
        while samples:
            frames = self._pcm.write(samples)
            if frames == -errno.EPIPE:
                return False
            if frames < 0:
                raise self._error(f"error {frames}")
            samples = samples[frames * self._frame_bytes :]
        return True

    def close(self) -> None:
        """Let the device go at once."""
        try:
            self._pcm.drop()
            self._pcm.close()
        except self._error:  # it is gone already
            pass


def open_sink(detail: str, form: Format) -> CardSink:
    """``alsa`` for the likeliest card, ``alsa:CARD`` or ``alsa:PCM``; a card may come up late."""
    _library()
    return CardSink(lambda: AlsaCard(detail, form), form, wait_seconds=form.card_wait_seconds if detail else 0.0)
