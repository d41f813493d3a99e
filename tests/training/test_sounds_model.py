import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from device.contract.voices import SOUND_CLASSES
from device.errors import SettingError
from training.sounds.analysis import analyse
from training.sounds.controls import FRAMES, KNOTS, SAMPLE_RATE, Controls, knot_frames, soften
from training.sounds.distance import Shelf, distance_db, level_distance_db
from training.sounds.features import PowerSpectrum
from training.sounds.model import ModelConfig, SoundVae
from training.sounds.render import Renderer, decoder_noise
from training.sounds.synthesizer import synthesize

SMALL = ModelConfig(latent_size=8, channels=16, hidden=32)


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return decoder_noise()


@pytest.fixture(scope="module")
def model() -> SoundVae:
    torch.manual_seed(1)
    return SoundVae(SMALL).eval()


def play(made: Controls, noise: torch.Tensor, intensity: float = 1.0) -> torch.Tensor:
    with torch.no_grad():
        return Renderer()(made, noise, torch.full((len(made), 1), intensity))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 1e6), st.integers(0, 12), st.floats(0, 1))
def test_whatever_the_latent_the_sound_is_finite_and_bounded(
    model: SoundVae, noise: torch.Tensor, seed: int, size: float, index: int, intensity: float
) -> None:
    latent = size * torch.randn(1, 8, generator=torch.Generator().manual_seed(seed))
    sound_class = torch.eye(13)[index : index + 1]
    with torch.no_grad():
        audio = model.decode(latent, sound_class, torch.full((1, 1), intensity), noise)
    assert audio.shape == (1, FRAMES)
    assert torch.isfinite(audio).all()
    assert audio.abs().max() <= 1.0 + 1e-6


def test_extreme_controls_are_still_bounded(noise: torch.Tensor) -> None:
    loud = Controls.silence(1).map(torch.zeros_like)
    assert play(loud, noise).abs().max() == pytest.approx(1.0)
    assert play(Controls.silence(1), noise).abs().max() < 1e-3


