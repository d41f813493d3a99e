"""LEARN: play two bars by hand over a click; they become a pattern, and the pattern a place in the latent space.

    LEARN pressed      armed: a bar of click counts in
    next bar line      recording, for 32 steps, click on
    two bars later     the hits become a PatternGrid; Control encodes it and plays on from there

A hit's place is given in steps since the start of the transport, with its fraction: the fraction is the
microtiming that is kept.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from device.contract.pattern import (
    GRID_SHAPE,
    LEVEL,
    STEPS,
    STEPS_PER_BAR,
    STEPS_PER_BEAT,
    VELOCITY,
    FloatArray,
    PatternGrid,
)
from device.contract.voices import VOICE_INDEX

CLICK_VOICE: Final = VOICE_INDEX["closed_hat"]
SHORTEST_COUNT_IN: Final = 4  # steps; a bar line nearer than this is too soon to be ready for
MOVES_FROM: Final = 0.3  # steps off its own step from which on a hit may go to the next cell, if its own is taken
EARLY: Final = 0.5  # steps a hit may come before its step


@dataclass(frozen=True, slots=True)
class Played:
    """One hit by hand."""

    place: float  # steps since the transport started, with fraction
    voice: int
    velocity: float


@dataclass(frozen=True, slots=True)
class Take:
    """Two bars being recorded from global step ``first_step`` on."""

    first_step: int
    hits: tuple[Played, ...] = ()

    def with_hit(self, hit: Played) -> "Take":
        """Keep a hit, if it falls into the two bars."""
        inside = self.first_step - EARLY <= hit.place < self.first_step + STEPS - EARLY
        return replace(self, hits=(*self.hits, hit)) if inside else self

    def counting_in(self, place: float) -> bool:
        """Is the count-in still going on?"""
        return place < self.first_step - EARLY

    def finished(self, place: float) -> bool:
        """Have the two bars passed, but for what can only belong to the next?"""
        return place >= self.first_step + STEPS - EARLY


def first_step_after(place: float, *, playing: bool) -> int:
    """The bar line where recording starts: a whole bar from a standstill, else the next that leaves time."""
    if not playing:
        return STEPS_PER_BAR
    return (int(place + SHORTEST_COUNT_IN) // STEPS_PER_BAR + 1) * STEPS_PER_BAR


def click() -> PatternGrid:
    """A quarter-note click, the first of each bar louder."""
    cells = np.zeros(GRID_SHAPE, np.float32)
    cells[::STEPS_PER_BEAT, CLICK_VOICE, LEVEL] = 1.0
    cells[::STEPS_PER_BEAT, CLICK_VOICE, VELOCITY] = 0.5
    cells[::STEPS_PER_BAR, CLICK_VOICE, VELOCITY] = 1.0
    return PatternGrid(cells)


def grid_of(take: Take) -> PatternGrid:
    """The take as a pattern: each hit on its nearest step. Of two that meet the louder stays; the other goes to
    the step on its side, as near as a cell's microtiming reaches, when that is free and not far.

    Levels rise with velocity from 0.6, so that DENSITY thins the softest hits first.
    """
    cells = np.zeros(GRID_SHAPE, np.float32)
    for hit in sorted(take.hits, key=lambda hit: -hit.velocity):
        step = int(np.floor(hit.place + 0.5))
        early_or_late = hit.place - step
        if _taken(cells, take, step, hit) and abs(early_or_late) >= MOVES_FROM:
            step += 1 if early_or_late > 0 else -1
        if not _taken(cells, take, step, hit):
            offset = min(max(hit.place - step, -0.5), 0.5)
            cells[(step - take.first_step) % STEPS, hit.voice] = (0.6 + 0.4 * hit.velocity, hit.velocity, offset)
    return PatternGrid.clipped(cells)


def _taken(cells: FloatArray, take: Take, step: int, hit: Played) -> bool:
    return bool(cells[(step - take.first_step) % STEPS, hit.voice, LEVEL])
