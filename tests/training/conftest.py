"""The toy task, in the table of tasks for the length of a test."""

from pathlib import Path

import pytest

from training import task as tasks

HERE = Path(__file__).resolve().parent


@pytest.fixture
def toy(monkeypatch):
    """Makes a configuration of the toy task; tables are merged over a run of twelve steps."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setitem(tasks.TASKS, "toy", "toy")

    def configure(*, seed=1, model=None, data=None, **loop):
        steps = {"steps": 12, "batch_size": 8, "warmup_steps": 2, "log_every": 1, "evaluate_every": 4, "save_every": 4}
        table = {"task": "toy", "seed": seed, "loop": {**steps, **loop}, "model": model or {}, "data": data or {}}
        return tasks.checked_config(table)

    return configure
