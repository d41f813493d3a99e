"""Voices: layers follow velocity, closed hat chokes open hat, nothing clicks, slots are handed back."""

import numpy as np
import pytest
from engine_kit import KIT, KIT_FRAMES, RATE, largest_step, new_player
from hypothesis import given, settings
from hypothesis import strategies as st

from device.contract.voices import VOICE_INDEX
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Action, Hit, Params, Sound, Stamped, Transport
from device.engine.voices import decay_rate, layer_shares
from device.errors import LinkError

KICK, CLOSED, OPEN, CRASH = (VOICE_INDEX[name] for name in ("kick", "closed_hat", "open_hat", "crash"))
FADE = 176  # frames, 4 ms
PLAIN = Params(pan=(0.0,) * 9, level=(0.8,) * 9)


def tone_slots(pitch=220.0, amplitude=0.7):
    """Slots full of an endless sine: whatever starts or stops it badly clicks."""
    wave = amplitude * np.sin(2 * np.pi * pitch * np.arange(SLOT_FRAMES) / RATE)
    return np.tile(wave.astype(np.float32), (SLOT_COUNT, 1))


def tone_player(frames=SLOT_FRAMES, **params):
    player = new_player(tone_slots(), [Sound(voice, (voice,), (frames,)) for voice in range(9)])
    player.tell(Params(**params))
    player.play(1_000)
    return player


def smooth(amplitude=0.7, pitch=220.0):
    """The largest step of the sine itself in one channel, with what a 4 ms fade may add."""
    return 0.7 * 0.7072 * amplitude * (2 * np.pi * pitch / RATE + 1.5 / FADE)


def test_hit_command_sounds_at_its_very_frame(player):
    player.tell(Hit(KICK, 1.0), 3_333)
    out = player.play(5_000)
    assert not out[:3_334].any()
    assert out[3_334].all()
    assert [(hit.frame, hit.voice, hit.step) for hit in player.triggers] == [(3_333, KICK, -1)]


def test_full_velocity_plays_the_hardest_layer_as_rendered(player):
    player.tell(PLAIN)
    player.play(2_000)
    player.tell(Hit(CRASH, 1.0), 2_048)
    player.play(48)
    heard = player.stems(2_000)[CRASH, :, 0]
    assert np.abs(heard - KIT[4 * CRASH + 2, :2_000] * np.float32(np.cos(np.pi / 4))).max() < 1e-6


def test_open_hat_is_choked_by_closed_hat_within_milliseconds():
    player = tone_player()
    player.tell(Hit(OPEN, 1.0))
    player.tell(Hit(CLOSED, 0.9), 6_003)
    player.until(6_003)
    stems = player.stems(3_000)
    assert np.abs(stems[OPEN, :FADE]).max() > 0.3
    assert not stems[OPEN, FADE:].any()
    assert np.abs(stems[CLOSED]).max() > 0.3


def test_closed_hat_does_not_choke_other_voices():
    player = tone_player()
    player.tell(Hit(CRASH, 1.0))
    player.play(3_000)
    player.tell(Hit(CLOSED, 0.001))
    assert np.abs(player.stems(3_000)[CRASH, 1_000:]).max() > 0.4


@pytest.mark.parametrize("event", ["choke", "panic", "stop", "mute", "end", "level", "pan", "decay", "master"])
def test_nothing_clicks_at(event):
    frames = 20_011 if event == "end" else SLOT_FRAMES
    player = tone_player(frames)
    player.tell(Hit(OPEN, 1.0), 1_500)
    player.play(4_000)
    at = player.engine.frame + 171
    zero = (0.0,) * 9
    commands = {
        "choke": Hit(CLOSED, 0.001),
        "panic": Transport(Action.PANIC),
        "stop": Transport(Action.STOP),
        "mute": Params(mute=(1.0,) * 9),
        "level": Params(level=zero),
        "pan": Params(pan=(1.0,) * 9),
        "decay": Params(decay=zero),
        "master": Params(master=0.0),
    }
    if event in commands:
        player.tell(commands[event], at)
    player.play(25_000)
    bound = smooth() / (0.7072 if event == "pan" else 1.0)  # all of it on one side is louder there
    assert largest_step(np.concatenate(player.sound)) <= bound