@pytest.mark.parametrize("sound_class", SOUND_CLASSES)
def test_the_synthesizer_makes_a_drum_of_every_class(sound_class: str, noise: torch.Tensor) -> None:
    generator = np.random.default_rng(5)
    audio = play(synthesize(sound_class, generator), noise)[0]
    assert audio.abs().max() == pytest.approx(1.0, abs=1e-5)
    assert abs(float(audio.mean())) < 0.01  # no DC
    assert audio[-1].abs() < 1e-3  # it has ended, or faded out
    energy = audio**2
    assert float(energy[: FRAMES // 2].sum()) > 0.7 * float(energy.sum())
    again = play(synthesize(sound_class, np.random.default_rng(5)), noise)[0]
    assert torch.equal(audio, again)


def test_an_unknown_class_names_the_known_ones() -> None:
    with pytest.raises(SettingError, match="known are kick"):
        synthesize("gong", np.random.default_rng(0))


def test_a_kick_is_darker_than_a_hat_and_a_crash_longer(noise: torch.Tensor) -> None:
    from training.sounds.attributes import brightness_octaves, decay_octaves

    generator = np.random.default_rng(2)
    kick, hat, crash = (
        play(Controls.join([synthesize(name, generator) for _ in range(4)]), noise)
        for name in ("kick", "closed_hat", "crash")
    )
    assert brightness_octaves(kick).max() < brightness_octaves(hat).min()
    assert decay_octaves(crash).min() > decay_octaves(hat).max()


def test_a_soft_hit_is_quieter_and_darker(noise: torch.Tensor) -> None:
    from training.sounds.attributes import brightness_octaves

    snare = synthesize("snare", np.random.default_rng(3))
    hard, soft = play(snare, noise), play(soften(snare, torch.zeros(1)), noise, 0.0)
    assert soft.abs().max() < 0.3 * hard.abs().max()
    assert brightness_octaves(soft)[0] < brightness_octaves(hard)[0] - 0.3
    same = soften(snare, torch.ones(1))
    assert all(torch.allclose(a, b) for a, b in zip(same.tensors(), snare.tensors(), strict=True))


def test_a_short_rendering_is_the_beginning_of_the_long_one(noise: torch.Tensor) -> None:
    made = synthesize("low_tom", np.random.default_rng(4))
    long, short = Renderer().mix(made, noise), Renderer().mix(made, noise, 10)
    assert torch.allclose(long[:, : short.shape[1]], short, atol=1e-6)


def test_a_partial_keeps_its_pitch_to_the_last_frame(noise: torch.Tensor) -> None:
    steady = Controls.silence(1)
    octave = torch.full((1, KNOTS), 4.0)  # 400 Hz
    made = Controls(steady.noise_db, torch.zeros(1, KNOTS), octave, *steady.tensors()[3:])
    audio = Renderer().mix(made, noise)[0, : 60 * 1024]
    expected = torch.sin(2 * torch.pi * ((400.0 / SAMPLE_RATE * torch.arange(60 * 1024, dtype=torch.float64)) % 1.0))
    assert (audio - expected).abs().max() < 2e-3


def test_analysis_finds_the_sweep_it_was_given(noise: torch.Tensor) -> None:
    time = np.arange(FRAMES) / SAMPLE_RATE
    hz = 50.0 + 150.0 * np.exp(-time / 0.03)
    kick = (np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE) * np.exp(-time / 0.15)).astype(np.float32)
    made = analyse(kick)
    heard = 25.0 * 2.0 ** made.body_octave[0].numpy()
    expected = np.interp(knot_frames() / SAMPLE_RATE, time, hz)
    assert np.all(np.abs(np.log2(heard[8:50] / expected[8:50])) < 0.12)
    again = play(made, noise)
    assert float(distance_db(again, torch.from_numpy(kick)[None])) < 2.5


def test_analysis_tells_noise_from_tone() -> None:
    generator = np.random.default_rng(1)
    hiss = (generator.standard_normal(FRAMES) * np.exp(-np.arange(FRAMES) / 8000)).astype(np.float32)
    tone = (np.sin(2 * np.pi * 1100 * np.arange(FRAMES) / SAMPLE_RATE) * np.exp(-np.arange(FRAMES) / 8000)).astype("f")
    noisy, tonal = analyse(hiss / np.abs(hiss).max()), analyse(tone)
    assert tonal.partial_db.max() > -6
    assert tonal.partial_db.max() > tonal.noise_db.max() + 12
    assert noisy.noise_db[:, 30:].max() > noisy.partial_db[:, 8:].max() + 6


def test_equal_sounds_are_zero_apart_and_distance_is_symmetric(noise: torch.Tensor) -> None:
    generator = np.random.default_rng(6)
    kick, clap = (play(synthesize(name, generator), noise) for name in ("kick", "clap"))
    assert float(distance_db(kick, kick)) == 0.0
    assert float(distance_db(kick, clap)) == pytest.approx(float(distance_db(clap, kick)))
    assert float(distance_db(kick, clap)) > 4.0
    assert float(distance_db(kick, 0.25 * kick)) < 1e-3  # loudness does not count


def test_training_hears_loudness_and_cannot_be_deafened_by_one_loud_place(noise: torch.Tensor) -> None:
    generator = np.random.default_rng(6)
    kick, wrong = (play(synthesize(name, generator), noise) for name in ("kick", "clap"))
    assert float(level_distance_db(kick, kick)) == 0.0
    assert 4.0 < float(level_distance_db(2.0 * wrong, wrong)) < 6.1  # twice as loud is 6 dB, less where the floor is
    spike = wrong.clone()
    spike[:, 4000] = 1000.0
    assert float(level_distance_db(spike, kick)) > float(level_distance_db(wrong, kick))


def test_silence_compares_without_a_nan() -> None:
    assert torch.isfinite(distance_db(torch.zeros(1, FRAMES), torch.randn(1, FRAMES))).all()


def test_retrieval_finds_the_sound_itself(noise: torch.Tensor) -> None:
    generator = np.random.default_rng(7)
    sounds = play(Controls.join([synthesize("perc", generator) for _ in range(4)]), noise)
    distance, place = Shelf.of(sounds).nearest(sounds[2:3])
    assert (float(distance[0]), int(place[0])) == (0.0, 2)


def test_the_small_transform_equals_the_fast_one() -> None:
    frames = torch.randn(3, 2048, generator=torch.Generator().manual_seed(1))
    expected = torch.fft.rfft(frames * torch.hann_window(2048)).abs() ** 2
    assert torch.allclose(PowerSpectrum(32, 64)(frames), expected, atol=1e-2, rtol=1e-4)


def test_the_encoder_tells_pitches_apart(model: SoundVae) -> None:
    time = torch.arange(FRAMES) / SAMPLE_RATE
    tones = torch.stack([torch.sin(2 * torch.pi * hz * time) for hz in (50.0, 80.0)])
    features = model.features(tones)
    assert (features[0] - features[1]).abs().max() > 0.3
    mean, log_var = model.encode(tones, torch.eye(13)[:2])
    assert mean.shape == log_var.shape == (2, 8)
