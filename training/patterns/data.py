"""What the rhythm VAE learns from and is judged on: real grooves, our own, or both.

Three sets that share no window: *train*, *tuning* (a small part of the training data kept aside, on which
thresholds are set and the best weights chosen) and *validation*, which nothing is fitted to.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from device.errors import DataError, SettingError
from training.patterns.groove import read_groove
from training.patterns.styles import all_styles, make_windows
from training.patterns.windows import Windows

RUN_LENGTH: Final = 32  # windows kept aside together: neighbours overlap by a bar, so single ones would be known
VALIDATION_SEED: Final = 1_000_003  # of our own grooves: far from those of training


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What to learn from."""

    groove: bool = False  # Groove MIDI, from the dataset folder
    made: int = 200  # of our own grooves per style
    aside: float = 0.04  # share of the training data kept aside for tuning

    def __post_init__(self) -> None:
        if not 0.0 < self.aside < 0.5:
            raise SettingError(f"data.aside must be above 0 and below 0.5, got {self.aside}")
        if self.made < 0 or not (self.made or self.groove):
            raise SettingError("nothing to train on: set data.made above 0, or data.groove to true")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Windows by use. ``validation`` is Groove MIDI's own split, or grooves of ours when there is no other."""

    train: Windows
    tuning: Windows
    validation: Windows
    real: bool


def load_dataset(config: DataConfig, seed: int, data: Path | None) -> Dataset:
    """Read and make everything. Raises DataError when real grooves are wanted and not there."""
    if not config.groove:
        train, tuning = _keep_aside(make_windows(config.made, all_styles(), seed), config.aside)
        checked = make_windows(max(config.made // 5, 2), all_styles(), seed + VALIDATION_SEED)
        return Dataset(train, tuning, checked, real=False)
    if data is None:
        raise DataError("this configuration wants Groove MIDI: run latido-train data, or name its folder with --data")
    groove = read_groove(data)
    train, tuning = _keep_aside(groove.train, config.aside)
    if config.made:
        train = Windows.join([train, make_windows(config.made, all_styles(), seed)])
    return Dataset(train, tuning, groove.validation, real=True)


def _keep_aside(windows: Windows, share: float) -> tuple[Windows, Windows]:
    """Whole runs of neighbouring windows, evenly spread over the data."""
    length = min(RUN_LENGTH, max(int(len(windows) * share / 4), 1))
    run = np.arange(len(windows)) // length
    every = round(1.0 / share)
    aside = run % every == every - 1
    return windows[~aside], windows[aside]
