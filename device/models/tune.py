"""From a model's audio to what a slot holds: tuned, freed of trailing silence, ending without a click.

Tuning is resampling in the spectrum: read faster, everything is higher and shorter. The top twentieth of
the band that both rates share fades out, so that the edge does not ring.
"""

from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.engine.records import SLOT_FRAMES

SILENCE: Final = 1e-4  # -80 dB: what comes after the last sample above is cut
FADE_FRAMES: Final = 256
SHORTEST: Final = 64
PAD_FRAMES: Final = 512  # silence in front of the wrap-around of a finite spectrum
EDGE: Final = 0.05  # share of the band that fades


def finished(audio: FloatArray, semitones: float) -> tuple[FloatArray, ...]:
    """Layers of (count, N): tuned, trimmed, faded, within -1..1, at most SLOT_FRAMES each."""
    tuned = resampled(audio, semitones)
    peak = float(np.abs(tuned).max())
    if peak > 1.0:  # tuning may overshoot; all layers give way together
        tuned = tuned / np.float32(peak)
    return tuple(np.clip(trimmed(layer), -1.0, 1.0) for layer in tuned[:, :SLOT_FRAMES])


def resampled(audio: FloatArray, semitones: float) -> FloatArray:
    """Audio (count, N) higher by ``semitones`` (and shorter), (count, about N / 2 ** (semitones / 12))."""
    if semitones == 0.0:
        return np.asarray(audio, np.float32)
    frames = audio.shape[1]
    ratio = 2.0 ** (-semitones / 12.0)
    padded = _smooth(frames + PAD_FRAMES)
    out = max(round(padded * ratio), 2)
    spectrum = np.fft.rfft(audio.astype(np.float64), padded)
    kept = min(padded, out) // 2 + 1
    fade = max(int(kept * EDGE), 1)
    spectrum[:, kept - fade : kept] *= np.cos(0.5 * np.pi * np.arange(1, fade + 1) / fade) ** 2
    tuned = np.fft.irfft(spectrum[:, :kept], out) * (out / padded)
    return np.asarray(tuned[:, : max(round(frames * ratio), 1)], np.float32)


def _smooth(least: int) -> int:
    """The smallest 2^a * 3^b * 5^c from ``least`` on: lengths a Fourier transform is quick for."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            need = -(-least // three)
            best = min(best, three << max(need - 1, 0).bit_length())
            three *= 3
        five *= 5
    return best


def trimmed(layer: FloatArray) -> FloatArray:
    """A layer (n,) up to its last audible sample and a fade to exactly zero."""
    audible = np.flatnonzero(np.abs(layer) > SILENCE)
    end = min((int(audible[-1]) + 1 if len(audible) else 0) + FADE_FRAMES, len(layer))
    kept = layer[: max(end, min(SHORTEST, len(layer)))].copy()
    fade = min(FADE_FRAMES, len(kept))
    kept[len(kept) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return kept
