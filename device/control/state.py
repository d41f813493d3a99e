"""What the player has set, as one frozen value that every change replaces.

Everything that shapes the sound is in ``PlayerState`` and nowhere else: hence undo, TEMP and scenes are
nothing but keeping an older value and putting it back, and they restore the sounding state exactly.
Positions are knob positions 0..1, as device/parameters.py defines them.
"""

from typing import Final, Self

import msgspec
import numpy as np

from device.contract.latent import Maps
from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import SOUND_CLASSES, VOICE_COUNT, VOICES
from device.errors import ContractError
from device.panel.events import CORNERS, MAP_KINDS
from device.parameters import PARAMETERS, parameter

SCENE_COUNT: Final = 16
HELD_BY: Final = ("x", "y", "style", "drift")  # moving one of these lets go of the player's own hits
SHAPES_SOUND: Final = ("tone_x", "tone_y", "decay", "bright", "tune")  # what a kept place remembers of each voice


class Place(msgspec.Struct, frozen=True):
    """One end of the morph: a place in the space of rhythms, and the kit that was played there.

    ``latent`` (Z,) and ``style`` (S,) say where it is whatever map was up; ``globals`` and ``offset`` where the
    hands stood; ``voices`` holds SHAPES_SOUND of each voice.
    """

    latent: tuple[float, ...]
    style: tuple[float, ...]
    globals: dict[str, float]  # x, y, style
    offset: tuple[float, ...]
    mix: tuple[float, ...]
    kept: bytes | None
    placed: bool
    kit: int
    classes: tuple[str, ...]
    own: tuple[bool, ...]
    voices: dict[str, tuple[float, ...]]


class Corner(msgspec.Struct, frozen=True):
    """A corner of the player's own map: the place of a scene, as it was when the corner was set."""

    scene: int
    latent: tuple[float, ...]  # (Z,)
    style: tuple[float, ...]  # (S,)


class PlayerState(msgspec.Struct, frozen=True):
    """All that sounds. ``globals`` has one position per parameter, ``voices`` nine per per-voice parameter.

    ``offset``   (Z,) added to the latent of the place on the rhythm map (empty: none); NEW's nudges and LEARN live here
    ``kept``     the player's own hits: played as they are, until the hands leave ``held_at``
    ``held_at``  where X, Y, STYLE and DRIFT stood when the hits became the player's (empty: the first move lets go)
    ``placed``   whether ``offset`` leads to the place of ``kept``: it was encoded
    ``mix``      (S,) style weights in place of STYLE's, left by the morph until STYLE is turned (empty: STYLE's)
    ``map_kind`` what X and Y move over: the "learned" map or the four ``corners``
    ``a``, ``b`` the two ends of the morph
    ``stored``   a kit of rendered sounds (see kits.py) that ``stored_voices`` play instead of the model's
    ``own``      voices whose TONE the player has touched: the others follow the kit of the style
    ``kit``      the style whose kit the untouched voices play
    ``seed``     of the chaos draws and of the drift
    """

    globals: dict[str, float]
    voices: dict[str, tuple[float, ...]]
    classes: tuple[str, ...]
    kit: int = 0
    own: tuple[bool, ...] = (False,) * VOICE_COUNT
    offset: tuple[float, ...] = ()
    kept: bytes | None = None
    seed: int = 1
    held_at: tuple[float, ...] = ()
    placed: bool = False
    mix: tuple[float, ...] = ()
    map_kind: str = "learned"
    corners: tuple[Corner | None, ...] = (None,) * 4
    a: Place | None = None
    b: Place | None = None
    stored: str = ""
    stored_voices: tuple[bool, ...] = (False,) * VOICE_COUNT

    def position(self, name: str, voice: int = 0) -> float:
        """Knob position 0..1 of a parameter (of one voice)."""
        entry = parameter(name)
        return self.voices[name][voice] if entry.per_voice else self.globals[name]

    def value(self, name: str, voice: int = 0) -> float:
        """Value of a parameter in its own unit."""
        return parameter(name).value(self.position(name, voice))

    def moved(self, name: str, position: float, voice: int = 0) -> Self:
        """The state with one position changed (clamped to 0..1)."""
        entry = parameter(name)
        position = min(max(float(position), 0.0), 1.0)
        if not entry.per_voice:
            return msgspec.structs.replace(self, globals={**self.globals, name: position})
        nine = list(self.voices[name])
        nine[voice] = position
        return msgspec.structs.replace(self, voices={**self.voices, name: tuple(nine)})

    def with_kit(self, maps: Maps, style: int) -> Self:
        """The state with the style's kit on every voice whose TONE the player has not touched."""
        classes = list(self.classes)
        x, y = list(self.voices["tone_x"]), list(self.voices["tone_y"])
        for voice in range(VOICE_COUNT):
            if not self.own[voice]:
                classes[voice] = SOUND_CLASSES[int(maps.kit_classes[style, voice])]
                x[voice], y[voice] = (float(min(max(place, 0.0), 1.0)) for place in maps.kit_places[style, voice])
        voices = {**self.voices, "tone_x": tuple(x), "tone_y": tuple(y)}
        return msgspec.structs.replace(self, kit=style, classes=tuple(classes), voices=voices)

    def kept_grid(self) -> PatternGrid | None:
        """The pattern that is kept as it is, if any."""
        return None if self.kept is None else bytes_grid(self.kept)


