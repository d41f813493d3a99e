"""Our own grooves: every style by its recipe, always the same for a seed, never the same twice in a row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.contract.pattern import GRID_SHAPE, LEVEL, OFFSET, VELOCITY, PatternGrid
from device.contract.voices import VOICE_INDEX
from device.errors import SettingError
from training.patterns.labels import ACOUSTIC, ELECTRONIC, FILL, GROOVE_STYLES, STYLE_INDEX, STYLES, style_vector
from training.patterns.recipes import RECIPES
from training.patterns.styles import CHANCE, LOUDNESS, all_styles, make_groove, make_windows

KICK, SNARE, HAT = (VOICE_INDEX[name] for name in ("kick", "snare", "closed_hat"))
styles = st.sampled_from(all_styles())
seeds = st.integers(0, 2**32 - 1)


def groove(style, seed=1, **options):
    return make_groove(style, np.random.default_rng(seed), **options)


def hits(style, count=200):
    """How often each cell is hit in many grooves of a style, (32, 9) 0..1."""
    return make_windows(count, [style], seed=1, fill_share=0.0).hits.mean(0)


def test_labels_are_unique_end_with_fill_and_all_but_fill_can_be_generated():
    assert STYLES == (*ACOUSTIC, *ELECTRONIC, "fill")
    assert len(set(STYLES)) == len(STYLES) == 21
    assert all_styles() == STYLES[:-1]
    assert [STYLE_INDEX[name] for name in STYLES] == list(range(len(STYLES)))
    assert set(RECIPES) == set(all_styles())


def test_every_style_of_the_drummers_is_one_of_ours_and_acoustic():
    assert set(GROOVE_STYLES.values()) == set(ACOUSTIC)


@given(styles, st.booleans())
def test_a_style_vector_sums_to_one_and_a_fill_is_half_its_style(name, fill):
    vector = style_vector(name, fill=fill)
    assert vector.sum() == 1.0
    assert vector[STYLE_INDEX[name]] == (0.5 if fill else 1.0)
    assert vector[STYLE_INDEX[FILL]] == (0.5 if fill else 0.0)


@pytest.mark.parametrize("name", ["fill", "polka"])
def test_a_style_nobody_knows_is_refused_with_the_list(name):
    with pytest.raises(SettingError, match=f"unknown style '{name}': known are jazz, latin"):
        style_vector(name)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_written_in_bars_of_sixteen_known_signs_for_known_voices(name):
    recipe = RECIPES[name]
    assert {"kick", "snare"} <= set(recipe.voices) <= set(VOICE_INDEX)
    for bars in recipe.voices.values():
        for bar in bars:
            assert len(bar) == 16
            assert set(bar) <= set(CHANCE) == set(LOUDNESS)
    for low, high in (recipe.swing, recipe.loose, recipe.late):
        assert low <= high
    assert recipe.swing[1] <= 0.4  # far beyond a triplet (a third) it is no sixteenth any more


@given(styles, seeds, st.booleans())
def test_every_groove_is_a_pattern_this_device_plays(style, seed, fill):
    cells = groove(style, seed, fill=fill)
    grid = PatternGrid(cells)
    assert set(np.unique(grid.levels)) <= {0.0, 1.0}
    silent = grid.levels == 0
    assert not grid.velocities[silent].any()
    assert not grid.offsets[silent].any()
    assert grid.velocities[~silent].min() >= 0.08
    assert grid.levels[:, : SNARE + 1].any()  # two bars with neither kick nor snare are no groove
    assert not (fill and not grid.levels[-8:, SNARE:].any() and grid.levels.sum() == 0)


@given(styles, seeds)
def test_the_same_seed_gives_the_same_groove(style, seed):
    assert np.array_equal(groove(style, seed), groove(style, seed))


@pytest.mark.parametrize("style", all_styles())
def test_grooves_of_a_style_differ_in_notes_and_touch(style):
    windows = make_windows(40, [style], seed=1, fill_share=0.0)
    assert len({pattern.tobytes() for pattern in windows.hits}) > 12
    loudness = [tuple(np.round(cells[..., VELOCITY][cells[..., LEVEL] > 0], 3)) for cells in windows.cells]
    assert len(set(loudness)) == 40


@pytest.mark.parametrize("style", ["house", "techno", "disco"])
def test_four_to_the_floor_has_a_kick_on_every_beat(style):
    assert (hits(style)[::4, KICK] > 0.8).all()


@pytest.mark.parametrize("style", ["rock", "funk", "pop", "drum_and_bass", "house"])
def test_a_backbeat_is_on_two_and_four(style):
    beats = hits(style)[:, SNARE].reshape(2, 16).mean(0)
    assert beats[4] > 0.6
    assert beats[12] > 0.6
    assert beats[0] < 0.3


def test_half_time_styles_put_the_snare_on_three():
    for style in ("trap", "dubstep", "reggae"):
        beats = hits(style)[:, SNARE].reshape(2, 16).mean(0)
        assert beats[8] > 0.6
        assert beats[8] > beats[4] + 0.3


def test_reggaeton_has_its_three_three_two():
    beats = hits("reggaeton")[:, SNARE].reshape(2, 16).mean(0)
    assert (beats[[3, 6, 11, 14]] > 0.4).all()


def swing_of(style, count=200):
    """Mean offset of second sixteenths over that of first ones, in steps."""
    windows = make_windows(count, [style], seed=1, fill_share=0.0)
    played = windows.hits > 0
    offsets = windows.cells[..., OFFSET]
    return offsets[:, 1::2][played[:, 1::2]].mean() - offsets[:, ::2][played[:, ::2]].mean()


def test_jazz_and_garage_swing_techno_does_not():
    assert swing_of("jazz") > 0.15
    assert swing_of("uk_garage") > 0.05
    assert abs(swing_of("techno")) < 0.05


def test_machines_are_tight_and_players_loose():
    def spread(style):
        windows = make_windows(100, [style], seed=1, fill_share=0.0)
        return windows.cells[:, ::2, HAT, OFFSET][windows.hits[:, ::2, HAT] > 0].std()

    assert spread("techno") < 0.03 < spread("latin")


def test_a_fill_rolls_over_the_end_of_the_pattern_and_leaves_the_hats():
    plain = np.stack([groove("rock", seed) for seed in range(100)])
    fills = np.stack([groove("rock", seed, fill=True) for seed in range(100)])
    toms = [VOICE_INDEX[name] for name in ("low_tom", "mid_tom", "high_tom")]
    end = slice(24, 32)
    drums = [SNARE, *toms]
    assert fills[:, end][:, :, drums, LEVEL].sum() > 1.5 * plain[:, end][:, :, drums, LEVEL].sum()
    assert not fills[:, end, HAT, LEVEL].any()
    assert fills[:, :8, HAT, LEVEL].any()


def test_windows_come_style_by_style_with_a_share_of_fills():
    windows = make_windows(300, ["techno", "funk"], seed=2, fill_share=0.2)
    assert windows.cells.shape == (600, *GRID_SHAPE)
    assert windows.style.tolist() == [STYLE_INDEX["techno"]] * 300 + [STYLE_INDEX["funk"]] * 300
    assert 0.15 < windows.fill.mean() < 0.25
    assert not make_windows(50, ["funk"], seed=2, fill_share=0.0).fill.any()


def test_a_styles_grooves_do_not_depend_on_its_company():
    alone = make_windows(20, ["funk"], seed=3)
    together = make_windows(20, ["techno", "funk"], seed=3)
    assert np.array_equal(alone.cells, together.cells[20:])
    assert not np.array_equal(alone.cells, make_windows(20, ["funk"], seed=4).cells)
