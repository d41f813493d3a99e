"""Training examples, prepared once: features, controls, audio and class of real, varied and invented sounds.

Analysis takes 30 ms a sound, so it is done before training and held in memory in half precision; an
epoch then costs only the model. Real sounds are varied in pitch, decay, colour and drive.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal import resample
from torch import Tensor

from device.contract.voices import CLASS_INDEX, SOUND_CLASSES
from training.sounds.analysis import analyse
from training.sounds.controls import ATTACK_FRAMES, COARSE_HOP, COARSE_SPANS, SAMPLE_RATE, Controls, FloatArray
from training.sounds.distance import ACTIVE_DB
from training.sounds.features import Features
from training.sounds.one_shots import OneShot, align
from training.sounds.render import Renderer, decoder_noise
from training.sounds.synthesizer import synthesize

Progress = Callable[[str, int, int], None]
BATCH = 16


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


def real_examples(sounds: list[OneShot], copies: int, seed: int, progress: Progress | None = None) -> Examples:
    """Every sound as it is, and ``copies`` varied ones of each."""
    generator = np.random.Generator(np.random.PCG64(seed))
    audio, controls, classes = [], [], []
    for count, sound in enumerate(sounds):
        takes = [sound.audio] + [vary(sound.audio, generator) for _ in range(copies)]
        audio += takes
        controls += [_half(analyse(take)) for take in takes]
        classes += [CLASS_INDEX[sound.sound_class]] * len(takes)
        if progress:
            progress("analyse", count + 1, len(sounds))
    return _examples(torch.from_numpy(np.stack(audio)), Controls.join(controls), torch.tensor(classes), real=True)


def synthetic_examples(per_class: int, seed: int, progress: Progress | None = None) -> Examples:
    """Sounds of our synthesizer with the controls they were made from."""
    generator = np.random.Generator(np.random.PCG64(seed))
    renderer, noise = Renderer(), decoder_noise()
    audio, controls = [], []
    for index, sound_class in enumerate(SOUND_CLASSES):
        for _ in range(per_class):
            made = synthesize(sound_class, generator)
            with torch.no_grad():
                mix = renderer.mix(made, noise)
            peak = float(mix.abs().max())
            audio.append((mix / peak).half())
            controls.append(_half(_louder(made, -20.0 * np.log10(peak), 1.0 / peak)))
        if progress:
            progress("synthesize", index + 1, len(SOUND_CLASSES))
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
    blocks = audio.float()[:, ATTACK_FRAMES:].unflatten(1, (COARSE_SPANS, COARSE_HOP)).abs().amax(2)
    loudest = audio.float().abs().amax(1, keepdim=True)
    alive = blocks > loudest * 10.0 ** (-ACTIVE_DB / 20.0)
    last = (alive * torch.arange(1, COARSE_SPANS + 1)).amax(1)
    return (last + 3).clamp(max=COARSE_SPANS)


def _examples(audio: Tensor, controls: Controls, classes: Tensor, *, real: bool) -> Examples:
    extract = Features()
    with torch.no_grad():
        features = torch.cat([extract(part.float()).half() for part in audio.split(BATCH)])
    flags = torch.full((len(classes),), real)
    return Examples(audio.half(), features, controls, classes, _spans(audio), flags)