def bytes_grid(kept: bytes) -> PatternGrid:
    """A pattern back from ``grid_bytes``. Raises ValueError for other bytes."""
    return PatternGrid(np.frombuffer(kept, dtype="<f4").reshape(GRID_SHAPE))


def grid_bytes(grid: PatternGrid) -> bytes:
    """A pattern as ``PlayerState.kept`` holds it."""
    return grid.cells.astype("<f4").tobytes()


def fresh_state(seed: int = 1) -> PlayerState:
    """Every parameter at its default, each voice panned as its table row says."""
    globals_ = {entry.name: entry.position(entry.default) for entry in PARAMETERS if not entry.per_voice}
    voices = {entry.name: (entry.position(entry.default),) * VOICE_COUNT for entry in PARAMETERS if entry.per_voice}
    voices["pan"] = tuple(parameter("pan").position(voice.pan) for voice in VOICES)
    return PlayerState(globals_, voices, tuple(voice.name for voice in VOICES), seed=seed)


def mended(state: PlayerState, *, styles: int, latent_size: int) -> PlayerState:
    """A state read from disk, fitted to this version's table and this bundle.

    Parameters of another version are dropped or get their default, positions are clamped, a latent
    offset of another size is forgotten. Raises ContractError for what cannot be mended.
    """
    fresh = fresh_state(state.seed)
    globals_ = {name: _unit(state.globals.get(name, default)) for name, default in fresh.globals.items()}
    voices = {}
    for name, defaults in fresh.voices.items():
        nine = state.voices.get(name, defaults)
        voices[name] = tuple(map(_unit, nine if len(nine) == VOICE_COUNT else defaults))
    if len(state.classes) != VOICE_COUNT or not set(state.classes) <= set(SOUND_CLASSES):
        unknown = sorted(set(state.classes) - set(SOUND_CLASSES)) or [f"{len(state.classes)} voices"]
        raise ContractError(f"it names sounds this device does not have: {', '.join(unknown)}")
    own = state.own if len(state.own) == VOICE_COUNT else (False,) * VOICE_COUNT
    fits = len(state.offset) == latent_size and bool(np.isfinite(state.offset).all())

    def known(place: Place | Corner | None) -> bool:
        return place is not None and len(place.latent) == latent_size and len(place.style) == styles

    corners = tuple(corner if known(corner) else None for corner in state.corners)
    mended_state = PlayerState(
        globals_,
        voices,
        state.classes,
        kit=state.kit if 0 <= state.kit < styles else 0,
        own=own,
        offset=state.offset if fits else (),
        kept=state.kept,
        seed=state.seed % 2**24,
        held_at=state.held_at if len(state.held_at) == len(HELD_BY) else (),
        placed=state.placed and fits,
        mix=state.mix if len(state.mix) == styles else (),
        map_kind=state.map_kind if state.map_kind in MAP_KINDS else "learned",
        corners=corners if len(corners) == len(CORNERS) else (None,) * len(CORNERS),
        a=state.a if known(state.a) else None,
        b=state.b if known(state.b) else None,
        stored=state.stored,
        stored_voices=state.stored_voices if len(state.stored_voices) == VOICE_COUNT else (False,) * VOICE_COUNT,
    )
    if mended_state.kept is not None:
        check_grid(mended_state.kept)
    return mended_state


def check_grid(kept: bytes) -> None:
    """Raise ContractError for bytes that are no pattern."""
    try:
        bytes_grid(kept)
    except ValueError as error:
        raise ContractError(f"its pattern cannot be played: {error}") from error


def moved_over(state: PlayerState) -> PlayerState:
    """The state under another bundle: places of the old model's spaces mean nothing in the new one's."""
    return msgspec.structs.replace(
        state,
        offset=(),
        placed=False,
        mix=(),
        map_kind="learned",
        corners=(None,) * len(CORNERS),
        a=None,
        b=None,
    )


def _unit(position: float) -> float:
    if not np.isfinite(position):
        raise ContractError(f"saved position {position} is not a number")
    return min(max(float(position), 0.0), 1.0)
