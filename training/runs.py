"""A run from end to end: data, loop, the task's finishing touches, report."""

from pathlib import Path

from rich.console import Console
from torch import nn

from training.checkpoint import Run, load_run
from training.config import RunConfig
from training.loop import check_folder, evaluate, launch, train, write_model
from training.report import Report
from training.task import Task, task_module


def run_training(
    config: RunConfig,
    folder: Path,
    data: Path | None,
    *,
    resume: bool = False,
    report: bool = True,
    console: Console | None = None,
) -> bool:
    """Train into ``folder`` and report. False when the training was interrupted (and saved)."""
    check_folder(config, folder, resume)  # before the data is read: a mistake should cost no waiting
    fabric = launch(config.loop)
    task = task_module(config.task).build_task(config, data)
    if not train(fabric, config, task, folder, resume=resume, console=console):
        return False
    if not fabric.is_global_zero:
        return True
    finish_run(folder, task)
    if report:
        _report(load_run(folder), task)
    return True


def finish_run(folder: Path, task: Task) -> None:
    """Let the task calibrate the best weights and lay out its maps; the model file is written again."""
    run = load_run(folder)
    task.finish(run.model, folder)
    metrics = evaluate(task, run.model)
    write_model(folder, run.config, dict(run.model.state_dict()), run.step, metrics)


def write_report(folder: Path, data: Path | None) -> Path:
    """Write the report of a run again; returns the page's path."""
    run = load_run(folder)
    return _report(run, task_module(run.config.task).build_task(run.config, data))


def _report(run: Run, task: Task) -> Path:
    page = Report(run.folder, f"{run.folder.name}: {run.config.task} model after {run.step} steps")
    page.text(f"{parameter_count(run.model):,} parameters. Shown are the best evaluated weights.")
    page.table(["best weights, validation", "value"], list(run.metrics.items()))
    page.curves()
    task.report(run.model, page, run.folder)
    return page.write()


def parameter_count(model: nn.Module) -> int:
    """How many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())
