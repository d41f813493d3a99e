"""The instrument's mind: one Moment and one event give the next Moment. Pure: no clock, file, thread or model.

What must happen once (start, stop, a hit) comes back as Commands beside the new Moment. Everything else
follows from the Moment's state: the control loop compares what the state asks for (wishes.py, params.py)
with what was asked last, so nothing can be forgotten or sent twice.

    buttons   press                    hold                       with SHIFT
    PLAY      start / stop (at once)   panic                      tap tempo
    NEW       new place (on release)   nudge near here            undo
    FILL      fill until released                                 redo
    TEMP      (from press to release, everything is tried)        keep: released with SHIFT down
    VOICE     next voice (on release)  audition; a knob chooses   mute
                                       a step, LEARN toggles it
    SCENE     next scene (on release)  a knob chooses the scene   save
    LEARN     record two bars                                     encode what plays
    SHIFT     second page while down; a tap alone keeps it up
"""

from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Final

import msgspec
import numpy as np

from device.contract.latent import Maps
from device.contract.pattern import STEPS
from device.contract.voices import VOICE_COUNT, VOICES
from device.control import scenes
from device.control.gestures import Gesture, take_over
from device.control.history import History
from device.control.learn import Played, Take, first_step_after
from device.control.moment import Answer, Here, Moment, changed, checked, put
from device.control.own import let_go, with_hits, with_step
from device.control.places import morphed
from device.control.state import HELD_BY, SCENE_COUNT, PlayerState
from device.control.wishes import nearest_style
from device.engine.records import Action, Command, Hit, Transport
from device.errors import SettingError
from device.panel.events import (
    ButtonPressed,
    ButtonReleased,
    CcLearn,
    CcReceived,
    CornerSet,
    Event,
    KnobTurned,
    MapChosen,
    PadHit,
    ParameterSet,
    PlaceKept,
    SceneCommand,
    SongPlayed,
    SongSet,
    StepSet,
    VoiceChosen,
)
from device.parameters import PARAMETER, parameter
from device.settings import CcBinding

NUDGE: Final = 0.35  # standard deviation of a nudge, in units of the latent prior
TAP_GAP_NS: Final = 2_000_000_000  # a longer pause starts a new count of taps
TAPS_KEPT: Final = 5
ONE_DRAG: Final = {"x": "place", "y": "place", "tone_x": "tone", "tone_y": "tone"}  # one gesture to undo
AUDITION_VELOCITY: Final = 0.9
ON_FROM: Final = 0.5  # level of a hit that is there, for LEARN on a step


def respond(moment: Moment, event: Event, here: Here) -> Answer:
    """The next Moment and what is to be sent. Raises SettingError for an unknown control, voice or scene."""
    if moment.buttons.is_down("SHIFT") and not isinstance(event, ButtonPressed | ButtonReleased):
        moment = replace(moment, shift_used=True)  # by the page as by knobs: letting go of SHIFT is then no tap
    match event:
        case ButtonPressed():
            used = moment.shift_used or event.button != "SHIFT"
            shifted = moment.buttons.is_down("SHIFT")
            buttons, said = moment.buttons.press(event.button, event.at_ns, shifted=shifted)
            return _say(replace(moment, buttons=buttons, shift_used=used), said, here)
        case ButtonReleased():
            buttons, said = moment.buttons.release(event.button, event.at_ns)
            return _say(replace(moment, buttons=buttons), said, here)
        case PadHit():
            return _pad(moment, event, here)
        case SongPlayed():
            return scenes.play_song(moment, here, event.at_ns) if event.on else (scenes.end_song(moment), ())
    return _moved(moment, event, here), ()


