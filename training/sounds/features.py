"""What the encoder sees: log spectra from a discrete Fourier transform made of matrix products.

A transform of size R x C is two small ones with a twist between (Cooley and Tukey, 1965), so the ONNX
encoder carries tables of a few kilobytes instead of a 16 MB matrix and needs no special operator.
"""

import math

import torch
from torch import Tensor, nn

from training.sounds.controls import FRAMES
from training.sounds.distance import mel_weights

COARSE_WINDOW, COARSE_BANDS, COARSE_FRAMES = 2048, 48, 64
LOW_BINS = 32  # plain bins below 700 Hz, where mel bands are too wide to tell pitches apart
FINE_WINDOW, FINE_BANDS, FINE_FRAMES = 256, 24, 40
COARSE_CHANNELS = COARSE_BANDS + LOW_BINS
FEATURES = COARSE_CHANNELS * COARSE_FRAMES + FINE_BANDS * FINE_FRAMES


class PowerSpectrum(nn.Module):
    """Hann-windowed power spectrum of frames (..., rows * columns) -> (..., rows * columns / 2 + 1)."""

    window: Tensor
    rows_cos: Tensor
    rows_sin: Tensor
    columns_cos: Tensor
    columns_sin: Tensor
    twist_cos: Tensor
    twist_sin: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        size = rows * columns
        angle_rows = -2.0 * math.pi / rows * torch.outer(torch.arange(rows), torch.arange(rows)).double()
        angle_columns = -2.0 * math.pi / columns * torch.outer(torch.arange(columns), torch.arange(columns)).double()
        twist = -2.0 * math.pi / size * torch.outer(torch.arange(rows), torch.arange(columns)).double()
        for name, angle in (("rows", angle_rows), ("columns", angle_columns), ("twist", twist)):
            self.register_buffer(f"{name}_cos", torch.cos(angle).float(), persistent=False)
            self.register_buffer(f"{name}_sin", torch.sin(angle).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(size), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Power of every bin from 0 Hz to half the sample rate."""
        grid = (frames * self.window).reshape(*frames.shape[:-1], self.rows, self.columns)  # x[columns * r + c]
        real, imag = self.rows_cos @ grid, self.rows_sin @ grid
        real, imag = real * self.twist_cos - imag * self.twist_sin, real * self.twist_sin + imag * self.twist_cos
        out_real = real @ self.columns_cos - imag @ self.columns_sin
        out_imag = real @ self.columns_sin + imag @ self.columns_cos
        power: Tensor = (
            (out_real * out_real + out_imag * out_imag).transpose(-1, -2).flatten(-2)
        )  # k = row + rows * column
        return power[..., : self.rows * self.columns // 2 + 1]


class Features(nn.Module):
    """Audio (n, 65536) to features (n, 6080): coarse frames over all of it, fine ones over the first 58 ms."""

    coarse_mel: Tensor
    fine_mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine = PowerSpectrum(32, 64), PowerSpectrum(16, 16)
        self.register_buffer("coarse_mel", mel_weights(COARSE_WINDOW, COARSE_BANDS), persistent=False)
        self.register_buffer("fine_mel", mel_weights(FINE_WINDOW, FINE_BANDS), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Log spectra, coarse ones (80, 64) first, then fine ones (24, 40), flattened."""
        half = COARSE_WINDOW // 2
        blocks = torch.cat([torch.zeros_like(audio[:, :half]), audio], 1).reshape(-1, FRAMES // half + 1, half)
        coarse = self.coarse(torch.cat([blocks[:, :-1], blocks[:, 1:]], 2))  # (n, 64, 1025)
        quarter = FINE_WINDOW // 4
        start = torch.cat([torch.zeros_like(audio[:, :quarter]), audio[:, : (FINE_FRAMES + 2) * quarter]], 1)
        blocks = start.reshape(-1, FINE_FRAMES + 3, quarter)
        fine = self.fine(torch.cat([blocks[:, i : i + FINE_FRAMES] for i in range(4)], 2))  # (n, 40, 129)
        pictures = (
            torch.cat([coarse @ self.coarse_mel, coarse[:, :, 1 : LOW_BINS + 1]], 2),
            fine @ self.fine_mel,
        )
        # a sound's decibels from about -70 to 50 become about -1 .. 2
        return torch.cat([(torch.log10(power + 1e-6) / 3.0 + 0.5).transpose(1, 2).flatten(1) for power in pictures], 1)
