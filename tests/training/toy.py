"""A task so small that a whole training takes a blink: a line with noise, learned through dropout.

Its batches draw from numpy and its loss from torch, so a resumed run only repeats an interrupted one when
both are seeded as the loop promises.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from training.report import panels
from training.task import Task


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Width of the hidden layer."""

    width: int = 8


@dataclass(frozen=True, slots=True)
class DataConfig:
    """How hard the line is, and where the task goes wrong on purpose."""

    noise: float = 0.1
    nan_at: int = -1
    step_seconds: float = 0.0
    names: tuple[str, ...] = ()


SECTIONS = {"model": ModelConfig, "data": DataConfig}


def build_model(config):
    """A small network with dropout and a counter that is no float."""
    torch.manual_seed(config.seed)
    width = config.section("model", ModelConfig).width
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 1))


def build_task(config, data):
    """The network with its line."""
    return Line(build_model(config), config.section("data", DataConfig), config.loop.batch_size)


class Line(Task):
    """y = 2 a - b."""

    def __init__(self, model, config, batch_size):
        self.model, self.config, self.batch_size = model, config, batch_size

    def train_batch(self, step, random):
        points = torch.from_numpy(random.normal(size=(self.batch_size, 2)).astype(np.float32))
        return {"points": points, "values": 2 * points[:, :1] - points[:, 1:]}

    def loss(self, model, batch, step):
        time.sleep(self.config.step_seconds)
        blurred = batch["values"] + self.config.noise * torch.randn_like(batch["values"])
        loss = ((model(batch["points"]) - blurred) ** 2).mean()
        return loss * (torch.nan if step == self.config.nan_at else 1.0), {"double": 2 * loss.detach()}

    def evaluate(self, model):
        points = torch.from_numpy(np.random.default_rng(5).normal(size=(64, 2)).astype(np.float32))
        return {"loss": float(((model(points) - 2 * points[:, :1] + points[:, 1:]) ** 2).mean())}

    def finish(self, model, folder):
        (folder / "map.txt").write_text("laid out")

    def report(self, model, report, folder):
        report.heading("Line")
        figure, (axis,) = panels(1, 1, (2.0, 2.0))
        axis.plot([0, 1], [0, 2])
        report.picture("line", figure, "The line.")
        report.sound("loud", np.linspace(-2, 2, 100, dtype=np.float32), 8000, "a ramp, too loud")


if __name__ == "__main__":  # the command line with this task in its table, as a process of its own
    import sys

    from training.cli import main
    from training.task import TASKS

    TASKS["toy"] = "toy"
    sys.exit(main())