def test_retrigger_does_not_click_and_does_not_stop_the_new_hit():
    player = tone_player()
    for frame in (2_000, 4_003, 4_090, 9_001, 9_500):
        player.tell(Hit(KICK, 1.0), frame)
    stems = player.stems(15_000)
    assert largest_step(player.sound[-1]) <= 2 * smooth()
    assert np.abs(stems[KICK, 10_000:]).max() > 0.4


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1_000, 3_000), min_size=1, max_size=40))
def test_a_drum_roll_of_any_speed_never_clicks_nor_piles_up(frames):
    player = tone_player()
    for frame in sorted(frames):
        player.tell(Hit(KICK, 1.0), frame)
    out = player.play(4_500)
    assert largest_step(out) <= 3 * smooth()
    assert len(player.triggers) == len(frames)
    assert np.abs(player.stems(2_000)).max() == pytest.approx(0.7 * 0.7071, rel=0.01)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@given(velocity=st.floats(0.0, 1.0), follow=st.floats(0.0, 1.0))
def test_layer_shares_are_one_or_two_neighbours_and_sum_to_one(layers, velocity, follow):
    shares = layer_shares(layers, velocity, follow)
    assert sum(share for _, share in shares) == pytest.approx(1.0)
    assert all(0 <= layer < layers for layer, _ in shares)
    assert len(shares) == 1 or shares[1][0] == shares[0][0] + 1
    assert layer_shares(layers, velocity, 0.0) == ((layers - 1, 1.0),)


def test_soft_hits_play_the_soft_layer_and_follow_zero_the_hard_one():
    slots = np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)
    slots[0], slots[1], slots[2] = 0.1, 0.2, 0.4
    for velocity, follow, expected in ((0.3, 1.0, 0.03), (0.65, 1.0, 0.13), (1.0, 1.0, 0.4), (0.3, 0.0, 0.12)):
        player = new_player(slots, [Sound(KICK, (0, 1, 2), (30_000,) * 3)])
        player.tell(Params(follow=(follow,) * 9))
        player.play(128)
        player.tell(Hit(KICK, velocity))
        player.stems(1_280)
        assert player.engine.report().peaks[KICK] == pytest.approx(expected, rel=1e-3)


def test_harder_hits_are_louder():
    peaks = []
    for velocity in np.linspace(0.05, 1.0, 20):
        player = new_player()
        player.tell(Hit(KICK, float(velocity)))
        peaks.append(np.abs(player.play(4_000)).max())
    assert peaks == sorted(peaks)
    assert peaks[-1] > 8 * peaks[0]


def test_decay_one_is_the_sound_as_rendered_and_less_is_shorter_over_the_whole_turn():
    assert decay_rate(1.0, RATE) == 0.0
    lengths = []
    for decay in np.linspace(0.0, 1.0, 11):
        player = tone_player(decay=(float(decay),) * 9)
        player.tell(Hit(KICK, 1.0))
        out = np.abs(player.play(60_000)).reshape(-1, 200, 2).max((1, 2))
        lengths.append(int((out > 0.7 * 0.495 * 0.1).sum()))
    assert lengths == sorted(lengths)
    assert len(set(lengths[:8])) == 8
    assert lengths[0] < 8
    assert lengths[-1] > 280


def test_the_same_hit_is_the_same_sound_whatever_played_before(player):
    player.tell(PLAIN)
    player.tell(Hit(KICK, 0.77), 2_000)
    player.tell(Hit(KICK, 0.77), 42_000)
    heard = player.stems(80_000)[KICK]
    assert np.abs(heard[2_000:30_000] - heard[42_000:70_000]).max() < 2e-6


