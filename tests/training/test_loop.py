"""One loop for every task: a pause changes nothing, a crash costs nothing, a mistake overwrites nothing."""

import json
import math
import os
import signal
import threading
from itertools import pairwise

import numpy as np
import pytest
import torch
from rich.console import Console

from device.errors import DataError, ModelError, SettingError
from training.checkpoint import CHECKPOINT, MODEL, load_run, read_checked
from training.config import LoopConfig
from training.loop import (
    METRICS,
    evaluate,
    interruptible,
    keep_until,
    launch,
    learning_rate_at,
    read_metrics,
    seed_step,
    swapped,
    train,
)
from training.runs import parameter_count, run_training, write_report
from training.task import task_module


@pytest.fixture
def quiet():
    return Console(quiet=True)


def training(config, folder, console, *, resume=False, task=None):
    task = task or task_module("toy").build_task(config, None)
    return train(launch(config.loop), config, task, folder, resume=resume, console=console)


def weights(folder, name="weights"):
    return read_checked(folder / CHECKPOINT)[name]


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def numbers(folder):
    """The metrics file without the clock."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_metrics(folder / METRICS)]


def stopping_at(config, step):
    """The toy task, asking for an end (as Ctrl-C would) while it draws the batch of a step."""
    task = task_module("toy").build_task(config, None)
    draw = task.train_batch

    def train_batch(at, random):
        if at == step:
            signal.raise_signal(signal.SIGINT)
        return draw(at, random)

    task.train_batch = train_batch
    return task


def test_the_same_seed_gives_the_same_training_and_another_seed_another(toy, tmp_path, quiet):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert training(toy(seed=seed), tmp_path / name, quiet)
    assert numbers(tmp_path / "one") == numbers(tmp_path / "again")
    assert same(weights(tmp_path / "one"), weights(tmp_path / "again"))
    assert numbers(tmp_path / "one") != numbers(tmp_path / "other")


def test_a_training_learns(toy, tmp_path, quiet):
    config = toy(steps=200, learning_rate=0.02, average_decay=0.9, evaluate_every=50)
    assert training(config, tmp_path, quiet)
    validation = [row["loss"] for row in numbers(tmp_path) if row["split"] == "validation"]
    assert validation[-1] < 0.1 * 5.0  # the variance of 2 a - b


@pytest.mark.parametrize("stop", [0, 5, 7, 10])
def test_an_interrupted_and_resumed_training_repeats_the_whole_one_exactly(toy, tmp_path, quiet, stop):
    config = toy(log_every=3)  # so that a pause falls into the middle of an average
    assert training(config, tmp_path / "whole", quiet)
    assert not training(config, tmp_path / "paused", quiet, task=stopping_at(config, stop))
    assert read_checked(tmp_path / "paused" / CHECKPOINT)["step"] == stop + 1  # the step at work was finished
    assert training(config, tmp_path / "paused", quiet, resume=True)
    assert numbers(tmp_path / "paused") == numbers(tmp_path / "whole")
    for name in ("weights", "average"):
        assert same(weights(tmp_path / "paused", name), weights(tmp_path / "whole", name))
    assert same(load_run(tmp_path / "paused").model.state_dict(), load_run(tmp_path / "whole").model.state_dict())


def test_a_training_killed_between_checkpoints_goes_on_from_the_last_one(toy, tmp_path, quiet):
    config = toy()
    assert training(config, tmp_path / "whole", quiet)

    task = task_module("toy").build_task(config, None)
    draw = task.train_batch

    def train_batch(step, random):
        if step == 10:
            raise MemoryError
        return draw(step, random)

    task.train_batch = train_batch
    with pytest.raises(MemoryError):
        training(config, tmp_path / "killed", quiet, task=task)
    assert read_checked(tmp_path / "killed" / CHECKPOINT)["step"] == 8
    assert [row["step"] for row in numbers(tmp_path / "killed")][-1] == 10  # more was logged than saved
    assert training(config, tmp_path / "killed", quiet, resume=True)
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))


def test_a_finished_training_can_be_made_longer(toy, tmp_path, quiet):
    assert training(toy(steps=4), tmp_path, quiet)
    assert training(toy(steps=6), tmp_path, quiet, resume=True)
    assert read_checked(tmp_path / CHECKPOINT)["step"] == 6


def test_a_folder_that_holds_a_training_is_refused_and_left_alone(toy, tmp_path, quiet):
    training(toy(steps=2), tmp_path, quiet)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="already holds a training: --resume continues it, --out names another"):
        training(toy(steps=2), tmp_path, quiet)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_there_must_be_something_to_resume(toy, tmp_path, quiet):
    with pytest.raises(DataError, match=r"holds no checkpoint\.pt to resume: start without --resume"):
        training(toy(), tmp_path / "new", quiet, resume=True)
    assert not (tmp_path / "new").exists()


def test_another_recipe_cannot_be_resumed(toy, tmp_path, quiet):
    training(toy(steps=2), tmp_path, quiet)
    with pytest.raises(SettingError, match=r"another recipe \(model\.width was None, now 9\)"):
        training(toy(steps=3, model={"width": 9}), tmp_path, quiet, resume=True)


def test_a_mistake_is_found_before_the_data_is_read(toy, tmp_path, quiet, monkeypatch):
    training(toy(steps=2), tmp_path, quiet)
    monkeypatch.setattr(task_module("toy"), "build_task", lambda *_: pytest.fail("the data was read"))
    with pytest.raises(DataError, match="already holds a training"):
        run_training(toy(steps=2), tmp_path, None, console=quiet)


@pytest.mark.parametrize("name", ["file", "file/run", "shut", "shut/run"])
def test_a_folder_that_cannot_be_written_is_said_before_the_data_is_read(toy, tmp_path, quiet, monkeypatch, name):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "shut").mkdir(mode=0o500)
    if name.startswith("shut") and os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    monkeypatch.setattr(task_module("toy"), "build_task", lambda *_: pytest.fail("the data was read"))
    with pytest.raises(DataError, match=rf"cannot write into .*{name} \(.+\): choose another folder with --out$"):
        run_training(toy(steps=2), tmp_path / name, None, console=quiet)


def test_a_loss_that_is_no_number_ends_the_training_and_keeps_the_last_checkpoint(toy, tmp_path, quiet):
    with pytest.raises(ModelError, match=r"not a number at step 6: lower loop\.learning_rate \(now 0\.001\)"):
        training(toy(data={"nan_at": 6}), tmp_path, quiet)
    assert read_checked(tmp_path / CHECKPOINT)["step"] == 4


def test_the_best_evaluated_weights_are_kept_not_the_last(toy, tmp_path, quiet):
    config = toy(steps=12)
    task = task_module("toy").build_task(config, None)
    scores = iter((1.0, 3.0, 2.0))
    task.score = lambda metrics: next(scores)
    training(config, tmp_path, quiet, task=task)
    assert read_checked(tmp_path / MODEL)["step"] == 8
    assert read_checked(tmp_path / CHECKPOINT)["best"] == 3.0


def test_what_is_evaluated_and_shipped_is_the_average_of_the_weights(toy, tmp_path, quiet):
    config = toy(steps=8, evaluate_every=8)
    training(config, tmp_path / "averaged", quiet)
    assert same(read_checked(tmp_path / "averaged" / MODEL)["weights"], weights(tmp_path / "averaged", "average"))
    assert not same(weights(tmp_path / "averaged", "average"), weights(tmp_path / "averaged"))
    config = toy(steps=8, evaluate_every=8, average_decay=0.0)
    training(config, tmp_path / "plain", quiet)
    assert same(weights(tmp_path / "plain", "average"), weights(tmp_path / "plain"))


def test_the_learning_rate_warms_up_and_comes_down_without_a_step():
    loop = LoopConfig(steps=100, learning_rate=1.0, warmup_steps=10, final_rate=0.1)
    rates = [learning_rate_at(loop, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))
    assert rates[100] == pytest.approx(0.1)
    assert max(abs(np.diff(rates))) < 0.11
    assert all(math.isfinite(learning_rate_at(LoopConfig(steps=1, warmup_steps=0), step)) for step in range(3))


def test_every_step_and_process_draws_its_own_numbers_and_again_the_same():
    def draw(*key):
        return (*seed_step(*key).random(3), *torch.rand(3).tolist())

    draws = {key: draw(*key) for key in ((1, 0, 0), (1, 1, 0), (1, 0, 1), (2, 0, 0))}
    assert len(set(draws.values())) == 4
    assert all(draw(*key) == value for key, value in draws.items())


def test_weights_are_lent_and_given_back(toy):
    model = task_module("toy").build_model(toy())
    own = {name: value.clone() for name, value in model.state_dict().items()}
    lent = {name: torch.zeros_like(value) for name, value in own.items()}
    with swapped(model, lent):
        assert same(model.state_dict(), lent)
    assert same(model.state_dict(), own)


def test_weights_are_given_back_after_a_mistake_too(toy):
    model = task_module("toy").build_model(toy())
    own = {name: value.clone() for name, value in model.state_dict().items()}

    def fail():
        with swapped(model, {name: torch.ones_like(value) for name, value in own.items()}):
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert same(model.state_dict(), own)


def test_an_evaluation_changes_nothing_and_repeats_itself(toy):
    config = toy()
    task = task_module("toy").build_task(config, None)
    before, state = {name: value.clone() for name, value in task.model.state_dict().items()}, torch.get_rng_state()
    assert evaluate(task, task.model) == evaluate(task, task.model)
    assert same(task.model.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_torn_metrics_file_is_read_up_to_the_tear(tmp_path):
    path = tmp_path / METRICS
    rows = [{"step": step, "split": "train", "loss": 1.0} for step in (1, 2, 3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4, "spl')
    assert read_metrics(path) == rows
    keep_until(path, 2)
    assert path.read_text() == "".join(json.dumps(row) + "\n" for row in rows[:2])
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_a_resumed_training_mends_a_torn_metrics_file(toy, tmp_path, quiet):
    assert training(toy(), tmp_path / "whole", quiet)
    config = toy()
    training(config, tmp_path / "torn", quiet, task=stopping_at(config, 5))
    with (tmp_path / "torn" / METRICS).open("a") as file:
        file.write('{"step": 7, "split": "tra')
    assert training(config, tmp_path / "torn", quiet, resume=True)
    assert numbers(tmp_path / "torn") == numbers(tmp_path / "whole")


def test_outside_the_main_thread_nothing_is_interrupted_and_nothing_breaks():
    seen = []

    def run():
        with interruptible() as asked:
            seen.append(asked())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]


def test_a_whole_run_lays_out_its_map_and_writes_its_report(toy, tmp_path, quiet):
    assert run_training(toy(), tmp_path / "run", None, console=quiet)
    assert (tmp_path / "run" / "map.txt").read_text() == "laid out"
    page = (tmp_path / "run" / "report" / "report.md").read_text()
    run = load_run(tmp_path / "run")
    assert f"{parameter_count(run.model)} parameters" in page
    assert not run.model.training
    for name in ("curves.png", "line.png", "loud.wav"):
        assert f"({name})" in page
        assert (tmp_path / "run" / "report" / name).stat().st_size > 100


def test_an_interrupted_run_has_neither_map_nor_report_yet(toy, tmp_path, quiet, monkeypatch):
    config = toy()
    task = stopping_at(config, 5)
    monkeypatch.setattr(task_module("toy"), "build_task", lambda *_: task)
    assert not run_training(config, tmp_path, None, console=quiet)
    assert not (tmp_path / "map.txt").exists()
    assert not (tmp_path / "report").exists()


def test_a_report_can_be_left_out_and_written_later(toy, tmp_path, quiet):
    run_training(toy(), tmp_path, None, report=False, console=quiet)
    assert not (tmp_path / "report").exists()
    assert write_report(tmp_path, None).is_file()
