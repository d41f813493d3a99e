"""Mixer: level, equal-power pan, drive, master, limiter and meters."""

import numpy as np
import pytest
from engine_kit import RATE, every, grid, largest_step, new_player, without_dc
from hypothesis import given, settings
from hypothesis import strategies as st

from device.contract.voices import VOICE_INDEX
from device.engine.mixer import KNEE, level_gain, pan_gains
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Hit, Params, Sound

KICK, RIDE = VOICE_INDEX["kick"], VOICE_INDEX["ride"]
BEAT = grid(
    every(4, "kick") + every(8, "snare", 4) + every(2, "closed_hat") + every(16, "crash") + every(8, "low_tom", 7)
)


def wave_player(wave, **params):
    """All nine voices hold the same endless wave."""
    slots = np.tile(wave.astype(np.float32), (SLOT_COUNT, 1))
    player = new_player(slots, [Sound(voice, (voice,), (SLOT_FRAMES,)) for voice in range(9)])
    player.tell(Params(**params))
    player.play(2_000)
    return player


def sine(amplitude, pitch=441.0):
    return amplitude * np.sin(2 * np.pi * pitch * np.arange(SLOT_FRAMES) / RATE)


def decibels(audio):
    return 20 * np.log10(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


@given(st.floats(-1.0, 1.0))
def test_pan_keeps_the_power(pan):
    left, right = pan_gains(pan)
    assert left**2 + right**2 == pytest.approx(1.0)
    assert (left - right) * pan <= 1e-12


def test_hard_left_is_silent_on_the_right():
    player = wave_player(sine(0.5), pan=(-1.0,) * 9)
    player.tell(Hit(KICK, 1.0))
    out = player.play(4_000)
    assert np.abs(out[:, 0]).max() > 0.2
    assert np.abs(out[:, 1]).max() < 1e-6


def test_level_is_silent_at_zero_and_grows_all_the_way():
    gains = [level_gain(position) for position in np.linspace(0, 1, 21)]
    assert gains[0] == 0.0
    assert level_gain(0.8) == 1.0
    assert (np.diff(gains) > 0).all()


def test_no_drive_leaves_the_sound_as_it_is():
    player = wave_player(sine(0.5), drive=0.0, pan=(0.0,) * 9)
    player.tell(Hit(KICK, 1.0), 2_048)
    player.play(48)
    expected = without_dc(np.outer(sine(0.5)[:8_000] * 0.7, pan_gains(0.0)))
    assert np.abs(player.play(8_000) - expected).max() < 1e-6


def test_drive_warms_at_about_the_same_loudness():
    loudness = []
    for drive in np.linspace(0.0, 1.0, 6):
        player = new_player()
        player.start(BEAT, drive=float(drive), tempo_bpm=120.0)
        loudness.append(decibels(player.play(4 * RATE)))
    assert max(loudness) - min(loudness) < 5.0


def test_drive_adds_overtones_and_no_dc():
    player = wave_player(sine(0.6), drive=1.0, pan=(0.0,) * 9)
    player.tell(Hit(KICK, 1.0), 2_048)
    player.play(12_048)
    out = player.play(4_400)[:, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(out)) / len(out)
    assert spectrum[44 * 3] > 0.05 * spectrum[44]  # third harmonic
    assert spectrum[44 * 2] < 1e-3 * spectrum[44]
    assert abs(out.mean()) < 1e-4


@settings(deadline=None, max_examples=25)
@given(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.tuples(*[st.floats(0.0, 1.0)] * 9),
    st.floats(0.1, 2.0),
)
def test_nothing_ever_passes_one(drive, master, levels, amplitude):
    player = wave_player(np.sign(sine(amplitude, 60.0)), drive=drive, master=master, level=levels, pan=(-0.9,) * 9)
    for voice in range(9):
        player.tell(Hit(voice, 1.0))
    out = player.play(3_000)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.0


def test_limiter_is_a_straight_line_up_to_its_knee_and_bends_smoothly_beyond():
    player = wave_player(sine(0.5), level=(1.0,) * 9, master=1.0, pan=(0.0,) * 9, follow=(0.0,) * 9)
    for voice in range(9):
        player.tell(Hit(voice, 0.5), 2_048)
    mix = without_dc(player.stems(12_000).sum(0) * level_gain(1.0) * 0.7)[:, 0]
    out = player.sound[-1][:, 0]
    order = np.argsort(mix)
    assert mix.max() > 1.5
    assert (np.diff(out[order]) >= -1e-6).all()
    low = np.abs(mix) < KNEE
    assert np.abs(out - mix)[low].max() < 1e-5
    assert (np.abs(out)[~low] >= KNEE - 1e-5).all()
    assert np.abs(out).max() <= 1.0


def test_a_sound_that_is_nothing_but_dc_does_not_push_the_speaker_out():
    player = wave_player(np.full(SLOT_FRAMES, 0.8))
    player.tell(Hit(KICK, 1.0))
    out = player.play(60_000)
    assert np.abs(out[30_000:]).max() < 1e-3


def test_meters_show_each_voice_and_both_sides_since_the_last_report():
    player = wave_player(sine(0.5), pan=(-1.0,) * 9)
    player.engine.report()
    player.tell(Hit(RIDE, 0.8))
    out = np.zeros((4_096 - 2_000, 2), np.float32)
    player.engine.render(out)
    peaks = player.engine.report().peaks
    assert peaks[RIDE] == pytest.approx(0.5 * 0.8, rel=1e-3)
    assert peaks[KICK] == 0.0
    assert peaks[9] == pytest.approx(np.abs(out[:, 0]).max(), rel=1e-5)
    assert peaks[10] < 1e-6
    assert player.engine.report().peaks == (0.0,) * 11


def test_stems_add_up_to_the_mix_before_drive_and_master(player):
    player.start(BEAT, tempo_bpm=120.0, drive=0.0, level=(0.5,) * 9)
    out, stems = np.zeros((20_000, 2), np.float32), np.zeros((9, 20_000, 2), np.float32)
    player.engine.render(out, stems)
    difference = without_dc(stems.sum(0) * 0.7) - out
    assert np.abs(difference[2_000:]).max() < 1e-5


@pytest.mark.parametrize("drive", [0.0, 0.6])
def test_a_beat_has_no_dc_does_not_clip_and_does_not_click(player, drive):
    player.start(BEAT, tempo_bpm=120.0, drive=drive)
    out = player.play(8 * RATE)
    assert np.abs(out.mean(0)).max() < 1e-4
    assert 0.2 < np.abs(out).max() < 1.0
    alone = new_player()
    alone.tell(Params(drive=drive))
    alone.play(2_000)
    steps = []
    for voice in range(9):  # the brightest sound's own slope, nine times over, is no click
        alone.tell(Hit(voice, 1.0))
        steps.append(largest_step(alone.play(9_000)))
    assert largest_step(out) <= sum(steps)


def test_params_that_are_no_numbers_change_nothing(player):
    nan = float("nan")
    player.start(BEAT, tempo_bpm=120.0)
    player.tell(Params(tempo_bpm=nan, drive=nan, master=nan, level=(nan,) * 9, pan=(float("inf"),) * 9), 5_000)
    out = player.play(RATE)
    assert np.isfinite(out).all()
    assert player.engine.report().tempo_bpm == 120.0
    assert np.abs(out[-20_000:]).max() > 0.1


def test_params_out_of_range_are_brought_into_range(player):
    player.start(
        BEAT, tempo_bpm=9_999.0, drive=7.0, master=99.0, length_steps=0.0, voice_length=(-3.0,) * 9, humanize=4.0
    )
    out = player.play(RATE)
    assert player.engine.report().tempo_bpm == 300.0
    assert np.abs(out).max() <= 1.0
