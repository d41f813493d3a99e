"""What page and server say to each other: small JSON messages, as pure functions over msgspec types.

    page -> server   one Event each: {"type": "set", "name": "density", "position": 0.7}
    server -> page   "table" once (and again when the bundle changes), then "state" with only
                     what changed, "error" for a message that was not understood

    /sound           one text message (Stream) that says what follows, then binary blocks:
                     frame u64 little endian, then int16 stereo little endian

``shown`` turns a View into plain comparable values; ``changes`` keeps what differs from what was said last.
"""

import base64
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from device.contract.latent import Maps
from device.contract.pattern import STEPS, STEPS_PER_BAR, STEPS_PER_BEAT, FloatArray, PatternGrid
from device.contract.voices import SOUND_CLASSES, VOICE_COUNT, VOICES
from device.control.view import View
from device.engine import chance
from device.engine.records import Trigger
from device.errors import SettingError
from device.panel.events import (
    BUTTONS,
    ButtonPressed,
    ButtonReleased,
    CcLearn,
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
from device.parameters import PARAMETERS, parameter

MAX_MESSAGE_BYTES: Final = 1024  # the longest sensible message is a tenth of this
OFFSET_STEPS: Final = 254  # microtiming -0.5..0.5 of a step as -127..127

SCENES: Final = 16
LONGEST_SONG: Final = 64  # entries; all of them fit into one message
MOST_REPEATS: Final = 64

Unit = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
VoiceIndex = Annotated[int, msgspec.Meta(ge=0, lt=VOICE_COUNT)]
SceneIndex = Annotated[int, msgspec.Meta(ge=0, lt=SCENES)]
Repeats = Annotated[int, msgspec.Meta(ge=1, le=MOST_REPEATS)]


def _button(name: str) -> str:
    if name not in BUTTONS:
        raise SettingError(f"unknown button {name!r}: known are {', '.join(BUTTONS)}")
    return name


class Knob(msgspec.Struct, frozen=True, tag="knob", forbid_unknown_fields=True):
    """A physical-like knob 1..8 of the page that is up."""

    number: Annotated[int, msgspec.Meta(ge=1, le=8)]
    position: Unit

    def _event(self, at_ns: int) -> Event:
        return KnobTurned(self.number, self.position, at_ns)


class Press(msgspec.Struct, frozen=True, tag="press", forbid_unknown_fields=True):
    """A button goes down."""

    button: str

    def _event(self, at_ns: int) -> Event:
        return ButtonPressed(_button(self.button), at_ns)


class Release(msgspec.Struct, frozen=True, tag="release", forbid_unknown_fields=True):
    """A button goes up."""

    button: str

    def _event(self, at_ns: int) -> Event:
        return ButtonReleased(_button(self.button), at_ns)


class Set(msgspec.Struct, frozen=True, tag="set", forbid_unknown_fields=True):
    """A parameter goes to a position; ``voice`` left out: the chosen voice."""

    name: str
    position: Unit
    voice: VoiceIndex | None = None

    def _event(self, at_ns: int) -> Event:
        return ParameterSet(parameter(self.name).name, self.position, self.voice, at_ns)


class Choose(msgspec.Struct, frozen=True, tag="voice", forbid_unknown_fields=True):
    """A voice comes under the sound knobs."""

    voice: VoiceIndex

    def _event(self, at_ns: int) -> Event:
        return VoiceChosen(self.voice, at_ns)


class Play(msgspec.Struct, frozen=True, tag="hit", forbid_unknown_fields=True):
    """A voice is played by hand."""

    voice: VoiceIndex
    velocity: Unit = 0.9

    def _event(self, at_ns: int) -> Event:
        return PadHit(self.voice, self.velocity, at_ns)


class Step(msgspec.Struct, frozen=True, tag="step", forbid_unknown_fields=True):
    """A cell of the pattern goes on or off."""

    step: Annotated[int, msgspec.Meta(ge=0, lt=STEPS)]
    voice: VoiceIndex
    on: bool
    velocity: Unit = 0.8

    def _event(self, at_ns: int) -> Event:
        return StepSet(self.step, self.voice, self.on, self.velocity, at_ns)


class Scene(msgspec.Struct, frozen=True, tag="scene", forbid_unknown_fields=True):
    """A scene is recalled, saved or cleared."""

    action: Literal["recall", "save", "clear"]
    scene: SceneIndex

    def _event(self, at_ns: int) -> Event:
        return SceneCommand(self.action, self.scene, at_ns)


class Corner(msgspec.Struct, frozen=True, tag="corner", forbid_unknown_fields=True):
    """A corner of the map becomes a scene's place; None: the learned map's again."""

    corner: Annotated[int, msgspec.Meta(ge=0, lt=4)]
    scene: SceneIndex | None

    def _event(self, at_ns: int) -> Event:
        return CornerSet(self.corner, self.scene, at_ns)


class Map(msgspec.Struct, frozen=True, tag="map", forbid_unknown_fields=True):
    """X and Y move over this map."""

    kind: Literal["learned", "corners"]

    def _event(self, at_ns: int) -> Event:
        return MapChosen(self.kind, at_ns)


class Keep(msgspec.Struct, frozen=True, tag="keep", forbid_unknown_fields=True):
    """What plays becomes one end of the morph."""

    side: Literal["a", "b"]

    def _event(self, at_ns: int) -> Event:
        return PlaceKept(self.side, at_ns)


class Song(msgspec.Struct, frozen=True, tag="song", forbid_unknown_fields=True):
    """The song, as (scene, repeats) in order."""

    entries: Annotated[tuple[tuple[SceneIndex, Repeats], ...], msgspec.Meta(max_length=LONGEST_SONG)]

    def _event(self, at_ns: int) -> Event:
        return SongSet(self.entries, at_ns)


class PlaySong(msgspec.Struct, frozen=True, tag="play_song", forbid_unknown_fields=True):
    """The song begins or ends."""

    on: bool

    def _event(self, at_ns: int) -> Event:
        return SongPlayed(self.on, at_ns)


class LearnCc(msgspec.Struct, frozen=True, tag="learn_cc", forbid_unknown_fields=True):
    """The next MIDI controller that moves is bound to this parameter; "": no, forget it."""

    name: str

    def _event(self, at_ns: int) -> Event:
        return CcLearn(parameter(self.name).name if self.name else "", None, at_ns)


Shown = dict[str, Any]  # plain JSON values, compared with ==
_Message = Knob | Press | Release | Set | Choose | Play | Step | Scene | Corner | Map | Keep | Song | PlaySong | LearnCc
_decoder: Final[msgspec.json.Decoder[_Message]] = msgspec.json.Decoder(_Message)


def understand(message: str | bytes, at_ns: int) -> Event:
    """One message of a page as the Event it means. Raises SettingError, one sentence, for anything else."""
    if isinstance(message, bytes):
        raise SettingError("the panel speaks text, not binary")
    if len(message) > MAX_MESSAGE_BYTES:
        raise SettingError(f"message of {len(message)} characters: at most {MAX_MESSAGE_BYTES}")
    try:
        said = _decoder.decode(message)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SettingError(f"message not understood: {error}") from error
    return said._event(at_ns)


class ButtonHelp(msgspec.Struct, frozen=True):
    """One button as the page explains it: what a press, a hold and SHIFT with it mean, and its key."""

    name: str
    press: str
    hold: str
    shift: str
    key: str


BUTTON_TABLE: Final = (
    ButtonHelp("PLAY", "start / stop", "panic", "tap tempo", " "),
    ButtonHelp("NEW", "new place", "nudge near here", "undo", "n"),
    ButtonHelp("FILL", "while held", "", "redo", "f"),
    ButtonHelp("TEMP", "hold to try", "", "keep", "t"),
    ButtonHelp("VOICE", "next voice", "hear it", "mute", "v"),
    ButtonHelp("SCENE", "next scene", "choose", "save", "s"),
    ButtonHelp("LEARN", "play two bars", "", "encode again", "l"),
    ButtonHelp("SHIFT", "second page", "", "", "Shift"),
)


def table(styles: tuple[str, ...], maps: Maps | None = None) -> bytes:
    """The first message to a page: everything that does not change while it is open.

    Of the ``maps`` go over, as base64 of bytes 0..255: how well each style is at home at each node of the
    rhythm map (G, G, S), how bright and how long each node of every sound map is (C, H, H), and the kits.
    """
    return msgspec.json.encode(
        {
            "type": "table",
            "parameters": [
                {
                    "name": entry.name,
                    "label": entry.label,
                    "help": entry.help,
                    "default": entry.position(entry.default),
                    "low": entry.low,
                    "high": entry.high,
                    "unit": entry.unit,
                    "whole": entry.whole,
                    "page": entry.page,
                    "knob": entry.knob,
                    "cc": entry.cc,
                    "per_voice": entry.per_voice,
                }
                for entry in PARAMETERS
            ],
            "voices": [{"name": voice.name, "label": voice.label} for voice in VOICES],
            "buttons": BUTTON_TABLE,
            "styles": styles,
            "steps": STEPS,
            "steps_per_beat": STEPS_PER_BEAT,
            "steps_per_bar": STEPS_PER_BAR,
            "sound_classes": SOUND_CLASSES,
            **({} if maps is None else _maps(maps)),
        }
    )


def _maps(maps: Maps) -> Shown:
    return {
        "map": {"side": maps.node_styles.shape[0], "styles": _bytes_text(maps.node_styles)},
        "sound_maps": {
            "side": maps.sound_nodes.shape[1],
            "bright": _bytes_text(_along(maps.sound_nodes, maps.sound_bright)),
            "decay": _bytes_text(_along(maps.sound_nodes, maps.sound_decay)),
        },
        "kits": {
            "classes": maps.kit_classes.tolist(),
            "places": np.round(maps.kit_places.astype(float), 3).tolist(),
        },
    }


def _along(nodes: FloatArray, directions: FloatArray) -> FloatArray:
    """How far each node (C, H, H, W) lies along its class's direction (C, W), each class from 0 to 1."""
    far = np.einsum("cyxw,cw->cyx", nodes, directions)
    low, high = far.min((1, 2), keepdims=True), far.max((1, 2), keepdims=True)
    return np.asarray((far - low) / np.maximum(high - low, 1e-9), np.float32)


def _bytes_text(shares: FloatArray) -> str:
    return base64.b64encode(np.rint(np.clip(shares, 0.0, 1.0) * 255.0).astype(np.uint8).tobytes()).decode("ascii")


_MAPS: Final = ("positions", "texts", "lights")  # told entry by entry
_MOVING: Final = ("frame",)  # moves always: told along with something else, never on its own


def shown(view: View, peaks: tuple[float, ...] | None = None) -> Shown:
    """A View as plain values, rounded to what an eye can see (so that nothing flickers when nothing moves).

    ``peaks``: the loudest since the last frame, where several views were looked at.
    """
    audio = view.audio
    return {
        "playing": view.playing,
        "tempo": round(view.tempo_bpm, 1),
        "step": view.step if view.playing else 0,
        "frame": view.frame,
        "page": view.page,
        "voice": view.voice,
        "positions": view.positions,
        "texts": view.texts,
        "lights": view.lights,
        "pattern": view.pattern_ident,  # becomes the cells themselves in ``changes``
        "plays_from": plays_from(view),
        "peaks": [round(peak, 3) for peak in peaks or view.peaks],
        "style": view.style,
        "sounds": list(view.sound_classes),
        "scene": view.scene,
        "scenes": list(view.scenes_saved),
        "next_scene": view.next_scene,
        "undo": view.undo_depth,
        "place": [round(share, 3) for share in view.place],
        "map": view.map_kind,
        "corners": list(view.corners),
        "kept": [view.kept_a, view.kept_b],
        "knobs": list(view.knobs),
        "hands": [None if hand is None else round(hand, 3) for hand in view.hands],
        "taking_over": list(view.taking_over),
        "wave": _wave_text(view.wave),
        "tones": [[round(x, 3), round(y, 3)] for x, y in view.tones],
        "own": list(view.own),
        "edited": view.edited,
        "editing": view.editing,
        "song": [list(entry) for entry in view.song],
        "song_at": view.song_at,
        "scene_words": list(view.scenes_info),
        "recording": view.recording,
        "learn": view.learn,
        "cc_learn": view.cc_learn,
        "message": view.message,
        "bundle": view.bundle,
        "audio": {
            "sink": audio.sink,
            "rate": audio.sample_rate,
            "latency_ms": round(audio.latency_ms, 1),
            "late": audio.late_blocks,
            "underruns": audio.underruns,
            "load": round(audio.load * 20) / 20,
            "alive": audio.alive,
        },
    }


def plays_from(view: View) -> list[float]:
    """The level from which on a cell of each voice is played, without chaos; above 1: never."""
    density, own = view.positions.get("density"), view.positions.get("voice_density")
    if not isinstance(density, float) or not isinstance(own, tuple):
        return [0.5] * VOICE_COUNT
    return [_level(chance.threshold(density, voice_density)) for voice_density in own]


def _level(logit: float) -> float:
    return 2.0 if logit == math.inf else round(1.0 / (1.0 + math.exp(-logit)), 4)


def changes(before: Shown, now: Shown, pattern: PatternGrid) -> Shown:
    """Only what differs between two ``shown``; {} when nothing does. ``before`` {} gives everything."""
    told: Shown = {}
    for name, value in now.items():
        old = before.get(name)
        if name in _MAPS and old is not None:
            if value is not old and (part := {key: entry for key, entry in value.items() if old.get(key) != entry}):
                told[name] = part
        elif old != value and name not in _MOVING:
            told[name] = pattern_text(pattern) if name == "pattern" else value
    return told


def state(told: Shown, frame: int, hits: Iterable[Trigger] = ()) -> bytes:
    """What changed (and hits not told before) as one message, stamped with the frame it is true at."""
    message = {"type": "state", "frame": frame, **told}
    flashes = [[hit.voice, round(hit.velocity, 2), hit.step, hit.frame] for hit in hits]
    if flashes:
        message["hits"] = flashes
    return msgspec.json.encode(message)


def pattern_text(grid: PatternGrid) -> str:
    """A pattern in 1152 characters: base64 of (32, 9, 3) bytes: level and velocity 0..255, offset int8 -127..127."""
    cells = np.empty(grid.cells.shape, np.uint8)
    cells[..., :2] = np.rint(grid.cells[..., :2] * 255.0)
    cells[..., 2] = np.rint(grid.offsets * OFFSET_STEPS).astype(np.int8).view(np.uint8)
    return base64.b64encode(cells.tobytes()).decode("ascii")


@lru_cache(maxsize=4)
def _wave_text(wave: tuple[float, ...]) -> str:
    """Peaks 0..1 as base64 of bytes."""
    return _bytes_text(np.asarray(wave, np.float32))


def error(text: str) -> bytes:
    """A sentence for a page whose message was not understood."""
    return msgspec.json.encode({"type": "error", "text": text})


def told(text: str) -> bytes:
    """One plain line for the players of all pages."""
    return msgspec.json.encode({"type": "told", "text": text})


def stream(sink: str, sample_rate: int, *, here: bool) -> bytes:
    """First message on /sound: whether sound comes ``here``, and at which rate."""
    return msgspec.json.encode({"type": "stream", "here": here, "sink": sink, "rate": sample_rate})


def sound_block(frame: int, samples: bytes) -> bytes:
    """One binary message of /sound."""
    return frame.to_bytes(8, "little") + samples
