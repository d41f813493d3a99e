"""One training loop for every task, on Lightning Fabric.

The idea: a step is a pure function of (weights, optimizer, seed, step). Batches and noise are drawn from
generators seeded by the step number, the learning rate is computed from it, and so a checkpoint is small
and a resumed run gives the same losses as one that was never interrupted.

Ctrl-C or SIGTERM ends the run after the step at work and saves it; a second Ctrl-C ends it at once.
"""

import json
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from device.errors import DataError, ModelError, SettingError
from training.checkpoint import CHECKPOINT, MODEL, read_checked, write_atomically
from training.config import LoopConfig, RunConfig, first_difference
from training.progress import TrainingProgress
from training.task import Batch, Metrics, Task

METRICS: Final = "metrics.jsonl"


@dataclass(slots=True)
class State:
    """What changes from step to step besides the optimizer."""

    step: int = 0
    average: dict[str, Tensor] = field(default_factory=dict)  # moving average of the weights
    sums: dict[str, float] = field(default_factory=dict)  # of what was logged since the last line
    best: float = -math.inf


def launch(loop: LoopConfig) -> Fabric:
    """The processes a configuration asks for: with several devices, this line is where the others begin."""
    if loop.threads:
        torch.set_num_threads(loop.threads)
    fabric = Fabric(
        accelerator=loop.accelerator,
        devices=loop.devices,
        num_nodes=loop.nodes,
        precision=loop.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def train(
    fabric: Fabric,
    config: RunConfig,
    task: Task,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> bool:
    """Train ``task`` into ``folder``. True when all steps are done, False when it was interrupted and saved.

    Raises DataError when the folder already holds a training (unless ``resume``), SettingError when a resumed
    recipe changed, ModelError when the loss is no longer a number.
    """
    checkpoint = check_folder(config, folder, resume)
    return _Trainer(config, task, folder, fabric, console or Console()).run(checkpoint)


def check_folder(config: RunConfig, folder: Path, resume: bool) -> dict[str, Any] | None:
    """The checkpoint to go on from, or None for a fresh start; then the folder is there and can be written.

    Nothing is written before this has passed. Raises DataError and SettingError, see ``train``.
    """
    try:
        exists = (folder / CHECKPOINT).exists()
    except OSError as error:  # a folder we may not look into
        raise _not_writable(folder, error.strerror) from error
    if exists and not resume:
        raise DataError(f"{folder} already holds a training: --resume continues it, --out names another folder")
    if not exists:
        if resume:
            raise DataError(f"{folder} holds no {CHECKPOINT} to resume: start without --resume")
        _make(folder)
        return None
    checkpoint = read_checked(folder / CHECKPOINT)
    changed = first_difference(checkpoint["config"], config.table)
    if changed:
        raise SettingError(f"{folder} was trained by another recipe ({changed}): use that one or another --out")
    _make(folder)
    return checkpoint


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error.strerror) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _not_writable(folder, "no permission")


def _not_writable(folder: Path, why: str | None) -> DataError:
    return DataError(f"cannot write into {folder} ({why}): choose another folder with --out")


def learning_rate_at(loop: LoopConfig, step: int) -> float:
    """Linear warm-up, then a cosine down to ``final_rate`` of the peak."""
    if step < loop.warmup_steps:
        return loop.learning_rate * (step + 1) / loop.warmup_steps
    done = min((step - loop.warmup_steps) / max(loop.steps - loop.warmup_steps, 1), 1.0)
    return loop.learning_rate * (loop.final_rate + (1.0 - loop.final_rate) * 0.5 * (1.0 + math.cos(math.pi * done)))


def seed_step(seed: int, step: int, process: int) -> np.random.Generator:
    """Seed torch for one step and return numpy's generator for it."""
    sequence = np.random.SeedSequence([seed, step, process])
    torch.manual_seed(int(sequence.generate_state(1)[0]))
    return np.random.Generator(np.random.PCG64(sequence))


class _Trainer:
    """The loop with everything it holds on to."""

    def __init__(self, config: RunConfig, task: Task, folder: Path, fabric: Fabric, console: Console) -> None:
        self.config, self.loop, self.task, self.folder = config, config.loop, task, folder
        self.fabric, self.console = fabric, console
        self.state = State()
        optimizer = torch.optim.AdamW(
            task.model.parameters(),
            lr=self.loop.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=self.loop.weight_decay,
        )
        self.model, self.optimizer = fabric.setup(task.model, optimizer)
        self.began = time.monotonic()

    def run(self, checkpoint: dict[str, Any] | None) -> bool:
        if checkpoint is None:
            self.state.average = {name: value.detach().clone() for name, value in self.task.model.state_dict().items()}
        else:
            self._restore(checkpoint)
        if self.fabric.is_global_zero:
            keep_until(self.folder / METRICS, self.state.step)
        with interruptible() as asked, TrainingProgress(self.console, self.loop.steps, self.quiet) as progress:
            while self.state.step < self.loop.steps and not self._any(asked()):
                loss = self._step()
                progress.advance(self.state.step, loss)
                self._after_step(progress)
        done = self.state.step >= self.loop.steps
        self._save()
        return done

    @property
    def quiet(self) -> bool:
        return not self.fabric.is_global_zero

    def _any(self, asked: bool) -> bool:
        """Whether any process was asked to stop: all must leave the loop at the same step."""
        if self.fabric.world_size == 1:
            return asked
        votes = self.fabric.all_reduce(torch.tensor(float(asked), device=self.fabric.device), reduce_op="sum")
        return bool(torch.as_tensor(votes).item() > 0)

    def _step(self) -> float:
        step = self.state.step
        random = seed_step(self.config.seed, step, self.fabric.global_rank)
        batch: Batch = self.fabric.to_device(self.task.train_batch(step, random))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.loop, step)
        self.model.train()
        loss, extra = self.task.loss(self.model, batch, step)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(
                f"the loss is not a number at step {step}: lower loop.learning_rate (now {self.loop.learning_rate}); "
                f"{self.folder} keeps the last checkpoint"
            )
        self.fabric.backward(loss)
        if self.loop.clip_norm > 0.0:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.loop.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._average()
        sums = self.state.sums
        sums["steps"] = sums.get("steps", 0.0) + 1.0
        sums["loss"] = sums.get("loss", 0.0) + value
        for name, number in extra.items():
            sums[name] = sums.get(name, 0.0) + float(number)
        self.state.step = step + 1
        return value

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the new ones; faster at the start, when they are still far."""
        decay = min(self.loop.average_decay, (1.0 + self.state.step) / (10.0 + self.state.step))
        if self.loop.average_decay == 0.0:
            decay = 0.0
        for name, value in self.task.model.state_dict().items():
            mean = self.state.average[name]
            if mean.is_floating_point():
                mean.lerp_(value.to(mean.dtype), 1.0 - decay)
            else:
                mean.copy_(value)

    def _after_step(self, progress: TrainingProgress) -> None:
        step, last = self.state.step, self.state.step >= self.loop.steps
        if step % self.loop.log_every == 0 or last:
            count = self.state.sums.pop("steps")
            self._log("train", {name: total / count for name, total in self.state.sums.items()})
            self.state.sums = {}
        if step % self.loop.evaluate_every == 0 or last:
            metrics = self._evaluate()
            progress.say(step, metrics)
        if step % self.loop.save_every == 0 and not last:
            self._save()

    def _evaluate(self) -> Metrics:
        """Evaluate the averaged weights, keep them when they are the best so far."""
        metrics: Metrics = {}
        if self.fabric.is_global_zero:
            with swapped(self.task.model, self.state.average):
                metrics = {name: float(value) for name, value in evaluate(self.task, self.task.model).items()}
            self._log("validation", metrics)
            score = self.task.score(metrics)
            if score > self.state.best:
                self.state.best = score
                write_model(self.folder, self.config, self.state.average, self.state.step, metrics)
        self.fabric.barrier()
        return metrics

    def _log(self, split: str, metrics: Metrics) -> None:
        if not self.fabric.is_global_zero:
            return
        seconds = round(time.monotonic() - self.began, 3)
        row = {"step": self.state.step, "split": split, **metrics, "seconds": seconds}
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            content = {
                "config": _plain(self.config.table),
                "step": self.state.step,
                "weights": self.task.model.state_dict(),
                "average": self.state.average,
                "sums": self.state.sums,
                "best": self.state.best,
                "optimizer": self.optimizer.state_dict(),
            }
            write_atomically(self.folder / CHECKPOINT, content)
        self.fabric.barrier()

    def _restore(self, checkpoint: dict[str, Any]) -> None:
        try:
            self.task.model.load_state_dict(checkpoint["weights"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"the checkpoint in {self.folder} does not fit its own recipe, it was made by another version: train again"
            ) from error
        average = {name: self.fabric.to_device(value) for name, value in checkpoint["average"].items()}
        self.state = State(checkpoint["step"], average, dict(checkpoint["sums"]), checkpoint["best"])


def write_model(folder: Path, config: RunConfig, weights: dict[str, Tensor], step: int, metrics: Metrics) -> None:
    """Write RUN/model.pt: weights with the recipe that rebuilds them."""
    content = {"config": _plain(config.table), "step": step, "metrics": dict(metrics), "weights": weights}
    write_atomically(folder / MODEL, content)


@torch.no_grad()
def evaluate(task: Task, model: nn.Module) -> Metrics:
    """The task's validation numbers, in evaluation mode and without touching the random state of training."""
    model.eval()
    return task.evaluate(model)


