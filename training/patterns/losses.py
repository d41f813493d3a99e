"""What the rhythm VAE minimises: nats of a groove, given what the decoder says.

    level     Bernoulli likelihood of every cell
    velocity  robust Gaussian likelihood where there is a hit, with a spread a player would not hear
    offset    the same
    KL        of the posterior to the standard normal, weighted by beta

Sums over a pattern, means over a batch.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from device.errors import SettingError

VELOCITY_SPREAD: Final = 0.1
OFFSET_SPREAD: Final = 0.08  # steps
KNEE: Final = 0.5  # spreads


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the parts beside the level's, which is 1."""

    beta: float = 0.02
    beta_steps: int = 1000  # over which beta rises from 0
    velocity: float = 0.6
    offset: float = 0.6
    fill: float = 0.2  # of grooves asked for a fill, see fills.py
    smoothing: float = 0.0  # of level targets: levels then stay that far from 0 and 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.smoothing < 0.5:
            raise SettingError(f"loss.smoothing must be from 0 to below 0.5, got {self.smoothing}")

    def beta_at(self, step: int) -> float:
        """Beta warms up linearly, so that reconstruction comes first."""
        return self.beta * min(1.0, (step + 1) / max(self.beta_steps, 1))


def level_nats(logits: Tensor, hits: Tensor, smoothing: float = 0.0) -> Tensor:
    """Negative log likelihood of hits (n, 32, 9), each 0 or 1, given logits of the same shape."""
    target = hits * (1.0 - 2.0 * smoothing) + smoothing
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(hits)


def touch_nats(logits: Tensor, pattern: Tensor) -> tuple[Tensor, Tensor]:
    """Of velocity and of offset, where there are hits; logits and pattern (n, 32, 9, 3). Constants are left out."""
    hits = pattern[..., 0]
    velocity = (torch.sigmoid(logits[..., 1]) - pattern[..., 1]) / VELOCITY_SPREAD
    offset = (0.5 * torch.tanh(logits[..., 2]) - pattern[..., 2]) / OFFSET_SPREAD
    return (hits * robust(velocity)).sum() / len(hits), (hits * robust(offset)).sum() / len(hits)


def robust(error: Tensor) -> Tensor:
    """Huber's loss of an error in spreads: square up to half a spread, then straight, so that one slip of a drummer
    does not outweigh a bar played well."""
    size = error.abs()
    return torch.where(size < KNEE, size**2, 2.0 * KNEE * size - KNEE**2)


def kl_nats(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL divergence of the posterior (n, Z) to the standard normal, mean over the batch."""
    return 0.5 * (mean**2 + log_var.exp() - 1.0 - log_var).sum(1).mean()
