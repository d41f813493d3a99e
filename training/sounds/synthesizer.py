"""Our own drum synthesizer: an unlimited, labelled, licence-clean source of one-shots for all 13 classes.

It writes controls instead of samples, so partials, bands and envelopes are known exactly. A class is a
``Recipe`` of ranges; a sound draws one value from each range, seeded. Loosely after the circuits of
analogue drum machines: swept sines for skins, shaped noise for wires, inharmonic squares for metal.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from device.contract.noise import band_centres_hz
from device.contract.voices import SOUND_CLASSES
from device.errors import SettingError
from training.sounds.controls import (
    BANDS,
    BODY_LOW_HZ,
    BODY_OCTAVES,
    CLICK_FRAMES,
    KNOTS,
    LOUDEST_DB,
    SAMPLE_RATE,
    SILENCE_DB,
    SLOT_REACH,
    SLOTS,
    Controls,
    knot_frames,
    slot_centres_hz,
)

Range = tuple[float, float]
Levels = npt.NDArray[np.float64]
SECONDS = knot_frames() / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Recipe:
    """Ranges one class is drawn from. Levels in dB below full scale, decays as seconds to fall 60 dB."""

    body_db: Range = (-90.0, -90.0)
    body_hz: Range = (100.0, 100.0)
    sweep_octaves: Range = (0.0, 0.0)
    sweep_seconds: Range = (0.01, 0.05)
    body_decay: Range = (0.1, 0.2)
    partials: tuple[float, ...] = ()  # ratios to the body's pitch
    partial_db: Range = (-90.0, -90.0)
    partial_decay: Range = (0.1, 0.3)
    noise_db: Range = (-90.0, -90.0)
    noise_low_hz: Range = (100.0, 200.0)
    noise_high_hz: Range = (8000.0, 16000.0)
    noise_decay: Range = (0.05, 0.2)
    noise_attack: Range = (0.0, 0.001)  # seconds
    bursts: tuple[int, int] = (1, 1)  # a clap's hands
    burst_gap: Range = (0.008, 0.014)
    click_db: Range = (-60.0, -30.0)


SQUARES = (1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523)  # a cymbal's six oscillators
SKIN = (1.59, 2.14, 2.3, 2.65, 2.92)  # modes of a circular membrane
METAL = tuple(round(ratio * odd, 3) for ratio in SQUARES for odd in (1, 3))

RECIPES: dict[str, Recipe] = {
    "kick": Recipe((-3, 0), (38, 75), (0.3, 3.0), (0.005, 0.06), (0.12, 1.6), SKIN[:2], (-60, -25), (0.03, 0.2),
                   (-55, -18), (60, 300), (2000, 12000), (0.01, 0.15), click_db=(-40, -8)),
    "snare": Recipe((-12, 0), (140, 260), (0.0, 0.8), (0.005, 0.03), (0.06, 0.35), SKIN[:3], (-35, -8), (0.05, 0.3),
                    (-18, -2), (150, 1500), (7000, 18000), (0.08, 0.5), click_db=(-40, -12)),
    "rim": Recipe((-20, -4), (300, 900), (0.0, 0.5), (0.003, 0.01), (0.02, 0.12), (1.7, 2.6, 3.9), (-20, -3),
                  (0.02, 0.15), (-30, -8), (500, 2500), (8000, 18000), (0.01, 0.08), click_db=(-30, -6)),
    "clap": Recipe(noise_db=(-3, 0), noise_low_hz=(400, 1100), noise_high_hz=(2500, 14000), noise_decay=(0.08, 0.6),
                   bursts=(1, 5), click_db=(-60, -25)),
    "closed_hat": Recipe(partials=METAL, partial_db=(-45, -14), partial_decay=(0.03, 0.15), body_hz=(200, 900),
                         noise_db=(-4, 0), noise_low_hz=(2500, 8000), noise_high_hz=(12000, 20000),
                         noise_decay=(0.025, 0.2)),
    "open_hat": Recipe(partials=METAL, partial_db=(-45, -14), partial_decay=(0.2, 1.0), body_hz=(200, 900),
                       noise_db=(-4, 0), noise_low_hz=(2000, 7000), noise_high_hz=(12000, 20000),
                       noise_decay=(0.25, 1.6), noise_attack=(0.0, 0.006)),
    "low_tom": Recipe((-3, 0), (60, 110), (0.05, 1.0), (0.02, 0.15), (0.25, 1.3), SKIN, (-50, -12), (0.1, 0.5),
                      (-60, -22), (80, 300), (2000, 9000), (0.02, 0.25), click_db=(-40, -14)),
    "mid_tom": Recipe((-3, 0), (90, 160), (0.05, 1.0), (0.02, 0.15), (0.2, 1.1), SKIN, (-50, -12), (0.1, 0.5),
                      (-60, -22), (80, 300), (2000, 9000), (0.02, 0.25), click_db=(-40, -14)),
    "high_tom": Recipe((-3, 0), (130, 300), (0.05, 1.0), (0.02, 0.15), (0.15, 0.9), SKIN, (-50, -12), (0.1, 0.5),
                       (-60, -22), (80, 300), (2000, 9000), (0.02, 0.25), click_db=(-40, -14)),
    "crash": Recipe(partials=METAL, partial_db=(-45, -18), partial_decay=(0.5, 2.5), body_hz=(180, 600),
                    noise_db=(-3, 0), noise_low_hz=(300, 3000), noise_high_hz=(10000, 19000), noise_decay=(0.9, 3.5),
                    noise_attack=(0.0, 0.02)),
    "ride": Recipe(partials=METAL, partial_db=(-25, -6), partial_decay=(0.6, 3.0), body_hz=(250, 700),
                   noise_db=(-16, -3), noise_low_hz=(1500, 5000), noise_high_hz=(9000, 18000), noise_decay=(0.5, 3.0)),
    "cowbell": Recipe(partials=(1.0, 1.48, 3.0, 4.44, 5.0, 7.4), partial_db=(-10, -2), partial_decay=(0.08, 0.9),
                      body_hz=(420, 900), noise_db=(-50, -25), noise_low_hz=(500, 2000), noise_high_hz=(4000, 12000),
                      noise_decay=(0.01, 0.1)),
    "perc": Recipe((-30, 0), (150, 800), (-0.2, 0.8), (0.01, 0.08), (0.04, 0.5), (1.5, 2.0, 2.7, 4.1), (-40, -6),
                   (0.04, 0.5), (-45, -3), (300, 5000), (5000, 18000), (0.02, 0.4), (0.0, 0.02), (1, 2)),
}  # fmt: skip


def synthesize(sound_class: str, generator: np.random.Generator) -> Controls:
    """Controls (a batch of one) of a new sound; the same generator state gives the same sound."""
    recipe = RECIPES.get(sound_class)
    if recipe is None:
        raise SettingError(f"unknown sound class {sound_class!r}: known are {', '.join(SOUND_CLASSES)}")
    draw = generator.uniform
    body_hz = float(np.exp(draw(*np.log(recipe.body_hz))))
    octave = np.log2(body_hz / BODY_LOW_HZ) + draw(*recipe.sweep_octaves) * np.exp(
        -SECONDS / _log_draw(recipe.sweep_seconds, generator)
    )
    body = draw(*recipe.body_db) - 60.0 * SECONDS / _log_draw(recipe.body_decay, generator)
    partial_db, partial_octave = _partials(recipe, body_hz, generator)
    return Controls(
        _tensor(_noise(recipe, generator)),
        _tensor(np.maximum(body, SILENCE_DB)),
        torch.from_numpy(np.clip(octave, 0.0, BODY_OCTAVES).astype(np.float32))[None],
        _tensor(partial_db),
        torch.from_numpy(partial_octave.astype(np.float32))[None],
        torch.from_numpy(_click(recipe, generator))[None],
    )


def _tensor(level_db: Levels) -> torch.Tensor:
    return torch.from_numpy(np.clip(level_db, SILENCE_DB, LOUDEST_DB).astype(np.float32))[None]


def _log_draw(bounds: Range, generator: np.random.Generator) -> float:
    return float(np.exp(generator.uniform(*np.log(bounds))))


def _partials(recipe: Recipe, body_hz: float, generator: np.random.Generator) -> tuple[Levels, Levels]:
    """Levels (23, 95) and octaves from the slot's centre (23,). Two partials in one slot: the first stays."""
    level = np.full((SLOTS, KNOTS), SILENCE_DB)
    octave = np.zeros(SLOTS)
    decay = _log_draw(recipe.partial_decay, generator)
    loudness = generator.uniform(*recipe.partial_db)
    for rank, ratio in enumerate(recipe.partials):
        distance = np.log2(body_hz * ratio * generator.uniform(0.97, 1.03) / slot_centres_hz())
        slot = int(np.abs(distance).argmin())
        if abs(distance[slot]) > SLOT_REACH or level[slot, 0] > SILENCE_DB:
            continue
        octave[slot] = distance[slot]
        own_decay = decay * generator.uniform(0.7, 1.3) / (1.0 + 0.1 * rank)
        level[slot] = loudness - generator.uniform(0.0, 2.0) * rank - 60.0 * SECONDS / own_decay
    return np.maximum(level, SILENCE_DB), octave


