"""The sound VAE as a task of the training loop: envelopes first, then what only audio shows.

    stage 1   features -> latent -> controls, compared with analysed or known controls; nothing is rendered
    stage 2   the same, rendered, and compared by the active log-mel distance it is judged by, loudness included

Stage 1 costs a tenth of stage 2 and brings the model to where a spectral loss has a slope to follow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from training.config import RunConfig
from training.report import Report
from training.sounds.controls import ATTACK_FRAMES, COARSE_HOP, Controls, soften
from training.sounds.distance import level_distance_db
from training.sounds.evaluation import reconstruct, reconstruction_db, retrieval_db
from training.sounds.examples import DataConfig, Dataset, Sampler, load_dataset
from training.sounds.layout import SoundMap, lay_out
from training.sounds.losses import control_loss, kl_divergence
from training.sounds.model import ModelConfig, SoundVae
from training.sounds.report import fill_report
from training.task import Batch, Metrics, Task

MAP_FILE: Final = "sound_map.npz"
FULL_INTENSITY_SHARE: Final = 0.6
BLUR: Final = 0.03  # noise on features: one recording must not be told by its exact numbers


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised, and when."""

    envelope_steps: int = 3000  # length of stage 1; the rest of loop.steps is stage 2
    audio_batch: int = 16  # sounds per step of stage 2
    beta: float = 0.01  # weight of the KL divergence, reached linearly over stage 1
    control_share: float = 0.3  # what stage 2 keeps of stage 1's loss


SECTIONS: Final = {"model": ModelConfig, "data": DataConfig, "loss": LossConfig}


def build_model(config: RunConfig) -> SoundVae:
    """The sound VAE with fresh weights."""
    return SoundVae(config.section("model", ModelConfig))


def build_task(config: RunConfig, data: Path | None) -> "SoundTask":
    """The model with its data; raises DataError when the data cannot be used."""
    dataset = load_dataset(config.section("data", DataConfig), config.seed, data)
    torch.manual_seed(config.seed)
    model = build_model(config)
    model.controller.start_from(dataset.train.controls.map(Tensor.float), dataset.train.classes)
    return SoundTask(model, dataset, config.section("loss", LossConfig), config.loop.batch_size)


class SoundTask(Task):
    """Batches, losses, judgement, maps and report of the sound VAE."""

    model: SoundVae

    def __init__(self, model: SoundVae, dataset: Dataset, loss: LossConfig, batch_size: int) -> None:
        self.model, self.dataset, self.settings, self.batch_size = model, dataset, loss, batch_size
        self.sampler = Sampler(dataset.train)
        self.retrieval_db = float(retrieval_db(dataset).mean())

    def train_batch(self, step: int, random: np.random.Generator) -> Batch:
        """Features, class, intensity, softened target controls, and in stage 2 the audio to come close to."""
        audible = step >= self.settings.envelope_steps
        size = self.settings.audio_batch if audible else self.batch_size
        chosen, spans = self.sampler.draw(size, random, bucketed=audible)
        examples = self.dataset.train
        intensity = random.random((size, 1), np.float32)
        intensity[random.random(size) < FULL_INTENSITY_SHARE] = 1.0
        intensity[0] = 1.0  # there is always something to listen to
        features = examples.features[chosen].float()
        blur = random.standard_normal(features.shape, np.float32) + random.standard_normal((size, 1), np.float32)
        softened = soften(examples.controls[chosen].map(Tensor.float), torch.from_numpy(intensity[:, 0]))
        batch = {
            "features": features + BLUR * torch.from_numpy(blur),
            "class": examples.one_hot_of(chosen),
            "intensity": torch.from_numpy(intensity),
            "spans": examples.spans[chosen],
            **{f"control_{index}": tensor for index, tensor in enumerate(softened.tensors())},
        }
        if audible:
            batch["audio"] = examples.audio[chosen, : ATTACK_FRAMES + spans * COARSE_HOP].float()
        return batch

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """KL and control error, in stage 2 also the audible distance of hits at full intensity."""
        target = batch.get("audio")
        spans = 0 if target is None else (target.shape[1] - ATTACK_FRAMES) // COARSE_HOP
        mean, log_var, guess, audio = model(batch["features"], batch["class"], batch["intensity"], spans)
        truth = Controls(*(batch[f"control_{index}"] for index in range(len(guess))))
        controls_db = control_loss(Controls(*guess), truth, batch["spans"])
        kl = kl_divergence(mean, log_var)
        beta = self.settings.beta * min(1.0, (step + 1) / max(self.settings.envelope_steps, 1))
        logged = {"controls_db": controls_db.detach(), "kl_nats": kl.detach()}
        if target is None:
            return controls_db + beta * kl, logged
        full = batch["intensity"][:, 0] == 1.0  # softened hits exist as controls only
        audio_db = level_distance_db(audio[full], target[full]).mean()
        return audio_db + self.settings.control_share * controls_db + beta * kl, logged | {
            "audio_db": audio_db.detach()
        }

    def evaluate(self, model: nn.Module) -> Metrics:
        """Mean distance in dB of held-out sounds to their reconstruction, and its ratio to retrieval's."""
        validation = self.dataset.validation
        audio_db = float(reconstruction_db(validation, reconstruct(cast(SoundVae, model), validation)).mean())
        return {"audio_db": audio_db, "retrieval_db": self.retrieval_db, "ratio": audio_db / self.retrieval_db}

    def score(self, metrics: Metrics) -> float:
        """The smaller the distance the better."""
        return -metrics["audio_db"]

    def finish(self, model: nn.Module, folder: Path) -> None:
        """Lay out the sound maps and write them into the run."""
        lay_out(cast(SoundVae, model), self.dataset.train).write(folder / MAP_FILE)

    def report(self, model: nn.Module, report: Report, folder: Path) -> None:
        """Distances by class, latent space, pictures and sounds."""
        fill_report(report, cast(SoundVae, model), self.dataset, SoundMap.read(folder / MAP_FILE))
