"""The noise a sound decoder shapes: white noise split into mel-spaced bands, repeatable from a seed.

The decoder multiplies each band with its envelope and sums them, so filtering costs nothing when a sound
is rendered. Band b is a raised-cosine hump around ``band_centres_hz[b]``; the squares of neighbouring
humps sum to one, so equal envelopes give white noise again. Training analyses with the same humps.
"""

import numpy as np
import numpy.typing as npt

from device.contract.pattern import FloatArray
from device.errors import ContractError

LOWEST_HZ = 40.0


def _mel(frequency_hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 2595.0 * np.log10(1.0 + frequency_hz / 700.0)


def band_centres_hz(bands: int, sample_rate: int) -> npt.NDArray[np.float64]:
    """Centres (B,) in Hz, evenly spaced in mel from 40 Hz to 0.46 of the sample rate."""
    low, high = _mel(np.array([LOWEST_HZ, 0.46 * sample_rate]))
    return np.asarray(700.0 * (10.0 ** (np.linspace(low, high, bands) / 2595.0) - 1.0))


def band_gains(bands: int, frequencies_hz: npt.NDArray[np.float64], sample_rate: int) -> npt.NDArray[np.float64]:
    """Gain of each band at each frequency, (B, F); squares sum to one at every frequency."""
    centres = _mel(band_centres_hz(bands, sample_rate))
    step = centres[1] - centres[0]
    places = np.clip(_mel(frequencies_hz), centres[0], centres[-1])
    distance = np.minimum(np.abs(places[None, :] - centres[:, None]) / step, 1.0)
    return np.asarray(np.cos(0.5 * np.pi * distance))


def noise_bands(seed: int, bands: int, frames: int, sample_rate: int) -> FloatArray:
    """White noise in bands, (1, B, N) float32, each band with RMS 1; the same for the same arguments.

    Raises ContractError for fewer than 2 bands or 2 frames.
    """
    if bands < 2 or frames < 2:
        raise ContractError(f"noise needs at least 2 bands and 2 frames, got {bands} bands and {frames} frames")
    white = np.random.Generator(np.random.PCG64(seed)).standard_normal(frames)
    spectrum = np.fft.rfft(white)
    gains = band_gains(bands, np.asarray(np.fft.rfftfreq(frames, 1.0 / sample_rate), np.float64), sample_rate)
    shaped = np.empty((1, bands, frames), np.float32)
    for band, gain in enumerate(gains):
        signal = np.fft.irfft(spectrum * gain, frames)
        shaped[0, band] = signal / max(float(np.sqrt(np.mean(signal**2))), 1e-9)
    return shaped
