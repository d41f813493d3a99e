import numpy as np
import pytest

from device.engine.records import SLOT_FRAMES
from device.models.tune import FADE_FRAMES, finished, resampled, trimmed

RATE = 44100


def ringing(hz, seconds=0.5):
    time = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * hz * time) * np.exp(-time / 0.08)).astype(np.float32)[None]


def pitch_hz(audio):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 18))
    return np.argmax(spectrum) * RATE / (1 << 18)


@pytest.mark.parametrize("semitones", [-12.0, -7.0, -0.3, 0.5, 4.0, 12.0])
def test_tuning_moves_the_pitch_exactly(semitones):
    wanted = 440.0 * 2 ** (semitones / 12)
    assert pitch_hz(resampled(ringing(440.0), semitones)[0]) == pytest.approx(wanted, rel=0.003)


def test_untuned_audio_is_left_alone():
    audio = ringing(440.0)
    assert np.array_equal(resampled(audio, 0.0), audio)


@pytest.mark.parametrize("semitones", [-9.0, 5.0])
def test_tuning_equals_the_true_waveform(semitones):
    audio = ringing(300.0)
    tuned = resampled(audio, semitones)[0]
    time = np.arange(len(tuned)) / RATE * 2 ** (semitones / 12)
    truth = np.sin(2 * np.pi * 300.0 * time) * np.exp(-time / 0.08)
    assert np.abs(tuned - truth)[64:].max() < 3e-3


def test_what_would_pass_half_the_rate_is_gone_not_folded():
    high = ringing(18000.0)
    assert np.abs(resampled(high, 7.0)[0][256:]).max() < 0.01


def test_the_attack_stays_at_the_start():
    click = np.zeros((1, 8192), np.float32)
    click[0, :200] = np.hanning(200)
    for semitones in (-12.0, -5.0, 5.0, 12.0):
        tuned = resampled(click, semitones)[0]
        assert np.argmax(np.abs(tuned)) == pytest.approx(100 * 2 ** (-semitones / 12), abs=2)


def test_trailing_silence_goes_and_the_end_does_not_click():
    sound = np.zeros(50000, np.float32)
    sound[:1000] = 0.5
    kept = trimmed(sound)
    assert len(kept) == 1000 + FADE_FRAMES
    assert np.array_equal(kept[:1000], sound[:1000])
    assert kept[-1] == 0.0


def test_a_sound_cut_by_the_end_fades_out():
    kept = trimmed(np.full(4000, 0.5, np.float32))
    assert len(kept) == 4000
    assert kept[-1] == 0.0
    assert np.abs(np.diff(kept)).max() < 0.01


def test_silence_becomes_a_short_silence():
    kept = trimmed(np.zeros(50000, np.float32))
    assert 0 < len(kept) <= FADE_FRAMES
    assert not kept.any()


def test_layers_fit_a_slot_and_keep_their_proportion():
    loud = np.concatenate([np.full((1, SLOT_FRAMES), 0.999, np.float32)] * 2)
    loud[:, ::2] *= -1  # overshoots when resampled
    loud[0] *= 0.5
    soft, hard = finished(loud, -7.0)
    assert max(len(soft), len(hard)) <= SLOT_FRAMES
    assert np.abs(hard).max() <= 1.0
    assert np.abs(soft).max() == pytest.approx(0.5 * np.abs(hard).max(), rel=0.01)
