"""Controls: what a drum sound is made of, on a time grid that is fine at the attack and coarse after it.

    sound = body (one partial that may sweep) + partials (one per frequency slot) + noise bands + click

    knots   0 1 2 ... 32        33        34  ...  94
            |-64-| each         |--- 1024 frames ---|        95 knots bound 94 spans of 65536 frames

A slot owns a third of an octave, so partials never swap places and can be learned by regression; only the
body moves freely. The decomposition follows spectral modelling synthesis (Serra and Smith, 1990) with the
transient of Shier et al., "Differentiable Modelling of Percussive Audio with Transient and Spectral
Synthesis" (2023).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from device.contract.noise import band_centres_hz

SAMPLE_RATE: Final = 44100
FRAMES: Final = 65536
FINE_HOP, FINE_SPANS = 64, 32
COARSE_HOP, COARSE_SPANS = 1024, 62
ATTACK_FRAMES: Final = FINE_HOP * FINE_SPANS
KNOTS: Final = FINE_SPANS + COARSE_SPANS + 1
BANDS: Final = 40
SLOTS: Final = 23
CLICK_FRAMES: Final = 512
NOISE_SEED: Final = 808

SILENCE_DB: Final = -96.0
LOUDEST_DB: Final = 6.0
BODY_LOW_HZ, BODY_OCTAVES = 25.0, 5.5
SLOT_LOW_HZ, SLOT_OCTAVES, SLOT_REACH = 90.0, 0.3, 0.2  # reach: octaves a partial may stray from its slot's centre

FloatArray = npt.NDArray[np.float32]


def knot_frames() -> npt.NDArray[np.int64]:
    """Frame of every knot, (95,), from 0 to 65536."""
    fine = np.arange(FINE_SPANS) * FINE_HOP
    return np.concatenate([fine, ATTACK_FRAMES + np.arange(COARSE_SPANS + 1) * COARSE_HOP])


def slot_centres_hz() -> npt.NDArray[np.float64]:
    """Centre of every partial's slot, (23,) in Hz."""
    return np.asarray(SLOT_LOW_HZ * 2.0 ** (np.arange(SLOTS) * SLOT_OCTAVES))


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """A batch of n sounds. Levels are dB of amplitude, -96 is silence."""

    noise_db: Tensor  # (n, 40, 95)
    body_db: Tensor  # (n, 95)
    body_octave: Tensor  # (n, 95) octaves above 25 Hz, 0..5.5
    partial_db: Tensor  # (n, 23, 95)
    partial_octave: Tensor  # (n, 23) octaves away from the slot's centre, -0.2..0.2
    click: Tensor  # (n, 512) waveform of the first 12 ms

    @classmethod
    def silence(cls, count: int) -> "Controls":
        """n silent sounds, a place to start writing levels into."""
        return cls(
            torch.full((count, BANDS, KNOTS), SILENCE_DB),
            torch.full((count, KNOTS), SILENCE_DB),
            torch.ones(count, KNOTS),
            torch.full((count, SLOTS, KNOTS), SILENCE_DB),
            torch.zeros(count, SLOTS),
            torch.zeros(count, CLICK_FRAMES),
        )

    def __getitem__(self, index: "slice | Tensor") -> "Controls":
        return Controls(*(tensor[index] for tensor in self.tensors()))

    def __len__(self) -> int:
        return int(self.body_db.shape[0])

    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors in order; ``Controls(*tensors)`` is the way back."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def map(self, change: Callable[[Tensor], Tensor]) -> "Controls":
        """The same controls with every tensor changed alike."""
        return Controls(*map(change, self.tensors()))

    @classmethod
    def join(cls, parts: "list[Controls]") -> "Controls":
        """One batch of many."""
        return cls(*map(torch.cat, zip(*(part.tensors() for part in parts), strict=True)))


def soften(controls: Controls, intensity: Tensor) -> Controls:
    """The same sounds hit more softly: intensity (n,) 1 leaves them, 0 is the softest touch.

    A soft hit is darker (up to 4 dB an octave above 150 Hz), its attack noise and click shrink most
    (up to 9 dB, fading out over 40 ms) and its pitch sweep is shallower. Overall loudness is the renderer's part.
    """
    softness = (1.0 - intensity).clamp(0.0, 1.0)
    noise_hz, slot_hz, seconds = _tables(controls.body_db)
    attack = 9.0 * torch.exp(-seconds / 0.015)  # (95,) dB
    noise_tilt = 4.0 * torch.log2(noise_hz / 150.0).clamp(min=0.0)  # (40,) dB
    slot_tilt = 4.0 * torch.log2(slot_hz / 150.0).clamp(min=0.0)
    rest = controls.body_octave[:, FINE_SPANS : FINE_SPANS + 1]
    body_hz_tilt = 4.0 * (controls.body_octave - float(np.log2(150.0 / BODY_LOW_HZ))).clamp(min=0.0)
    return Controls(
        (controls.noise_db - softness[:, None, None] * (noise_tilt[:, None] + attack)).clamp(min=SILENCE_DB),
        (controls.body_db - softness[:, None] * body_hz_tilt).clamp(min=SILENCE_DB),
        rest + (controls.body_octave - rest) * (1.0 - 0.4 * softness[:, None]),
        (controls.partial_db - softness[:, None, None] * slot_tilt[:, None]).clamp(min=SILENCE_DB),
        controls.partial_octave,
        controls.click * (1.0 - 0.8 * softness[:, None]),
    )


def _tables(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    tables = (band_centres_hz(BANDS, SAMPLE_RATE), slot_centres_hz(), knot_frames() / SAMPLE_RATE)
    noise_hz, slot_hz, seconds = (torch.as_tensor(table, dtype=like.dtype, device=like.device) for table in tables)
    return noise_hz, slot_hz, seconds
