"""Training examples, prepared once: features, controls, audio and class of real, varied and invented sounds.

Analysis takes 30 ms a sound, so it is done before training and held in memory in half precision; an
epoch then costs only the model. Real sounds are varied in pitch, decay, colour and drive.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal import resample
from torch import Tensor

from device.contract.voices import CLASS_INDEX, SOUND_CLASSES
from device.errors import DataError
from training.sounds.analysis import analyse
from training.sounds.controls import ATTACK_FRAMES, COARSE_HOP, COARSE_SPANS, SAMPLE_RATE, Controls, FloatArray
from training.sounds.distance import ACTIVE_DB
from training.sounds.features import Features
from training.sounds.one_shots import OneShot, align, read_folder, split_by_group
from training.sounds.render import Renderer, decoder_noise
from training.sounds.synthesizer import synthesize

BATCH = 16
BUCKETS = (10, 26, COARSE_SPANS)  # coarse spans rendered in training: short sounds cost less
FOLDER = "sounds"  # below the dataset folder


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What to learn from."""

    real: bool = False  # recorded one-shots from the dataset folder's "sounds"
    held_out: float = 0.15  # share of their groups kept for validation
    copies: int = 6  # varied copies of every recorded sound
    synthetic: int = 200  # sounds of our synthesizer per class


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """n sounds ready for training. Tensors are float16 except ``classes`` and ``spans``."""

    audio: Tensor  # (n, 65536)
    features: Tensor  # (n, 6080)
    controls: Controls
    classes: Tensor  # (n,) int64
    spans: Tensor  # (n,) int64: coarse spans that hold everything above -50 dB
    real: Tensor  # (n,) bool

    def __len__(self) -> int:
        return int(self.classes.shape[0])

    def one_hot_of(self, indices: Tensor) -> Tensor:
        """Classes of some sounds as (m, 13) float32."""
        return torch.nn.functional.one_hot(self.classes[indices], len(SOUND_CLASSES)).float()

    @classmethod
    def join(cls, parts: "list[Examples]") -> "Examples":
        """One set of several."""
        return cls(
            torch.cat([part.audio for part in parts]),
            torch.cat([part.features for part in parts]),
            Controls.join([part.controls for part in parts]),
            torch.cat([part.classes for part in parts]),
            torch.cat([part.spans for part in parts]),
            torch.cat([part.real for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a run learns from, what it is judged on, and the recordings themselves for retrieval."""

    train: Examples
    validation: Examples
    recordings: list[OneShot]  # of the training side; empty without real data


def load_dataset(config: DataConfig, seed: int, data: Path | None) -> Dataset:
    """Read, split, vary, analyse and invent. Raises DataError when there is nothing to train on."""
    if config.synthetic < 1 and not config.real:
        raise DataError("nothing to train on: set data.real or data.synthetic in the configuration")
    if not config.real:
        invented = synthetic_examples(config.synthetic, seed)
        return Dataset(invented, synthetic_examples(max(config.synthetic // 8, 1), seed + 1000), [])
    if data is None:
        raise DataError("this configuration learns from recorded one-shots: name their folder with --data")
    train, validation = split_by_group(read_folder(data / FOLDER), config.held_out, seed)
    if not validation:
        raise DataError(f"{data / FOLDER} has one group per class, none can be held out: name more groups")
    parts = [real_examples(train, config.copies, seed)]  # all is read by now: what takes minutes comes last
    if config.synthetic:
        parts.append(synthetic_examples(config.synthetic, seed))
    return Dataset(Examples.join(parts), real_examples(validation, 0, 0), train)


class Sampler:
    """Draws batches: classes weigh like the square root of their size, real sounds twice as much as invented.

    With ``bucketed`` a batch holds sounds of like length, so that short ones are rendered briefly.
    """

    def __init__(self, examples: Examples) -> None:
        self.weights = np.zeros(len(examples))
        for real, share in ((True, 2.0), (False, 1.0)):
            for index in range(len(SOUND_CLASSES)):
                chosen = ((examples.classes == index) & (examples.real == real)).numpy()
                self.weights[chosen] = share / max(chosen.sum(), 1) ** 0.5
        self.bucket = np.searchsorted(BUCKETS, examples.spans.numpy())

    def draw(self, size: int, random: np.random.Generator, *, bucketed: bool) -> tuple[Tensor, int]:
        """Indices (size,) of sounds, and the coarse spans that hold all of them."""
        weights, spans = self.weights, COARSE_SPANS
        if bucketed:
            shares = np.bincount(self.bucket, self.weights, len(BUCKETS))
            chosen = int(random.choice(len(BUCKETS), p=shares / shares.sum()))
            weights, spans = np.where(self.bucket == chosen, self.weights, 0.0), BUCKETS[chosen]
        return torch.from_numpy(random.choice(len(weights), size, p=weights / weights.sum())), spans


def real_examples(sounds: list[OneShot], copies: int, seed: int) -> Examples:
    """Every sound as it is, and ``copies`` varied ones of each."""
    generator = np.random.Generator(np.random.PCG64(seed))
    audio, controls, classes = [], [], []
    for sound in sounds:
        takes = [sound.audio] + [vary(sound.audio, generator) for _ in range(copies)]
        audio += takes
        controls += [_half(analyse(take)) for take in takes]
        classes += [CLASS_INDEX[sound.sound_class]] * len(takes)
    return _examples(torch.from_numpy(np.stack(audio)), Controls.join(controls), torch.tensor(classes), real=True)


def synthetic_examples(per_class: int, seed: int) -> Examples:
    """Sounds of our synthesizer with the controls they were made from."""
    generator = np.random.Generator(np.random.PCG64(seed))
    renderer, noise = Renderer(), decoder_noise()
    audio, controls = [], []
    for sound_class in SOUND_CLASSES:
        for _ in range(per_class):
            made = synthesize(sound_class, generator)
            with torch.no_grad():
                mix = renderer.mix(made, noise)
            peak = float(mix.abs().max())
            audio.append((mix / peak).half())
            controls.append(_half(_louder(made, -20.0 * np.log10(peak), 1.0 / peak)))
    classes = torch.arange(len(SOUND_CLASSES)).repeat_interleave(per_class)
    return _examples(torch.cat(audio), Controls.join(controls), classes, real=False)


def vary(audio: FloatArray, generator: np.random.Generator) -> FloatArray:
    """A sound (65536,) with another pitch, decay, colour and drive; each is left alone now and then."""
    if generator.random() < 0.8:
        ratio = 2.0 ** (generator.normal(0.0, 2.5) / 12.0)
        end = int(np.flatnonzero(np.abs(audio) > 1e-4)[-1]) + 512
        audio = np.asarray(resample(audio[:end], max(int(len(audio[:end]) / ratio), 64)), np.float32)
    time = np.arange(len(audio)) / SAMPLE_RATE
    if generator.random() < 0.5:
        audio = audio * np.exp(-time * 6.9 / np.exp(generator.uniform(np.log(0.08), np.log(2.0))))
    if generator.random() < 0.6:
        hz = rfftfreq(len(audio), 1.0 / SAMPLE_RATE)
        tilt = generator.normal(0.0, 2.0) * np.log2(np.maximum(hz, 20.0) / 800.0)
        centre, width = np.exp(generator.uniform(np.log(80.0), np.log(12000.0))), generator.uniform(0.3, 1.5)
        hump = generator.normal(0.0, 4.0) * np.exp(-0.5 * (np.log2(np.maximum(hz, 20.0) / centre) / width) ** 2)
        audio = irfft(rfft(audio) * 10.0 ** (np.clip(tilt + hump, -40.0, 20.0) / 20.0), len(audio))
    if generator.random() < 0.3:
        audio = np.tanh(audio / max(float(np.abs(audio).max()), 1e-6) * generator.uniform(1.0, 4.0))
    return align(np.asarray(audio, np.float32))


def _louder(controls: Controls, gain_db: float, gain: float) -> Controls:
    return Controls(
        controls.noise_db + gain_db,
        controls.body_db + gain_db,
        controls.body_octave,
        controls.partial_db + gain_db,
        controls.partial_octave,
        controls.click * gain,
    )


def _half(controls: Controls) -> Controls:
    return controls.map(lambda tensor: tensor.half())


def _spans(audio: Tensor) -> Tensor:
    """Coarse spans (n,) until each sound has fallen 50 dB, with a little air."""
    blocks = audio.float()[:, ATTACK_FRAMES:].reshape(-1, COARSE_SPANS, COARSE_HOP).abs().amax(2)
    loudest = audio.float().abs().amax(1, keepdim=True)
    alive = blocks > loudest * 10.0 ** (-ACTIVE_DB / 20.0)
    last: Tensor = (alive * torch.arange(1, COARSE_SPANS + 1)).amax(1)
    return (last + 3).clamp(max=COARSE_SPANS)


def _examples(audio: Tensor, controls: Controls, classes: Tensor, *, real: bool) -> Examples:
    extract = Features()
    with torch.no_grad():
        features = torch.cat([extract(part.float()).half() for part in torch.split(audio, BATCH)])
    flags = torch.full((len(classes),), real)
    return Examples(audio.half(), features, controls, classes, _spans(audio), flags)
