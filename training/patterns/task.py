"""The rhythm VAE as a task of the training loop.

A batch is drawn, recombined and never repeated; the judgement is on windows nobody was trained on. The best
weights are chosen on the *tuning* windows, so that the validation split has no hand in the model at all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from device.errors import SettingError
from training.config import RunConfig
from training.patterns.augment import AugmentConfig, Recombiner
from training.patterns.calibrate import calibrate
from training.patterns.data import DataConfig, Dataset, load_dataset
from training.patterns.evaluation import fidelity, reconstruct
from training.patterns.fills import FillBook
from training.patterns.labels import as_fill
from training.patterns.layout import MAP_FILE, RhythmMap, lay_out
from training.patterns.losses import LossConfig, kl_nats, level_nats, touch_nats
from training.patterns.model import ModelConfig, RhythmVae
from training.patterns.report import fill_report
from training.report import Report
from training.task import Batch, Metrics, Task


@dataclass(frozen=True, slots=True)
class FinishConfig:
    """What is done to the trained model: see calibrate.py."""

    style_share: float = 0.6  # of the way between two styles' centres that the STYLE knob goes
    sharpness: float = 0.5  # of levels; below 1 they are more graded

    def __post_init__(self) -> None:
        if not 0.0 <= self.style_share <= 1.0:
            raise SettingError(f"finish.style_share must be 0..1, got {self.style_share}")
        if self.sharpness <= 0.0:
            raise SettingError(f"finish.sharpness must be above 0, got {self.sharpness}")


FILL_PART: Final = 4  # one groove in so many is also asked for a fill

SECTIONS: Final = {
    "model": ModelConfig,
    "data": DataConfig,
    "augment": AugmentConfig,
    "loss": LossConfig,
    "finish": FinishConfig,
}


def build_model(config: RunConfig) -> RhythmVae:
    """The rhythm VAE with fresh weights."""
    return RhythmVae(config.section("model", ModelConfig))


def build_task(config: RunConfig, data: Path | None) -> "RhythmTask":
    """The model with its data; raises DataError when the data cannot be used."""
    dataset = load_dataset(config.section("data", DataConfig), config.seed, data)
    torch.manual_seed(config.seed)
    return RhythmTask(build_model(config), dataset, config)


class RhythmTask(Task):
    """Batches, losses, judgement, map and report of the rhythm VAE."""

    model: RhythmVae

    def __init__(self, model: RhythmVae, dataset: Dataset, config: RunConfig) -> None:
        self.model, self.dataset = model, dataset
        self.settings = config.section("loss", LossConfig)
        self.ending = config.section("finish", FinishConfig)
        self.batch_size = config.loop.batch_size
        self.recombiner = Recombiner(dataset.train, config.section("augment", AugmentConfig))
        self.book = FillBook(dataset.train)

    def train_batch(self, step: int, random: np.random.Generator) -> Batch:  # noqa: ARG002
        """Recombined patterns (n, 32, 9, 3) and their style vectors (n, S)."""
        pattern, style = self.recombiner.batch(self.batch_size, random)
        batch = {"pattern": torch.from_numpy(pattern), "style": torch.from_numpy(style)}
        asked = self.batch_size // FILL_PART
        if len(self.book) and asked:
            batch["filled"] = torch.from_numpy(self.book.filled(pattern[:asked]))
            batch["fill_style"] = torch.from_numpy(as_fill(style[:asked]))
        return batch

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Nats of a pattern; the parts are logged without their weights."""
        pattern, settings = batch["pattern"], self.settings
        mean, log_var, logits, filled = model(pattern, batch["style"], batch.get("fill_style"))
        level = level_nats(logits[..., 0], pattern[..., 0], settings.smoothing)
        velocity, offset = touch_nats(logits, pattern)
        kl = kl_nats(mean, log_var)
        loss = level + settings.velocity * velocity + settings.offset * offset + settings.beta_at(step) * kl
        parts = {"level_nats": level, "velocity_nats": velocity, "offset_nats": offset, "kl_nats": kl}
        if filled is not None:
            parts["fill_nats"] = level_nats(filled[..., 0], batch["filled"][..., 0], settings.smoothing)
            touch = sum(touch_nats(filled, batch["filled"]), torch.zeros(()))
            loss = loss + settings.fill * (parts["fill_nats"] + 0.3 * touch)
        return loss, {name: part.detach() for name, part in parts.items()}

    def evaluate(self, model: nn.Module) -> Metrics:
        """Hit F1, velocity and offset error of held-out grooves, and F1 of the tuning windows."""
        vae = cast(RhythmVae, model)
        judged = fidelity(self.dataset.validation.cells, reconstruct(vae, self.dataset.validation))
        tuned = fidelity(self.dataset.tuning.cells, reconstruct(vae, self.dataset.tuning))
        return {
            "hit_f1": judged.f1,
            "velocity_mae": judged.velocity_mae,
            "offset_mae": judged.offset_mae,
            "tuning_f1": tuned.f1,
            "tuning_velocity_mae": tuned.velocity_mae,
            "tuning_offset_mae": tuned.offset_mae,
        }

    def score(self, metrics: Metrics) -> float:
        """F1 less half of both errors, on the tuning windows."""
        return metrics["tuning_f1"] - 0.5 * (metrics["tuning_velocity_mae"] + metrics["tuning_offset_mae"])

    def finish(self, model: nn.Module, folder: Path) -> None:
        """Calibrate the model, lay out the rhythm map and write it into the run."""
        vae, ending = cast(RhythmVae, model), self.ending
        calibrate(vae, self.dataset.train, self.dataset.tuning, ending.style_share, ending.sharpness)
        lay_out(vae, self.dataset.train).write(folder / MAP_FILE)

    def report(self, model: nn.Module, report: Report, folder: Path) -> None:
        """Fidelity by voice and style, latent space, grids, the map, sounds."""
        fill_report(report, cast(RhythmVae, model), self.dataset, RhythmMap.read(folder / MAP_FILE))
