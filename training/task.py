"""What the loop asks of a task, and the table of tasks.

A task's module brings

    SECTIONS                      name -> dataclass of each of its configuration tables
    build_model(config)           the model alone, with fresh weights: enough to load a checkpoint
    build_task(config, data)      the model with its data; ``data`` is the dataset folder or None

All randomness of a step comes from the generator the loop hands over (numpy) or from torch's global one,
which the loop seeds before every step from (seed, step, process). So a step depends on nothing but the
weights before it, and a resumed run repeats the interrupted one exactly.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from torch import Tensor, nn

from device.errors import SettingError
from training.config import RunConfig, Table, nearest, parse_config

if TYPE_CHECKING:
    from training.report import Report

TASKS: Final = {"rhythm": "training.patterns.task", "sound": "training.sounds.task"}
Batch = dict[str, Tensor]
Metrics = dict[str, float]


class Task(ABC):
    """One model with its data. ``model.forward`` must be what ``loss`` calls, so that processes stay in step."""

    model: nn.Module

    @abstractmethod
    def train_batch(self, step: int, random: np.random.Generator) -> Batch:
        """Tensors of one training batch on the CPU; the same for the same step and generator."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise, and numbers to log. ``model`` may be wrapped: call it, do not look inside."""

    @abstractmethod
    def evaluate(self, model: nn.Module) -> Metrics:
        """Numbers on the validation data, in evaluation mode without gradients; the same at every call."""

    def score(self, metrics: Metrics) -> float:
        """Higher is better; the best evaluated weights are the ones a run is rebuilt with."""
        return -metrics["loss"]

    def finish(self, model: nn.Module, folder: Path) -> None:  # noqa: B027 (a task may have nothing to finish)
        """After training, with the best weights: change ``model`` (calibration) or write maps into ``folder``."""

    def report(self, model: nn.Module, report: "Report", folder: Path) -> None:  # noqa: B027 (nor to report)
        """Add the task's own pictures, sounds and tables."""


class TaskModule(Protocol):
    """The functions and the table a task's module brings."""

    SECTIONS: Mapping[str, type]

    def build_model(self, config: RunConfig) -> nn.Module:
        """The model alone, with fresh weights."""
        ...

    def build_task(self, config: RunConfig, data: Path | None) -> Task:
        """The model with its data."""
        ...


def task_module(name: str) -> TaskModule:
    """Import the module of a task. Raises SettingError for an unknown name."""
    if name not in TASKS:
        raise SettingError(f"unknown task {name!r}{nearest(name, TASKS)}")
    module: TaskModule = importlib.import_module(TASKS[name])
    return module


def checked_config(table: Table) -> RunConfig:
    """A configuration checked against its task's tables. Raises SettingError."""
    if "task" not in table:
        raise SettingError(f"the configuration names no task: begin it with task = one of {', '.join(sorted(TASKS))}")
    return parse_config(table, task_module(str(table["task"])).SECTIONS)
