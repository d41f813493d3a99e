"""From a waveform to controls, in closed form: what training uses as targets, instead of a long fit.

Four passes, each on what the one before left over:
1. body      the strongest low partial is followed by its instantaneous frequency, then demodulated along
             that path; averaging keeps what is coherent (a tone) and drops what is not (noise)
2. partials  per slot the strongest spectral line, demodulated in the spectrum, kept as far as it stands out
3. bands     what is left, through the very filters the noise is made with, as RMS at every knot
Silence is put in front, so that filters ring before the onset without wrapping around.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.fft import fft, ifft, irfft, next_fast_len, rfft

from device.contract.noise import band_gains
from training.sounds.controls import (
    BANDS,
    BODY_LOW_HZ,
    BODY_OCTAVES,
    CLICK_FRAMES,
    COARSE_HOP,
    FINE_HOP,
    FRAMES,
    KNOTS,
    SAMPLE_RATE,
    SILENCE_DB,
    SLOT_REACH,
    SLOTS,
    Controls,
    FloatArray,
    knot_frames,
    slot_centres_hz,
)

LEAD: Final = 4096  # frames of silence in front of the onset
BODY_HIGH_HZ: Final = 700.0
LINE_HZ: Final = 60.0  # half width of the window around a spectral line: time resolution of a partial's level
NARROW_HZ: Final = 15.0
Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


def analyse(audio: FloatArray) -> Controls:
    """Controls (a batch of one) of a sound (65536,) with its onset at frame 0."""
    alive = int(np.flatnonzero(np.abs(audio) > 1e-4)[-1]) + 1 if np.abs(audio).max() > 1e-4 else 1
    size = next_fast_len(min(max(alive, 8192), FRAMES) + LEAD + 2048)
    padded = np.zeros(size)
    kept = min(size - LEAD, FRAMES)
    padded[LEAD : LEAD + kept] = audio[:kept]
    octave, body, rest = _body(padded)
    spectrum = rfft(rest)
    offsets, levels, spectrum = _partials(spectrum, size)
    bands = _bands(spectrum, size)
    return Controls(
        torch.from_numpy(_decibel(bands))[None],
        torch.from_numpy(_decibel(np.abs(body)))[None],
        torch.from_numpy(octave.astype(np.float32))[None],
        torch.from_numpy(_decibel(levels))[None],
        torch.from_numpy(offsets.astype(np.float32))[None],
        torch.zeros(1, CLICK_FRAMES),
    )


def _decibel(level: Floats) -> FloatArray:
    floor = 10.0 ** (SILENCE_DB / 20.0)
    return np.asarray(20.0 * np.log10(level + floor), np.float32)


def _knot_spans(size: int, fine: int, coarse: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last frame of the averaging window around each knot; the first starts at the onset."""
    knots = knot_frames()
    width = np.where(knots < 2048, fine, coarse)
    first = LEAD + np.maximum(knots - width // 2, 0)
    last = LEAD + np.maximum(knots + width // 2, fine // 2)
    return np.minimum(first, size - 1), np.minimum(np.maximum(last, first + 1), size)


def _average(signal: Any, fine: int, coarse: int) -> Any:
    """Mean of a real or complex signal around every knot, (95,), of the same kind."""
    total = np.concatenate([[0], np.cumsum(signal)])
    first, last = _knot_spans(len(signal), fine, coarse)
    return np.asarray((total[last] - total[first]) / (last - first))


def _body(padded: Floats) -> tuple[Floats, Complexes, Floats]:
    """Octaves above 25 Hz (95,), complex level (95,), and the waveform without the body."""
    size = len(padded)
    frequencies = np.fft.fftfreq(size, 1.0 / SAMPLE_RATE)
    window = np.clip((frequencies - 10.0) / 15.0, 0, 1) * np.clip((1.4 * BODY_HIGH_HZ - frequencies) / 280.0, 0, 1)
    analytic = ifft(fft(padded) * 2.0 * window)
    turn = np.zeros(size, complex)
    turn[1:] = analytic[1:] * np.conj(analytic[:-1])
    cycles = np.angle(_average(turn, 320, 1536)) / (2 * np.pi)
    octave = np.clip(np.log2(np.maximum(cycles * SAMPLE_RATE, 1.0) / BODY_LOW_HZ), 0.0, BODY_OCTAVES)
    level = np.abs(_average(turn, 320, 1536))
    octave = _held(octave, level)
    at = np.arange(size) - LEAD
    path = np.interp(at, knot_frames(), BODY_LOW_HZ * 2.0**octave / SAMPLE_RATE)
    rotor = np.exp(2j * np.pi * (np.cumsum(path) - np.cumsum(path)[LEAD]))
    body = _average(analytic * np.conj(rotor), 512, 2048)
    body = np.where(LEAD + knot_frames() < size, body, 0)
    envelope = np.interp(at, knot_frames(), body.real) + 1j * np.interp(at, knot_frames(), body.imag)
    envelope[:LEAD] = 0
    return octave, body, padded - (envelope * rotor).real


def _held(octave: Floats, level: Floats) -> Floats:
    """Where a body has faded into noise its pitch means nothing: hold the last sure one."""
    sure = level > level.max() * 1e-5
    held = octave.copy()
    for knot in range(1, KNOTS):
        if not sure[knot]:
            held[knot] = held[knot - 1]
    return held


def _partials(spectrum: Complexes, size: int) -> tuple[Floats, Floats, Complexes]:
    """Octaves from slot centres (23,), levels (23, 95), and the spectrum without the partials."""
    hz = SAMPLE_RATE / size
    rest = spectrum.copy()
    power = np.abs(spectrum) ** 2
    offsets, levels = np.zeros(SLOTS), np.zeros((SLOTS, KNOTS))
    half = int(LINE_HZ / hz)
    narrow = max(int(NARROW_HZ / hz), 1)
    shape = np.cos(0.5 * np.pi * np.linspace(-1, 1, 2 * half + 1)) ** 2
    points = next_fast_len(4 * (2 * half + 1))
    times = np.arange(points) * (size / points) - LEAD
    for slot, centre in enumerate(slot_centres_hz()):
        low, high = int(centre * 2**-SLOT_REACH / hz), int(centre * 2**SLOT_REACH / hz) + 1
        peak = low + int(np.argmax(power[low : high + 1]))
        near = power[max(peak - narrow, 0) : peak + narrow + 1].sum()
        around = power[max(min(low, peak - 4 * narrow), 0) : max(high, peak + 4 * narrow) + 1].sum()
        share = float(np.clip((near / (around + 1e-20) - 0.35) / 0.3, 0.0, 1.0))
        offsets[slot] = np.clip(np.log2(max(peak, 1) * hz / centre), -SLOT_REACH, SLOT_REACH)
        if share == 0.0 or peak <= half // 4:
            continue
        bins = np.arange(peak - half, peak + half + 1)
        inside = (bins >= 1) & (bins < len(rest))
        line = np.zeros(points, complex)
        line[(bins - peak)[inside] % points] = (rest[bins[inside]] * shape[inside]) * share
        envelope = ifft(line) * (2.0 * points / size)
        level = np.abs(envelope)
        levels[slot] = np.interp(knot_frames(), times, level, right=0.0)
        rest[bins[inside]] *= 1.0 - share * shape[inside]
    return offsets, levels, rest


def _bands(spectrum: Complexes, size: int) -> Floats:
    """RMS of every noise band around each knot, (40, 95), in units of the decoder's noise bands."""
    gains = band_gains(BANDS, np.asarray(np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE), np.float64), SAMPLE_RATE)
    levels = np.zeros((BANDS, KNOTS))
    over = LEAD + knot_frames() >= size
    for band, gain in enumerate(gains):
        signal = irfft(spectrum * gain, size)
        levels[band] = np.sqrt(np.maximum(_average(signal**2, 4 * FINE_HOP, COARSE_HOP), 0.0))
    levels[:, over] = 0.0
    return levels
