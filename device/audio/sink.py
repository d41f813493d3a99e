"""Where the frames go. Every driver is one file with an ``open_sink`` and one class that keeps this promise.

A sink holds a short queue of frames, like a sound card: ``write`` waits until there is room for the block,
so the sink's clock paces the whole audio process. It answers how much was still queued when the block
came; less than one block is a *late* block (the loop counts it), nothing at all is an *underrun* (the sink
counts it: a gap was heard).
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from device.contract.pattern import FloatArray
from device.errors import AudioError

QUEUE_BLOCKS: Final = 3  # blocks a sink holds: two in hand while one plays
PI_MODEL: Final = Path("/proc/device-tree/model")


class Sink(Protocol):
    """A driver that plays, streams or keeps blocks of (n, 2) float32 in -1..1."""

    name: str  # what the player reads: "alsa hw:CARD=IQaudIODAC", "browser"
    latency_ms: float  # from ``write`` to the ear, as far as is known

    @property
    def underruns(self) -> int:
        """How often the queue ran dry."""

    def write(self, block: FloatArray) -> int:
        """Hand a block over, waiting for room; returns the frames that were still queued when it came."""

    def close(self) -> None:
        """Let the device go; idempotent."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a sink is opened with."""

    sample_rate: int
    block_frames: int
    folder: Path  # the runtime folder, for sinks with a socket of their own
    card_wait_seconds: float = 10.0  # a card may appear late at boot

    @property
    def block_ns(self) -> int:
        """Duration of one block."""
        return self.block_frames * 1_000_000_000 // self.sample_rate


Opener = Callable[[str, Format], Sink]
DRIVERS: Final = {
    "alsa": "device.audio.alsa",
    "portaudio": "device.audio.portaudio",
    "browser": "device.audio.browser",
    "wav": "device.audio.wav",
    "null": "device.audio.null",
}


def open_sink(asked: str, form: Format) -> tuple[Sink, str]:
    """The sink for "auto", "NAME" or "NAME:DETAIL", and one sentence that says why it is this one.

    Raises AudioError when a sink that was named is not there. "auto" always finds one.
    """
    if asked == "auto":
        return _automatic(form)
    name, _, detail = asked.partition(":")
    return _opener(name)(detail, form), f"{name} was asked for"


def _opener(name: str) -> Opener:
    if name not in DRIVERS:
        raise AudioError(f"no sink named {name!r}: use auto, {', '.join(DRIVERS)}")
    opener: Opener = importlib.import_module(DRIVERS[name]).open_sink
    return opener


def _automatic(form: Format) -> tuple[Sink, str]:
    order = ("alsa", "portaudio", "browser", "null") if _is_pi() else ("portaudio", "browser", "null")
    said = []
    for name in order:
        try:
            sink = _opener(name)("", form)
        except AudioError as error:
            said.append(str(error).partition(": ")[0])  # the reason without the way out, which is taken here
        else:
            return sink, f"{name}, because {' and '.join(said)}" if said else f"{name} was found"
    raise AudioError("no sink could be opened: " + "; ".join(said))


def _is_pi() -> bool:
    try:
        return "Raspberry Pi" in PI_MODEL.read_text(errors="replace")
    except OSError:
        return False
