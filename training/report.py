"""The report of a run: one Markdown page with pictures and sounds beside it, RUN/report/report.md.

A task fills it through ``heading``, ``text``, ``table``, ``picture`` and ``sound``; the curves come first and
are the same for every task. Figures are drawn off screen, without pyplot's global state.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.loop import METRICS, read_metrics

FOLDER: Final = "report"
PAGE: Final = "report.md"
# Twenty-four hues that stay apart on white, in an order where neighbours differ.
COLOURS: Final = tuple(
    f"#{value:06x}"
    for value in (
        0x1F77B4, 0xD62728, 0x2CA02C, 0xFF7F0E, 0x9467BD, 0x17BECF, 0xE377C2, 0x8C564B, 0xBCBD22, 0x7F7F7F, 0x003F5C,
        0xFFA600, 0x7A5195, 0x00A676, 0xB5179E, 0x4CC9F0, 0x6A994E, 0xBC6C25, 0x3A0CA3, 0xF94144, 0x577590, 0x90BE6D,
        0x43AA8B, 0x222222,
    )
)  # fmt: skip


class Report:
    """A page under construction in RUN/report; nothing shows until ``write``."""

    def __init__(self, run: Path, title: str) -> None:
        self.folder = run / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines = [f"# {title}", ""]

    def heading(self, text: str) -> None:
        """Begin a section."""
        self.lines += [f"## {text}", ""]

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self.lines += [text, ""]

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; numbers are shown with three decimals."""
        self.lines += ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
        self.lines += ["| " + " | ".join(_shown(value) for value in row) + " |" for row in rows]
        self.lines.append("")

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        """Save ``figure`` as NAME.png and show it."""
        FigureCanvasAgg(figure)  # attaches itself: savefig then draws off screen
        figure.savefig(self.folder / f"{name}.png")
        self.lines += [f"![{caption}]({name}.png)", "", caption, ""]

    def sound(self, name: str, audio: npt.NDArray[np.float32], sample_rate: int, caption: str) -> None:
        """Save mono or stereo audio, (n,) or (n, 2), as NAME.wav and link it; louder than full scale is scaled down."""
        peak = float(np.abs(audio).max(initial=0.0))
        soundfile.write(self.folder / f"{name}.wav", audio / max(peak, 1.0), sample_rate, subtype="PCM_16")
        self.lines += [f"[{name}.wav]({name}.wav): {caption}", ""]

    def curves(self) -> None:
        """Training and validation curves of every number in the metrics file."""
        rows = read_metrics(self.folder.parent / METRICS)
        names = sorted({name for row in rows for name in row} - {"step", "split", "seconds"}, key=_loss_first)
        if not names:
            return
        figure, axes = panels(len(names), columns=3, size=(4.0, 2.6))
        for axis, name in zip(axes, names, strict=False):
            for split, colour in (("train", COLOURS[0]), ("validation", COLOURS[1])):
                points = [(row["step"], row[name]) for row in rows if row["split"] == split and name in row]
                if points:
                    axis.plot(*zip(*points, strict=True), color=colour, label=split, linewidth=1.2)
            axis.set_title(name, fontsize=9)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize=7)
        self.heading("Curves")
        self.picture("curves", figure, "Training and validation numbers by step.")
        last: dict[str, Any] = next((row for row in reversed(rows) if row["split"] == "validation"), {})
        self.table(["validation, last", "value"], [(name, last[name]) for name in names if name in last])

    def write(self) -> Path:
        """Write the page and return its path."""
        path = self.folder / PAGE
        path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        return path


def _loss_first(name: str) -> tuple[bool, str]:
    return (name != "loss", name)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def panels(count: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` panels of ``size`` inches in rows of ``columns``; unused places stay empty."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained", dpi=110)
    axes = [figure.add_subplot(rows, columns, index + 1) for index in range(count)]
    return figure, axes


def scatter(points: npt.NDArray[Any], labels: Sequence[str], title: str) -> Figure:
    """Points (n, d >= 2), the plane of their two main directions (PCA), coloured by label (n)."""
    centred = np.asarray(points, np.float64) - points.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ directions[:2].T
    figure, (axis,) = panels(1, 1, (9.0, 6.5))
    names = np.array(labels)
    for index, name in enumerate(dict.fromkeys(labels)):
        chosen = plane[names == name]
        marker = "o" if index < len(COLOURS) else "^"
        colour = COLOURS[index % len(COLOURS)]
        axis.scatter(chosen[:, 0], chosen[:, 1], s=9, alpha=0.6, color=colour, marker=marker, label=name)
    axis.set_title(title)
    axis.legend(fontsize=7, markerscale=2.0, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
