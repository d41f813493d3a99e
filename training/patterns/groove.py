"""The Groove MIDI Dataset: ten drummers on a Roland TD-11, to a click, with the official split.

Gillick, Roberts, Engel, Eck and Bamman, "Learning to Groove with Inverse Sequence Transformations",
ICML 2019; CC BY 4.0. We read what is in 4/4 and cut it into two-bar windows. Reading a thousand MIDI files
takes half a minute, so windows are cached outside the dataset, under a name made from its index.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.errors import DataError
from training.csv_rows import read_rows
from training.patterns.labels import GROOVE_STYLES, STYLE_INDEX
from training.patterns.midi import read_drums, two_bar_windows
from training.patterns.windows import Windows

INDEX: Final = "info.csv"
MISALIGNED: Final = ("149_soul_105_fill",)  # plays off the click: its notes are not where they sound
READER_VERSION: Final = 1  # change it when the reader gives other windows, so that old caches are not used
COLUMNS: Final = ("style", "beat_type", "time_signature", "midi_filename", "split")
SPLITS: Final = ("train", "validation")  # the test split stays unread, for a last judgement


@dataclass(frozen=True, slots=True)
class Groove:
    """Windows of the official training and validation splits."""

    train: Windows
    validation: Windows


def find_groove(data: Path) -> Path:
    """The folder with info.csv: ``data`` itself or ``data/groove``. Raises DataError when there is none."""
    for folder in (data, data / "groove"):
        if (folder / INDEX).is_file():
            return folder
    raise DataError(
        f"{data} holds no Groove MIDI dataset ({INDEX}): run latido-train data, or name its folder with --data"
    )


def read_groove(data: Path, cache: Path | None = None) -> Groove:
    """All 4/4 windows by split. ``cache`` is a folder (default: the user's cache). Raises DataError."""
    folder = find_groove(data)
    try:
        index = (folder / INDEX).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {folder / INDEX}: {error.strerror}") from error
    key = hashlib.sha256(index + f"{READER_VERSION}".encode()).hexdigest()[:16]
    path = (cache or cache_folder()) / f"groove-{key}.npz"
    cached = _read_cache(path)
    if cached is None:
        rows = read_rows(folder / INDEX, COLUMNS, f"put back the {INDEX} that came with the dataset", index)
        cached = {split: _read_split(folder, rows, split) for split in SPLITS}
        _write_cache(path, cached)
    return Groove(**cached)


def cache_folder() -> Path:
    """Where derived data may be kept: $XDG_CACHE_HOME/latido or ~/.cache/latido."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latido"


def _read_split(folder: Path, rows: list[dict[str, str]], split: str) -> Windows:
    cells, styles, fills = [], [], []
    for row in rows:
        if row["split"] != split or row["time_signature"] != "4-4":
            continue
        style = GROOVE_STYLES.get(row["style"].split("/")[0])
        if style is None or any(name in row["midi_filename"] for name in MISALIGNED):
            continue
        windows = two_bar_windows(read_drums(folder / row["midi_filename"]))
        cells.append(windows)
        styles += [STYLE_INDEX[style]] * len(windows)
        fills += [row["beat_type"] == "fill"] * len(windows)
    if not styles:
        raise DataError(f"{folder} has no 4/4 grooves in its {split} split: is {INDEX} complete?")
    return Windows(np.concatenate(cells), np.array(styles, np.int64), np.array(fills, np.bool_))


def _read_cache(path: Path) -> dict[str, Windows] | None:
    if not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {
                split: Windows(file[f"{split}_cells"], file[f"{split}_style"], file[f"{split}_fill"])
                for split in SPLITS
            }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # a torn or older cache is only a cache: read the dataset again


def _write_cache(path: Path, splits: dict[str, Windows]) -> None:
    arrays: dict[str, Any] = {}
    for split, windows in splits.items():
        arrays |= {f"{split}_cells": windows.cells, f"{split}_style": windows.style, f"{split}_fill": windows.fill}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.stem}.{os.getpid()}.npz")
        np.savez_compressed(beside, **arrays)
        beside.replace(path)
    except OSError:
        return  # a home without room or write access only costs time