def _moved(moment: Moment, event: Event, here: Here) -> Moment:
    """The answer to what only changes the Moment."""
    match event:
        case KnobTurned():
            moment = _turned(moment, event, here)
        case ParameterSet():
            voice = moment.voice if event.voice is None else checked(event.voice, VOICE_COUNT, "voice")
            moment = set_parameter(moment, event.name, event.position, voice, event.at_ns, here.maps)
        case VoiceChosen():
            moment = replace(moment, voice=checked(event.voice, VOICE_COUNT, "voice"))
        case StepSet():
            moment = _step_set(moment, event, here)
        case SceneCommand():
            moment = scenes.command(moment, event, here)
        case CornerSet():
            moment = scenes.set_corner(moment, event, here)
        case MapChosen():
            moment = scenes.choose_map(moment, event.kind, here.maps, event.at_ns)
        case PlaceKept():
            moment = scenes.keep_place(moment, event.side, here.maps, event.at_ns)
        case SongSet():
            moment = scenes.set_song(moment, event)
        case CcReceived():
            moment = _controlled(moment, event, here)
        case CcLearn():
            moment = _learn_cc(moment, event)
    return moment


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
    if name == "style":
        state = msgspec.structs.replace(state, mix=())
        styles = maps.node_styles.shape[-1]
        nearest = nearest_style(state.position("style"), styles)
        if nearest != nearest_style(before.position("style"), styles):
            state = state.with_kit(maps, nearest)
    if name in ("tone_x", "tone_y") and not before.own[voice]:
        state = msgspec.structs.replace(state, own=put(before.own, voice, True))
    message = ""
    if name == "morph":
        state = morphed(state, maps)
        message = "" if state.a and state.b else "keep two places first, A and B: the morph moves between them"
    if name in HELD_BY and let_go(state):
        state = msgspec.structs.replace(state, kept=None, held_at=(), placed=False)
        message = "your hits let go: the model plays on from your beat"
    together = ONE_DRAG.get(name, name)
    return changed(moment, state, maps, f"{together} {voice}" if entry.per_voice else together, at_ns, message)


def _controlled(moment: Moment, event: CcReceived, here: Here) -> Moment:
    """A MIDI controller moves what it is bound to. What is to be bound, the control loop has taken before."""
    found = here.settings.controlled(event.channel, event.number)
    if found is None or not 0 <= event.value <= 127:
        return moment
    entry, voice = found
    return set_parameter(
        moment, entry.name, event.value / 127, moment.voice if voice is None else voice, event.at_ns, here.maps
    )


def _learn_cc(moment: Moment, event: CcLearn) -> Moment:
    if not event.parameter:
        return replace(moment, cc_learn=None, message="" if moment.cc_learn is None else "no controller is learned")
    entry = parameter(event.parameter)
    if event.voice is not None:
        checked(event.voice, VOICE_COUNT, "voice")
    learning = replace(event, voice=event.voice if entry.per_voice else None)
    return replace(moment, cc_learn=learning, message=f"move a controller: it will be {entry.label}")


def bind_cc(moment: Moment, event: CcReceived) -> tuple[Moment, CcBinding]:
    """The binding for the controller that moved, which was waited for. Raises SettingError for none of MIDI's."""
    learning = moment.cc_learn
    assert learning is not None
    voice = None if learning.voice is None else VOICES[learning.voice].name
    binding = CcBinding(event.number, learning.parameter, event.channel, voice)
    label = PARAMETER[learning.parameter].label
    told = f"controller {event.number} on channel {event.channel} moves {label}"
    return replace(moment, cc_learn=None, message=told), binding


def _step_set(moment: Moment, event: StepSet, here: Here) -> Moment:
    """One cell of the pattern that plays is toggled; the hits become the player's own."""
    step, voice = checked(event.step, STEPS, "step"), checked(event.voice, VOICE_COUNT, "voice")
    if not np.isfinite(event.velocity):
        raise SettingError(f"a velocity is 0..1, got {event.velocity}")
    if moment.take is not None or moment.filling:
        return replace(moment, message=f"{'LEARN' if moment.take else 'FILL'} is on: steps are set when it is over")
    kept = moment.state.kept_grid()
    grid = here.pattern if kept is None else kept
    state = with_hits(moment.state, with_step(grid, step, voice, on=event.on, velocity=event.velocity))
    if state.kept == moment.state.kept:
        return moment
    said = f"{VOICES[voice].label} {'on' if event.on else 'off'} at step {step + 1}"
    return changed(moment, state, here.maps, "", event.at_ns, said)


def _turned(moment: Moment, event: KnobTurned, here: Here) -> Moment:
    entry = here.settings.knob(moment.page, event.number)
    hand = min(max(event.position, 0.0), 1.0)
    before = moment.hands[event.number - 1]
    moment = replace(moment, hands=put(moment.hands, event.number - 1, hand), shift_used=True)
    if moment.buttons.is_down("SCENE"):
        return replace(moment, choosing=min(int(hand * SCENE_COUNT), SCENE_COUNT - 1))
    if moment.buttons.is_down("VOICE"):
        step = min(int(hand * STEPS), STEPS - 1)
        return replace(moment, cursor=step, message=f"step {step + 1}: LEARN sets or clears it")
    if before is None:  # where the knob stood is not known: this only shows it
        return moment
    value = take_over(moment.state.position(entry.name, moment.voice), before, hand)
    return set_parameter(moment, entry.name, value, moment.voice, event.at_ns, here.maps)