def _noise(recipe: Recipe, generator: np.random.Generator) -> Levels:
    """Band levels (40, 95): a band-pass with soft skirts, treble decaying faster, in one or more bursts."""
    hz = band_centres_hz(BANDS, SAMPLE_RATE)
    low, high = _log_draw(recipe.noise_low_hz, generator), _log_draw(recipe.noise_high_hz, generator)
    skirt = generator.uniform(6.0, 24.0)
    colour = -skirt * np.maximum(np.log2(low / hz), 0.0) - skirt * np.maximum(np.log2(hz / high), 0.0)
    damping = generator.uniform(-0.3, 0.5)
    decay = _log_draw(recipe.noise_decay, generator) * (hz / np.sqrt(low * high)) ** -damping
    attack = generator.uniform(*recipe.noise_attack)
    bursts = int(generator.integers(recipe.bursts[0], recipe.bursts[1] + 1))
    gap = generator.uniform(*recipe.burst_gap)
    last = (bursts - 1) * gap
    age = np.where(SECONDS < last, SECONDS % gap, SECONDS - last)
    falling = np.where(SECONDS < last, 35.0 * age / gap, 60.0 * age / decay[:, None])
    rising = 40.0 * np.maximum(1.0 - SECONDS / attack, 0.0) if attack > 1e-4 else 0.0
    # forty unit bands sum to 16 dB more than one: bring the sum near full scale
    return generator.uniform(*recipe.noise_db) - 10.0 + colour[:, None] - falling - rising


def _click(recipe: Recipe, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """A beater's knock: a few cycles of a damped high sine, (512,)."""
    time = np.arange(CLICK_FRAMES) / SAMPLE_RATE
    hz, decay = _log_draw((800.0, 6000.0), generator), _log_draw((0.0004, 0.003), generator)
    level = 10.0 ** (generator.uniform(*recipe.click_db) / 20.0)
    return np.asarray(level * np.sin(2 * np.pi * hz * time) * np.exp(-time / decay), np.float32)
