"""After training: how a latent is corrected, where a hit begins, how graded levels are, where a style lies.

None of it changes a weight or looks at the validation data.

    stride      how far a latent is moved when it is corrected by ear (correct.py)
    threshold   the logit of each voice that becomes level 0.5: where F1 on the tuning windows is best
    sharpness   a factor on logits: levels stay a *field* that DENSITY can sweep, not black and white
    centres     what a style adds to the latent of a groove, by least squares
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from device.contract.pattern import LEVEL, FloatArray
from device.contract.voices import VOICE_COUNT
from training.patterns.correct import stride_of
from training.patterns.evaluation import decode, encode
from training.patterns.model import RhythmVae
from training.patterns.windows import Windows

STEPS_TRIED: Final = np.linspace(-2.0, 1.5, 71)
ROUNDS: Final = 3
CURVATURE_FROM: Final = 256  # windows
RIDGE: Final = 1.0  # windows' worth of doubt about a style's centre


def calibrate(model: RhythmVae, train: Windows, tuning: Windows, style_share: float, sharpness: float) -> None:
    """Set ``stride``, ``centres``, ``threshold`` and ``sharpness`` of ``model`` in place."""
    model.centres.zero_()
    model.stride.zero_()
    model.threshold.zero_()
    model.sharpness.fill_(1.0)
    felt = train[np.linspace(0, len(train) - 1, min(len(train), CURVATURE_FROM)).astype(np.int64)]
    pattern, style = torch.from_numpy(felt.cells), torch.from_numpy(felt.style_vectors())
    model.stride.copy_(stride_of(model.decoder, pattern, torch.from_numpy(encode(model, felt)), style))
    plain = train[~train.fill]
    centres = style_centres(encode(model, plain), plain.style_vectors()[:, :-1])
    logits = level_logits(model, tuning)
    model.threshold.copy_(torch.from_numpy(best_thresholds(logits, tuning.hits >= 0.5)))
    model.centres.copy_(torch.from_numpy(style_share * centres))
    model.sharpness.fill_(sharpness)


def level_logits(model: RhythmVae, windows: Windows) -> FloatArray:
    """(n, 32, 9) logits of the reconstruction's levels."""
    level = decode(model, encode(model, windows), windows.style_vectors())[..., LEVEL].astype(np.float64)
    level = np.clip(level, 1e-7, 1.0 - 1e-7)
    return np.asarray(np.log(level / (1.0 - level)), np.float32)


def best_thresholds(logits: FloatArray, hits: npt.NDArray[np.bool_]) -> FloatArray:
    """(9,) thresholds that together give the best micro F1, found voice by voice, a few times round."""
    right = np.stack([((logits >= at) & hits).sum((0, 1)) for at in STEPS_TRIED])  # (tried, voice)
    said = np.stack([(logits >= at).sum((0, 1)) for at in STEPS_TRIED])
    total = int(hits.sum())
    chosen = np.full(VOICE_COUNT, int(np.abs(STEPS_TRIED).argmin()))
    voices = np.arange(VOICE_COUNT)
    for _ in range(ROUNDS):
        for voice in voices:
            others = voices != voice
            rest_right = right[chosen[others], voices[others]].sum()
            rest_said = said[chosen[others], voices[others]].sum()
            f1 = 2.0 * (rest_right + right[:, voice]) / (rest_said + said[:, voice] + total)
            chosen[voice] = int(f1.argmax())
    return np.asarray(STEPS_TRIED[chosen], np.float32)


def style_centres(latents: FloatArray, styles: FloatArray) -> FloatArray:
    """(S - 1, Z): how far each style lies from the middle of all grooves, by ridge regression on style weights."""
    middle = latents.mean(0)
    table = styles.astype(np.float64)
    normal = table.T @ table + RIDGE * np.eye(table.shape[1])
    return np.asarray(np.linalg.solve(normal, table.T @ (latents - middle)), np.float32)
