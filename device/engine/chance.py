"""Which of the wanted hits are played: DENSITY is a threshold, CHAOS a temperature, both in logits.

The model's level is a probability. Most of them lie close to 0 or 1, so the threshold moves on the logit
scale, where they are spread out, and the whole turn of the knob does something:

    density    0        0.1     0.25     0.5     0.75     0.9     1
    plays      nothing  >0.988  >0.9     >=0.5   >0.1     >0.012  every level of 0.01 or more

A cell plays when ``logit(level) + temperature * noise >= threshold``. Neither level nor noise knows the
density, and the threshold only falls as it rises: more density never removes a hit. The noise is logistic,
so at temperature 1 cells are drawn with exactly the model's probability (the Gumbel trick for one bit).
It is a function of (seed, bar, step in the bar, voice): any bar can be repeated.
"""

import math
from typing import Final

import numpy as np

from device.contract.pattern import STEPS_PER_BAR, FloatArray
from device.contract.voices import VOICE_COUNT

STEEPNESS: Final = 2.0  # threshold = -STEEPNESS * logit(density)
FAINTEST: Final = 0.01  # a lower level is no wish of the model's
MOST_TEMPERATURE: Final = 1.5
NEVER: Final = -math.inf
_LEAST: Final = 1.0 / (1.0 + math.exp(10.0))  # a level of 1 is read as 1 - _LEAST, a logit of 10
_FLOOR: Final = math.log(FAINTEST / (1.0 - FAINTEST)) - 1e-6  # a hair below, so that FAINTEST itself plays
_MASK: Final = 0xFFFFFFFFFFFFFFFF


def logits(levels: FloatArray) -> list[list[float]]:
    """Levels (32, 9) 0..1 on the logit scale, -10..10; a level below a thousandth can never play."""
    inner = np.clip(levels.astype(np.float64), _LEAST, 1.0 - _LEAST)
    rows: list[list[float]] = np.where(levels < 0.1 * FAINTEST, NEVER, np.log(inner / (1.0 - inner))).tolist()
    return rows


def _share(density: float) -> float:
    if density <= 0.0:
        return math.inf
    if density >= 1.0:
        return _FLOOR
    return max(STEEPNESS * math.log((1.0 - density) / density), _FLOOR)


def threshold(density: float, voice_density: float = 0.5) -> float:
    """Logit from which on a cell plays; inf when either density is 0. A voice density of 0.5 changes nothing."""
    return max(_share(density) + _share(voice_density), _FLOOR)


def noise(seed: int, bar: int, step: int, voice: int) -> float:
    """Logistic noise of one cell of one bar (``step`` is counted modulo the bar)."""
    cell = (bar * STEPS_PER_BAR + step % STEPS_PER_BAR) * VOICE_COUNT + voice
    mixed = _mix(_mix(seed + 1) ^ cell)
    uniform = ((mixed >> 11) + 0.5) / 2.0**53
    return math.log(uniform / (1.0 - uniform))


def _mix(number: int) -> int:
    """SplitMix64 (Steele, Lea, Flood 2014): 64 bits in, 64 well-stirred bits out."""
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return mixed ^ mixed >> 31


def plays(level_logit: float, at_least: float, chaos: float, seed: int, step: int, voice: int) -> bool:
    """Does this cell play at this global step?"""
    if level_logit == NEVER or at_least == math.inf:
        return False
    if chaos > 0.0:
        level_logit += chaos * MOST_TEMPERATURE * noise(seed, step // STEPS_PER_BAR, step, voice)
    return level_logit >= at_least
