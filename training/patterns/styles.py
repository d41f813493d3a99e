"""Our own grooves: from a style's recipe and a seed to a two-bar pattern, with swing, dynamics and fills.

A groove draws, in this order: a bar for each voice, small edits, a second bar that mostly repeats the
first, dynamics, timing. Two grooves of one style share its bones and differ in everything else.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device.contract.pattern import BARS, GRID_SHAPE, LEVEL, OFFSET, STEPS_PER_BAR, VELOCITY, FloatArray
from device.contract.voices import VOICE_COUNT, VOICE_INDEX
from training.patterns.labels import STYLE_INDEX, STYLES
from training.patterns.recipes import RECIPES, Recipe
from training.patterns.windows import BoolArray, Windows

CHANCE: Final = {".": 0.0, "-": 0.25, "o": 0.7, "x": 1.0, "X": 1.0}
LOUDNESS: Final = {".": 0.0, "-": 0.4, "o": 0.6, "x": 0.72, "X": 0.95}
SNARE: Final = VOICE_INDEX["snare"]
KEEP_SECOND_BAR = 0.75  # chance that a voice plays the same bar twice, but for its maybes
REST = 0.12  # chance that a voice other than kick and snare rests
TOMS: Final = tuple(VOICE_INDEX[name] for name in ("high_tom", "mid_tom", "low_tom"))
CYMBALS: Final = tuple(VOICE_INDEX[name] for name in ("closed_hat", "open_hat", "crash", "ride"))


def make_groove(style: str, random: np.random.Generator, *, fill: bool = False) -> FloatArray:
    """One pattern (32, 9, 3) of a style: level 0 or 1, velocity 0..1, offset -0.5..0.5 steps."""
    recipe = RECIPES[style]
    chances, loudness = _draw_bars(recipe, random)
    hits = random.random(chances.shape) < chances
    if recipe.ghosts:
        ghosts = ~hits[:, SNARE] & (random.random(len(hits)) < recipe.ghosts * random.uniform(0.0, 2.0))
        hits[ghosts, SNARE], loudness[ghosts, SNARE] = True, 0.25
    if fill:
        _play_fill(hits, loudness, random)
    if not hits[:, : SNARE + 1].any():
        hits[0, 0], loudness[0, 0] = True, 0.95  # two bars with neither kick nor snare are no groove
    cells = np.zeros(GRID_SHAPE, np.float32)
    cells[..., LEVEL] = hits
    cells[..., VELOCITY] = _velocities(loudness, random) * hits
    cells[..., OFFSET] = _offsets(recipe, random) * hits
    return cells


def make_windows(count: int, styles: Sequence[str], seed: int, fill_share: float = 0.12) -> Windows:
    """``count`` grooves of every style in ``styles``, a share of them fills; the same for the same arguments."""
    cells, labels, fills = [], [], []
    for style in styles:
        random = np.random.Generator(np.random.PCG64([seed, STYLE_INDEX[style]]))
        for _ in range(count):
            fill = bool(random.random() < fill_share)
            cells.append(make_groove(style, random, fill=fill))
            labels.append(STYLE_INDEX[style])
            fills.append(fill)
    return Windows(np.stack(cells), np.array(labels, np.int64), np.array(fills, np.bool_))


def all_styles() -> tuple[str, ...]:
    """Every style that can be generated: all labels but "fill"."""
    return STYLES[:-1]


def _draw_bars(recipe: Recipe, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Chance and loudness of every cell, (32, 9) each."""
    chances = np.zeros((BARS * STEPS_PER_BAR, VOICE_COUNT), np.float32)
    loudness = np.full_like(chances, 0.7)
    for name, bars in recipe.voices.items():
        voice = VOICE_INDEX[name]
        if voice > SNARE and random.random() < REST:
            continue
        first = bars[random.integers(len(bars))]
        second = first if random.random() < KEEP_SECOND_BAR else bars[random.integers(len(bars))]
        signs = first + second
        chances[:, voice] = [CHANCE[sign] for sign in signs]
        loudness[:, voice] = [LOUDNESS[sign] if sign != "." else 0.7 for sign in signs]
    sparse = random.random() < 0.3  # some grooves drop hits, so that a style has quiet corners too
    soft = random.uniform(0.03, 0.15) if sparse else 0.0
    return chances * np.float32(1.0 - soft), loudness


def _play_fill(hits: BoolArray, loudness: FloatArray, random: np.random.Generator) -> None:
    """Replace the end of the pattern (half a bar to all of it) by a roll over snare and toms."""
    length = int(random.choice([8, 8, 12, 16, 32]))
    start = len(hits) - length
    hits[start:, SNARE:] = False
    grid = int(random.choice([1, 1, 2]))
    drums = (SNARE, *TOMS) if random.random() < 0.7 else (SNARE,)
    for step in range(start, len(hits), grid):
        if random.random() < 0.85:
            place = (step - start) / length
            drum = drums[min(int(place * len(drums) + random.uniform(-0.3, 0.3)), len(drums) - 1)]
            hits[step, drum] = True
            loudness[step, drum] = 0.45 + 0.5 * place if step % 4 else 0.9
    hits[start, CYMBALS[2]] = random.random() < 0.3
    loudness[start, CYMBALS[2]] = 0.95


def _velocities(loudness: FloatArray, random: np.random.Generator) -> FloatArray:
    """Accents of the recipe, a soft second sixteenth, a touch for every voice, jitter for every hit."""
    touch = random.normal(0.0, 0.06, VOICE_COUNT)
    weak = np.where(np.arange(len(loudness)) % 2 == 1, random.uniform(0.0, 0.18), 0.0)[:, None]
    jitter = random.normal(0.0, random.uniform(0.0, 0.05), loudness.shape)
    return np.asarray(np.clip(loudness + touch - weak + jitter, 0.08, 1.0), np.float32)


def _offsets(recipe: Recipe, random: np.random.Generator) -> FloatArray:
    """Swing on every second sixteenth, a late snare, and what a hand adds."""
    steps = BARS * STEPS_PER_BAR
    offsets = random.normal(0.0, random.uniform(*recipe.loose), (steps, VOICE_COUNT))
    offsets[1::2] += random.uniform(*recipe.swing)
    offsets[:, SNARE] += random.uniform(*recipe.late)
    return np.asarray(np.clip(offsets, -0.5, 0.499), np.float32)
