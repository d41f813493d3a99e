"""Checkpoints: weights that carry the recipe they were made by, written so that no crash can tear them.

    RUN/checkpoint.pt   everything needed to go on: weights, their average, optimizer, step, log sums
    RUN/model.pt        the best evaluated weights, with configuration and metrics: what ``load_run`` reads

Files hold tensors and plain values only and are read with ``weights_only=True``, so a foreign file cannot
run code. A file is written beside its place, synced and renamed over it.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from device.errors import DataError, ModelError
from training.config import RunConfig
from training.task import Metrics, checked_config, task_module

FORMAT: Final = "latido-training-1"
CHECKPOINT: Final = "checkpoint.pt"
MODEL: Final = "model.pt"


def write_atomically(path: Path, content: dict[str, Any]) -> None:
    """Save ``content`` to ``path``; a reader sees the old file or the new one, never a part."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        torch.save({"format": FORMAT, **content}, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_checked(path: Path) -> dict[str, Any]:
    """Load a file of ours. Raises DataError when it is missing, torn or foreign."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch wonders aloud about foreign files; we refuse them anyway
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"{path.parent} holds no {path.name}: is it the folder of a training?") from error
    except Exception as error:  # a foreign file can make the unpickler fail in any way
        why = (str(error) or "it ends too soon").splitlines()[0]
        raise DataError(f"{path} cannot be read as a training of ours: {why}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is of another format, this version reads {FORMAT}: train again")
    return content


@dataclass(frozen=True, slots=True)
class Run:
    """A finished or running training: its model in evaluation mode, its configuration and last metrics."""

    folder: Path
    config: RunConfig
    model: nn.Module
    step: int
    metrics: Metrics


def load_run(folder: Path) -> Run:
    """Rebuild the best model of a run from its own folder. Raises DataError or ModelError."""
    content = read_checked(folder / MODEL)
    config = checked_config(content["config"])
    model = task_module(config.task).build_model(config)
    try:
        model.load_state_dict(content["weights"])
    except RuntimeError as error:
        raise ModelError(
            f"{folder / MODEL} does not fit its own recipe, it was made by another version: train again"
        ) from error
    model.eval()
    return Run(folder, config, model, int(content["step"]), dict(content["metrics"]))
