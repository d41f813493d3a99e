"""Checkpoints: torn by no crash, trusted only as data, refused when they are not ours."""

import pickle

import pytest
import torch

from device.errors import DataError, ModelError
from training.checkpoint import FORMAT, MODEL, load_run, read_checked, write_atomically


def saved(toy, folder, **changes):
    from training.task import task_module

    config = toy()
    model = task_module("toy").build_model(config)
    content = {"config": dict(config.table), "step": 3, "metrics": {"loss": 0.5}, "weights": model.state_dict()}
    write_atomically(folder / MODEL, content | changes)
    return model


def test_what_was_saved_is_read_back(tmp_path):
    write_atomically(tmp_path / "a.pt", {"step": 3, "weights": {"w": torch.arange(3)}})
    content = read_checked(tmp_path / "a.pt")
    assert content["step"] == 3
    assert torch.equal(content["weights"]["w"], torch.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]  # nothing is left beside it


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    write_atomically(tmp_path / "a.pt", {"step": 1})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        write_atomically(tmp_path / "a.pt", {"step": lambda: 2})
    assert read_checked(tmp_path / "a.pt")["step"] == 1


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_torn_file_is_refused(tmp_path, keep):
    path = tmp_path / "a.pt"
    write_atomically(path, {"weights": torch.zeros(1000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(DataError, match=r"a\.pt cannot be read as a training of ours"):
        read_checked(path)


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04nonsense", b"\x80\x04.", bytes(1000)])
def test_a_foreign_file_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_checked(path)
    assert "\n" not in str(error.value)


class Touch:
    """Unpickled naively, it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path):
    torch.save({"format": FORMAT, "weights": Touch(str(tmp_path / "touched"))}, tmp_path / "a.pt")
    with pytest.raises(DataError, match="cannot be read"):
        read_checked(tmp_path / "a.pt")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("content", [{"format": "latido-training-0"}, {"weights": 1}, [1, 2], 3])
def test_another_format_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(DataError, match=f"this version reads {FORMAT}"):
        read_checked(tmp_path / "a.pt")


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(DataError, match=r"holds no model\.pt: is it the folder of a training\?"):
        load_run(tmp_path)


def test_a_run_is_rebuilt_from_its_folder_alone(toy, tmp_path):
    model = saved(toy, tmp_path)
    run = load_run(tmp_path)
    assert (run.step, run.metrics, run.config.task, run.folder) == (3, {"loss": 0.5}, "toy", tmp_path)
    assert all(torch.equal(value, run.model.state_dict()[name]) for name, value in model.state_dict().items())
    assert not run.model.training


def test_weights_that_do_not_fit_their_own_recipe_are_refused(toy, tmp_path):
    saved(toy, tmp_path, weights={"w": torch.zeros(1)})
    with pytest.raises(ModelError, match="does not fit its own recipe"):
        load_run(tmp_path)
