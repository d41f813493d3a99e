"""The player's own hits: a step that was set, a take that was learned, a scene of another bundle.

    a change of hits        the state keeps the pattern, and where X, Y, STYLE and DRIFT stood
    meanwhile               the pattern is encoded: what the knobs do later goes on from *this* beat
    hands move a little     the hits stay as they are
    hands move on           further than REACH: the model plays on, from the place of the beat

Values only; encoding is asked for by the control loop whenever a state keeps hits that are not ``placed``.
"""

import math
from typing import Final

import msgspec
import numpy as np

from device.contract.latent import Maps
from device.contract.pattern import LEVEL, VELOCITY, PatternGrid
from device.control.state import HELD_BY, PlayerState, grid_bytes
from device.control.wishes import rhythm_base

REACH: Final = 0.04  # of a knob's turn; less is a hand that rests, or a knob's own unrest
SET_LEVEL: Final = 1.0  # a step set by hand is wanted for certain: DENSITY takes it last


def with_step(grid: PatternGrid, step: int, voice: int, *, on: bool, velocity: float) -> PatternGrid:
    """The pattern with one cell on or off. Its timing stays, and so does the velocity of a hit that was there."""
    cells = grid.cells.copy()
    if not on:
        cells[step, voice, LEVEL] = 0.0
    else:
        cells[step, voice, LEVEL] = SET_LEVEL
        cells[step, voice, VELOCITY] = min(max(velocity, 0.0), 1.0)
    return PatternGrid(cells)


def with_hits(state: PlayerState, grid: PatternGrid) -> PlayerState:
    """These hits become the player's own; they are still to be encoded."""
    return msgspec.structs.replace(state, kept=grid_bytes(grid), held_at=standing(state), placed=False)


def placed(state: PlayerState, maps: Maps, latent: tuple[float, ...]) -> PlayerState:
    """The hits were encoded: the offset leads from where the hands stood to their place."""
    x, y = state.held_at[:2] if state.held_at else (state.position("x"), state.position("y"))
    offset = np.asarray(latent, np.float32) - rhythm_base(state, maps, x, y)
    return msgspec.structs.replace(state, offset=tuple(map(float, offset)), placed=True)


def standing(state: PlayerState) -> tuple[float, ...]:
    """Where the controls stand that can let go of the hits."""
    return tuple(state.position(name) for name in HELD_BY)


def let_go(state: PlayerState) -> bool:
    """Have the hands moved on from the player's own hits?"""
    if state.kept is None:
        return False
    if not state.held_at:
        return True
    x, y, *rest = (now - held for now, held in zip(standing(state), state.held_at, strict=True))
    return math.hypot(x, y) > REACH or any(abs(moved) > REACH for moved in rest)
