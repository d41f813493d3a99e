"""How faithfully drum sounds come back: the factory bundle's models on one-shots its training never heard.

The recordings are split as the factory's training splits them, by group. Each held-out sound goes through the
encoder's mean and the decoder at full intensity, as the device would; beside it stands retrieval, which takes
the nearest training recording of the same class by the very distance it is judged by.
"""

from collections.abc import Iterator

import numpy as np
import torch

from bench.dataset import dataset_folder
from bench.row import Row
from device.contract.bundle import Bundle
from device.contract.noise import noise_bands
from device.contract.pattern import FloatArray
from device.contract.voices import SOUND_CLASSES
from device.models.library import factory_path
from device.models.models import Models
from training.cli import CONFIGS
from training.config import read_table
from training.sounds.distance import Shelf, distance_db
from training.sounds.examples import FOLDER, DataConfig
from training.sounds.one_shots import OneShot, read_folder, split_by_group
from training.task import checked_config

CONFIG = CONFIGS / "sound-factory.toml"
RATIO_TARGET = 1.3
WHAT = "distance of a held-out sound to what comes back"


def reconstruct(models: Models, sounds: list[OneShot]) -> FloatArray:
    """(n, 65536): every sound through the encoder's mean and back, whole: not tuned, not trimmed."""
    noise = models.manifest.noise
    bands = noise_bands(noise.seed, noise.bands, noise.frames, models.manifest.sample_rate)
    full = np.ones((1, 1), np.float32)
    again = []
    for sound in sounds:
        one_hot = np.array([[name == sound.sound_class for name in models.manifest.sound_classes]], np.float32)
        latent = models.encode_sound(sound.audio, sound.sound_class)[None]
        inputs = {"latent": latent, "sound_class": one_hot, "intensity": full, "noise": bands}
        again.append(models.run("sound_decoder", inputs)[0][0])
    return np.stack(again)


def judged(models: Models, train: list[OneShot], held_out: list[OneShot]) -> list[tuple[str, FloatArray, FloatArray]]:
    """By class: its name, and for every held-out sound the distance in dB (n,) of ours and of retrieval."""
    found = []
    for name in SOUND_CLASSES:
        asked = [sound for sound in held_out if sound.sound_class == name]
        if asked:
            audio = _stacked(asked)
            ours = torch.cat(
                [
                    distance_db(torch.from_numpy(again)[None], sound[None])
                    for again, sound in zip(reconstruct(models, asked), audio, strict=True)
                ]
            )
            shelf = Shelf.of(_stacked([sound for sound in train if sound.sound_class == name]))
            found.append((name, ours.numpy(), shelf.nearest(audio)[0].numpy()))
    return found


def _stacked(sounds: list[OneShot]) -> torch.Tensor:
    return torch.from_numpy(np.stack([sound.audio for sound in sounds]))


def rows() -> Iterator[Row]:
    path, data = factory_path(), dataset_folder(FOLDER)
    if not path.is_file() or data is None:
        missing = "the factory bundle" if not path.is_file() else f"a folder {FOLDER} of one-shots ($LATIDO_DATA)"
        yield Row(WHAT, f"not measured: {missing} is not here", f"<= {RATIO_TARGET} of retrieval's")
        return
    models = Models.load(Bundle.open(path))
    config = checked_config(read_table(CONFIG))
    held_out = config.section("data", DataConfig).held_out
    train, asked = split_by_group(read_folder(data / FOLDER), held_out, config.seed)
    if not asked:
        yield Row(WHAT, f"not measured: the one-shots in {FOLDER} have one group per class, none is held out")
        return
    found = judged(models, train, asked)
    ours, theirs = (float(np.concatenate([part[place] for part in found]).mean()) for place in (1, 2))
    trained = models.manifest.metrics.get("sound", {})
    weights = " and ".join(sorted({models.manifest.models[f"sound_{half}"].weights for half in ("encoder", "decoder")}))
    groups = len({sound.group for sound in asked})
    yield Row(
        f"{WHAT}, {len(asked)} sounds of {groups} groups ({weights})",
        f"{ours:.2f} dB, {ours / theirs:.2f} of retrieval's",
        f"<= {RATIO_TARGET} of retrieval's",
        f"nearest of {len(train)} training sounds {theirs:.2f} dB"
        + f", fp32 {trained.get('audio_db', 0.0):.2f} dB" * ("audio_db" in trained),
        ours / theirs <= RATIO_TARGET,
    )
    yield Row(
        "the same by class, share of retrieval's",
        ", ".join(f"{name} {mine.mean() / other.mean():.2f} ({len(mine)})" for name, mine, other in found),
    )
