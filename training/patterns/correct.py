"""Correcting a latent by ear: a few steps downhill on what the decoder gets wrong.

An encoder's first guess at a groove it never met is not the best latent the decoder has for it; playing the
guess, hearing what is wrong and moving the latent accordingly finds a better one (the amortization gap:
Cremer, Li and Duvenaud 2018). The slope is written out here as plain layers run backwards, so that it can be
exported with the encoder: no automatic differentiation on the device.

    latent -> decoder -> error of level, velocity, offset -> decoder backwards -> slope
    latent <- latent - slope @ stride, with some momentum

``stride`` (Z, Z) is a share of the inverse of the mean curvature over training grooves, so a step is about
as long as it should be in every direction. Source of the idea: Newton's method, with a matrix made once.
"""

from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor, nn

from training.patterns.losses import KNEE, OFFSET_SPREAD, VELOCITY_SPREAD

if TYPE_CHECKING:
    from training.patterns.model import Block, Decoder

STEPS: Final = 5
MOMENTUM: Final = 0.5
STRIDE: Final = 0.5  # share of a Newton step
DOUBT: Final = 1.0  # curvature added in every direction: single grooves differ from the mean
VELOCITY_WEIGHT: Final = 0.6
OFFSET_WEIGHT: Final = 0.8
PRIOR_WEIGHT: Final = 0.02
PROBE: Final = 0.05  # how far a latent is moved to feel the curvature


def corrected(decoder: "Decoder", pattern: Tensor, latent: Tensor, style: Tensor, stride: Tensor) -> Tensor:
    """A better latent (n, Z) for patterns (n, 32, 9, 3); with a stride of zeros, the same."""
    moving = torch.zeros_like(latent)
    for _ in range(STEPS):
        moving = MOMENTUM * moving - slope(decoder, pattern, latent, style) @ stride
        latent = latent + moving
    return latent


def slope(decoder: "Decoder", pattern: Tensor, latent: Tensor, style: Tensor) -> Tensor:
    """(n, Z): how the loss of each pattern (losses.py, with the weights above) rises with its latent."""
    blocks = [cast("Block", block) for block in list(decoder.blocks)[:-1]]
    last_norm = cast(nn.LayerNorm, decoder.blocks[-1])
    wave: Tensor = decoder.spread(torch.cat([latent, style], 1))
    waves, inners = [wave], []
    for block in blocks:
        inner = block.inner(block.norm(wave))
        wave = wave + block.outer(torch.relu(inner))
        waves.append(wave)
        inners.append(inner)
    logits = decoder.write(last_norm(wave)).reshape(pattern.shape)
    back = _blame(logits, pattern).reshape(-1, decoder.write.out_features) @ decoder.write.weight
    back = _through_norm(last_norm, waves[-1], back)
    for block, entered, inner in zip(reversed(blocks), reversed(waves[:-1]), reversed(inners), strict=True):
        inner_back = (back @ block.outer.weight) * (inner > 0.0).to(back.dtype)
        back = back + _through_norm(block.norm, entered, inner_back @ block.inner.weight)
    return (back @ decoder.spread.weight)[:, : latent.shape[1]] + PRIOR_WEIGHT * latent


def _blame(logits: Tensor, pattern: Tensor) -> Tensor:
    """(n, 32, 9, 3) derivative of the loss by each logit."""
    hits = pattern[..., 0]
    velocity, offset = torch.sigmoid(logits[..., 1]), torch.tanh(logits[..., 2])
    velocity_error = ((velocity - pattern[..., 1]) / VELOCITY_SPREAD).clamp(-KNEE, KNEE)
    offset_error = ((0.5 * offset - pattern[..., 2]) / OFFSET_SPREAD).clamp(-KNEE, KNEE)
    return torch.stack(
        [
            torch.sigmoid(logits[..., 0]) - hits,
            hits * velocity_error * velocity * (1.0 - velocity) * (2.0 * VELOCITY_WEIGHT / VELOCITY_SPREAD),
            hits * offset_error * (1.0 - offset * offset) * (OFFSET_WEIGHT / OFFSET_SPREAD),
        ],
        -1,
    )


def _through_norm(norm: nn.LayerNorm, wave: Tensor, back: Tensor) -> Tensor:
    """A layer norm backwards: from the derivative by its output (n, h) to the one by its input ``wave`` (n, h)."""
    share = 1.0 / wave.shape[1]  # sums instead of means: an ONNX graph must not have a second tensor "mean"
    centred = wave - share * wave.sum(1, keepdim=True)
    spread = torch.sqrt(share * (centred * centred).sum(1, keepdim=True) + norm.eps)
    even, back = centred / spread, back * norm.weight
    return (back - share * back.sum(1, keepdim=True) - even * share * (back * even).sum(1, keepdim=True)) / spread


@torch.no_grad()
def stride_of(decoder: "Decoder", pattern: Tensor, latent: Tensor, style: Tensor) -> Tensor:
    """(Z, Z) the stride, from the mean curvature at latents (n, Z) of patterns, felt by moving each dimension."""
    rows = []
    for direction in PROBE * torch.eye(latent.shape[1]):
        above = slope(decoder, pattern, latent + direction, style)
        below = slope(decoder, pattern, latent - direction, style)
        rows.append((above - below).mean(0) / (2.0 * PROBE))
    curvature = torch.stack(rows)
    values, vectors = torch.linalg.eigh(0.5 * (curvature + curvature.T))
    stride: Tensor = STRIDE * (vectors / (values.clamp(min=0.0) + DOUBT)) @ vectors.T
    return stride
