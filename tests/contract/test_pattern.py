"""A pattern is a value: checked once, never changed, equal when its cells are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from device.contract.pattern import GRID_SHAPE, LEVEL, OFFSET, VELOCITY, PatternGrid
from device.errors import ContractError, LatidoError


def cells(step=0, voice=0, plane=LEVEL, value=1.0):
    array = np.zeros(GRID_SHAPE, np.float32)
    array[step, voice, plane] = value
    return array


@pytest.mark.parametrize("shape", [(16, 9, 3), (32, 8, 3), (32, 9), (0, 9, 3), (1, 32, 9, 3)])
def test_another_shape_is_refused_with_both_shapes_named(shape):
    with pytest.raises(ContractError) as error:
        PatternGrid(np.zeros(shape, np.float32))
    assert str(shape) in str(error.value)
    assert str(GRID_SHAPE) in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [PatternGrid, PatternGrid.clipped])
def test_a_value_that_is_no_number_is_refused(make, value):
    with pytest.raises(ContractError, match="not a number"):
        make(cells(value=value))


@pytest.mark.parametrize(
    ("plane", "value", "name"),
    [(LEVEL, 1.01, "level"), (LEVEL, -0.01, "level"), (VELOCITY, 2.0, "velocity"), (OFFSET, 0.51, "offset"), (OFFSET, -0.6, "offset")],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_and_named(plane, value, name):
    with pytest.raises(ContractError, match=f"pattern {name} must be"):
        PatternGrid(cells(plane=plane, value=value))


def test_an_error_of_the_contract_is_ours_and_a_value_error():
    assert issubclass(ContractError, LatidoError)
    assert issubclass(ContractError, ValueError)


def test_a_pattern_does_not_change_when_its_source_does_nor_by_hand():
    source = cells()
    grid = PatternGrid(source)
    source[0, 0, LEVEL] = 0.0
    assert grid.levels[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        grid.cells[0, 0, LEVEL] = 0.5


def test_equal_cells_make_equal_patterns_with_equal_hashes():
    assert PatternGrid(cells()) == PatternGrid(cells())
    assert hash(PatternGrid(cells())) == hash(PatternGrid(cells()))
    assert PatternGrid(cells()) != PatternGrid(cells(step=1))
    assert PatternGrid.empty() != "a pattern"


def test_a_pattern_says_how_many_hits_are_likely():
    assert repr(PatternGrid(cells())) == "PatternGrid(1 likely hits)"
    assert repr(PatternGrid.empty()) == "PatternGrid(0 likely hits)"


def test_the_planes_are_views_of_level_velocity_and_offset():
    array = np.zeros(GRID_SHAPE, np.float32)
    array[3, 2] = (0.5, 0.25, -0.125)
    grid = PatternGrid(array)
    assert (grid.levels[3, 2], grid.velocities[3, 2], grid.offsets[3, 2]) == (0.5, 0.25, -0.125)
    assert grid.levels.shape == grid.velocities.shape == grid.offsets.shape == (32, 9)


@given(hnp.arrays(np.float32, GRID_SHAPE, elements=st.floats(-4, 4, width=32), fill=st.floats(-4, 4, width=32)))
def test_what_a_model_gives_is_brought_into_range_and_nothing_else_is_changed(array):
    grid = PatternGrid.clipped(array)
    inside = np.clip(array, (0.0, 0.0, -0.5), (1.0, 1.0, 0.5)).astype(np.float32)
    assert np.array_equal(grid.cells, inside)
    assert PatternGrid.clipped(grid.cells) == grid


def test_clipping_does_not_hide_another_shape():
    with pytest.raises(ContractError, match="this device plays"):
        PatternGrid.clipped(np.zeros((16, 9, 3)))
