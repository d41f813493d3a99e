"""The sound VAE: features to a small latent, latent to controls, controls to a waveform.

The decoder predicts how a sound differs from the average one of its class, so it starts as thirteen
plausible drums. Every control is clamped to its range before rendering and the waveform is divided by its
own peak: whatever the latent, the audio is finite and within -1 .. 1. Only plain linear and convolution
layers carry weights, so they quantize to int8.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from device.contract.voices import SOUND_CLASSES
from training.sounds.controls import (
    BANDS,
    BODY_OCTAVES,
    CLICK_FRAMES,
    KNOTS,
    LOUDEST_DB,
    SILENCE_DB,
    SLOT_REACH,
    SLOTS,
    Controls,
)
from training.sounds.features import COARSE_CHANNELS, COARSE_FRAMES, FINE_BANDS, FINE_FRAMES, Features
from training.sounds.render import Renderer, decoder_noise

CLASSES = len(SOUND_CLASSES)
ROWS = BANDS + SLOTS + 2  # noise, partials, body level, body pitch
STEM = 12  # knots the decoder starts from; three doublings give 96
LATENT_LIMIT = 8.0  # latents are clamped to +-8: far beyond any sound, and it keeps everything finite
LEVEL_SCALE = 20.0  # dB a network output of 1 stands for
CLICK_LIMIT = 0.5


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the model; a checkpoint carries them."""

    latent_size: int = 32
    channels: int = 96
    hidden: int = 256


class Encoder(nn.Module):
    """Features (n, 6080) and one-hot class (n, 13) to mean and log variance (n, W)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        wide, narrow = config.channels, config.channels // 2
        self.coarse = nn.Sequential(
            nn.Conv1d(COARSE_CHANNELS, wide, 3, 2, 1), nn.ReLU(),
            nn.Conv1d(wide, wide, 3, 2, 1), nn.ReLU(),
            nn.Conv1d(wide, wide, 3, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.fine = nn.Sequential(
            nn.Conv1d(FINE_BANDS, narrow, 3, 2, 1), nn.ReLU(), nn.Conv1d(narrow, narrow, 3, 2, 1), nn.ReLU()
        )
        size = wide * COARSE_FRAMES // 8 + narrow * FINE_FRAMES // 4 + CLASSES
        self.head = nn.Sequential(
            nn.Linear(size, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2 * config.latent_size)
        )

    def forward(self, features: Tensor, sound_class: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (n, W) and log variance (n, W), the latter within -10 .. 4."""
        split = COARSE_CHANNELS * COARSE_FRAMES
        coarse = self.coarse(features[:, :split].reshape(-1, COARSE_CHANNELS, COARSE_FRAMES))
        fine = self.fine(features[:, split:].reshape(-1, FINE_BANDS, FINE_FRAMES))
        mean, log_var = self.head(torch.cat([coarse.flatten(1), fine.flatten(1), sound_class], 1)).chunk(2, 1)
        return mean, log_var.clamp(-10.0, 4.0)


