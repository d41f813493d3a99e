"""The instrument's mind: one Moment and one event give the next Moment. Pure: no clock, file, thread or model.

What must happen once (start, stop, a hit) comes back as Commands beside the new Moment. Everything else
follows from the Moment's state: the control loop compares what the state asks for (wishes.py, params.py)
with what was asked last, so nothing can be forgotten or sent twice.

    buttons   press                    hold                       with SHIFT
    PLAY      start / stop (at once)   panic                      tap tempo
    NEW       new place (on release)   nudge near here            undo
    FILL      fill until released                                 redo
    TEMP      (from press to release, everything is tried)        keep: released with SHIFT down
    VOICE     next voice (on release)  audition                   mute
    SCENE     next scene (on release)  a knob chooses the scene   save
    LEARN     record two bars                                     re-encode (see control.py)
    SHIFT     second page while down; a tap alone keeps it up
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import Final, TypeVar

import msgspec
import numpy as np

from device.contract.latent import Maps
from device.contract.pattern import PatternGrid
from device.contract.voices import VOICE_COUNT, VOICES
from device.control.gestures import Buttons, Gesture, take_over
from device.control.history import History
from device.control.learn import Played, Take, first_step_after
from device.control.state import SCENE_COUNT, PlayerState, grid_bytes
from device.control.store import Scene
from device.control.wishes import nearest_style
from device.engine.records import Action, Command, Hit, Transport
from device.errors import SettingError
from device.panel.events import (
    ButtonPressed,
    ButtonReleased,
    Event,
    KnobTurned,
    PadHit,
    ParameterSet,
    VoiceChosen,
)
from device.parameters import knob, parameter

T = TypeVar("T")

NUDGE: Final = 0.35  # standard deviation of a nudge, in units of the latent prior
TAP_GAP_NS: Final = 2_000_000_000  # a longer pause starts a new count of taps
TAPS_KEPT: Final = 5
AUDITION_VELOCITY: Final = 0.9
MOVES_RHYTHM: Final = frozenset({"x", "y", "style", "drift"})  # moving one of these lets go of a kept pattern


@dataclass(frozen=True, slots=True)
class Here:
    """What an event meets: the bundle's maps, the pattern that plays, and where the transport is."""

    maps: Maps
    bundle: str
    pattern: PatternGrid
    place: float = 0.0  # steps since start, with fraction, when the hand moved


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
    filling: bool = False
    scenes: tuple[Scene | None, ...] = (None,) * SCENE_COUNT
    scene: int = 0
    pending: int | None = None  # scene to be recalled at the bar
    choosing: int | None = None  # scene under the hand while SCENE is held
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


def respond(moment: Moment, event: Event, here: Here) -> Answer:
    """The next Moment and what is to be sent. Raises SettingError for an unknown control or voice."""
    match event:
        case KnobTurned():
            return _turned(moment, event, here), ()
        case ParameterSet():
            voice = moment.voice if event.voice is None else _voice(event.voice)
            return set_parameter(moment, event.name, event.position, voice, event.at_ns, here.maps), ()
        case ButtonPressed():
            used = moment.shift_used or event.button != "SHIFT"
            shifted = moment.buttons.is_down("SHIFT")
            buttons, said = moment.buttons.press(event.button, event.at_ns, shifted=shifted)
            return _say(replace(moment, buttons=buttons, shift_used=used), said, here)
        case ButtonReleased():
            buttons, said = moment.buttons.release(event.button, event.at_ns)
            return _say(replace(moment, buttons=buttons), said, here)
        case VoiceChosen():
            return replace(moment, voice=_voice(event.voice)), ()
        case PadHit():
            return _pad(moment, event, here)
    return moment, ()


def pass_time(moment: Moment, now_ns: int, here: Here) -> Answer:
    """Let held buttons say so."""
    buttons, said = moment.buttons.pass_time(now_ns)
    return _say(replace(moment, buttons=buttons), said, here) if said else (moment, ())


def set_parameter(moment: Moment, name: str, position: float, voice: int, at_ns: int, maps: Maps) -> Moment:
    """Move one parameter to a position 0..1, undoably. Raises SettingError for an unknown name."""
    entry = parameter(name)
    if not np.isfinite(position):
        raise SettingError(f"{name} must be set to a position 0..1, got {position}")
    before = moment.state
    state = before.moved(name, position, voice)
    if state.position(name, voice) == before.position(name, voice):
        return moment
    if name in MOVES_RHYTHM and state.kept is not None:
        state = msgspec.structs.replace(state, kept=None)
    if name == "style":
        styles = maps.node_styles.shape[-1]
        nearest = nearest_style(state.position("style"), styles)
        if nearest != nearest_style(before.position("style"), styles):
            state = state.with_kit(maps, nearest)
    if name in ("tone_x", "tone_y") and not before.own[voice]:
        state = msgspec.structs.replace(state, own=_with(before.own, voice, True))
    return _changed(moment, state, f"{name} {voice}" if entry.per_voice else name, at_ns)


