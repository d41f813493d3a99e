"""PortAudio through sounddevice: the desktop's sound card, whatever the system calls it. Optional."""

import contextlib
from types import ModuleType

from device.audio.card import CardSink
from device.audio.sink import QUEUE_BLOCKS, Format
from device.contract.pattern import FloatArray
from device.errors import AudioError


def _library() -> ModuleType:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, the PortAudio library is not
        raise AudioError("PortAudio is not installed: pip install 'latido[desktop]', or --sink browser") from error
    module: ModuleType = sounddevice
    return module


class PortAudioCard:
    """An open output stream, blocking. Raises AudioError when there is none or it refuses."""

    def __init__(self, detail: str, form: Format) -> None:
        library = _library()
        self._error = library.PortAudioError
        try:
            device = library.query_devices(detail or None, "output")
            self._stream = library.RawOutputStream(
                samplerate=form.sample_rate,
                blocksize=form.block_frames,
                device=device["index"],
                channels=2,
                dtype="float32",
                latency=QUEUE_BLOCKS * form.block_frames / form.sample_rate,
            )
            self._stream.start()
        except (library.PortAudioError, ValueError) as error:
            named = f"output {detail!r}" if detail else "output"
            raise AudioError(f"PortAudio has no {named} it can play on ({error}): try --sink browser") from error
        self.name = f"portaudio {device['name']}"
        self.latency_ms = 1000.0 * float(self._stream.latency)
        self.underruns = 0

    def play(self, block: FloatArray) -> int:
        """Hand a block over; an underrun is counted."""
        try:
            dry = bool(self._stream.write(block.data))
        except self._error as error:
            raise AudioError(f"{self.name} is gone: {error}") from error
        self.underruns += dry
        return 0 if dry else len(block)  # PortAudio does not say how full the card's queue is, only that it ran dry

    def close(self) -> None:
        """Let the device go at once."""
        with contextlib.suppress(self._error):
            self._stream.abort()
            self._stream.close()


def open_sink(detail: str, form: Format) -> CardSink:
    """``portaudio`` for the system's choice, ``portaudio:NAME`` for a device whose name contains NAME."""
    _library()
    return CardSink(lambda: PortAudioCard(detail, form), form)
