"""The report of a sound training: pictures to look at and sounds to listen to.

    index.md            numbers, and every picture in order
    curves.png          losses and validation distance over steps
    latent.png          posterior means on their two widest axes, coloured by class
    sounds-*.png        spectrogram and waveform, original above reconstruction
    intensity.png       one sound per class, from soft to hard
    walks/*.wav         each class: a round trip over its sound map
    pairs/*.wav         original, then reconstruction
"""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch
from torch import Tensor

from device.contract.latent import interpolate
from device.contract.voices import SOUND_CLASSES
from training.sounds.controls import SAMPLE_RATE
from training.sounds.evaluation import Evaluation
from training.sounds.examples import Examples
from training.sounds.layout import SoundMap
from training.sounds.model import SoundVae
from training.sounds.render import decoder_noise
from training.sounds.train import reconstruct

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WALK_STEPS = 12
GAP_FRAMES = SAMPLE_RATE // 4


def write_report(
    folder: Path,
    model: SoundVae,
    validation: Examples,
    evaluation: Evaluation,
    sound_map: SoundMap,
    rows: list[dict[str, float]],
) -> None:
    """Write everything into ``folder`` (made when missing)."""
    folder.mkdir(parents=True, exist_ok=True)
    _curves(folder / "curves.png", rows)
    _latent(folder / "latent.png", sound_map)
    chosen = _one_per_class(validation)
    audio = reconstruct(model, validation, decoder_noise())
    for index in chosen:
        name = SOUND_CLASSES[int(validation.classes[index])]
        distance = float(evaluation.reconstruction_db[index])
        _pair(folder / f"sounds-{name}.png", name, validation.audio[index].float(), audio[index], distance)
        _listen(folder / "pairs" / f"{name}.wav", [validation.audio[index].float(), audio[index]])
    for index, name in enumerate(SOUND_CLASSES):
        _listen(folder / "walks" / f"{name}.wav", list(_walk(model, sound_map, index)))
    _intensities(folder / "intensity.png", model, sound_map)
    pictures = [f"![{path.stem}]({path.name})" for path in sorted(folder.glob("*.png"))]
    text = ["# Sound training", "", evaluation.table(), "", *pictures, ""]
    (folder / "index.md").write_text("\n".join(text), encoding="utf-8")


def _one_per_class(examples: Examples) -> list[int]:
    seen: dict[int, int] = {}
    for index, sound_class in enumerate(examples.classes.tolist()):
        seen.setdefault(sound_class, index)
    return list(seen.values())


def _curves(path: Path, rows: list[dict[str, float]]) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    steps = [row["step"] for row in rows]
    for axis, names in zip(axes, (("controls_db",), ("audio_db", "validation_db"), ("kl_nats",)), strict=True):
        for name in names:
            axis.plot(steps, [row[name] or np.nan for row in rows], marker=".", label=name)
        axis.set_xlabel("step")
        axis.legend()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _latent(path: Path, sound_map: SoundMap) -> None:
    latents = sound_map.pool_latents - sound_map.pool_latents.mean(0)
    axes = np.linalg.svd(latents, full_matrices=False)[2][:2]
    places = latents @ axes.T
    figure, axis = plt.subplots(figsize=(9, 7), layout="constrained")
    colours = plt.get_cmap("tab20")
    for index, name in enumerate(SOUND_CLASSES):
        own = places[sound_map.pool_classes == index]
        axis.scatter(own[:, 0], own[:, 1], s=12, color=colours(index), label=name, alpha=0.7)
    axis.legend(ncols=2, fontsize=8)
    axis.set_title("posterior means, two widest axes")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _pair(path: Path, name: str, original: Tensor, ours: Tensor, distance: float) -> None:
    figure, axes = plt.subplots(2, 3, figsize=(14, 6), layout="constrained")
    for row, (label, audio) in enumerate((("original", original), ("reconstruction", ours))):
        _spectrogram(axes[row, 0], audio)
        axes[row, 0].set_title(f"{name}: {label}" + (f", {distance:.1f} dB away" if row else ""))
        milliseconds = np.arange(len(audio)) / SAMPLE_RATE * 1000.0
        axes[row, 1].plot(milliseconds, audio.numpy(), linewidth=0.5)
        axes[row, 2].plot(milliseconds[:1323], audio.numpy()[:1323], linewidth=0.8)
        axes[row, 1].set_ylim(-1.05, 1.05)
        axes[row, 2].set_ylim(-1.05, 1.05)
        axes[row, 2].set_title("first 30 ms")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _spectrogram(axis: "Axes", audio: Tensor) -> None:
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
    return model.decode(latents, one_hot, intensity, decoder_noise())


def _walk(model: SoundVae, sound_map: SoundMap, index: int) -> Tensor:
    """Sounds (12, 65536) along a circle on the map of one class."""
    angles = np.linspace(0.0, 2.0 * np.pi, WALK_STEPS)
    nodes = sound_map.sound_nodes[index]
    places = [interpolate(nodes, 0.5 + 0.45 * np.cos(angle), 0.5 + 0.45 * np.sin(angle)) for angle in angles]
    return _decode(model, torch.from_numpy(np.stack(places)), index, torch.ones(WALK_STEPS, 1))


def _intensities(path: Path, model: SoundVae, sound_map: SoundMap) -> None:
    levels = torch.tensor([[0.0], [0.33], [0.67], [1.0]])
    figure, axes = plt.subplots(4, len(SOUND_CLASSES), figsize=(26, 7), layout="constrained")
    for index, name in enumerate(SOUND_CLASSES):
        middle = torch.from_numpy(interpolate(sound_map.sound_nodes[index], 0.5, 0.5))[None].expand(4, -1)
        for row, audio in enumerate(_decode(model, middle, index, levels)):
            axes[row, index].plot(audio.numpy()[:8820], linewidth=0.4)
            axes[row, index].set_ylim(-1.05, 1.05)
            axes[row, index].set_title(f"{name} {float(levels[row]):.2f}", fontsize=8)
            axes[row, index].tick_params(labelsize=5)
    figure.savefig(path, dpi=70)
    plt.close(figure)


def _listen(path: Path, sounds: list[Tensor]) -> None:
    """One WAV of several sounds with a pause between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [np.pad(0.9 * sound.numpy(), (0, GAP_FRAMES)) for sound in sounds]
    soundfile.write(path, np.concatenate(parts), SAMPLE_RATE, subtype="PCM_16")
