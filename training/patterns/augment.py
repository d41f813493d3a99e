"""New grooves from real ones: bars and voices of different windows are put together.

A small latent generalises only if it learns that a kick, a snare and a hat pattern are separate things.
So a batch shows it combinations nobody played: another window's bar in the place of the first or second,
another window's kick, snare, cymbals or toms in their places, played in the time of the window they come
into (a band has one feel, whoever sits in); bars swapped or repeated within a part; then small changes of
touch and timing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from device.contract.pattern import LEVEL, OFFSET, STEPS, STEPS_PER_BAR, STEPS_PER_BEAT, VELOCITY, FloatArray
from device.contract.voices import VOICE_COUNT, VOICE_INDEX
from device.errors import SettingError
from training.patterns.windows import STYLE_VECTORS, BoolArray, IntArray, Windows

# Voices that are one limb's part and travel together.
PARTS: Final = tuple(
    tuple(VOICE_INDEX[name] for name in names)
    for names in (
        ("kick",),
        ("snare",),
        ("closed_hat", "open_hat", "ride"),
        ("low_tom", "mid_tom", "high_tom"),
        ("crash",),
    )
)


FILLING: Final = (PARTS[1], PARTS[3])  # what a fill is played on: a fill keeps its own
TURNS: Final = np.array([(1, 0), (0, 0), (1, 1)])  # which bars follow each other


def feel(cells: FloatArray) -> FloatArray:
    """(n, 32) the common timing of each step in steps: the mean offset of its hits, where it has none that of
    all steps at the same place in a beat."""
    count, total = cells[..., LEVEL].sum(2), (cells[..., LEVEL] * cells[..., OFFSET]).sum(2)
    beats = (len(cells), STEPS // STEPS_PER_BEAT, STEPS_PER_BEAT)
    usual = total.reshape(beats).sum(1) / np.maximum(count.reshape(beats).sum(1), 1.0)  # (n, 4)
    filled = np.where(count > 0.0, total / np.maximum(count, 1.0), np.tile(usual, (1, beats[1])))
    return np.asarray(filled, np.float32)


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Shares are chances 0..1 per window; ``strangers`` is how often a partner comes from any style."""

    bar_share: float = 0.3
    voice_share: float = 0.5
    part_share: float = 0.35  # of each part, in a window whose voices are mixed
    strangers: float = 0.3
    retimed_share: float = 0.7  # of what comes in, how much takes over the timing it meets
    turn_share: float = 0.1  # of each part: its bars change places, or one is played twice
    touch_share: float = 0.5
    touch: float = 0.15  # standard deviation of a voice's loudness, as the logarithm of a factor
    lateness_steps: float = 0.05  # standard deviation of a whole window's timing
    fill_share: float = 0.06  # of a batch

    def __post_init__(self) -> None:
        shares = ("bar_share", "voice_share", "part_share", "strangers", "retimed_share", "turn_share")
        for name in (*shares, "touch_share", "fill_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingError(f"augment.{name} must be 0..1, got {getattr(self, name)}")


class Recombiner:
    """Draws batches from windows; every draw comes from the generator it is given."""

    def __init__(self, windows: Windows, config: AugmentConfig) -> None:
        self.windows, self.config = windows, config
        self.by_style = np.argsort(windows.style, kind="stable")
        labels = windows.style[self.by_style]
        styles = np.arange(STYLE_VECTORS.shape[1])
        self.first = np.searchsorted(labels, styles)
        self.past = np.searchsorted(labels, styles, side="right")
        self.fills = np.flatnonzero(windows.fill)

    def batch(self, count: int, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Patterns (count, 32, 9, 3) and style vectors (count, S)."""
        chosen = random.integers(0, len(self.windows), count)
        if len(self.fills):
            swap = random.random(count) < self.config.fill_share
            chosen[swap] = random.choice(self.fills, int(swap.sum()))
        cells = self.windows.cells[chosen].copy()
        styles = self.windows.style[chosen]
        fills = self.windows.fill[chosen]
        self._mix_bars(cells, styles, fills, random)
        self._mix_voices(cells, styles, fills, random)
        self._turn(cells, fills, random)
        self._touch(cells, random)
        return cells, STYLE_VECTORS[self.windows.fill[chosen].astype(np.int64), styles]

    def _partners(self, styles: IntArray, random: np.random.Generator) -> IntArray:
        """A window for each style label: mostly of that style, now and then of any."""
        low, high = self.first[styles], self.past[styles]
        same = self.by_style[low + (random.random(len(styles)) * (high - low)).astype(np.int64)]
        stranger = random.random(len(styles)) < self.config.strangers
        return np.where(stranger, random.integers(0, len(self.windows), len(styles)), same)

    def _mix_bars(self, cells: FloatArray, styles: IntArray, fills: BoolArray, random: np.random.Generator) -> None:
        """A guest's bar in the place of one; a fill keeps its last bar and is led into by a beat."""
        share = np.where(fills, min(2.0 * self.config.bar_share, 1.0), self.config.bar_share)
        mixed = np.flatnonzero(random.random(len(cells)) < share)
        guests = self._guests(cells[mixed], styles[mixed], random)
        bars = guests.reshape(len(mixed), 2, STEPS_PER_BAR, VOICE_COUNT, 3)
        bar = bars[np.arange(len(mixed)), random.integers(0, 2, len(mixed))]
        place = np.where(fills[mixed], 0, random.integers(0, 2, len(mixed)))
        cells.reshape(len(cells), 2, STEPS_PER_BAR, VOICE_COUNT, 3)[mixed, place] = bar

    def _mix_voices(self, cells: FloatArray, styles: IntArray, fills: BoolArray, random: np.random.Generator) -> None:
        window: BoolArray = random.random(len(cells)) < self.config.voice_share
        for part in PARTS:
            free = window & ~fills if part in FILLING else window
            mixed = np.flatnonzero(free & (random.random(len(cells)) < self.config.part_share))
            guests = self._guests(cells[mixed], styles[mixed], random)
            for voice in part:
                cells[mixed, :, voice] = guests[:, :, voice]

    def _guests(self, hosts: FloatArray, styles: IntArray, random: np.random.Generator) -> FloatArray:
        """A partner's window (n, 32, 9, 3) for each host, mostly in the host's time."""
        guests = self.windows.cells[self._partners(styles, random)].copy()
        retimed = (random.random(len(hosts)) < self.config.retimed_share)[:, None]
        shift = np.where(retimed, feel(hosts) - feel(guests), np.float32(0.0))[:, :, None]
        guests[..., OFFSET] = np.clip(guests[..., OFFSET] + shift, -0.5, 0.499) * guests[..., LEVEL]
        return guests

    def _turn(self, cells: FloatArray, fills: BoolArray, random: np.random.Generator) -> None:
        for part in PARTS:
            turned = np.flatnonzero(~fills & (random.random(len(cells)) < self.config.turn_share))
            order = TURNS[random.integers(0, len(TURNS), len(turned))]
            for voice in part:
                bars = cells[turned, :, voice].reshape(len(turned), 2, STEPS_PER_BAR, 3)
                cells[turned, :, voice] = bars[np.arange(len(turned))[:, None], order].reshape(len(turned), STEPS, 3)

    def _touch(self, cells: FloatArray, random: np.random.Generator) -> None:
        count, config = len(cells), self.config
        touched = (random.random(count) < config.touch_share)[:, None, None]
        gain = np.exp(config.touch * touched * random.normal(size=(count, 1, VOICE_COUNT)))
        late = touched * random.normal(0.0, config.lateness_steps, (count, 1, 1))
        own = touched * random.normal(0.0, 0.4 * config.lateness_steps, (count, 1, VOICE_COUNT))
        hits = cells[..., LEVEL]
        cells[..., VELOCITY] = np.clip(cells[..., VELOCITY] * gain, 0.0, 1.0)
        cells[..., OFFSET] = np.clip(cells[..., OFFSET] + late + own, -0.5, 0.499) * hits
