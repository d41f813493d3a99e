"""Everything control knows of the player between two events, as one frozen value; see instrument.py for its rules."""

from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import msgspec

from device.contract.latent import Maps
from device.contract.pattern import PatternGrid
from device.contract.voices import VOICE_COUNT
from device.control.gestures import Buttons
from device.control.history import History
from device.control.learn import Take
from device.control.state import SCENE_COUNT, PlayerState
from device.control.store import Scene
from device.control.wishes import sound_wish
from device.engine.records import Command
from device.errors import SettingError
from device.panel.events import CcLearn
from device.settings import DEFAULTS, Settings

T = TypeVar("T")
NO_VOICES: Final = (False,) * VOICE_COUNT


@dataclass(frozen=True, slots=True)
class Here:
    """What an event meets: the bundle's maps, the pattern that plays, and where the transport is."""

    maps: Maps
    bundle: str
    pattern: PatternGrid
    place: float = 0.0  # steps since start, with fraction, when the hand moved
    settings: Settings = DEFAULTS


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything the control loop knows about the player between two events."""

    state: PlayerState
    voice: int = 0  # under the sound knobs
    playing: bool = False
    hands: tuple[float | None, ...] = (None,) * 8  # where each knob was seen last
    buttons: Buttons = field(default_factory=Buttons)
    latched: bool = False  # the shift page stays up without SHIFT, and SHIFT brings the play page
    shift_used: bool = False  # something was done while SHIFT was down
    history: History = field(default_factory=History)
    tried_from: PlayerState | None = None  # what TEMP goes back to
    tried_scene: int = 0  # ... and the scene it came from
    filling: bool = False
    scenes: tuple[Scene | None, ...] = (None,) * SCENE_COUNT
    scene: int = 0
    pending: int | None = None  # scene to be recalled at a bar line
    pending_step: int | None = None  # the step of that bar line; None: the next one
    song: tuple[tuple[int, int], ...] = ()  # (scene, repeats)
    song_at: int = -1  # entry that plays, or is about to; -1: no song
    song_step: int = 0  # global step at which that entry begins
    cc_learn: CcLearn | None = None  # what the next MIDI controller is bound to
    choosing: int | None = None  # scene under the hand while SCENE is held
    cursor: int | None = None  # step under the hand while VOICE is held: LEARN sets or clears it
    taps: tuple[int, ...] = ()
    take: Take | None = None
    draws: int = 0  # how many random places have been drawn
    message: str = ""

    @property
    def page(self) -> str:
        """The knob page that is up. Buttons take their second meaning only while SHIFT is down."""
        return "shift" if self.latched != self.buttons.is_down("SHIFT") else "play"

    @property
    def lasting(self) -> PlayerState:
        """The state without what is only being tried."""
        return self.tried_from or self.state


Answer = tuple[Moment, tuple[Command, ...]]


def changed(moment: Moment, state: PlayerState, maps: Maps, gesture: str, at_ns: int, message: str = "") -> Moment:
    """The Moment with a new state, undoably. Voices of a stored kit that were touched are the model's again."""
    before, history = moment.state, moment.history
    if state.stored and state.stored == before.stored:
        alike = (sound_wish(state, maps, voice) == sound_wish(before, maps, voice) for voice in range(VOICE_COUNT))
        voices = tuple(kept and same for kept, same in zip(state.stored_voices, alike, strict=True))
        state = msgspec.structs.replace(state, stored=state.stored if any(voices) else "", stored_voices=voices)
    if moment.tried_from is None:
        history = history.remember(before, gesture, at_ns)
    return replace(moment, state=state, history=history, message=message)


def checked(index: int, count: int, what: str) -> int:
    """The index itself, or SettingError with the range."""
    if not 0 <= index < count:
        raise SettingError(f"no {what} {index}: {what}s are 0..{count - 1}")
    return index


def put(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """The tuple with one entry replaced."""
    return (*values[:index], value, *values[index + 1 :])