def _pad(moment: Moment, event: PadHit, here: Here) -> Answer:
    if not np.isfinite(event.velocity):
        raise SettingError(f"a velocity is 0..1, got {event.velocity}")
    voice, velocity = checked(event.voice, VOICE_COUNT, "voice"), min(max(event.velocity, 0.0), 1.0)
    if moment.take is not None:
        moment = replace(moment, take=moment.take.with_hit(Played(here.place, voice, velocity)))
    return moment, (Hit(voice, velocity),)


def _say(moment: Moment, said: tuple[Gesture, ...], here: Here) -> Answer:
    commands: tuple[Command, ...] = ()
    for gesture in said:
        bound = here.settings.buttons.get(gesture.button) if gesture.shifted else None
        answer = _BUTTONS[gesture.button] if bound is None else _switch
        moment, more = answer(moment, gesture, here)
        commands += more
    return moment, commands


def _switch(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    """A button with SHIFT that the settings bind to a parameter switches it between its ends."""
    if gesture.kind != "down":
        return moment, ()
    name = here.settings.buttons[gesture.button]
    position = 0.0 if moment.state.position(name, moment.voice) >= 0.5 else 1.0
    return set_parameter(moment, name, position, moment.voice, gesture.at_ns, here.maps), ()


def _play(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    match gesture.kind, gesture.shifted:
        case "down", True:
            return _tap(moment, gesture.at_ns, here.maps), ()
        case "down", False:
            moment = scenes.end_song(moment)
            action = Action.STOP if moment.playing else Action.START
            return replace(moment, playing=not moment.playing, take=None), (Transport(action),)
        case "hold", False:
            return replace(scenes.end_song(moment), playing=False, take=None), (Transport(Action.PANIC),)
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
        state = msgspec.structs.replace(state, offset=tuple(map(float, offset)), kept=None, held_at=(), placed=False)
        message = "nudged"
    else:
        state = state.moved("x", draw.random()).moved("y", draw.random())
        state = msgspec.structs.replace(state, offset=(), kept=None, held_at=(), placed=False)
        message = "new place"
    moment = replace(moment, draws=moment.draws + 1)
    return changed(moment, state, here.maps, "", gesture.at_ns, message), ()


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
        return replace(moment, tried_from=moment.state, tried_scene=moment.scene, message="trying"), ()
    before = moment.tried_from
    if gesture.kind != "up" or before is None:
        return moment, ()
    moment = replace(moment, tried_from=None)
    if moment.song_at < 0:
        moment = replace(moment, pending=None, pending_step=None)
    if not moment.buttons.is_down("SHIFT"):
        return replace(moment, state=before, scene=moment.tried_scene, message="as before"), ()
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
        case "up", _ if moment.cursor is not None:
            return replace(moment, cursor=None), ()
        case "up", False if not gesture.held:
            return replace(moment, voice=(voice + 1) % VOICE_COUNT), ()
    return moment, ()


def _learn(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    if gesture.kind != "down":
        return moment, ()
    if moment.cursor is not None:
        kept = moment.state.kept_grid()
        wanted = (here.pattern if kept is None else kept).levels[moment.cursor, moment.voice]
        event = StepSet(moment.cursor, moment.voice, on=bool(wanted < ON_FROM), at_ns=gesture.at_ns)
        return _step_set(moment, event, here), ()
    if gesture.shifted:
        if moment.take is not None or moment.filling:
            return replace(moment, message="what plays now is no beat of yours to encode"), ()
        state = with_hits(moment.state, moment.state.kept_grid() or here.pattern)
        return changed(moment, state, here.maps, "", gesture.at_ns, "encoded: X, Y and STYLE go on from here"), ()
    if moment.take is not None:
        return replace(moment, take=None, message="learning stopped"), ()
    take = Take(first_step_after(here.place, playing=moment.playing))
    start: tuple[Command, ...] = () if moment.playing else (Transport(Action.START),)
    return replace(moment, take=take, playing=True, message="count in, then play two bars"), start


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
    "SCENE": scenes.scene_button,
    "LEARN": _learn,
    "SHIFT": _shift,
}
