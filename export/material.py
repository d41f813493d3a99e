"""What a bundle is calibrated with, judged on and checked by: grooves and sounds of the runs' own data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.contract.voices import CLASS_INDEX, SOUND_CLASSES, VOICE_INDEX
from device.errors import DataError
from export.quantize import Feed
from training.checkpoint import Run
from training.patterns.data import DataConfig as GrooveConfig
from training.patterns.data import load_dataset as load_grooves
from training.patterns.layout import RhythmMap
from training.patterns.windows import STYLE_VECTORS, IntArray, Windows
from training.sounds.examples import FOLDER, Examples, synthetic_examples
from training.sounds.examples import DataConfig as SoundConfig
from training.sounds.layout import SoundMap
from training.sounds.one_shots import OneShot, read_folder, split_by_group
from training.sounds.render import decoder_noise

CALIBRATION_GROOVES: Final = 512
CALIBRATION_SOUNDS: Final = 96
AT_ONCE: Final = 8  # sounds in one calibration pass
JUDGED_SOUNDS: Final = 160
INVENTED_PER_CLASS: Final = 4  # where there are no recordings
GOLDEN_GROOVES: Final = 8
GOLDEN_SOUNDS: Final = 2
GOLDEN_KIT: Final = ("kick", "snare", "closed_hat")
GOLDEN_INTENSITIES: Final = (1.0, 0.65, 0.3)
INTENSITIES: Final = (1.0, 1.0, 0.65, 0.3)  # of the sounds that calibrate


@dataclass(frozen=True, slots=True, eq=False)
class Grooves:
    """Windows to calibrate with and to judge by, and the map they lie on."""

    calibration: Windows
    validation: Windows
    map: RhythmMap
    real: bool


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """Sounds to calibrate with and to judge by; audio (n, 65536), classes (n,)."""

    calibration: FloatArray
    calibration_classes: FloatArray  # (n, 13) one-hot
    validation: FloatArray
    validation_classes: FloatArray
    map: SoundMap
    real: bool


def rhythm_material(run: Run, rhythm_map: RhythmMap, data: Path | None) -> Grooves:
    """Grooves of a rhythm run's own configuration. Raises DataError when its data is not there."""
    dataset = load_grooves(run.config.section("data", GrooveConfig), run.config.seed, data)
    return Grooves(
        dataset.train[_spread(len(dataset.train), CALIBRATION_GROOVES)], dataset.validation, rhythm_map, dataset.real
    )


