"""Where the datasets are: one answer for every command line that reads them."""

import argparse
import os
from pathlib import Path

from device.errors import DataError


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``; what it gives goes to ``data_folder``."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="dataset folder (default: $LATIDO_DATA, else data if there is one)"
    )


def data_folder(asked: Path | None) -> Path | None:
    """The folder of datasets; None when nobody named one and there is none. Raises DataError."""
    named = asked or (Path(os.environ["LATIDO_DATA"]) if os.environ.get("LATIDO_DATA") else None)
    if named is None:
        return Path("data") if Path("data").is_dir() else None
    if not named.is_dir():
        raise DataError(f"dataset folder {named} is not there: name one with --data, or run latido-train data")
    return named