@contextmanager
def swapped(model: nn.Module, weights: dict[str, Tensor]) -> Iterator[None]:
    """Lend ``weights`` to ``model`` for the length of a block."""
    own = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(weights)
    try:
        yield
    finally:
        model.load_state_dict(own)


@contextmanager
def interruptible() -> Iterator[Any]:
    """Within the block the first Ctrl-C or SIGTERM only raises a flag; yields a function that reads it."""
    asked = False

    def note(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before: dict[signal.Signals, Any] = {}
    for kind in (signal.SIGINT, signal.SIGTERM):
        try:
            before[kind] = signal.signal(kind, note)
        except ValueError:  # only the main thread may handle signals; elsewhere nothing interrupts anyway
            break
    try:
        yield lambda: asked
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def keep_until(path: Path, step: int) -> None:
    """Drop the lines of a metrics file after ``step``: a resumed run writes them again."""
    rows = [row for row in read_metrics(path) if row["step"] <= step]
    beside = path.with_name(path.name + ".new")
    beside.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    beside.replace(path)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file; a torn last line (power cut) is left out, a missing file is empty."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _plain(table: Any) -> Any:
    """Dicts, lists and scalars only, so that ``weights_only`` loading accepts them."""
    if isinstance(table, dict):
        return {str(key): _plain(value) for key, value in table.items()}
    if isinstance(table, list | tuple):
        return [_plain(value) for value in table]
    return table
