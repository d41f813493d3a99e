"""Scenes and the song: 16 moments to come back to, and a chain of them. Pure, like instrument.py.

    chosen ──> pending ──(a step before the bar line: recall)──> state          at once while stopped
    song       entry i: its scene is pending for the step at which entry i - 1 has had its repeats

A scene brings its whole state back, but not the workspace: with the learned map up, the ends of the morph
and the corners stay as they are, and MIDI bindings and the song are no part of it anyway. A scene of
another bundle keeps its hits and its rendered kit until they are touched.
"""

import hashlib
from dataclasses import replace
from typing import Final

import msgspec

from device.contract.latent import Maps
from device.contract.pattern import STEPS, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.control.gestures import Gesture
from device.control.moment import Answer, Here, Moment, changed, checked, put
from device.control.own import with_hits
from device.control.places import corner_of, place_of
from device.control.state import SCENE_COUNT, PlayerState, bytes_grid, grid_bytes, moved_over
from device.control.store import Scene
from device.control.wishes import sound_wish
from device.engine.records import Action, Command, Transport
from device.errors import SettingError
from device.panel.events import CORNERS, MAP_KINDS, SCENE_ACTIONS, SIDES, CornerSet, SceneCommand, SongSet

MOST_ENTRIES: Final = 256
MOST_REPEATS: Final = 999


def kit_ident(state: PlayerState, maps: Maps, bundle: str) -> str:
    """Name of the nine sounds a state plays: the same sounds, the same name."""
    wishes = [sound_wish(state, maps, voice) for voice in range(VOICE_COUNT)]
    told = repr((bundle, wishes, state.stored, state.stored_voices if state.stored else ()))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def scene_button(moment: Moment, gesture: Gesture, here: Here) -> Answer:
    """SCENE: the next scene, the one a knob chose while it was held, or (with SHIFT) save."""
    if gesture.shifted:
        if gesture.kind != "down":
            return moment, ()
        free = next((index for index, scene in enumerate(moment.scenes) if scene is None), moment.scene)
        return save(moment, free, here.pattern, here.maps, here.bundle), ()
    if gesture.kind != "up":
        return moment, ()
    chosen, moment = moment.choosing, replace(moment, choosing=None)
    if chosen is None and not gesture.held:
        saved = [index for index, scene in enumerate(moment.scenes) if scene is not None]
        chosen = next((index for index in saved if index > moment.scene), saved[0] if saved else moment.scene)
    return (moment, ()) if chosen is None else (choose(moment, chosen, here, gesture.at_ns), ())


def command(moment: Moment, event: SceneCommand, here: Here) -> Moment:
    """Recall, save or clear one scene."""
    index = checked(event.scene, SCENE_COUNT, "scene")
    match event.action:
        case "recall":
            return choose(moment, index, here, event.at_ns)
        case "save":
            return save(moment, index, here.pattern, here.maps, here.bundle)
        case "clear":
            pending = None if moment.pending == index else moment.pending
            cleared = replace(moment, scenes=put(moment.scenes, index, None), pending=pending)
            return replace(cleared, message=f"scene {index + 1} is empty")
    raise SettingError(f"a scene cannot {event.action!r}: it can {', '.join(SCENE_ACTIONS)}")


def choose(moment: Moment, index: int, here: Here, at_ns: int) -> Moment:
    """This scene comes at the next bar line; a song ends."""
    if moment.scenes[index] is None:
        return replace(moment, message=f"scene {index + 1} is empty: SHIFT + SCENE saves")
    message = f"scene {index + 1}" + ("; the song ends" if moment.song_at >= 0 else "")
    moment = replace(moment, pending=index, pending_step=None, song_at=-1, message=message)
    return moment if moment.playing else recall(moment, here.bundle, at_ns)


def save(moment: Moment, index: int, pattern: PatternGrid, maps: Maps, bundle: str) -> Moment:
    """What plays becomes a scene."""
    scene = Scene(moment.state, grid_bytes(pattern), bundle, kit_ident(moment.state, maps, bundle))
    scenes = put(moment.scenes, index, scene)
    return replace(moment, scenes=scenes, scene=index, message=f"saved as scene {index + 1}")


def recall(moment: Moment, bundle: str, at_ns: int) -> Moment:
    """The pending scene becomes what plays. In a song, what TEMP goes back to moves on, too."""
    index = moment.pending
    moment = replace(moment, pending=None, pending_step=None)
    scene = None if index is None else moment.scenes[index]
    if index is None or scene is None:
        return moment
    state = _sounding(scene, bundle)
    if state.map_kind == "learned":
        now = moment.state
        state = msgspec.structs.replace(state, a=now.a or state.a, b=now.b or state.b, corners=now.corners)
    if moment.song_at >= 0:
        tried = None if moment.tried_from is None else state
        return replace(moment, state=state, tried_from=tried, tried_scene=index, scene=index)
    kept = moment.history.remember(moment.state, "", at_ns) if moment.tried_from is None else moment.history
    return replace(moment, state=state, history=kept, scene=index, message=f"scene {index + 1}")


def _sounding(scene: Scene, bundle: str) -> PlayerState:
    if scene.bundle == bundle:
        return scene.state
    state = with_hits(moved_over(scene.state), bytes_grid(scene.pattern))
    own = (bool(scene.kit),) * VOICE_COUNT
    return msgspec.structs.replace(state, stored=scene.kit, stored_voices=own)


