"""What a training shows while it runs: a live bar on a terminal, one plain line an evaluation in a log."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.task import Metrics


class TrainingProgress:
    """Use as a context manager; ``quiet`` shows nothing (all processes but the first)."""

    def __init__(self, console: Console, steps: int, quiet: bool) -> None:
        self.quiet = quiet
        self.console = console
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self.line = self.bar.add_task("training", total=steps, loss=float("nan"))

    def __enter__(self) -> "TrainingProgress":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def advance(self, step: int, loss: float) -> None:
        """Move the bar to ``step``."""
        self.bar.update(self.line, completed=step, loss=loss)

    def say(self, step: int, metrics: Metrics) -> None:
        """Print the validation numbers of a step."""
        if not self.quiet:
            numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
            self.console.print(f"step {step}  {numbers}", highlight=False, soft_wrap=True)
