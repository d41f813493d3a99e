"""What hands do, as values: the only thing panel, web page and MIDI send to the control loop.

``at_ns`` is CLOCK_MONOTONIC when the hand moved. Knob positions are 0..1, scenes, corners, steps and voices count from 0.
"""

from dataclasses import dataclass
from typing import Final

BUTTONS: Final = ("PLAY", "NEW", "FILL", "TEMP", "VOICE", "SCENE", "LEARN", "SHIFT")
SCENE_ACTIONS: Final = ("recall", "save", "clear")
MAP_KINDS: Final = ("learned", "corners")
CORNERS: Final = ("bottom left", "bottom right", "top left", "top right")  # corner 0..3 of the map
SIDES: Final = ("a", "b")


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


@dataclass(frozen=True, slots=True)
class StepSet:
    """One cell of the pattern that plays is switched on or off."""

    step: int  # 0..31
    voice: int
    on: bool
    velocity: float = 0.8  # of a hit that was not there
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class SceneCommand:
    """A scene 0..15 is recalled (at the bar), saved, or cleared: one of SCENE_ACTIONS."""

    action: str
    scene: int
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class CornerSet:
    """A corner of the map (see CORNERS) becomes a scene's place, or (None) the learned map's again."""

    corner: int
    scene: int | None
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class MapChosen:
    """X and Y move over this map: one of MAP_KINDS."""

    kind: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class PlaceKept:
    """What plays now is remembered as one end of the morph: one of SIDES."""

    side: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class SongSet:
    """The song: (scene, repeats) in order; a repeat is one pattern, two bars."""

    entries: tuple[tuple[int, int], ...]
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class SongPlayed:
    """The song begins, at the next first bar of the pattern, or ends."""

    on: bool
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class CcReceived:
    """A MIDI controller moved: channel 1..16, number and value 0..127."""

    channel: int
    number: int
    value: int
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class CcLearn:
    """The next MIDI controller that moves is bound to this parameter ("": no, forget it)."""

    parameter: str
    voice: int | None = None  # per-voice parameters: always this voice; None: the chosen one
    at_ns: int = 0


Event = (
    KnobTurned
    | ButtonPressed
    | ButtonReleased
    | ParameterSet
    | VoiceChosen
    | PadHit
    | StepSet
    | SceneCommand
    | CornerSet
    | MapChosen
    | PlaceKept
    | SongSet
    | SongPlayed
    | CcReceived
    | CcLearn
)
