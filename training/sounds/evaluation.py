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
from training.sounds.distance import Shelf, distance_db
from training.sounds.examples import BATCH, Dataset, Examples
from training.sounds.model import SoundVae

Row = tuple[str, int, float, float, float, float]


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

    def rows(self) -> list[Row]:
        """Class, sounds, reconstruction, retrieval, their ratio, resynthesis; the last row is all sounds."""
        chosen = [(name, self.classes == index) for index, name in enumerate(SOUND_CLASSES)]
        chosen.append(("all", torch.ones_like(self.classes, dtype=torch.bool)))
        table: list[Row] = []
        for name, mask in chosen:
            if mask.any():
                ours, theirs, best = (
                    float(values[mask].mean())
                    for values in (self.reconstruction_db, self.retrieval_db, self.resynthesis_db)
                )
                table.append((name, int(mask.sum()), ours, theirs, ours / theirs, best))
        return table


def evaluate(model: SoundVae, dataset: Dataset) -> Evaluation:
    """Judge a model on the validation sounds of its dataset."""
    validation = dataset.validation
    return Evaluation(
        validation.classes,
        reconstruction_db(validation, reconstruct(model, validation)),
        retrieval_db(dataset),
        resynthesis_db(model, validation),
    )


@torch.no_grad()
def reconstruct(model: SoundVae, examples: Examples) -> Tensor:
    """Audio (n, 65536) decoded from the posterior mean; the model is left in evaluation mode."""
    model.eval()
    device = model.noise.device
    parts = []
    for indices in torch.split(torch.arange(len(examples)), BATCH):
        sound_class = examples.one_hot_of(indices).to(device)
        mean, _ = model.encoder(examples.features[indices].float().to(device), sound_class)
        parts.append(model.decode(mean, sound_class, torch.ones(len(indices), 1, device=device)).cpu())
    return torch.cat(parts)


def reconstruction_db(examples: Examples, audio: Tensor) -> Tensor:
    """Distance (n,) in dB of every example to its reconstruction (n, 65536)."""
    pairs = zip(torch.split(audio, BATCH), torch.split(examples.audio, BATCH), strict=True)
    return torch.cat([distance_db(ours, theirs.float()) for ours, theirs in pairs])


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
    if dataset.recordings:
        return torch.from_numpy(np.stack([one.audio for one in dataset.recordings if one.sound_class == name]))
    return dataset.train.audio[dataset.train.classes == index].float()


@torch.no_grad()
def resynthesis_db(model: SoundVae, examples: Examples) -> Tensor:
    """Distance (n,) of sounds to their analysis rendered again, with no latent between."""
    one = torch.ones(1, 1)
    distances = []
    for sound in examples.audio.float():
        again = model.renderer(analyse(sound.numpy()), model.noise.cpu(), one)
        distances.append(distance_db(again, sound[None]))
    return torch.cat(distances)