def sound_material(run: Run, sound_map: SoundMap, data: Path | None) -> Sounds:
    """Sounds of a sound run's own configuration. Raises DataError when its data is not there."""
    config, seed = run.config.section("data", SoundConfig), run.config.seed
    if config.real:
        if data is None:
            raise DataError(f"{run.folder} learned from recorded one-shots: name their folder with --data")
        train, validation = split_by_group(read_folder(data / FOLDER), config.held_out, seed)
        calibrate, judge = _recorded(train, CALIBRATION_SOUNDS), _recorded(validation, JUDGED_SOUNDS)
    else:
        calibrate = _invented(synthetic_examples(min(config.synthetic, INVENTED_PER_CLASS), seed))
        judge = _invented(synthetic_examples(max(min(config.synthetic // 8, INVENTED_PER_CLASS), 1), seed + 1000))
    return Sounds(*calibrate, *judge, sound_map, config.real)


def _recorded(sounds: list[OneShot], most: int) -> tuple[FloatArray, FloatArray]:
    chosen = [sounds[index] for index in _spread(len(sounds), most)]
    return np.stack([sound.audio for sound in chosen]), _one_hot([CLASS_INDEX[sound.sound_class] for sound in chosen])


def _invented(examples: Examples) -> tuple[FloatArray, FloatArray]:
    return examples.audio.float().numpy(), _one_hot([int(index) for index in examples.classes])


def _one_hot(classes: list[int]) -> FloatArray:
    return np.eye(len(SOUND_CLASSES), dtype=np.float32)[classes]


def _spread(count: int, most: int) -> IntArray:
    """Up to ``most`` indices, evenly over ``count``."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def groove_feeds(grooves: Grooves, means: FloatArray) -> dict[str, list[Feed]]:
    """Calibration inputs of both rhythm models: real grooves, their latents (n, Z), and places of the map in all styles."""
    windows = grooves.calibration
    nodes = grooves.map.rhythm_nodes.reshape(-1, means.shape[1])
    styles = STYLE_VECTORS.reshape(-1, STYLE_VECTORS.shape[-1])
    chosen = styles[np.arange(len(nodes)) * 7 % len(styles)]  # 7 and the number of styles share no factor
    latents = np.concatenate([means, nodes])
    vectors = np.concatenate([windows.style_vectors(), chosen])
    return {
        "rhythm_encoder": [{"pattern": windows.cells, "style": windows.style_vectors()}],
        "rhythm_decoder": [{"latent": latents, "style": vectors}],
    }


def sound_feeds(sounds: Sounds, means: FloatArray) -> dict[str, list[Feed]]:
    """Calibration inputs of both sound models: real sounds, their latents (n, W), and places of the maps."""
    nodes, classes = sounds.map.sound_nodes, np.eye(len(SOUND_CLASSES), dtype=np.float32)
    corners = nodes[:, :: nodes.shape[1] - 1, :: nodes.shape[2] - 1]
    brighter = corners + sounds.map.sound_bright[:, None, None]
    longer = corners + sounds.map.sound_decay[:, None, None]
    places = np.concatenate([each.reshape(-1, nodes.shape[-1]) for each in (corners, brighter, longer)])
    latents = np.concatenate([means, places])
    vectors = np.concatenate([sounds.calibration_classes, *[classes.repeat(4, 0)] * 3])
    intensity = np.resize(np.array(INTENSITIES, np.float32), (len(latents), 1))
    noise = decoder_noise().numpy()
    return {
        "sound_encoder": [
            {
                "audio": sounds.calibration[at : at + AT_ONCE],
                "sound_class": sounds.calibration_classes[at : at + AT_ONCE],
            }
            for at in range(0, len(sounds.calibration), AT_ONCE)
        ],
        "sound_decoder": [
            {
                "latent": latents[at : at + AT_ONCE],
                "sound_class": vectors[at : at + AT_ONCE],
                "intensity": intensity[at : at + AT_ONCE],
                "noise": noise,
            }
            for at in range(0, len(latents), AT_ONCE)
        ],
    }


def golden_inputs(grooves: Grooves, sounds: Sounds, kit_latents: FloatArray) -> dict[str, Feed]:
    """Inputs a device repeats before it plays; ``kit_latents`` (V, W) are the first style's."""
    checked = grooves.validation[_spread(len(grooves.validation), GOLDEN_GROOVES)]
    nodes = grooves.map.rhythm_nodes
    latents = nodes.reshape(-1, nodes.shape[-1])[_spread(nodes.shape[0] * nodes.shape[1], GOLDEN_GROOVES)]
    kit = [VOICE_INDEX[name] for name in GOLDEN_KIT]
    heard = _spread(len(sounds.validation), GOLDEN_SOUNDS)
    return {
        "rhythm_encoder": {"pattern": checked.cells, "style": checked.style_vectors()},
        "rhythm_decoder": {"latent": latents, "style": checked.style_vectors()},
        "sound_encoder": {"audio": sounds.validation[heard], "sound_class": sounds.validation_classes[heard]},
        "sound_decoder": {
            "latent": kit_latents[kit],
            "sound_class": _one_hot([CLASS_INDEX[name] for name in GOLDEN_KIT]),
            "intensity": np.array(GOLDEN_INTENSITIES, np.float32)[:, None],
            "noise": decoder_noise().numpy(),
        },
    }
