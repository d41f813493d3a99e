"""What training minimises: controls against controls first, then heard audio, always a little KL.

Levels more than 75 dB below a sound's loudest moment are not worth being right about: there the model
need only stay below that floor.
"""

import torch
from torch import Tensor

from training.sounds.controls import COARSE_SPANS, FINE_SPANS, KNOTS, Controls

FLOOR_DB = 75.0
PITCH_WEIGHT = 30.0  # an error of one octave weighs like 30 dB
CLICK_WEIGHT = 20.0


def control_loss(guess: Controls, truth: Controls, spans: Tensor) -> Tensor:
    """Mean weighted error in dB of a batch of controls; ``spans`` (n,) says how long each sound is."""
    true_levels, levels = _levels(truth), _levels(guess)
    loudest = true_levels.amax((1, 2), keepdim=True)
    floor = loudest - FLOOR_DB
    gap = torch.where(true_levels > floor, (levels - true_levels).abs(), (levels - floor).clamp(min=0.0))
    weight = _knot_weights(spans)
    level = (gap.mean(1) * weight).sum(1) / weight.sum(1)
    heard = weight * 10.0 ** ((truth.body_db - loudest[:, :, 0]) / 40.0)
    body = (heard * (guess.body_octave - truth.body_octave).abs()).sum(1) / weight.sum(1)
    strength = 10.0 ** ((truth.partial_db.amax(2) - loudest[:, :, 0]) / 40.0)
    partial = (strength * (guess.partial_octave - truth.partial_octave).abs()).mean(1)
    click = (guess.click - truth.click).abs().mean(1)
    return (level + PITCH_WEIGHT * (body + partial) + CLICK_WEIGHT * click).mean()


def _levels(controls: Controls) -> Tensor:
    return torch.cat([controls.noise_db, controls.partial_db, controls.body_db[:, None]], 1)  # (n, 64, 95)


def _knot_weights(spans: Tensor) -> Tensor:
    """(n, 95): the attack weighs a third, the sounding rest two thirds, what comes after a little."""
    knot = torch.arange(KNOTS, device=spans.device)[None] - FINE_SPANS
    sounding = torch.where(knot < spans[:, None], 2.0 / spans[:, None].clamp(min=1), 0.2 / COARSE_SPANS)
    return torch.where(knot < 0, 1.0 / FINE_SPANS, sounding)


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Mean KL divergence in nats from the unit normal."""
    return 0.5 * (mean**2 + torch.exp(log_var) - log_var - 1.0).sum(1).mean()
