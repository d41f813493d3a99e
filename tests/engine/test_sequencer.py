"""What is played of a pattern: density, chaos, swing, humanize, lengths, mute, and patterns taking over."""

from collections import Counter

import numpy as np
import pytest
from engine_kit import RATE, every, grid, new_player
from hypothesis import given, settings
from hypothesis import strategies as st

from device.contract.pattern import PatternGrid
from device.engine import chance
from device.engine.records import Params, Pattern, When
from device.engine.sequencer import Sequencer
from device.engine.transport import Transport

FAST = 300.0
STEP = 2205  # frames at 300 BPM, 44.1 kHz
BAR = 16 * STEP
unit = st.floats(0.0, 1.0)
seeds = st.integers(0, 2**24 - 1)


def sequence(params, cells, steps):
    """(frame, voice, velocity, step) of what is played of a pattern in this many steps."""
    sequencer, transport = Sequencer(params), Transport(RATE, FAST)
    sequencer.take(Pattern(cells), transport, 0)
    transport.start(0)
    sequencer.start()
    return [hit for at in range(0, steps * STEP, 441) for hit in sequencer.due(transport, at, at + 441)]


def random_grid(seed):
    draw = np.random.default_rng(seed)
    cells = np.zeros((32, 9, 3))
    cells[:, :, 0] = 1 / (1 + np.exp(-draw.normal(-1, 4, (32, 9))))
    cells[:, :, 1] = draw.random((32, 9))
    cells[:, :, 2] = draw.uniform(-0.5, 0.5, (32, 9))
    return PatternGrid.clipped(cells)


def cells_played(params, cells, steps=32):
    return {(hit.step, hit.voice) for hit in sequence(params, cells, steps)}


@settings(deadline=None, max_examples=40)
@given(seeds, unit, unit, unit, seeds, st.tuples(*[unit] * 9))
def test_more_density_never_removes_a_hit(pattern, one, other, chaos, seed, voices):
    low, high = sorted((one, other))
    few, many = (
        cells_played(
            Params(density=density, chaos=chaos, seed=float(seed), voice_density=voices, humanize=0.0),
            random_grid(pattern),
        )
        for density in (low, high)
    )
    assert few <= many


@settings(deadline=None, max_examples=20)
@given(seeds, unit, unit, unit, unit)
def test_more_voice_density_never_removes_a_hit(pattern, one, other, density, chaos):
    low, high = sorted((one, other))
    few, many = (
        cells_played(Params(density=density, chaos=chaos, voice_density=(own,) * 9, humanize=0.0), random_grid(pattern))
        for own in (low, high)
    )
    assert few <= many


@given(unit, unit, unit)
def test_threshold_falls_as_either_density_rises(one, other, own):
    low, high = sorted((one, other))
    assert chance.threshold(low, own) >= chance.threshold(high, own)
    assert chance.threshold(own, low) >= chance.threshold(own, high)


@settings(deadline=None, max_examples=10)
@given(seeds)
def test_density_half_plays_what_is_likelier_than_not(pattern):
    cells = random_grid(pattern)
    expected = {(step, voice) for step in range(32) for voice in range(9) if cells.levels[step, voice] >= 0.5}
    assert cells_played(Params(density=0.5, humanize=0.0), cells) == expected


@settings(deadline=None, max_examples=10)
@given(seeds)
def test_density_one_plays_every_real_wish_and_zero_plays_nothing(pattern):
    cells = random_grid(pattern)
    wished = {(step, voice) for step in range(32) for voice in range(9) if cells.levels[step, voice] >= 0.01}
    assert cells_played(Params(density=1.0, humanize=0.0), cells) == wished
    assert not cells_played(Params(density=0.0, chaos=1.0, humanize=0.0), cells)


def test_every_tenth_of_the_density_turn_changes_what_is_played():
    counts = [len(cells_played(Params(density=at / 10, humanize=0.0), random_grid(5))) for at in range(11)]
    assert counts == sorted(set(counts))


def test_an_empty_pattern_stays_silent_at_full_density_and_chaos():
    assert not cells_played(Params(density=1.0, chaos=1.0), PatternGrid.empty(), 64)


def test_without_chaos_every_round_repeats_exactly():
    hits = sequence(Params(seed=3.0, density=0.7), random_grid(1), 97)
    rounds = [
        [(hit.frame - start * STEP, hit.voice, hit.velocity) for hit in hits if start <= hit.step < start + 32]
        for start in (32, 64)
    ]
    assert rounds[0] == rounds[1] != []


