"""``latido bundle show|verify FILE``: read a bundle, or prove that it plays what it played when it was made."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from device.contract.bundle import Bundle
from device.contract.manifest import MODELS
from device.models.library import find_bundle
from device.models.models import Models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``show`` and ``verify``, each with a file."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="show|verify")
    for name, help_line in (
        ("show", "what is in it, how good it is, whom it owes credit"),
        ("verify", "check hashes, shapes and golden outputs"),
    ):
        action = actions.add_parser(name, help=help_line, description=help_line)
        action.add_argument(
            "file", type=Path, nargs="?", metavar="FILE", help="a .latido file (default: the factory bundle)"
        )


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit code. Raises BundleError or ModelError."""
    bundle = find_bundle(arguments.file)
    if arguments.action == "show":
        show(bundle, Console())
    else:
        print(verify(bundle))
    return 0


def verify(bundle: Bundle) -> str:
    """Load and run every model against its golden outputs; one line. Raises ModelError."""
    distances = Models.load(bundle).verify()
    return (
        f"{bundle.source}: good. {bundle.manifest.name} version {bundle.manifest.version}, {len(bundle.manifest.members)} "
        f"members match their SHA-256, {len(distances)} golden outputs repeat (off by {max(distances.values()):.1g} at most)"
    )


def show(bundle: Bundle, console: Console) -> None:
    """A page for people."""
    manifest = bundle.manifest
    styles = ", ".join(manifest.styles[:-1])
    facts = (
        ("version", f"{manifest.version}, for Latido {manifest.minimum_device} or newer"),
        ("file", f"{bundle.source}, {bundle.size / 1e6:.2f} MB, SHA-256 {bundle.ident[:16]}"),
        ("pattern", f"{manifest.steps} steps, {len(manifest.voices)} voices, {manifest.rhythm_size} latent numbers"),
        ("styles", f"{styles}, each with fills"),
        (
            "sound",
            f"{manifest.sample_rate} Hz, {manifest.frames / manifest.sample_rate:.2f} s, {manifest.sound_size} latent numbers",
        ),
        ("classes", ", ".join(manifest.sound_classes)),
    )
    console.print(_table(manifest.name, ("", ""), facts))
    models = (
        (
            name,
            manifest.models[name].weights,
            f"{manifest.members[f'{name}.onnx'].size / 1e3:,.0f} kB",
            _kept(bundle, name),
        )
        for name in MODELS
    )
    console.print(_table("models", ("model", "weights", "size", "layers kept in fp32"), models))
    parity = ((row.name, f"{row.fp32:.4g} {row.unit}", f"{row.shipped:.4g} {row.unit}") for row in manifest.parity)
    console.print(_table("before and after quantization", ("", "fp32", "shipped"), parity))
    metrics = (
        (half, name, f"{value:.4g}") for half, numbers in manifest.metrics.items() for name, value in numbers.items()
    )
    console.print(_table("measured in training", ("half", "what", "value"), metrics))
    console.print(Markdown(bundle.card))


def _kept(bundle: Bundle, name: str) -> str:
    return ", ".join(bundle.manifest.models[name].kept_fp32)


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=any(columns))
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    return table
