"""Trains the sound VAE: envelopes first, then the fine structure that only audio shows.

    examples -> stage 1: features -> latent -> controls, compared with analysed or known controls
             -> stage 2: the same, rendered, compared by the active log-mel distance it is judged by

Runs on Lightning Fabric. A run directory holds settings.json, metrics.csv, checkpoint.pt, model.pt.
"""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lightning_fabric
import msgspec
import numpy as np
import torch
from torch import Tensor

from device.contract.voices import SOUND_CLASSES
from device.errors import DataError, ModelError
from training.sounds.controls import COARSE_SPANS, Controls, soften
from training.sounds.distance import distance_db
from training.sounds.examples import Examples, Progress, real_examples, synthetic_examples
from training.sounds.losses import control_loss, kl_divergence
from training.sounds.model import ModelConfig, SoundVae
from training.sounds.one_shots import OneShot, read_folder, split_by_group
from training.sounds.render import decoder_noise
from training.sounds.settings import SoundSettings

BUCKETS = (10, 26, COARSE_SPANS)  # coarse spans rendered in stage 2: short sounds cost less
CONTROL_SHARE = 0.1  # what stage 2 keeps of stage 1
FULL_INTENSITY_SHARE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a run learns from, what it is judged on, and the sounds themselves for retrieval."""

    train: Examples
    validation: Examples
    train_sounds: list[OneShot]
    validation_sounds: list[OneShot]


def load_dataset(settings: SoundSettings, root: Path, progress: Progress | None = None) -> Dataset:
    """Read, split, vary, analyse and invent. ``root`` is what a relative folder is relative to."""
    invented = synthetic_examples(settings.synthetic, settings.seed, progress) if settings.synthetic else None
    if not settings.folder:
        if invented is None:
            raise DataError("nothing to train on: set folder or synthetic in the configuration")
        held = synthetic_examples(max(settings.synthetic // 8, 1), settings.seed + 1000, progress)
        return Dataset(invented, held, [], [])
    sounds = read_folder(root / settings.folder)
    train, validation = split_by_group(sounds, settings.held_out, settings.seed)
    parts = [real_examples(train, settings.copies, settings.seed, progress)] + ([invented] if invented else [])
    return Dataset(Examples.join(parts), real_examples(validation, 0, 0), train, validation)


def sampling_weights(examples: Examples) -> Tensor:
    """(n,) so that classes weigh like the square root of their size and real sounds like twice the invented."""
    weights = torch.zeros(len(examples))
    for real, share in ((True, 2.0), (False, 1.0)):
        for index in range(len(SOUND_CLASSES)):
            chosen = (examples.classes == index) & (examples.real == real)
            if chosen.any():
                weights[chosen] = share / float(chosen.sum()) ** 0.5
    return weights


def batches(examples: Examples, size: int, generator: torch.Generator, *, bucketed: bool) -> Iterator[tuple[Tensor, int]]:
    """Endless (indices, coarse spans to render). Bucketed batches hold sounds of like length."""
    weights = sampling_weights(examples)
    edges = BUCKETS if bucketed else (COARSE_SPANS,)
    bucket = torch.bucketize(examples.spans, torch.tensor(edges))
    shares = torch.stack([weights[bucket == index].sum() for index in range(len(edges))])
    while True:
        chosen = int(torch.multinomial(shares, 1, generator=generator))
        pool = torch.where(bucket == chosen, weights, 0.0)
        yield torch.multinomial(pool, size, replacement=True, generator=generator), edges[chosen]


class Trainer:
    """One run: a model, its optimiser, and how far it has come."""

    def __init__(self, settings: SoundSettings, dataset: Dataset, folder: Path) -> None:
        torch.set_num_threads(settings.threads)
        self.settings, self.dataset, self.folder = settings, dataset, folder
        self.fabric = lightning_fabric.Fabric(
            accelerator=settings.accelerator, devices=settings.devices, num_nodes=settings.nodes
        )
        self.fabric.launch()
        self.fabric.seed_everything(settings.seed, verbose=False)
        model = SoundVae(settings.model)
        model.controller.start_from(
            dataset.train.controls.map(lambda tensor: tensor.float()), dataset.train.classes
        )
        optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        self.model, self.optimiser = self.fabric.setup(model, optimiser)
        self.noise = decoder_noise().to(self.fabric.device)
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self.generator = torch.Generator().manual_seed(settings.seed + self.fabric.global_rank)

    @property
    def plain(self) -> SoundVae:
        """The model itself, without Fabric's wrapping."""
        return self.model.module  # type: ignore[no-any-return]

    def run(self, report: Progress | None = None, stop_after: int | None = None) -> SoundVae:
        """Train from where the run stands to its end (or ``stop_after``), saving on the way."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.settings
        (self.folder / "settings.json").write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=2))
        total = settings.envelope_steps + settings.audio_steps
        first = batches(self.dataset.train, settings.envelope_batch, self.generator, bucketed=False)
        second = batches(self.dataset.train, settings.audio_batch, self.generator, bucketed=True)
        began, losses = time.monotonic(), []
        while self.step < min(total, stop_after or total):
            audible = self.step >= settings.envelope_steps
            for group in self.optimiser.param_groups:
                group["lr"] = self._learning_rate()
            indices, spans = next(second if audible else first)
            losses.append(self._update(indices, spans, audible=audible))
            self.step += 1
            if self.step % settings.validate_every == 0 or self.step == total:
                mean = np.mean(losses, 0)
                row = {
                    "step": self.step,
                    "loss": float(mean[0]),
                    "controls_db": float(mean[1]),
                    "kl_nats": float(mean[2]),
                    "audio_db": float(mean[3]),
                    "validation_db": self.validate(),
                    "seconds": time.monotonic() - began,
                }
                self.rows.append(row)
                losses = []
                self.save()
                if report:
                    report(" ".join(f"{key} {value:.4g}" for key, value in row.items()), self.step, total)
        self.save()
        return self.plain

    def _learning_rate(self) -> float:
        """Cosine decay within each stage, after a short warm-up."""
        settings = self.settings
        audible = self.step >= settings.envelope_steps
        peak = settings.audio_learning_rate if audible else settings.learning_rate
        done = self.step - (settings.envelope_steps if audible else 0)
        length = settings.audio_steps if audible else settings.envelope_steps
        warm = min(1.0, (done + 1) / 100)
        return float(peak * warm * (0.02 + 0.98 * 0.5 * (1.0 + np.cos(np.pi * done / length))))

    def _update(self, indices: Tensor, spans: int, *, audible: bool) -> tuple[float, float, float, float]:
        """One step; returns loss, control error in dB, KL in nats and audible distance in dB."""
        examples, device = self.dataset.train, self.fabric.device
        intensity = torch.rand(len(indices), 1, generator=self.generator)
        intensity[torch.rand(len(indices), generator=self.generator) < FULL_INTENSITY_SHARE] = 1.0
        intensity = intensity.to(device)
        truth = soften(examples.controls[indices].map(lambda tensor: tensor.float().to(device)), intensity[:, 0])
        sound_class = examples.one_hot_of(indices).to(device)
        features = blur(examples.features[indices].float(), self.generator).to(device)
        self.model.train()
        mean, log_var, guess, audio = self.model(
            features, sound_class, intensity, self.noise if audible else None, spans
        )
        kl = kl_divergence(mean, log_var)
        controls_db = control_loss(Controls(*guess), truth, examples.spans[indices].to(device))
        beta = self.settings.beta * min(1.0, (self.step + 1) / max(self.settings.envelope_steps, 1))
        loss = beta * kl + (CONTROL_SHARE if audible else 1.0) * controls_db
        audio_db = torch.zeros(())
        full = intensity[:, 0] == 1.0  # softened hits exist as controls only
        if audio is not None and bool(full.any()):
            target = examples.audio[indices][:, : audio.shape[1]].float().to(device)
            audio_db = distance_db(audio[full], target[full]).mean()
            loss = loss + audio_db
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimiser, max_norm=5.0)
        self.optimiser.step()
        return float(loss), float(controls_db), float(kl), float(audio_db)

    def validate(self) -> float:
        """Mean distance in dB of validation sounds to their reconstruction by the posterior mean."""
        return float(reconstruction_db(self.plain, self.dataset.validation, self.noise).mean())

    def save(self) -> None:
        """Write metrics.csv, checkpoint.pt (to resume from) and model.pt (to use)."""
        if not self.fabric.is_global_zero:
            return
        state = {"recipe": self.plain.recipe(), "model": self.plain.state_dict()}
        _write(self.folder / "model.pt", state)
        more = {
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "rows": self.rows,
            "generator": self.generator.get_state(),
            "settings": json.loads(msgspec.json.encode(self.settings)),
        }
        _write(self.folder / "checkpoint.pt", {**state, **more})
        if self.rows:
            with (self.folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, list(self.rows[0]))
                table.writeheader()
                table.writerows(self.rows)

    def resume(self) -> None:
        """Go on from the folder's checkpoint.pt. ModelError when it is of another configuration."""
        state = torch.load(self.folder / "checkpoint.pt", weights_only=True)
        if state["settings"] != json.loads(msgspec.json.encode(self.settings)):
            raise ModelError(f"{self.folder} was begun with other settings: choose another run name")
        self.plain.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.rows = int(state["step"]), list(state["rows"])
        self.generator.set_state(state["generator"])


