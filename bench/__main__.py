"""``python -m bench [AREA ...] [--markdown]``: one table of what was measured, beside what it is compared to.

An area is a module of this package with ``rows() -> Iterator[Row]``. One that cannot run here says why in a
row of its own; the others go on.
"""

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.row import Row

HERE: Final = Path(__file__).parent
ORDER: Final = ("engine", "process", "models", "rhythm", "sound", "simulator")
HEADER: Final = ("what", "measured", "target", "beside", "met")
LIBRARIES: Final = ("numpy", "onnxruntime", "torch")


def areas() -> tuple[str, ...]:
    """Names of the areas there are: the six of ORDER first, then any others."""
    found = {
        path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_") and "def rows(" in path.read_text()
    }
    return (*(name for name in ORDER if name in found), *sorted(found - set(ORDER)))


def measured(area: str) -> Iterator[Row]:
    """The rows of an area; what goes wrong becomes a row too."""
    try:
        yield from importlib.import_module(f"bench.{area}").rows()
    except KeyboardInterrupt:
        raise
    except ImportError as error:
        yield Row("could not be measured", f"{error}: make bench installs what is missing")
    except Exception as error:  # one area must not take the others with it
        yield Row("could not be measured", " ".join(f"{type(error).__name__}: {error}".split()))


def machine() -> str:
    """One line on what this ran on."""
    parts = [f"{processor()}, {os.cpu_count()} cores", f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(parts)


def processor() -> str:
    """The processor's own name, or the architecture's where it has none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    names = {key.strip(): value.strip() for key, value in named.items()}
    return names.get("model name") or platform.processor() or platform.machine()


def board() -> str:
    """Which machine the numbers are of: a Raspberry Pi says so itself."""
    try:
        model = Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n ")
    except OSError:
        model = ""
    return (
        f"measured on {model}"
        if "Raspberry Pi" in model
        else "measured on this machine; not measured on a Raspberry Pi"
    )


def mark(row: Row) -> str:
    """Was the target met?"""
    return {True: "yes", False: "NO", None: ""}[row.met]


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """A row as text, in the order of HEADER."""
    return row.what, row.measured, row.target, row.beside, mark(row)


def markdown(found: dict[str, list[Row]]) -> str:
    """All rows as a Markdown table under a heading for each area."""
    lines = [f"{machine()}; {board()}.", ""]
    for area, rows in found.items():
        lines += [f"**{area}**", "", "| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells(row)) + " |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def table(found: dict[str, list[Row]]) -> Table:
    """All rows as one table for a terminal."""
    shown = Table(*HEADER, title="Latido, measured", caption=f"{machine()}\n{board()}", title_justify="left")
    for area, rows in found.items():
        shown.add_section()
        shown.add_row(f"[bold]{area}[/bold]")
        for row in rows:
            style = "red" if row.met is False else None
            shown.add_row(*(cell.replace("[", "\\[") for cell in cells(row)), style=style)
    return shown


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 0 however the numbers are, 2 for an area that is not there."""
    known = areas()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for the documentation")
    arguments = parser.parse_args(argv)
    for name in arguments.areas:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            print(f"bench: unknown area {name!r}: {hint}", file=sys.stderr)
            return 2
    found: dict[str, list[Row]] = {}
    waiting = Console(stderr=True)
    try:
        for area in arguments.areas or known:
            with waiting.status(f"measuring {area}"):
                found[area] = list(measured(area))
    except KeyboardInterrupt:
        return 130
    if arguments.markdown:
        print(markdown(found))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
