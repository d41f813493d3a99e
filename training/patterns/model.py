"""The rhythm VAE: a two-bar groove to a small latent and back to a field of levels, velocities and offsets.

    pattern, style -> residual blocks -> first guess of the latent, log variance  encoder
    latent, style  -> residual blocks -> level, velocity, offset of each cell     decoder
    latent, what the decoder gets wrong -> a better latent, a few times        correction (correct.py)

Every layer sees the whole pattern at once. (Sharing weights between the bars or the beats of a pattern was
tried: for the same work it reconstructed new grooves worse. That a kick pattern means the same under any
hat, and in either bar, is taught by recombination instead: see augment.py.)

The latent is told relative to its style: the place a style usually has, its *centre*, is taken off after
encoding and put back before decoding. So one latent means the same deviation in every style, and the STYLE
knob moves the groove there. Only plain linear layers carry weights, so they quantize to int8.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from device.contract.pattern import STEPS
from device.contract.voices import VOICE_COUNT
from device.errors import SettingError
from training.patterns.correct import corrected
from training.patterns.labels import STYLES

PATTERN_SIZE: Final = STEPS * VOICE_COUNT * 3
LATENT_LIMIT: Final = 8.0  # latents are clamped to +-8: far beyond any groove, and it keeps everything finite
OFFSET_SCALE: Final = 3.0  # brings offsets to the size of the other inputs


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the model; a checkpoint carries them."""

    latent_size: int = 32
    encoder_hidden: int = 384
    decoder_hidden: int = 384
    encoder_blocks: int = 2
    decoder_blocks: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.latent_size <= 32:
            raise SettingError(f"model.latent_size must be 1..32, got {self.latent_size}")


class Block(nn.Module):
    """A residual block: it starts as a mere wire and learns what to add."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.inner, self.outer = nn.Linear(features, features), nn.Linear(features, features)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, features) -> the same shape."""
        wider: Tensor = x + self.outer(torch.relu(self.inner(self.norm(x))))
        return wider


def _blocks(count: int, features: int) -> nn.Sequential:
    return nn.Sequential(*[Block(features) for _ in range(count)], nn.LayerNorm(features))


class Encoder(nn.Module):
    """Pattern (n, 32, 9, 3) and style (n, S) to a first guess of the mean, and log variance (n, Z)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.read = nn.Linear(PATTERN_SIZE + len(STYLES), config.encoder_hidden)
        self.blocks = _blocks(config.encoder_blocks, config.encoder_hidden)
        self.head = nn.Linear(config.encoder_hidden, 2 * config.latent_size)

    def forward(self, pattern: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity and offset count as much as their level does; log variance stays within -10 .. 4."""
        level, velocity, offset = pattern[..., 0:1], pattern[..., 1:2], pattern[..., 2:3]
        cells = torch.cat([level, velocity * level, OFFSET_SCALE * offset * level], -1)
        whole = self.blocks(self.read(torch.cat([cells.reshape(-1, PATTERN_SIZE), style], 1)))
        mean, log_var = self.head(whole).chunk(2, 1)
        return mean, log_var.clamp(-10.0, 4.0)


class Decoder(nn.Module):
    """Latent (n, Z) and style (n, S) to logits of level, velocity and offset (n, 32, 9, 3)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.spread = nn.Linear(config.latent_size + len(STYLES), config.decoder_hidden)
        self.blocks = _blocks(config.decoder_blocks, config.decoder_hidden)
        self.write = nn.Linear(config.decoder_hidden, PATTERN_SIZE)

    def forward(self, latent: Tensor, style: Tensor) -> Tensor:
        """Unbounded numbers, a sigmoid or tanh away from a pattern."""
        cells: Tensor = self.write(self.blocks(self.spread(torch.cat([latent, style], 1))))
        return cells.reshape(-1, STEPS, VOICE_COUNT, 3)


class RhythmVae(nn.Module):
    """Encoder and decoder together, with the tensors of the bundle's two rhythm models."""

    centres: Tensor
    stride: Tensor
    threshold: Tensor
    sharpness: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        # Set after training (calibrate.py); until then nothing is corrected and 0.5 is a hit.
        self.register_buffer("stride", torch.zeros(config.latent_size, config.latent_size))  # see correct.py
        self.register_buffer("centres", torch.zeros(len(STYLES) - 1, config.latent_size))  # "fill" has none
        self.register_buffer("threshold", torch.zeros(VOICE_COUNT))  # logit of each voice that becomes level 0.5
        self.register_buffer("sharpness", torch.ones(()))  # of levels around 0.5

    def encode(self, pattern: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Pattern (n, 32, 9, 3) and style (n, S) -> mean (n, Z), log_var (n, Z)."""
        mean, log_var = self.encoder(pattern, style)
        mean = corrected(self.decoder, pattern, mean, style, self.stride)
        return mean - self.centre(style), log_var

    def centre(self, style: Tensor) -> Tensor:
        """Where a style (n, S) lies, (n, Z). A fill lies where its style does: FILL changes the end, not the place."""
        plain = style[:, :-1]
        return (plain / plain.sum(1, keepdim=True).clamp(min=1e-3)) @ self.centres

    def decode(self, latent: Tensor, style: Tensor) -> Tensor:
        """Latent (n, Z) and style (n, S) -> pattern (n, 32, 9, 3): level, velocity 0..1, offset -0.5..0.5."""
        latent = latent.clamp(-LATENT_LIMIT, LATENT_LIMIT) + self.centre(style)
        level, velocity, offset = self.decoder(latent, style).unbind(-1)
        level = torch.sigmoid((level - self.threshold) * self.sharpness)
        return torch.stack([level, torch.sigmoid(velocity), 0.5 * torch.tanh(offset)], -1)

    def forward(
        self, pattern: Tensor, style: Tensor, fill_style: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """A training pass: mean and log variance (n, Z), and the decoder's logits (n, 32, 9, 3).

        With ``fill_style`` (m, S), m <= n, also the logits (m, 32, 9, 3) of the first m asked for a fill.
        """
        mean, log_var = self.encoder(pattern, style)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var) if self.training else mean
        filled = None if fill_style is None else self.decoder(latent[: len(fill_style)].detach(), fill_style)
        return mean, log_var, self.decoder(latent, style), filled


class DecoderForExport(nn.Module):
    """The decoder with the tensor order of the bundle: latent, style -> pattern."""

    def __init__(self, model: RhythmVae) -> None:
        super().__init__()
        self.model = model

    def forward(self, latent: Tensor, style: Tensor) -> Tensor:
        """Pattern (n, 32, 9, 3) within its ranges."""
        return self.model.decode(latent, style)


class EncoderForExport(nn.Module):
    """The encoder with the tensor order of the bundle: pattern, style -> mean, log_var."""

    def __init__(self, model: RhythmVae) -> None:
        super().__init__()
        self.model = model

    def forward(self, pattern: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (n, Z), log_var (n, Z)."""
        return self.model.encode(pattern, style)
