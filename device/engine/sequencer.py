"""Which voice is hit at which frame: every cell of the pattern is decided when it is due, and only once.

A hit of global step s lies at ``s + swing (odd steps) + humanize * offset`` steps: half a step early to one
step late. So around any place three steps are open at a time, each with its own due frame per voice:

    step        s-1       s        s+1
    can lie  |----.==========|  |----.==========|      early half, the step, late (offset and swing)

A cell counts as *decided* once it was due, hit or not; a new pattern, a turned knob or a moved offset can
therefore never double it. A cell whose due frame a change has moved into the past is decided at once:
it is late by less than a step and is not swallowed.
"""

import math
from dataclasses import dataclass
from typing import Final

from device.contract.pattern import STEPS_PER_BAR, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine import chance
from device.engine.records import Params, Pattern, When
from device.engine.transport import Transport

PLAIN_VELOCITY: Final = 0.8  # of a voice the pattern does not want at all
SOFTEST_VELOCITY: Final = 0.05  # a hit that is played is heard
SWING_STEPS: Final = 0.5  # delay of odd steps at full swing
_OPEN: Final = 8  # steps remembered as decided; more than can be open at once


@dataclass(frozen=True, slots=True)
class Due:
    """One hit of the pattern, decided."""

    frame: int
    voice: int
    velocity: float  # 0..1
    step: int  # global step since start


class _Sheet:
    """A pattern laid out for reading one cell at a time, with the step from which on it is read."""

    def __init__(self, grid: PatternGrid, ident: int, from_step: int) -> None:
        self.ident = ident
        self.from_step = from_step
        self.logits = chance.logits(grid.levels)
        self.velocities: list[list[float]] = grid.velocities.tolist()
        self.offsets: list[list[float]] = grid.offsets.tolist()
        self.even = _even(grid)


def _even(grid: PatternGrid) -> list[float]:
    """The velocity a machine would play each voice with: the mean, weighed by how much each hit is wanted."""
    wanted = grid.levels.sum(0).tolist()
    total = (grid.levels * grid.velocities).sum(0).tolist()
    return [
        all_of_it / weight if weight > chance.FAINTEST else PLAIN_VELOCITY
        for all_of_it, weight in zip(total, wanted, strict=True)
    ]


class Sequencer:
    """Turns pattern, parameters and transport into hits at exact frames."""

    def __init__(self, params: Params) -> None:
        self._sheets = [_Sheet(PatternGrid.empty(), 0, 0)]  # oldest first; a later one is read from its step on
        self._decided = [[-1] * _OPEN for _ in range(VOICE_COUNT)]
        self._next_place = -math.inf  # nothing is due before
        self.set(params)

    def set(self, params: Params) -> None:
        """Take new parameters; they count for every cell not yet decided."""
        self._swing = params.swing * SWING_STEPS
        self._humanize = params.humanize
        self._chaos = params.chaos
        self._seed = int(params.seed)
        self._thresholds = [chance.threshold(params.density, own) for own in params.voice_density]
        self._muted = [mute >= 0.5 for mute in params.mute]
        self._lengths = [int(min(params.length_steps, own)) for own in params.voice_length]
        self._next_place = -math.inf

    def start(self) -> None:
        """Begin again at step 0, with the newest pattern."""
        del self._sheets[:-1]
        self._sheets[0].from_step = 0
        for decided in self._decided:
            decided[:] = [-1] * _OPEN
        self._next_place = -math.inf

    def take(self, pattern: Pattern, transport: Transport, frame: int) -> None:
        """A new pattern arrives at this frame; it supersedes those still waiting for a later step."""
        if not transport.playing:
            self._sheets[:] = [_Sheet(pattern.grid, pattern.ident, 0)]
            return
        step = transport.step_at(frame - 1) + 1  # a step that begins at this very frame is the next one
        if pattern.when == When.NEXT_BAR:
            step = -(-step // STEPS_PER_BAR) * STEPS_PER_BAR
        while len(self._sheets) > 1 and self._sheets[-1].from_step >= step:
            self._sheets.pop()
        self._sheets.append(_Sheet(pattern.grid, pattern.ident, step))
        self._next_place = -math.inf

    def pattern_at(self, step: int) -> int:
        """Ident of the pattern this step is read from."""
        return self._sheet(step).ident

    def _sheet(self, step: int) -> _Sheet:
        sheets = self._sheets
        index = len(sheets) - 1
        while index and sheets[index].from_step > step:
            index -= 1
        return sheets[index]

    def due(self, transport: Transport, now: int, until: int) -> list[Due]:
        """Decide every cell due in frames now..until-1; returns the hits in order of frame and voice."""
        if self._next_place > -math.inf and transport.frame_of(self._next_place) >= until:
            return []
        last = math.floor(transport.place(until)) + 1
        first = max(math.floor(transport.place(now)) - 1, 0)
        next_place = last + 0.5  # where the first step not looked at could lie
        found: list[tuple[int, int, int]] = []
        for step in range(first, last + 1):
            sheet = self._sheet(step)
            grid_place = step + self._swing if step & 1 else float(step)
            slot = step % _OPEN
            for voice in range(VOICE_COUNT):
                if self._decided[voice][slot] == step:
                    continue
                cell = step % self._lengths[voice]
                place = grid_place + self._humanize * sheet.offsets[cell][voice]
                frame = transport.frame_of(place)
                if frame < until:
                    self._decided[voice][slot] = step
                    found.append((max(frame, now), voice, step))
                elif place < next_place:
                    next_place = place
        self._next_place = next_place
        while len(self._sheets) > 1 and self._sheets[1].from_step <= first:
            del self._sheets[0]
        found.sort()
        return [hit for entry in found if (hit := self._decide(*entry)) is not None]

    def _decide(self, frame: int, voice: int, step: int) -> Due | None:
        if self._muted[voice]:
            return None
        sheet, cell = self._sheet(step), step % self._lengths[voice]
        wanted = sheet.logits[cell][voice]
        if not chance.plays(wanted, self._thresholds[voice], self._chaos, self._seed, step, voice):
            return None
        even = sheet.even[voice]
        velocity = even + self._humanize * (sheet.velocities[cell][voice] - even)
        return Due(frame, voice, max(velocity, SOFTEST_VELOCITY), step)