# -- corners and morph -------------------------------------------------------------------------------


def set_corner(moment: Moment, event: CornerSet, here: Here) -> Moment:
    """A corner becomes a scene's place, undoably."""
    corner = None
    name = CORNERS[checked(event.corner, len(CORNERS), "corner")]
    if event.scene is not None:
        scene = moment.scenes[checked(event.scene, SCENE_COUNT, "scene")]
        if scene is None:
            raise SettingError(f"scene {event.scene + 1} is empty: save it first")
        if scene.bundle != here.bundle:
            raise SettingError(f"scene {event.scene + 1} is of another bundle: recall it and save it again")
        corner = corner_of(event.scene, scene.state, here.maps)
    if corner == moment.state.corners[event.corner]:
        return moment
    state = msgspec.structs.replace(moment.state, corners=put(moment.state.corners, event.corner, corner))
    said = f"{name}: " + ("the map's own corner" if event.scene is None else f"scene {event.scene + 1}")
    return changed(moment, state, here.maps, "", event.at_ns, said)


def choose_map(moment: Moment, kind: str, maps: Maps, at_ns: int) -> Moment:
    """X and Y move over the learned map or between the corners, undoably; both start at their own places."""
    if kind not in MAP_KINDS:
        raise SettingError(f"no map {kind!r}: there are {' and '.join(MAP_KINDS)}")
    if kind == moment.state.map_kind:
        return moment
    state = msgspec.structs.replace(moment.state, map_kind=kind, offset=(), mix=(), kept=None, held_at=(), placed=False)
    said = "X and Y move between your corners" if kind == "corners" else "X and Y move over the learned map"
    return changed(moment, state, maps, "", at_ns, said)


def keep_place(moment: Moment, side: str, maps: Maps, at_ns: int) -> Moment:
    """What plays becomes an end of the morph, undoably."""
    if side not in SIDES:
        raise SettingError(f"the morph has no end {side!r}: it has {' and '.join(SIDES)}")
    place = place_of(moment.state, maps)
    state = msgspec.structs.replace(moment.state, **{side: place})
    if state == moment.state:
        return moment
    both = state.a is not None and state.b is not None
    return changed(
        moment, state, maps, "", at_ns, f"kept as {side.upper()}" + ("" if both else ": keep the other, too")
    )


# -- song --------------------------------------------------------------------------------------------


def set_song(moment: Moment, event: SongSet) -> Moment:
    """Another song; one that plays ends."""
    if len(event.entries) > MOST_ENTRIES:
        raise SettingError(f"a song has at most {MOST_ENTRIES} entries, got {len(event.entries)}")
    for scene, repeats in event.entries:
        checked(scene, SCENE_COUNT, "scene")
        if not 1 <= repeats <= MOST_REPEATS:
            raise SettingError(f"a scene is repeated 1..{MOST_REPEATS} times, got {repeats}")
    song = tuple((int(scene), int(repeats)) for scene, repeats in event.entries)
    return end_song(replace(moment, song=song))


def end_song(moment: Moment) -> Moment:
    """Stay with what plays."""
    if moment.song_at < 0:
        return moment
    return replace(moment, song_at=-1, pending=None, pending_step=None, message="the song ends")


def play_song(moment: Moment, here: Here, at_ns: int) -> Answer:
    """Begin with the first entry: at once from a standstill, else where the pattern begins anew."""
    first = _entry(moment, 0)
    if first is None:
        return replace(moment, message="the song has no saved scene in it: save scenes, then set the song"), ()
    if moment.tried_from is None:
        moment = replace(moment, history=moment.history.remember(moment.state, "", at_ns))
    moment = replace(moment, song_at=first, pending=moment.song[first][0], message="the song begins")
    if moment.playing:
        begins = -(-int(here.place + 1.0) // STEPS) * STEPS
        return replace(moment, song_step=begins, pending_step=begins), ()
    commands: tuple[Command, ...] = (Transport(Action.START),)
    moment = replace(recall(moment, here.bundle, at_ns), song_step=0, playing=True)
    return replace(moment, message="the song begins"), commands


def follow_song(moment: Moment) -> Moment:
    """When an entry has begun, its successor is pending for the step where its repeats are over."""
    if moment.song_at < 0 or moment.pending is not None:
        return moment
    ends = moment.song_step + moment.song[moment.song_at][1] * STEPS
    following = _entry(moment, moment.song_at + 1)
    if following is None:
        return end_song(moment)
    return replace(moment, pending=moment.song[following][0], pending_step=ends)


def entered(moment: Moment, step: int) -> Moment:
    """The scene pending in a song was recalled for this step: the song is at its entry."""
    following = _entry(moment, moment.song_at + 1 if step > moment.song_step else moment.song_at)
    return end_song(moment) if following is None else replace(moment, song_at=following, song_step=step)


def _entry(moment: Moment, index: int) -> int | None:
    """The first entry from here on, around the end, whose scene is saved."""
    count = len(moment.song)
    for entry in range(index, index + count):
        if moment.scenes[moment.song[entry % count][0]] is not None:
            return entry % count
    return None
