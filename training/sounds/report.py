"""The sound task's part of a run's report: distances by class, pictures to look at, sounds to listen to."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from device.contract.latent import interpolate
from device.contract.voices import SOUND_CLASSES
from training.report import Report, panels, scatter
from training.sounds.controls import SAMPLE_RATE
from training.sounds.evaluation import evaluate, reconstruct
from training.sounds.examples import Dataset, Examples
from training.sounds.layout import SoundMap
from training.sounds.model import SoundVae

WALK_STEPS = 12
GAP_FRAMES = SAMPLE_RATE // 4
HEADER = ("class", "sounds", "reconstruction dB", "retrieval dB", "ratio", "resynthesis dB")


def fill_report(report: Report, model: SoundVae, dataset: Dataset, sound_map: SoundMap) -> None:
    """Add everything about a trained sound model."""
    judged = evaluate(model, dataset)
    report.heading("Held-out sounds")
    report.text(
        "Active log-mel distance to the reconstruction by the posterior mean; to the nearest training sound of the "
        "same class; to the sound's own analysis rendered again, which no model can beat by much."
    )
    report.table(HEADER, judged.rows())
    report.heading("Latent space")
    names = [SOUND_CLASSES[index] for index in sound_map.pool_classes]
    report.picture(
        "latent", scatter(sound_map.pool_latents, names, "posterior means"), "Posterior means by sound class."
    )
    report.heading("Originals and reconstructions")
    audio = reconstruct(model, dataset.validation)
    for index in _one_per_class(dataset.validation):
        name = SOUND_CLASSES[int(dataset.validation.classes[index])]
        original, ours = dataset.validation.audio[index].float(), audio[index]
        distance = float(judged.reconstruction_db[index])
        report.picture(f"sound-{name}", _pair(name, original, ours), f"{name}, {distance:.1f} dB apart.")
        report.sound(f"pair-{name}", _row([original, ours]), SAMPLE_RATE, "original, then reconstruction")
    report.heading("Softer and harder")
    report.picture("intensity", _intensities(model, sound_map), "The middle of each map at four intensities, 200 ms.")
    report.heading("Walks over the sound maps")
    for index, name in enumerate(SOUND_CLASSES):
        report.sound(f"walk-{name}", _row(list(_walk(model, sound_map, index))), SAMPLE_RATE, "a round trip")


def _one_per_class(examples: Examples) -> list[int]:
    seen: dict[int, int] = {}
    for index, sound_class in enumerate(examples.classes.tolist()):
        seen.setdefault(sound_class, index)
    return list(seen.values())


def _pair(name: str, original: Tensor, ours: Tensor) -> Figure:
    figure, axes = panels(6, columns=3, size=(4.5, 2.6))
    for row, (label, audio) in enumerate((("original", original), ("reconstruction", ours))):
        picture, whole, attack = axes[3 * row : 3 * row + 3]
        _spectrogram(picture, audio)
        picture.set_title(f"{name}: {label}", fontsize=9)
        milliseconds = np.arange(len(audio)) / SAMPLE_RATE * 1000.0
        whole.plot(milliseconds, audio.numpy(), linewidth=0.5)
        attack.plot(milliseconds[:1323], audio.numpy()[:1323], linewidth=0.8)
        attack.set_title("first 30 ms", fontsize=9)
        for axis in (whole, attack):
            axis.set_ylim(-1.05, 1.05)
    return figure


def _spectrogram(axis: Axes, audio: Tensor) -> None:
    window = 1024
    spectrum = torch.stft(audio, window, window // 4, window=torch.hann_window(window), return_complex=True).abs()
    level = 20.0 * torch.log10(spectrum + 1e-6)
    top = float(level.max())
    extent = (0.0, len(audio) / SAMPLE_RATE, 0.0, SAMPLE_RATE / 2000.0)
    axis.imshow(level.numpy(), origin="lower", aspect="auto", extent=extent, vmin=top - 80, vmax=top, cmap="magma")
    axis.set_ylabel("kHz")


@torch.no_grad()
def _decode(model: SoundVae, latents: Tensor, index: int, intensity: Tensor) -> Tensor:
    one_hot = torch.zeros(len(latents), len(SOUND_CLASSES))
    one_hot[:, index] = 1.0
    return model.decode(latents, one_hot, intensity)


def _walk(model: SoundVae, sound_map: SoundMap, index: int) -> Tensor:
    """Sounds (12, 65536) along a circle on the map of one class."""
    angles = np.linspace(0.0, 2.0 * np.pi, WALK_STEPS)
    nodes = sound_map.sound_nodes[index]
    places = [interpolate(nodes, 0.5 + 0.45 * np.cos(angle), 0.5 + 0.45 * np.sin(angle)) for angle in angles]
    return _decode(model, torch.from_numpy(np.stack(places)), index, torch.ones(WALK_STEPS, 1))


def _intensities(model: SoundVae, sound_map: SoundMap) -> Figure:
    levels = torch.tensor([[0.0], [0.33], [0.67], [1.0]])
    figure, axes = panels(4 * len(SOUND_CLASSES), columns=4, size=(3.2, 1.4))
    for index, name in enumerate(SOUND_CLASSES):
        middle = torch.from_numpy(interpolate(sound_map.sound_nodes[index], 0.5, 0.5))[None].expand(4, -1)
        for column, audio in enumerate(_decode(model, middle, index, levels)):
            axis = axes[4 * index + column]
            axis.plot(audio.numpy()[:8820], linewidth=0.4)
            axis.set_ylim(-1.05, 1.05)
            axis.set_title(f"{name} {float(levels[column]):.2f}", fontsize=7)
            axis.tick_params(labelsize=5)
    return figure


def _row(sounds: Sequence[Tensor]) -> npt.NDArray[np.float32]:
    """Several sounds one after the other with a pause between."""
    return np.concatenate([np.pad(sound.numpy(), (0, GAP_FRAMES)) for sound in sounds]).astype(np.float32)