class Controller(nn.Module):
    """Latent (n, W), one-hot class (n, 13) and intensity (n, 1) to controls."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        wide = config.channels
        self.stem = nn.Sequential(
            nn.Linear(config.latent_size + CLASSES + 1, config.hidden), nn.ReLU(),
            nn.Linear(config.hidden, config.hidden), nn.ReLU(),
        )  # fmt: skip
        self.spread = nn.Linear(config.hidden, wide * STEM)
        self.layers = nn.ModuleList([nn.Conv1d(wide, wide, 3, 1, 1) for _ in range(3)])
        self.last = nn.Conv1d(wide, ROWS, 3, 1, 1)
        self.pitches = nn.Linear(config.hidden, SLOTS)
        self.click = nn.Linear(config.hidden, CLICK_FRAMES)
        self.average = nn.Linear(CLASSES, ROWS * KNOTS, bias=False)

    def forward(self, latent: Tensor, sound_class: Tensor, intensity: Tensor) -> Controls:
        """Controls within their ranges, whatever the latent."""
        latent = latent.clamp(-LATENT_LIMIT, LATENT_LIMIT)
        stem = self.stem(torch.cat([latent, sound_class, intensity], 1))
        wave = torch.relu(self.spread(stem)).reshape(-1, self.last.in_channels, STEM)
        for layer in self.layers:
            wave = wave.repeat_interleave(2, 2)
            wave = wave + torch.relu(layer(wave))
        rows = self.last(wave)[:, :, :KNOTS] + self.average(sound_class).reshape(-1, ROWS, KNOTS)
        level = (rows[:, :-1] * LEVEL_SCALE).clamp(SILENCE_DB, LOUDEST_DB)
        return Controls(
            level[:, :BANDS],
            level[:, -1],
            rows[:, -1].clamp(0.0, BODY_OCTAVES),
            level[:, BANDS:-1],
            SLOT_REACH * torch.tanh(self.pitches(stem)),
            CLICK_LIMIT * torch.tanh(self.click(stem)),
        )

    @torch.no_grad()
    def start_from(self, controls: Controls, classes: Tensor) -> None:
        """Begin as the average sound of each class: classes (n,) are indices; unseen ones take the mean of all."""
        rows = torch.cat(
            [
                torch.cat([controls.noise_db, controls.partial_db, controls.body_db[:, None]], 1) / LEVEL_SCALE,
                controls.body_octave[:, None],
            ],
            1,
        )
        for index in range(CLASSES):
            chosen = rows[classes == index]
            self.average.weight[:, index] = (chosen if len(chosen) else rows).mean(0).flatten()
        for layer in (self.last, self.pitches, self.click):
            layer.weight.mul_(0.1)


class SoundVae(nn.Module):
    """Encoder, controller and renderer together, with the tensors of the bundle's two sound models."""

    noise: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("noise", decoder_noise(), persistent=False)  # an input once exported
        self.features = Features()
        self.encoder = Encoder(config)
        self.controller = Controller(config)
        self.renderer = Renderer()

    def encode(self, audio: Tensor, sound_class: Tensor) -> tuple[Tensor, Tensor]:
        """Audio (n, 65536), peak 1, onset at frame 0 -> mean (n, W), log_var (n, W)."""
        mean, log_var = self.encoder(self.features(audio), sound_class)
        return mean, log_var

    def decode(self, latent: Tensor, sound_class: Tensor, intensity: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latent (n, W), class (n, 13), intensity (n, 1) and noise (1, 40, 65536) -> audio (n, 65536).

        Without ``noise`` the one the model was trained with is taken.
        """
        controls = self.controller(latent, sound_class, intensity)
        audio: Tensor = self.renderer(controls, self.noise if noise is None else noise, intensity)
        return audio

    def forward(
        self, features: Tensor, sound_class: Tensor, intensity: Tensor, coarse_spans: int = 0
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor | None]:
        """A training pass: posterior mean and log variance, controls, and audio when spans are asked for: the mix
        as loud as the controls say, where ``decode`` brings it to peak 1.

        Controls leave as plain tensors: Fabric hooks gradients onto outputs and cannot open frozen records.
        """
        mean, log_var = self.encoder(features, sound_class)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var) if self.training else mean
        controls = self.controller(latent, sound_class, intensity)
        audio = self.renderer.mix(controls, self.noise, coarse_spans) if coarse_spans else None
        return mean, log_var, controls.tensors(), audio


class DecoderForExport(nn.Module):
    """The decoder with the tensor order of the bundle: latent, sound_class, intensity, noise -> audio."""

    def __init__(self, model: SoundVae) -> None:
        super().__init__()
        self.model = model

    def forward(self, latent: Tensor, sound_class: Tensor, intensity: Tensor, noise: Tensor) -> Tensor:
        """Audio (n, 65536) within -1 .. 1."""
        return self.model.decode(latent, sound_class, intensity, noise)


class EncoderForExport(nn.Module):
    """The encoder with the tensor order of the bundle: audio, sound_class -> mean, log_var."""

    def __init__(self, model: SoundVae) -> None:
        super().__init__()
        self.model = model

    def forward(self, audio: Tensor, sound_class: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (n, W), log_var (n, W)."""
        return self.model.encode(audio, sound_class)