def _turned(moment: Moment, event: KnobTurned, here: Here) -> Moment:
    entry = knob(moment.page, event.number)
    hand = min(max(event.position, 0.0), 1.0)
    before = moment.hands[event.number - 1]
    moment = replace(moment, hands=_with(moment.hands, event.number - 1, hand), shift_used=True)
    if moment.buttons.is_down("SCENE"):
        return replace(moment, choosing=min(int(hand * SCENE_COUNT), SCENE_COUNT - 1))
    if before is None:  # where the knob stood is not known: this only shows it
        return moment
    value = take_over(moment.state.position(entry.name, moment.voice), before, hand)
    return set_parameter(moment, entry.name, value, moment.voice, event.at_ns, here.maps)


def _pad(moment: Moment, event: PadHit, here: Here) -> Answer:
    voice, velocity = _voice(event.voice), min(max(event.velocity, 0.0), 1.0)
    if moment.take is not None:
        moment = replace(moment, take=moment.take.with_hit(Played(here.place, voice, velocity)))
    return moment, (Hit(voice, velocity),)


def _say(moment: Moment, said: tuple[Gesture, ...], here: Here) -> Answer:
    commands: tuple[Command, ...] = ()
    for gesture in said:
        moment, more = _BUTTONS[gesture.button](moment, gesture, here)
        commands += more
    return moment, commands


