"""Windows as arrays, and new grooves made of real ones: bars and parts change places, the rules of a pattern stay."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.contract.pattern import GRID_SHAPE, LEVEL, OFFSET, VELOCITY, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.errors import SettingError
from training.patterns.augment import PARTS, AugmentConfig, Recombiner, feel
from training.patterns.labels import FILL, STYLE_INDEX
from training.patterns.styles import make_windows
from training.patterns.windows import Windows

AS_PLAYED = {"turn_share": 0.0, "retimed_share": 0.0}
STILL = AugmentConfig(**AS_PLAYED, bar_share=0.0, voice_share=0.0, touch_share=0.0, fill_share=0.0)
WINDOWS = make_windows(40, ["jazz", "rock", "techno"], seed=1, fill_share=0.2)


def generator(seed=1):
    return np.random.default_rng(seed)


def batch(config, seed=1, windows=WINDOWS, count=200):
    return Recombiner(windows, config).batch(count, generator(seed))


def key(cells):
    """Equal for equal cells; minus nothing is nothing."""
    return (cells + np.float32(0.0)).tobytes()


def known_bars(windows=WINDOWS):
    return {key(bar) for bar in windows.cells.reshape(-1, 16, VOICE_COUNT, 3)}


def known_parts(windows=WINDOWS):
    return {(part, key(windows.cells[index][:, part])) for index in range(len(windows)) for part in PARTS}


def test_windows_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="do not fit together"):
        Windows(WINDOWS.cells, WINDOWS.style[:3], WINDOWS.fill)
    with pytest.raises(ValueError, match="do not fit together"):
        Windows(WINDOWS.cells[:, :16], WINDOWS.style, WINDOWS.fill)


def test_windows_are_chosen_and_joined_in_order():
    first, second = WINDOWS[:5], WINDOWS[np.array([7, 9])]
    joined = Windows.join([first, second])
    assert len(joined) == 7
    assert np.array_equal(joined.cells[5:], WINDOWS.cells[[7, 9]])
    assert np.array_equal(joined.style, WINDOWS.style[[0, 1, 2, 3, 4, 7, 9]])
    assert joined.hits.shape == (7, 32, 9)


def test_style_vectors_sum_to_one_and_fills_are_half_fill():
    vectors = WINDOWS.style_vectors()
    assert vectors.shape == (len(WINDOWS), len(STYLE_INDEX))
    assert np.allclose(vectors.sum(1), 1.0)
    assert np.array_equal(vectors[:, STYLE_INDEX[FILL]] == 0.5, WINDOWS.fill)


def test_the_parts_hold_every_voice_once():
    assert sorted(voice for part in PARTS for voice in part) == list(range(VOICE_COUNT))


def test_without_augmentation_a_batch_is_windows_as_they_are():
    cells, styles = batch(STILL)
    known = {key(window): vector for window, vector in zip(WINDOWS.cells, WINDOWS.style_vectors(), strict=True)}
    for window, vector in zip(cells, styles, strict=True):
        assert np.array_equal(known[key(window)], vector)


def test_a_batch_repeats_for_the_same_generator_and_leaves_the_windows_alone():
    before = WINDOWS.cells.copy()
    (cells, styles), (again, styles_again), (other, _) = (batch(AugmentConfig(), seed) for seed in (1, 1, 2))
    assert np.array_equal(cells, again)
    assert np.array_equal(styles, styles_again)
    assert not np.array_equal(cells, other)
    assert np.array_equal(WINDOWS.cells, before)


def test_mixed_bars_are_bars_somebody_played():
    cells, _ = batch(AugmentConfig(**AS_PLAYED, bar_share=1.0, voice_share=0.0, touch_share=0.0, fill_share=0.0))
    bars = known_bars()
    assert all(key(bar) in bars for bar in cells.reshape(-1, 16, VOICE_COUNT, 3))
    windows = {key(window) for window in WINDOWS.cells}
    assert np.mean([key(window) in windows for window in cells]) < 0.5


def test_mixed_parts_are_parts_somebody_played():
    cells, _ = batch(
        AugmentConfig(**AS_PLAYED, bar_share=0.0, voice_share=1.0, part_share=1.0, touch_share=0.0, fill_share=0.0)
    )
    parts = known_parts()
    for window in cells:
        for part in PARTS:
            assert (part, key(window[:, part])) in parts


def test_partners_are_of_the_same_style_unless_strangers_are_wanted():
    """A techno kick and a jazz one share no bar, so a stranger's kick is seen."""
    windows = make_windows(60, ["jazz", "techno"], seed=1, fill_share=0.0)
    kicks = {style: {key(c[:, 0]) for c in windows.cells[windows.style == style]} for style in np.unique(windows.style)}

    def share_at_home(strangers):
        config = AugmentConfig(0.0, 1.0, 1.0, strangers, **AS_PLAYED, touch_share=0.0, fill_share=0.0)
        cells, styles = batch(config, windows=windows)
        return np.mean([key(c[:, 0]) in kicks[int(s.argmax())] for c, s in zip(cells, styles, strict=True)])

    assert share_at_home(0.0) == 1.0
    assert share_at_home(1.0) < 0.8