def bars_played(seed, bars=4, chaos=0.8):
    played = cells_played(Params(seed=float(seed), chaos=chaos, humanize=0.0), random_grid(2), 16 * bars)
    return [{(step % 16, voice) for step, voice in played if step // 16 == bar} for bar in range(bars)]


def test_a_bar_of_chaos_is_drawn_from_seed_and_bar_alone():
    assert bars_played(7) == bars_played(7)
    assert bars_played(7)[:2] == bars_played(7, bars=2)
    assert bars_played(7) != bars_played(8)
    assert bars_played(7)[0] != bars_played(7)[2]  # the same half of the pattern, another draw


def test_more_chaos_strays_further_from_the_pattern():
    calm = bars_played(1, 16, 0.0)
    strayed = [
        sum(len(a ^ b) for a, b in zip(calm, bars_played(1, 16, chaos), strict=True)) for chaos in (0.1, 0.4, 1.0)
    ]
    assert 0 < strayed[0] < strayed[1] < strayed[2]


def test_noise_is_logistic_and_independent_of_its_neighbours():
    noise = np.array(
        [[chance.noise(1, bar, step, voice) for step in range(16) for voice in range(9)] for bar in range(60)]
    )
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(np.pi / np.sqrt(3), abs=0.1)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("swing", [0.0, 0.34, 1.0])
def test_swing_delays_every_second_sixteenth(swing):
    hits = sequence(Params(swing=swing, humanize=0.0), grid(every(1, "ride")), 33)
    for hit in hits:
        late = swing * 0.5 if hit.step % 2 else 0.0
        assert hit.frame == pytest.approx((hit.step + late) * STEP, abs=0.5)


@pytest.mark.parametrize("humanize", [0.0, 0.5, 1.0])
def test_humanize_scales_learned_timing_and_velocity(humanize):
    cells = np.zeros((32, 9, 3), np.float32)
    cells[::4, 0] = (1.0, 0.9, -0.25)
    cells[2::4, 0] = (1.0, 0.5, 0.4)
    hits = sequence(Params(humanize=humanize), PatternGrid(cells), 40)
    for hit in hits:
        strong = hit.step % 4 == 0
        place = hit.step + humanize * (-0.25 if strong else 0.4)
        assert hit.frame == pytest.approx(max(place, 0.0) * STEP, abs=0.5)
        assert hit.velocity == pytest.approx(0.7 + humanize * (0.2 if strong else -0.2))
    assert [hit.step for hit in hits] == list(range(0, len(hits) * 2, 2))


def test_an_early_hit_of_the_first_step_plays_at_the_start():
    hits = sequence(Params(), grid([(0, "kick")], offset=-0.5), 33)
    assert [hit.frame for hit in hits] == [0, round(31.5 * STEP)]


def test_a_hit_the_model_made_silent_is_still_heard():
    assert sequence(Params(), grid([(0, "kick")], velocity=0.0), 1)[0].velocity > 0.0


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 32), st.lists(st.integers(1, 32), min_size=9, max_size=9))
def test_each_voice_starts_again_after_its_own_length(length, lengths):
    cells = np.zeros((32, 9, 3), np.float32)
    cells[0, :, :2] = 1.0
    params = Params(length_steps=float(length), voice_length=tuple(map(float, lengths)))
    hits = sequence(params, PatternGrid(cells), 70)
    for voice, own in enumerate(lengths):
        steps = [hit.step for hit in hits if hit.voice == voice]
        assert steps == list(range(0, 70, min(own, length)))


def test_a_muted_voice_is_silent_and_the_others_play_on(player):
    player.start(grid(every(4, "kick") + every(4, "snare")), mute=(1.0, *(0.0,) * 8))
    player.play(RATE)
    assert not player.hits("kick")
    assert player.hits("snare")


def test_a_new_pattern_sounds_from_the_next_step(player):
    player.start(grid(every(1, "kick")), tempo_bpm=FAST)
    player.tell(Pattern(grid(every(1, "snare")), When.NEXT_STEP, 5), 10 * STEP + 700)
    player.play(BAR + STEP - 200)
    assert player.steps("kick") == list(range(11))
    assert player.steps("snare") == list(range(11, 17))
    assert player.engine.report().pattern == 5


def test_a_pattern_that_arrives_on_a_step_is_in_time_for_it(player):
    player.start(grid(every(1, "kick")), tempo_bpm=FAST)
    player.tell(Pattern(grid(every(1, "snare"))), 10 * STEP)
    player.play(BAR)
    assert player.steps("snare")[0] == 10
    assert player.steps("kick")[-1] == 9


def test_a_new_pattern_can_wait_for_the_bar_line(player):
    player.start(grid(every(1, "kick")), tempo_bpm=FAST)
    player.tell(Pattern(grid(every(1, "snare")), When.NEXT_BAR, 9), 3 * STEP)
    player.play(BAR - 500)
    assert player.engine.report().pattern == 0
    player.play(BAR)
    assert player.steps("kick") == list(range(16))
    assert player.steps("snare")[0] == 16


def test_the_newest_pattern_wins_over_one_that_waits(player):
    player.start(grid(every(1, "kick")), tempo_bpm=FAST)
    player.tell(Pattern(grid(every(1, "snare")), When.NEXT_BAR), 3 * STEP)
    player.tell(Pattern(grid(every(1, "ride")), When.NEXT_STEP), 5 * STEP - 100)
    player.play(2 * BAR)
    assert not player.steps("snare")
    assert player.steps("ride")[0] == 5


def test_patterns_for_step_and_bar_take_over_one_after_the_other(player):
    player.start(grid(every(1, "kick")), tempo_bpm=FAST)
    player.tell(Pattern(grid(every(1, "ride")), When.NEXT_STEP), 5 * STEP - 100)
    player.tell(Pattern(grid(every(1, "snare")), When.NEXT_BAR), 5 * STEP - 90)
    player.play(2 * BAR)
    assert player.steps("ride") == list(range(5, 16))
    assert player.steps("snare")[0] == 16


swaps = st.lists(
    st.tuples(st.integers(100, 3_000), st.floats(-0.5, 0.5, width=32), unit, unit, st.sampled_from(When)), max_size=25
)


@settings(deadline=None, max_examples=40)
@given(swaps)
def test_swapping_patterns_and_timings_neither_doubles_nor_swallows_a_hit(changes):
    player = new_player()
    player.start(grid(every(1, "kick") + every(1, "ride")), tempo_bpm=FAST)
    for frames, offset, swing, humanize, when in changes:
        player.play(frames)
        player.tell(Pattern(grid(every(1, "kick") + every(1, "ride"), offset=offset), when))
        player.tell(Params(tempo_bpm=FAST, swing=swing, humanize=humanize))
    player.play(3 * STEP)
    for name in ("kick", "ride"):
        counts = Counter(player.steps(name))
        assert set(counts.values()) == {1}
        here = int(player.engine.place)
        assert set(range(here - 1)) <= set(counts)