def test_a_new_sound_is_played_by_the_next_hit_and_not_before(player):
    player.tell(Hit(KICK, 1.0), 128)
    player.tell(Sound(KICK, (100,), (1_000,)), 2_000)  # an empty slot
    player.tell(Hit(KICK, 1.0), 20_000)
    heard = player.stems(25_000)[KICK]
    assert np.abs(heard[2_000:4_000]).max() > 0.01
    assert not heard[20_000 + FADE :].any()


def bits(player):
    used = player.engine.report().slots_in_use
    return {slot for slot in range(SLOT_COUNT) if used >> slot & 1}


def test_a_slot_is_in_use_while_announced_and_while_it_sounds():
    player = new_player(sounds=())
    assert bits(player) == set()
    player.tell(Sound(KICK, (5, 6), (KIT_FRAMES,) * 2), 300)
    assert bits(player) == {5, 6}  # waiting for its frame
    player.tell(Hit(KICK, 1.0), 500)
    player.play(1_000)
    player.tell(Sound(KICK, (9,), (1_000,)))
    assert bits(player) == {5, 6, 9}
    player.play(128)
    assert bits(player) == {6, 9}  # the hard layer still sounds
    player.play(KIT_FRAMES)
    assert bits(player) == {9}


def test_a_report_has_applied_a_command_once_it_was_taken(player):
    player.tell(Hit(KICK, 1.0))
    assert player.engine.report().applied == player.sequence


@pytest.mark.parametrize(
    "sound",
    [
        Sound(0, (SLOT_COUNT,), (10,)),
        Sound(9, (0,), (10,)),
        Sound(0, (0,), (SLOT_FRAMES + 1,)),
        Sound(0, (), ()),
        Sound(0, (1, 2), (3,)),
        Sound(0, (-1,), (3,)),
    ],
)
def test_a_sound_without_slots_to_play_is_refused(player, sound):
    with pytest.raises(LinkError, match="sound for voice"):
        player.tell(sound)


def test_slots_of_another_shape_are_refused():
    with pytest.raises(LinkError, match="sound slots are"):
        Engine(RATE, np.zeros((3, 100), np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_are_no_sound_stay_inside_their_voice(bad):
    slots = KIT.copy()
    slots[4 * KICK : 4 * KICK + 3, 200:900:3] = bad
    broken, whole = new_player(slots), new_player()
    for player in (broken, whole):
        player.tell(Params(drive=0.5))
        player.tell(Hit(KICK, 0.9), 1_000)
        player.tell(Hit(CRASH, 0.9), 1_000)
    stems = []
    for player in (broken, whole):
        out, parts = np.zeros((6_000, 2), np.float32), np.zeros((9, 6_000, 2), np.float32)
        player.engine.render(out, parts)
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1.0
        assert np.isfinite(player.engine.report().peaks).all()
        stems.append(parts)
    assert np.isfinite(stems[0]).all()
    assert np.array_equal(stems[0][CRASH], stems[1][CRASH])
    assert np.abs(stems[0][KICK, 3_000:]).max() > 0.01  # it goes on after the broken place


def test_a_slot_beside_the_playing_one_is_never_heard():
    slots = np.full((SLOT_COUNT, SLOT_FRAMES), np.nan, np.float32)
    slots[4, :1_001] = 0.5
    engine = Engine(RATE, slots)
    engine.take(Stamped(Sound(KICK, (4,), (1_001,))))
    engine.take(Stamped(Hit(KICK, 1.0), frame=77))
    out = np.zeros((4_000, 2), np.float32)
    stems = np.zeros((9, 4_000, 2), np.float32)
    engine.render(out, stems)
    assert not stems[:, :77].any()
    assert not stems[:, 77 + 1_001 :].any()
    assert (stems[KICK, 77 : 77 + 800] > 0.3).all()
    assert np.isfinite(out).all()
