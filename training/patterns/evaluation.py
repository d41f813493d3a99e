"""How well grooves come back, in musical terms.

    hit F1          harmonic mean of precision and recall over all cells of all windows (micro average)
    velocity MAE    mean absolute error where the original has a hit
    offset MAE      the same, in steps

Grooves are reconstructed from the posterior mean; a level of at least 0.5 is a hit. Everything here is numpy, so a
bundle's int8 models and a retrieval baseline are judged by the same lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from device.contract.pattern import LEVEL, OFFSET, VELOCITY, FloatArray
from device.contract.voices import VOICES
from training.patterns.labels import STYLES
from training.patterns.model import RhythmVae
from training.patterns.windows import BoolArray, Windows

CHUNK: Final = 512
HIT: Final = 0.5  # level from which a cell is a hit


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How close reconstructions came to their originals."""

    f1: float
    velocity_mae: float
    offset_mae: float  # steps
    windows: int


def fidelity(original: FloatArray, decoded: FloatArray) -> Fidelity:
    """Compare patterns (n, 32, 9, 3); without any hit in either, F1 is 1 and errors are 0."""
    hits, guessed = original[..., LEVEL] >= HIT, decoded[..., LEVEL] >= HIT
    both = int(hits.sum()) + int(guessed.sum())
    error = np.abs(original - decoded)[hits]
    velocity, offset = (float(error[:, plane].mean()) if len(error) else 0.0 for plane in (VELOCITY, OFFSET))
    return Fidelity(2.0 * int((hits & guessed).sum()) / both if both else 1.0, velocity, offset, len(original))


@torch.no_grad()
def encode(model: RhythmVae, windows: Windows) -> FloatArray:
    """Posterior means (n, Z)."""
    model.eval()
    parts = [model.encode(pattern, style)[0] for pattern, style in _chunks(windows)]
    return np.asarray(torch.cat(parts).numpy(), np.float32)


@torch.no_grad()
def decode(model: RhythmVae, latents: FloatArray, styles: FloatArray) -> FloatArray:
    """Patterns (n, 32, 9, 3) from latents (n, Z) under style vectors (n, S) or (S,)."""
    model.eval()
    spread = np.broadcast_to(styles, (len(latents), styles.shape[-1]))
    pairs = (
        (torch.from_numpy(latents[i : i + CHUNK]), torch.from_numpy(spread[i : i + CHUNK].copy()))
        for i in range(0, len(latents), CHUNK)
    )
    return np.concatenate([model.decode(*pair).numpy() for pair in pairs]).astype(np.float32)


def reconstruct(model: RhythmVae, windows: Windows) -> FloatArray:
    """Patterns (n, 32, 9, 3) as they come back from the posterior mean."""
    return decode(model, encode(model, windows), windows.style_vectors())


def by_voice(windows: Windows, decoded: FloatArray) -> Iterator[tuple[str, int, Fidelity]]:
    """Label, number of hits and fidelity of every voice."""
    for voice in VOICES:
        part = windows.cells[:, :, voice.index : voice.index + 1]
        yield voice.label, int(part[..., LEVEL].sum()), fidelity(part, decoded[:, :, voice.index : voice.index + 1])


def by_style(windows: Windows, decoded: FloatArray) -> Iterator[tuple[str, Fidelity]]:
    """Fidelity of every style that occurs, without its fills; fills of all styles come last."""
    for index, name in enumerate(STYLES[:-1]):
        chosen: BoolArray = (windows.style == index) & ~windows.fill
        if chosen.any():
            yield name, fidelity(windows.cells[chosen], decoded[chosen])
    if windows.fill.any():
        yield "fill", fidelity(windows.cells[windows.fill], decoded[windows.fill])


def _chunks(windows: Windows) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    styles = windows.style_vectors()
    for i in range(0, len(windows), CHUNK):
        yield torch.from_numpy(windows.cells[i : i + CHUNK]), torch.from_numpy(styles[i : i + CHUNK])