def _play(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    match gesture.kind, gesture.shifted:
        case "down", True:
            return _tap(moment, gesture.at_ns, here.maps), ()
        case "down", False:
            action = Action.STOP if moment.playing else Action.START
            return replace(moment, playing=not moment.playing, take=None), (Transport(action),)
        case "hold", False:
            return replace(moment, playing=False, take=None), (Transport(Action.PANIC),)
    return moment, ()


def _tap(moment: Moment, at_ns: int, maps: Maps) -> Moment:
    fresh = not moment.taps or at_ns - moment.taps[-1] > TAP_GAP_NS
    taps = (at_ns,) if fresh else (*moment.taps, at_ns)[-TAPS_KEPT:]
    moment = replace(moment, taps=taps)
    gaps = [later - earlier for earlier, later in pairwise(taps) if later > earlier]
    if not gaps:
        return moment
    tempo = parameter("tempo").position(60e9 / median(gaps))
    return set_parameter(moment, "tempo", tempo, 0, at_ns, maps)


def _new(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    if gesture.shifted:
        return (_step_back(moment), ()) if gesture.kind == "down" else (moment, ())
    if gesture.kind == "down" or gesture.held:
        return moment, ()
    draw = np.random.default_rng((moment.lasting.seed, moment.draws))
    state = moment.state
    if gesture.kind == "hold":
        size = here.maps.rhythm_nodes.shape[-1]
        offset = np.asarray(state.offset or np.zeros(size)) + draw.normal(0.0, NUDGE, size)
        state = msgspec.structs.replace(state, offset=tuple(map(float, offset)), kept=None)
        message = "nudged"
    else:
        state = state.moved("x", draw.random()).moved("y", draw.random())
        state = msgspec.structs.replace(state, offset=(), kept=None)
        message = "new place"
    return _changed(replace(moment, draws=moment.draws + 1), state, "", gesture.at_ns, message), ()


def _step_back(moment: Moment) -> Moment:
    return _travel(moment, moment.history.undo(moment.state), "undone", "nothing to undo")


def _step_forward(moment: Moment) -> Moment:
    return _travel(moment, moment.history.redo(moment.state), "done again", "nothing to redo")


def _travel(moment: Moment, found: tuple[History, PlayerState] | None, done: str, nothing: str) -> Moment:
    if moment.tried_from is not None:
        return replace(moment, message="release TEMP first: it takes back everything that was tried")
    if found is None:
        return replace(moment, message=nothing)
    return replace(moment, history=found[0], state=found[1], message=done)


def _fill(moment: Moment, gesture: Gesture, _: Here) -> Answer:
    if gesture.kind == "down":
        return (_step_forward(moment), ()) if gesture.shifted else (replace(moment, filling=True), ())
    return (replace(moment, filling=False), ()) if gesture.kind == "up" else (moment, ())


def _temp(moment: Moment, gesture: Gesture, _: Here) -> Answer:
    if gesture.kind == "down":
        return replace(moment, tried_from=moment.state, message="trying"), ()
    before = moment.tried_from
    if gesture.kind != "up" or before is None:
        return moment, ()
    moment = replace(moment, tried_from=None, pending=None)
    if not moment.buttons.is_down("SHIFT"):
        return replace(moment, state=before, message="as before"), ()
    if moment.state == before:
        return moment, ()
    return replace(moment, history=moment.history.remember(before, "", gesture.at_ns), message="kept"), ()


def _voice_button(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    voice = moment.voice
    match gesture.kind, gesture.shifted:
        case "down", True:
            muted = 1.0 - moment.state.position("mute", voice)
            moment = set_parameter(moment, "mute", muted, voice, gesture.at_ns, here.maps)
            label = VOICES[voice].label
            return replace(moment, message=f"{label} {'muted' if muted else 'plays'}"), ()
        case "hold", False:
            return moment, (Hit(voice, AUDITION_VELOCITY),)
        case "up", False if not gesture.held:
            return replace(moment, voice=(voice + 1) % VOICE_COUNT), ()
    return moment, ()


def _scene(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    if gesture.shifted:
        return (_save_scene(moment, here), ()) if gesture.kind == "down" else (moment, ())
    if gesture.kind != "up":
        return moment, ()
    chosen, moment = moment.choosing, replace(moment, choosing=None)
    if chosen is None and not gesture.held:
        saved = [index for index, scene in enumerate(moment.scenes) if scene is not None]
        chosen = next((index for index in saved if index > moment.scene), saved[0] if saved else moment.scene)
    if chosen is None:
        return moment, ()
    if moment.scenes[chosen] is None:
        return replace(moment, message=f"scene {chosen + 1} is empty: SHIFT + SCENE saves"), ()
    moment = replace(moment, pending=chosen, message=f"scene {chosen + 1}")
    return (moment, ()) if moment.playing else (recall(moment, here.bundle, gesture.at_ns), ())


def recall(moment: Moment, bundle: str, at_ns: int) -> Moment:
    """The pending scene becomes what plays. One made with another bundle keeps its own pattern until touched."""
    index = moment.pending
    scene = None if index is None else moment.scenes[index]
    if index is None or scene is None:
        return replace(moment, pending=None)
    state = scene.state
    if scene.bundle != bundle:
        state = msgspec.structs.replace(state, kept=scene.pattern)
    return replace(_changed(moment, state, "", at_ns), scene=index, pending=None)


def _save_scene(moment: Moment, here: Here) -> Moment:
    free = next((index for index, scene in enumerate(moment.scenes) if scene is None), moment.scene)
    scene = Scene(moment.state, grid_bytes(here.pattern), here.bundle)
    return replace(moment, scenes=_with(moment.scenes, free, scene), scene=free, message=f"saved as scene {free + 1}")


def _learn(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    if gesture.kind != "down" or gesture.shifted:
        return moment, ()
    if moment.take is not None:
        return replace(moment, take=None, message="learning stopped"), ()
    take = Take(first_step_after(here.place, playing=moment.playing))
    start: tuple[Command, ...] = () if moment.playing else (Transport(Action.START),)
    return replace(moment, take=take, playing=True, message="count in, then play two bars"), start


def learned(moment: Moment, pattern: PatternGrid, offset: tuple[float, ...], at_ns: int) -> Moment:
    """A take was encoded: the knobs go on from its place, its own hits play until they do."""
    state = msgspec.structs.replace(moment.state, offset=offset, kept=grid_bytes(pattern))
    return _changed(replace(moment, take=None), state, "", at_ns, "learned: X, Y and STYLE go on from here")


def _shift(moment: Moment, gesture: Gesture, _: Here) -> Answer:
    if gesture.kind == "down":
        return replace(moment, shift_used=False), ()
    if gesture.kind == "up" and not gesture.held and not moment.shift_used:
        return replace(moment, latched=not moment.latched), ()
    return moment, ()


_BUTTONS: Final = {
    "PLAY": _play,
    "NEW": _new,
    "FILL": _fill,
    "TEMP": _temp,
    "VOICE": _voice_button,
    "SCENE": _scene,
    "LEARN": _learn,
    "SHIFT": _shift,
}


def _changed(moment: Moment, state: PlayerState, gesture: str, at_ns: int, message: str = "") -> Moment:
    history = moment.history
    if moment.tried_from is None:
        history = history.remember(moment.state, gesture, at_ns)
    return replace(moment, state=state, history=history, message=message)


def _voice(index: int) -> int:
    if not 0 <= index < VOICE_COUNT:
        raise SettingError(f"no voice {index}: voices are 0..{VOICE_COUNT - 1}")
    return index


def _with(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])
