"""What hands do, as values: the only thing panel, web page and MIDI send to the control loop.

``at_ns`` is CLOCK_MONOTONIC when the hand moved. Knob positions are 0..1.
"""

from dataclasses import dataclass
from typing import Final

BUTTONS: Final = ("PLAY", "NEW", "FILL", "TEMP", "VOICE", "SCENE", "LEARN", "SHIFT")


@dataclass(frozen=True, slots=True)
class KnobTurned:
    """Knob 1..8 of the page that is up."""

    number: int
    position: float
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """One of BUTTONS goes down."""

    button: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class ButtonReleased:
    """One of BUTTONS goes up."""

    button: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """A parameter is set directly (page, CC), as a knob position 0..1. ``voice`` None: the chosen voice."""

    name: str
    position: float
    voice: int | None = None
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class VoiceChosen:
    """This voice comes under the sound knobs."""

    voice: int
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class PadHit:
    """A voice is played by hand."""

    voice: int
    velocity: float
    at_ns: int = 0


Event = KnobTurned | ButtonPressed | ButtonReleased | ParameterSet | VoiceChosen | PadHit
