"""What a sound training can be told, read from TOML: unknown or mistyped settings are refused."""

import tomllib
from pathlib import Path

import msgspec

from device.errors import DataError, SettingError
from training.sounds.model import ModelConfig


class SoundSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training of the sound VAE."""

    folder: str = ""  # real one-shots; "" trains on our synthesizer alone
    held_out: float = 0.15  # share of groups kept for validation
    copies: int = 6  # augmented copies of every real sound
    synthetic: int = 200  # synthesized sounds per class
    seed: int = 1
    model: ModelConfig = ModelConfig()
    envelope_steps: int = 8000  # first stage: controls against controls, no audio is rendered
    envelope_batch: int = 64
    audio_steps: int = 3000  # second stage: rendered audio against real audio
    audio_batch: int = 16
    learning_rate: float = 1e-3
    audio_learning_rate: float = 4e-4
    weight_decay: float = 1e-2
    beta: float = 0.01  # weight of the KL divergence, reached linearly over the first stage
    validate_every: int = 1000
    accelerator: str = "cpu"
    devices: int = 1
    nodes: int = 1
    threads: int = 1


def read_settings(path: Path) -> SoundSettings:
    """Settings of a TOML file. SettingError names what is wrong, DataError a file that cannot be read."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: give the path of a training configuration") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path} is not TOML: {error}") from error
    try:
        return msgspec.convert(table, SoundSettings)
    except msgspec.ValidationError as error:
        raise SettingError(f"{path}: {error}") from error
