"""How far apart two drum sounds are: the active log-mel distance, and nearest-sound retrieval with it.

Both sounds start at their onset with peak 1. Log-mel power is compared at four resolutions, only in
frames before the longer sound has fallen by 50 dB, with a floor 70 dB below the louder peak. The result
is a mean absolute difference in dB: 0 for equal sounds, symmetric.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from training.sounds.controls import SAMPLE_RATE

RESOLUTIONS = ((2048, 64), (1024, 48), (512, 32), (256, 20))  # window frames, mel bands; hop is a quarter window
ACTIVE_DB = 50.0
FLOOR_DB = 70.0
LOWEST_POWER = 1e-12


@lru_cache(maxsize=16)
def mel_weights(window: int, bands: int) -> Tensor:
    """Triangular mel filters (window / 2 + 1, bands) from 0 Hz to half the sample rate."""
    top = 2595.0 * np.log10(1.0 + 0.5 * SAMPLE_RATE / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, bands + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(window, 1.0 / SAMPLE_RATE)
    # a triangle narrower than a bin would catch nothing: no side is narrower than the bin spacing
    spacing = SAMPLE_RATE / window
    left = np.maximum(edges[1:-1] - edges[:-2], spacing)
    right = np.maximum(edges[2:] - edges[1:-1], spacing)
    offset = bins[:, None] - edges[None, 1:-1]
    weights = np.clip(np.minimum(1.0 + offset / left, 1.0 - offset / right), 0.0, None)
    return torch.tensor(weights, dtype=torch.float32)


def log_mel(audio: Tensor, window: int, bands: int) -> Tensor:
    """Mel power in dB (n, frames, bands) of audio (n, N); frames are centred, hop window / 4."""
    spectrum = torch.stft(
        audio,
        window,
        window // 4,
        window=torch.hann_window(window, device=audio.device),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.real**2 + spectrum.imag**2
    weights = mel_weights(window, bands).to(audio.device)
    return 10.0 * torch.log10((power.transpose(1, 2) @ weights).clamp(min=LOWEST_POWER))


def _last_active(mel_db: Tensor) -> Tensor:
    """Frames (n,) until each sound has fallen 50 dB for good."""
    loudness = 10.0 * torch.log10((10.0 ** (mel_db / 10.0)).sum(2))  # (n, frames)
    alive = loudness >= loudness.amax(1, keepdim=True) - ACTIVE_DB
    count = torch.arange(1, mel_db.shape[1] + 1, device=mel_db.device)
    return (alive * count).amax(1)


def compare(first_db: Tensor, second_db: Tensor) -> Tensor:
    """Distance (n,) in dB of two log-mel pictures (n, frames, bands) at one resolution."""
    return _gap_above(torch.maximum(first_db.amax((1, 2)), second_db.amax((1, 2))) - FLOOR_DB, first_db, second_db)


def _compare_to(guess_db: Tensor, target_db: Tensor) -> Tensor:
    return _gap_above(target_db.amax((1, 2)) - FLOOR_DB, guess_db, target_db)


def _gap_above(floor_db: Tensor, first_db: Tensor, second_db: Tensor) -> Tensor:
    """Mean gap (n,) above each sound's floor (n,), in the frames before the longer one has fallen by 50 dB."""
    floor = floor_db[:, None, None]
    gap = (torch.maximum(first_db, floor) - torch.maximum(second_db, floor)).abs().mean(2)  # (n, frames)
    frames = torch.maximum(_last_active(first_db), _last_active(second_db))
    active = torch.arange(gap.shape[1], device=gap.device) < frames[:, None]
    return (gap * active).sum(1) / frames.clamp(min=1)


def peak_normalised(audio: Tensor) -> Tensor:
    """Audio (n, N) brought to peak 1; silence stays silent."""
    return audio / audio.abs().amax(1, keepdim=True).clamp(min=1e-9)


def distance_db(first: Tensor, second: Tensor) -> Tensor:
    """Active log-mel distance (n,) in dB between onset-aligned sounds (n, N)."""
    first, second = peak_normalised(first), peak_normalised(second)
    return torch.stack([compare(log_mel(first, *size), log_mel(second, *size)) for size in RESOLUTIONS]).mean(0)


def level_distance_db(guess: Tensor, target: Tensor) -> Tensor:
    """How far (n,) in dB a guess (n, N) is from its target, loudness included; for training.

    A model that is only judged by sounds brought to peak 1 drifts louder and louder, until its envelopes are
    flat where they meet their limit. And the floor must be the target's own: under a common one a guess that
    is loud in a single place would put everything else out of hearing.
    """
    return torch.stack([_compare_to(log_mel(guess, *size), log_mel(target, *size)) for size in RESOLUTIONS]).mean(0)


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Sounds prepared for retrieval: log-mel pictures at every resolution, (m, frames, bands) each."""

    pictures: tuple[Tensor, ...]

    @classmethod
    def of(cls, audio: Tensor) -> "Shelf":
        """Prepare sounds (m, N)."""
        normal = peak_normalised(audio)
        return cls(tuple(log_mel(normal, *size) for size in RESOLUTIONS))

    def nearest(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Distance in dB and index of the nearest shelved sound for each of audio (n, N)."""
        best, places = [], []
        for sound in peak_normalised(audio):
            gaps = []
            for (window, bands), pictures in zip(RESOLUTIONS, self.pictures, strict=True):
                own = log_mel(sound[None], window, bands).expand_as(pictures)
                gaps.append(compare(own, pictures))
            value, place = torch.stack(gaps).mean(0).min(0)
            best.append(value)
            places.append(place)
        return torch.stack(best), torch.stack(places)
