"""Two places remembered and the way between them; four scenes as the corners of a map.

The morph is a hand that turns many knobs at once: X, Y and the five controls that shape each sound go in
straight lines from A to B, and the offset makes the latent go in a straight line, too. So nothing is
hidden behind the knobs, and a hand that takes one of them goes on from where the morph has brought it.
At either end the state is the one that was kept, to the last bit; own hits are played near their end.

    morph    0 ......... 0.5 ......... 1
    latent   A --------------------->  B      style weights likewise
    sounds   A --------------------->  B      where both ends play the same sound class
             A --A--A--A--|--B--B--B-- B      where they do not, and for the kit they come from
"""

import msgspec
import numpy as np

from device.contract.latent import Maps
from device.contract.voices import VOICE_COUNT
from device.control.own import REACH, standing
from device.control.state import SHAPES_SOUND, Corner, Place, PlayerState
from device.control.wishes import rhythm_base, rhythm_place, values_of

_HANDS = ("x", "y", "style")


def place_of(state: PlayerState, maps: Maps) -> Place:
    """What plays, as an end of the morph."""
    latent, style = rhythm_place(state, maps, state.position("x"), state.position("y"))
    return Place(
        values_of(latent),
        values_of(style),
        globals={name: state.globals[name] for name in _HANDS},
        offset=state.offset,
        mix=state.mix,
        kept=state.kept,
        placed=state.placed,
        kit=state.kit,
        classes=state.classes,
        own=state.own,
        voices={name: state.voices[name] for name in SHAPES_SOUND},
    )


def corner_of(scene: int, state: PlayerState, maps: Maps) -> Corner:
    """A scene's place, as a corner."""
    latent, style = rhythm_place(state, maps, state.position("x"), state.position("y"))
    return Corner(scene, values_of(latent), values_of(style))


def morphed(state: PlayerState, maps: Maps) -> PlayerState:
    """The state with everything where MORPH asks it to be. Needs both ends."""
    if state.a is None or state.b is None:
        return state
    share = state.position("morph")
    near, far = (state.a, state.b) if share < 0.5 else (state.b, state.a)
    own = near.kept if min(share, 1.0 - share) <= REACH else None
    globals_ = {name: _between(state.a.globals[name], state.b.globals[name], share) for name in _HANDS}
    globals_["style"] = near.globals["style"]
    between = msgspec.structs.replace(
        state,
        globals={**state.globals, **globals_},
        voices={**state.voices, **_voices(state.a, state.b, near, far, share)},
        kit=near.kit,
        classes=near.classes,
        own=near.own,
        kept=own,
        mix=near.mix,
        offset=near.offset,
        placed=near.placed and own is not None,
        stored="",
        stored_voices=(False,) * VOICE_COUNT,
    )
    between = msgspec.structs.replace(between, held_at=standing(between) if own is not None else ())
    x, y = between.position("x"), between.position("y")
    if 0.0 < share < 1.0 or values_of(rhythm_place(between, maps, x, y)[0]) != near.latent:
        latent = _line(state.a.latent, state.b.latent, share)
        offset = values_of(latent - rhythm_base(state, maps, x, y))
        between = msgspec.structs.replace(between, offset=offset)
    if values_of(rhythm_place(between, maps, x, y)[1]) != values_of(_line(state.a.style, state.b.style, share)):
        between = msgspec.structs.replace(between, mix=values_of(_line(state.a.style, state.b.style, share)))
    return between


def _voices(a: Place, b: Place, near: Place, far: Place, share: float) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(
            _between(a.voices[name][voice], b.voices[name][voice], share)
            if near.classes[voice] == far.classes[voice]
            else near.voices[name][voice]
            for voice in range(VOICE_COUNT)
        )
        for name in SHAPES_SOUND
    }


def _between(a: float, b: float, share: float) -> float:
    return a if a == b or share <= 0.0 else b if share >= 1.0 else a + share * (b - a)


def _line(
    a: tuple[float, ...], b: tuple[float, ...], share: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if share in (0.0, 1.0) or a == b:
        return np.asarray(b if share == 1.0 else a, np.float32)
    return np.asarray(
        np.asarray(a, np.float32) * np.float32(1.0 - share) + np.asarray(b, np.float32) * np.float32(share)
    )
