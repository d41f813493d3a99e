"""Between the nodes of a map the latent moves without a step; maps that do not fit are refused."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.contract.latent import Maps, interpolate
from device.errors import ContractError

places = st.floats(0.0, 1.0)
STYLES, CLASSES, VOICES, Z, W, G, H = 3, 13, 9, 4, 5, 4, 3
SIZES = {"styles": STYLES, "classes": CLASSES, "voices": VOICES, "rhythm_size": Z, "sound_size": W}


def lattice(seed=1, shape=(5, 7, 3)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def maps(**changes):
    draw = np.random.default_rng(2)
    shapes = {
        "rhythm_nodes": (G, G, Z),
        "node_styles": (G, G, STYLES),
        "sound_nodes": (CLASSES, H, H, W),
        "sound_bright": (CLASSES, W),
        "sound_decay": (CLASSES, W),
        "kit_classes": (STYLES, VOICES),
        "kit_places": (STYLES, VOICES, 2),
        "kit_latents": (STYLES, VOICES, W),
    }
    arrays = {name: draw.random(shape, np.float32) for name, shape in shapes.items()}
    arrays["kit_classes"] = draw.integers(0, CLASSES, shapes["kit_classes"])
    return Maps(**arrays | changes)


@given(st.integers(0, 4), st.integers(0, 6))
def test_at_a_node_the_latent_is_the_nodes(row, column):
    nodes = lattice()
    assert np.allclose(interpolate(nodes, column / 6, row / 4), nodes[row, column], atol=1e-5)


@given(places, places)
def test_between_nodes_no_number_leaves_the_range_of_the_nodes(x, y):
    nodes = lattice()
    value = interpolate(nodes, x, y)
    assert value.dtype == np.float32
    assert value.shape == (3,)
    assert (value >= nodes.min((0, 1)) - 1e-5).all()
    assert (value <= nodes.max((0, 1)) + 1e-5).all()


@given(places, places, st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3))
def test_a_small_turn_makes_a_small_change(x, y, dx, dy):
    nodes = lattice()
    steepest = 2 * np.abs(np.diff(nodes, axis=0)).max() * 4 + 2 * np.abs(np.diff(nodes, axis=1)).max() * 6
    change = np.abs(interpolate(nodes, x + dx, y + dy) - interpolate(nodes, x, y)).max()
    assert change <= steepest * max(abs(dx), abs(dy)) + 1e-4


@given(places, places)
def test_a_plane_is_read_exactly(x, y):
    rows, columns = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 7), indexing="ij")
    nodes = np.stack([columns, rows, columns + rows], -1).astype(np.float32)
    assert np.allclose(interpolate(nodes, x, y), (x, y, x + y), atol=1e-5)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_beyond_the_edge_the_edge_goes_on(x, y):
    nodes = lattice()
    inside = interpolate(nodes, min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))
    assert np.array_equal(interpolate(nodes, x, y), inside)


def test_a_map_of_one_place_is_that_place_everywhere():
    nodes = lattice(shape=(1, 1, 3))
    assert np.array_equal(interpolate(nodes, 0.3, 0.9), nodes[0, 0])


def test_the_first_axis_is_y_and_the_second_is_x():
    nodes = np.zeros((2, 2, 1), np.float32)
    nodes[0, 1] = 1.0
    assert interpolate(nodes, 1.0, 0.0) == 1.0
    assert interpolate(nodes, 0.0, 1.0) == 0.0


def test_maps_are_copied_and_read_only():
    source = lattice(shape=(G, G, Z))
    held = maps(rhythm_nodes=source)
    source[:] = 0.0
    assert held.rhythm_nodes.any()
    for field in fields(Maps):
        assert not getattr(held, field.name).flags.writeable


@pytest.mark.parametrize("name", [field.name for field in fields(Maps) if field.name != "kit_classes"])
def test_a_map_with_a_value_that_is_no_number_is_refused_by_name(name):
    array = np.array(getattr(maps(), name))
    array.flat[0] = np.nan
    with pytest.raises(ContractError, match=f"map {name} has a value that is not a number"):
        maps(**{name: array})


def test_maps_of_the_manifests_sizes_are_accepted():
    maps().check(**SIZES)


@pytest.mark.parametrize("name", [field.name for field in fields(Maps)])
def test_a_map_of_another_shape_is_refused_with_both_shapes(name):
    held = maps()
    array = np.concatenate([getattr(held, name)] * 2, axis=-1)
    with pytest.raises(ContractError, match=f"map {name} is .* the manifest wants"):
        replace(held, **{name: array}).check(**SIZES)


@pytest.mark.parametrize("number", [-1, CLASSES])
def test_a_kit_with_a_sound_class_the_manifest_lacks_is_refused(number):
    classes = np.array(maps().kit_classes)
    classes[0, 0] = number
    with pytest.raises(ContractError, match="names class"):
        maps(kit_classes=classes).check(**SIZES)
