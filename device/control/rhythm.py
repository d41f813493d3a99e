"""Which pattern should play, and how it comes: the player's own hits, the count-in's click, or the model's.

    Moment --> wanted --+--> a grid: said at once
                        +--> a wish decoded before: said at once
                        +--> else the model is asked; what plays goes on until it answers

A pattern comes at the next step; near a bar line, where a scene or a fill may end, at the bar.
"""

import operator
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from device.contract.latent import Maps
from device.contract.pattern import STEPS_PER_BAR, PatternGrid
from device.control import learn
from device.control.delivery import Delivery
from device.control.moment import Moment
from device.control.own import placed
from device.control.state import PlayerState, grid_bytes
from device.control.wishes import pattern_wish, rhythm_style, values_of
from device.engine.records import When
from device.models.background import Decoded, Encoded, PatternWish

LEAD_STEPS: Final = 1.0  # so long before a bar line, what belongs to the bar is prepared
REMEMBERED: Final = 256  # patterns, 3.4 KB each


def near_bar(place: float) -> bool:
    """Is the next bar line so near that what is said now belongs to it?"""
    return place % STEPS_PER_BAR >= STEPS_PER_BAR - LEAD_STEPS


class Rhythm:
    """The pattern's wish, and what was played of it."""

    def __init__(
        self,
        maps: Maps,
        ask: Callable[[PatternWish], None],
        ask_encode: Callable[[PatternGrid, tuple[float, ...]], None],
    ) -> None:
        self._maps, self._ask, self._ask_encode = maps, ask, ask_encode
        self.wanted: PatternWish | PatternGrid | None = None
        self._satisfied = False
        self._decoded: OrderedDict[PatternWish, PatternGrid] = OrderedDict()
        self._was_filling = False
        self._bar_line: int | None = None  # what is wanted is for this step; None: for the next one
        self._encoding: bytes | None = None  # the own hits last asked to be encoded
        self._seen: tuple[object, ...] = ()

    def want(self, moment: Moment, place: float, delivery: Delivery) -> None:
        """What the Moment asks for now."""
        bar = int((place + LEAD_STEPS) // STEPS_PER_BAR)
        seen = (moment.state, moment.take, moment.filling, bar)
        if self._seen and all(map(operator.is_, seen[:-1], self._seen)) and bar == self._seen[-1]:
            return  # nothing a wish is made of has changed
        self._seen = seen
        self._place_own_hits(moment.state)
        wanted = self._wish(moment, bar)
        if wanted == self.wanted:
            return
        self.wanted, self._satisfied = wanted, False
        fill_ends = self._was_filling and not moment.filling
        self._was_filling = moment.filling
        line = (int(place) // STEPS_PER_BAR + 1) * STEPS_PER_BAR
        self._bar_line = line if fill_ends or near_bar(place) else None
        grid = wanted if isinstance(wanted, PatternGrid) else self._decoded.get(wanted)
        if grid is not None:
            self._satisfied = True
            self._play(grid, place, delivery)
        elif isinstance(wanted, PatternWish):
            self._ask(wanted)

    def decoded(self, answer: Decoded, place: float, delivery: Delivery) -> None:
        """The model answered. An answer to a wish that is over fills the time until the wanted one comes."""
        self._decoded[answer.wish] = answer.grid
        while len(self._decoded) > REMEMBERED:
            self._decoded.popitem(last=False)
        if not self._satisfied:
            self._satisfied = answer.wish == self.wanted
            self._play(answer.grid, place, delivery)

    def encoded(self, answer: Encoded, state: PlayerState) -> PlayerState:
        """The player's own hits have their place; the knobs will go on from there."""
        if state.kept is None or state.placed or grid_bytes(answer.grid) != state.kept:
            return state
        return placed(state, self._maps, answer.latent)

    def _wish(self, moment: Moment, bar: int) -> PatternWish | PatternGrid:
        if moment.take is not None:
            return learn.click()
        kept = None if moment.filling else moment.state.kept_grid()
        return kept or pattern_wish(moment.state, self._maps, fill=moment.filling, bar=bar)

    def _place_own_hits(self, state: PlayerState) -> None:
        """Own hits that have no place yet are encoded, once."""
        grid = None if state.placed else state.kept_grid()
        if grid is None:
            self._encoding = None
        elif state.kept != self._encoding:
            self._encoding = state.kept
            style = rhythm_style(state, self._maps.node_styles.shape[-1], state.position("x"), state.position("y"))
            self._ask_encode(grid, values_of(style))

    def _play(self, grid: PatternGrid, place: float, delivery: Delivery) -> None:
        late = self._bar_line is None or place >= self._bar_line
        delivery.play(grid, When.NEXT_STEP if late else When.NEXT_BAR)