def blur(features: Tensor, generator: torch.Generator) -> Tensor:
    """Features with a little noise and a small overall gain: one file must not be told by its exact numbers."""
    gain = 0.03 * torch.randn(len(features), 1, generator=generator)
    return features + gain + 0.03 * torch.randn(features.shape, generator=generator)


@torch.no_grad()
def reconstruct(model: SoundVae, examples: Examples, noise: Tensor) -> Tensor:
    """Audio (n, 65536) decoded from the posterior mean."""
    model.eval()
    device = noise.device
    parts = []
    for indices in torch.arange(len(examples)).split(16):
        sound_class = examples.one_hot_of(indices).to(device)
        mean, _ = model.encoder(examples.features[indices].float().to(device), sound_class)
        parts.append(model.decode(mean, sound_class, torch.ones(len(indices), 1, device=device), noise).cpu())
    return torch.cat(parts)


def reconstruction_db(model: SoundVae, examples: Examples, noise: Tensor) -> Tensor:
    """Distance (n,) in dB of every example to its reconstruction."""
    audio = reconstruct(model, examples, noise)
    return torch.cat(
        [distance_db(a, b.float()) for a, b in zip(audio.split(16), examples.audio.split(16), strict=True)]
    )


def load_model(path: Path) -> SoundVae:
    """The model of a run's model.pt, ready to use. ModelError when the file is something else."""
    try:
        state = torch.load(path, weights_only=True)
        model = SoundVae(ModelConfig(**state["recipe"]))
        model.load_state_dict(state["model"])
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"{path} holds no sound model of this version: train it again") from error
    return model.eval()


def _write(path: Path, state: dict[str, object]) -> None:
    """Save beside and rename, so that a cut-off run leaves the last whole file."""
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    beside.replace(path)

