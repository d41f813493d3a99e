"""How well held-out sounds come back, beside what plain retrieval would give.

Reconstruction is decoded from the posterior mean; retrieval takes the nearest training recording of the
same class by the very same distance, which it is allowed to search with. The ratio is what counts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from device.contract.voices import SOUND_CLASSES
from training.sounds.analysis import analyse
from training.sounds.controls import Controls
from training.sounds.distance import Shelf, distance_db
from training.sounds.model import SoundVae
from training.sounds.render import Renderer, decoder_noise
from training.sounds.train import Dataset, reconstruction_db


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Distances in dB of every validation sound (n,)."""

    classes: Tensor
    reconstruction_db: Tensor
    retrieval_db: Tensor
    resynthesis_db: Tensor  # analysed and rendered again, no model: what the controls can say at best

    @property
    def ratio(self) -> float:
        """Mean reconstruction over mean retrieval distance; below 1 the model beats looking sounds up."""
        return float(self.reconstruction_db.mean() / self.retrieval_db.mean())

    def table(self) -> str:
        """A Markdown table: one row per class, then all sounds."""
        lines = [
            "| class | sounds | reconstruction dB | retrieval dB | ratio | resynthesis dB |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        everything = torch.ones_like(self.classes, dtype=torch.bool)
        rows = [(name, self.classes == index) for index, name in enumerate(SOUND_CLASSES)]
        for name, chosen in [*rows, ("**all**", everything)]:
            if chosen.any():
                ours, theirs, best = (
                    float(values[chosen].mean())
                    for values in (self.reconstruction_db, self.retrieval_db, self.resynthesis_db)
                )
                lines.append(
                    f"| {name} | {int(chosen.sum())} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | {best:.2f} |"
                )
        return "\n".join(lines)


def evaluate(model: SoundVae, dataset: Dataset) -> Evaluation:
    """Judge a model on the validation sounds of its dataset."""
    validation = dataset.validation
    ours = reconstruction_db(model, validation, decoder_noise())
    return Evaluation(validation.classes, ours, retrieval_db(dataset), resynthesis_db(validation.audio.float()))


def retrieval_db(dataset: Dataset) -> Tensor:
    """Distance (n,) of each validation sound to the nearest unvaried training sound of its class."""
    validation = dataset.validation
    nearest = torch.full((len(validation),), float("nan"))
    for index, name in enumerate(SOUND_CLASSES):
        asked = torch.nonzero(validation.classes == index)[:, 0]
        if len(asked):
            nearest[asked], _ = Shelf.of(_training_audio(dataset, index, name)).nearest(validation.audio[asked].float())
    return nearest


def _training_audio(dataset: Dataset, index: int, name: str) -> Tensor:
    if dataset.train_sounds:
        return torch.from_numpy(np.stack([one.audio for one in dataset.train_sounds if one.sound_class == name]))
    return dataset.train.audio[dataset.train.classes == index].float()


def resynthesis_db(audio: Tensor) -> Tensor:
    """Distance (n,) of sounds (n, 65536) to their analysis rendered again."""
    renderer, noise = Renderer(), decoder_noise()
    distances = []
    for sound in audio:
        controls: Controls = analyse(sound.numpy())
        distances.append(distance_db(renderer(controls, noise, torch.ones(1, 1)), sound[None]))
    return torch.cat(distances)
