"""How bright a sound is and how long it rings: the two words the BRIGHT and DECAY controls speak.

Brightness is the power-weighted mean of log frequency, in octaves above 20 Hz; decay is the log2 of the
seconds in which a sound loses 95 % of its energy. Both are logarithmic, as ears are.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.sounds.controls import SAMPLE_RATE
from training.sounds.distance import log_mel

BANDS = 64
WINDOW = 2048


def brightness_octaves(audio: Tensor) -> npt.NDArray[np.float64]:
    """Octaves above 20 Hz (n,) of the centre of a sound's amplitude spectrum; audio is (n, N)."""
    mel_db = log_mel(audio, WINDOW, BANDS)
    weight = (10.0 ** (mel_db / 20.0)).sum(1).double().numpy()
    top = 2595.0 * np.log10(1.0 + 0.5 * SAMPLE_RATE / 700.0)
    centres = 700.0 * (10.0 ** (np.linspace(0.0, top, BANDS + 2)[1:-1] / 2595.0) - 1.0)
    return np.asarray((weight * np.log2(centres / 20.0)).sum(1) / np.maximum(weight.sum(1), 1e-12))


def decay_octaves(audio: Tensor) -> npt.NDArray[np.float64]:
    """log2 of the seconds (n,) until 95 % of a sound's energy has passed; audio is (n, N)."""
    energy = audio.double() ** 2
    passed = torch.cumsum(energy, 1)
    frame = (passed < 0.95 * passed[:, -1:]).sum(1)
    return np.log2((frame.numpy() + 1.0) / SAMPLE_RATE)
