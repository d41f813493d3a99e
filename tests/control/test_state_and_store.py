"""What the player has set survives a restart, a corrupt file and another version's table."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.control import store
from device.control.state import fresh_state, grid_bytes, mended
from device.errors import ContractError, LatidoError
from device.parameters import PARAMETERS


@pytest.fixture
def saved():
    state = fresh_state(7).moved("density", 0.25).moved("tone_x", 0.9, voice=3)
    state = msgspec.structs.replace(state, offset=(0.5, -1.25), kept=grid_bytes(PatternGrid.empty()))
    scene = store.Scene(state, grid_bytes(PatternGrid.empty()), "toy")
    return store.Saved(state, voice=4, playing=True, scene=2, scenes=(scene,) + (None,) * 15, undo=(fresh_state(),))


def test_a_fresh_state_has_every_parameter_at_its_default():
    state = fresh_state()
    for entry in PARAMETERS:
        if entry.name != "pan":
            assert state.value(entry.name) == pytest.approx(entry.default)


@given(st.sampled_from(PARAMETERS), st.floats(-2, 3), st.integers(0, 8))
def test_moving_one_parameter_leaves_all_others_and_the_old_state_alone(entry, position, voice):
    before = fresh_state()
    after = before.moved(entry.name, position, voice)
    assert before == fresh_state()
    assert after.position(entry.name, voice) == min(max(position, 0.0), 1.0)
    assert after.moved(entry.name, before.position(entry.name, voice), voice) == before


def test_what_was_saved_comes_back_exactly(tmp_path, saved):
    store.save(tmp_path / "new" / "folder", saved)
    assert store.load(tmp_path / "new" / "folder") == (saved, "")


def test_nothing_saved_yet_is_no_trouble(tmp_path):
    assert store.load(tmp_path) == (None, "")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"state": 3}', b"\xff\xfe\x00", b'{"version":9,"state":{"globals":{},"voices":{},"classes":[]}}'],
)
def test_a_file_that_cannot_be_read_is_set_aside_and_said_in_one_line(tmp_path, content):
    (tmp_path / store.FILE_NAME).write_bytes(content)
    found, message = store.load(tmp_path)
    assert found is None
    assert "set aside as player.json.unreadable-1" in message
    assert "\n" not in message
    assert (tmp_path / "player.json.unreadable-1").read_bytes() == content
    assert not (tmp_path / store.FILE_NAME).exists()


def test_a_second_corrupt_file_does_not_replace_the_first(tmp_path):
    for content in (b"one", b"two"):
        (tmp_path / store.FILE_NAME).write_bytes(content)
        store.load(tmp_path)
    assert (tmp_path / "player.json.unreadable-1").read_bytes() == b"one"
    assert (tmp_path / "player.json.unreadable-2").read_bytes() == b"two"


def test_every_truncation_of_a_saved_file_is_either_set_aside_or_whole(tmp_path, saved):
    data = msgspec.json.encode(saved)
    for length in range(0, len(data), 97):
        (tmp_path / store.FILE_NAME).write_bytes(data[:length])
        assert store.load(tmp_path)[0] is None


def test_the_saver_writes_the_newest_wish_before_it_closes(tmp_path, saved):
    saver = store.Saver(tmp_path)
    for voice in range(9):
        saver.save(msgspec.structs.replace(saved, voice=voice))
    saver.close()
    saver.close()
    assert store.load(tmp_path)[0] == msgspec.structs.replace(saved, voice=8)
    assert saver.trouble == ""


def test_a_folder_that_cannot_be_written_is_said_and_not_raised(tmp_path, saved):
    (tmp_path / "file").write_text("in the way")
    saver = store.Saver(tmp_path / "file")
    saver.save(saved)
    saver.close()
    assert "cannot save to" in saver.trouble


def test_a_state_of_another_table_is_mended():
    state = fresh_state(3)
    globals_ = {**state.globals, "gone": 0.3, "x": 7.0}
    del globals_["swing"]
    other = msgspec.structs.replace(state, globals=globals_, voices={"tone_x": (0.1,)}, offset=(1.0,), kit=40)
    found = mended(other, styles=4, latent_size=8)
    assert found == fresh_state(3).moved("x", 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ("kick",) * 8},
        {"classes": ("bagpipe",) * 9},
        {"globals": {"x": float("nan")}},
        {"kept": b"short"},
        {"kept": np.full(GRID_SHAPE, 3, "<f4").tobytes()},
    ],
)
def test_a_state_that_cannot_be_mended_is_refused(change):
    with pytest.raises(ContractError):
        mended(msgspec.structs.replace(fresh_state(), **change), styles=4, latent_size=8)


def test_what_else_is_to_be_written_is_written_by_the_same_thread_and_trouble_is_said(tmp_path, saved):
    done = []

    def fails():
        raise LatidoError("the disk is full")

    saver = store.Saver(tmp_path)
    saver.also(lambda: done.append(1))
    saver.save(saved)
    saver.also(fails)
    saver.close()
    assert done == [1]
    assert saver.trouble == "the disk is full"