def test_the_feel_of_a_groove_is_the_timing_its_hits_share():
    cells = np.zeros((1, *GRID_SHAPE), np.float32)
    cells[0, 1::2, 2] = (1.0, 0.5, 0.25)  # a hat on every second sixteenth, late
    cells[0, ::4, 0] = (1.0, 0.5, -0.1)  # a kick on every beat, early
    cells[0, 5, 1] = (1.0, 0.5, 0.45)  # a snare later still
    timing = feel(cells)
    assert timing.shape == (1, 32)
    assert timing[0, ::4] == pytest.approx(-0.1)
    assert timing[0, 3] == pytest.approx(0.25)
    assert timing[0, 5] == pytest.approx(0.35)
    assert timing[0, 2::4] == pytest.approx(0.0)  # nothing is ever played there


def test_what_comes_in_plays_in_the_time_it_meets():
    """Straight and swung grooves mixed: retimed, a window has one feel; left alone, it has two."""
    windows = make_windows(60, ["jazz", "techno"], seed=1, fill_share=0.0)

    def disagreement(retimed):
        config = replace(STILL, voice_share=1.0, part_share=0.5, strangers=1.0, retimed_share=retimed)
        cells, _ = batch(config, windows=windows, count=400)
        hits = cells[..., LEVEL]
        apart = (cells[..., OFFSET] - feel(cells)[:, :, None]) * hits
        return np.sqrt((apart**2).sum() / hits.sum())

    assert disagreement(1.0) < 0.8 * disagreement(0.0)


def test_turned_parts_are_bars_of_the_same_part_in_another_order():
    cells, _ = batch(replace(STILL, turn_share=1.0))
    plain, _ = batch(STILL)
    changed = False
    for window, before in zip(cells, plain, strict=True):
        for part in PARTS:
            bars = {key(before[:16, part]), key(before[16:, part])}
            assert {key(window[:16, part]), key(window[16:, part])} <= bars
            changed |= not np.array_equal(window[:, part], before[:, part])
    assert changed


def test_touch_changes_loudness_and_timing_but_no_hit():
    config = AugmentConfig(**AS_PLAYED, bar_share=0.0, voice_share=0.0, touch_share=1.0, fill_share=0.0)
    cells, _ = batch(config)
    plain, _ = batch(STILL)
    assert np.array_equal(cells[..., LEVEL], plain[..., LEVEL])
    hits = plain[..., LEVEL] > 0
    assert 0.01 < np.abs(cells[..., VELOCITY] - plain[..., VELOCITY])[hits].mean() < 0.2
    assert 0.01 < np.abs(cells[..., OFFSET] - plain[..., OFFSET])[hits].mean() < 0.2


@given(st.integers(0, 2**32 - 1))
def test_every_batch_keeps_the_rules_of_a_pattern(seed):
    config = AugmentConfig(
        1.0, 1.0, 0.5, 0.5, turn_share=0.5, touch_share=1.0, touch=0.5, lateness_steps=0.3, fill_share=0.5
    )
    cells, styles = batch(config, seed, count=8)
    assert cells.shape == (8, *GRID_SHAPE)
    assert cells.dtype == styles.dtype == np.float32
    assert np.allclose(styles.sum(1), 1.0)
    for window in cells:
        grid = PatternGrid(window)
        assert set(np.unique(grid.levels)) <= {0.0, 1.0}
        assert not grid.velocities[grid.levels == 0].any()
        assert not grid.offsets[grid.levels == 0].any()


def test_fills_come_as_often_as_asked_for():
    def share(fill_share):
        _, styles = batch(AugmentConfig(fill_share=fill_share), count=2000)
        return (styles[:, STYLE_INDEX[FILL]] > 0).mean()

    assert share(1.0) == 1.0
    assert share(0.5) > share(0.0) + 0.2


def test_windows_without_fills_can_be_used():
    windows = make_windows(10, ["funk"], seed=1, fill_share=0.0)
    _, styles = batch(AugmentConfig(fill_share=1.0), windows=windows)
    assert not styles[:, STYLE_INDEX[FILL]].any()


@pytest.mark.parametrize("name", ["bar_share", "voice_share", "part_share", "strangers", "turn_share", "fill_share"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_no_chance_is_refused(name, value):
    with pytest.raises(SettingError, match=rf"augment\.{name} must be 0\.\.1"):
        AugmentConfig(**{name: value})
