"""Sound maps: where TONE X, TONE Y, BRIGHT and DECAY lead, laid out after training.

A map is a self-organising lattice (Kohonen, 1982) over the posterior means of a class's sounds: it starts
as the plane of the two widest directions and bends to where sounds are, while neighbours stay alike. It is
turned so that x goes from dark to bright and y from short to long.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from device.contract.voices import SOUND_CLASSES
from device.errors import DataError
from training.sounds.attributes import brightness_octaves, decay_octaves
from training.sounds.examples import Examples
from training.sounds.model import SoundVae

SIDE = 8
ROUNDS = 40
POOL_SIZE = 160  # sounds of one class that shape its map
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SoundMap:
    """Maps and directions of all classes, and the m encoded sounds they were laid out from."""

    sound_nodes: npt.NDArray[np.float32]  # (C, 8, 8, W); axes y, x
    sound_bright: npt.NDArray[np.float32]  # (C, W)
    sound_decay: npt.NDArray[np.float32]  # (C, W)
    pool_latents: npt.NDArray[np.float32]  # (m, W)
    pool_classes: npt.NDArray[np.int64]  # (m,)
    pool_bright: npt.NDArray[np.float32]  # (m,) octaves above 20 Hz
    pool_decay: npt.NDArray[np.float32]  # (m,) log2 seconds
    pool_real: npt.NDArray[np.bool_]  # (m,) recorded, not synthesized

    def write(self, path: Path) -> None:
        """Save as one npz file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> "SoundMap":
        """Load a run's sound_map.npz; DataError when it is missing or another file."""
        try:
            with np.load(path) as file:
                return cls(**{field.name: file[field.name] for field in fields(cls)})
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path} is no sound map: train the sound model again") from error


def lay_out(model: SoundVae, examples: Examples, side: int = SIDE) -> SoundMap:
    """Maps of every class from the sounds of ``examples``; a class without sounds raises DataError."""
    pools, nodes, brights, decays = [], [], [], []
    for index, name in enumerate(SOUND_CLASSES):
        chosen = _pool(examples, index)
        if len(chosen) < 3:
            raise DataError(f"class {name} has {len(chosen)} sounds, a map needs 3: add some or set synthetic")
        audio = examples.audio[chosen].float()
        latents = encode(model, examples, chosen)
        bright, decay = brightness_octaves(audio), decay_octaves(audio)
        nodes.append(_turned(self_organise(latents, side), latents, bright, decay))
        toward_bright, toward_decay = directions(latents, bright, decay)
        brights.append(toward_bright)
        decays.append(toward_decay)
        pools.append((latents, np.full(len(chosen), index), bright, decay, examples.real[chosen].numpy()))
    columns = [np.concatenate(column) for column in zip(*pools, strict=True)]
    return SoundMap(
        np.stack(nodes).astype(np.float32),
        np.stack(brights).astype(np.float32),
        np.stack(decays).astype(np.float32),
        columns[0].astype(np.float32),
        columns[1].astype(np.int64),
        columns[2].astype(np.float32),
        columns[3].astype(np.float32),
        columns[4].astype(np.bool_),
    )


@torch.no_grad()
def encode(model: SoundVae, examples: Examples, chosen: Tensor) -> Floats:
    """Posterior means (m, W) of some examples."""
    model.eval()
    mean, _ = model.encoder(examples.features[chosen].float(), examples.one_hot_of(chosen))
    return np.asarray(mean.double().numpy())


def _pool(examples: Examples, index: int) -> Tensor:
    """Up to 160 sounds of a class, three quarters of them real where there are enough, spread evenly."""
    real = torch.nonzero((examples.classes == index) & examples.real)[:, 0]
    made = torch.nonzero((examples.classes == index) & ~examples.real)[:, 0]
    from_real = min(len(real), POOL_SIZE * 3 // 4 if len(made) else POOL_SIZE)
    from_made = min(len(made), max(from_real // 3, POOL_SIZE - from_real))
    return torch.cat([_spread(real, from_real), _spread(made, from_made)])


def _spread(indices: Tensor, count: int) -> Tensor:
    if count == 0:
        return indices[:0]
    return indices[torch.linspace(0, len(indices) - 1, count).long()]


def self_organise(latents: Floats, side: int) -> Floats:
    """A lattice (side, side, W) through the points (m, W): neighbours alike, places where points are."""
    centre = latents.mean(0)
    _, scales, axes = np.linalg.svd(latents - centre, full_matrices=False)
    spread = scales[:2] / np.sqrt(len(latents)) * 1.5
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 2, indexing="ij"), -1).reshape(-1, 2)
    nodes = centre + (grid[:, ::-1] * spread) @ axes[:2]
    cells = grid * (side - 1) / 2.0
    gaps = ((cells[:, None] - cells[None]) ** 2).sum(-1)
    for turn in range(ROUNDS):
        reach = side / 2.5 * (0.9 / (side / 2.5)) ** (turn / (ROUNDS - 1))
        winners = ((latents[:, None] - nodes[None]) ** 2).sum(-1).argmin(1)
        pull = np.exp(-0.5 * gaps[:, winners] / reach**2)  # (nodes, m)
        nodes = (pull @ latents) / np.maximum(pull.sum(1, keepdims=True), 1e-9)
    return np.asarray(nodes.reshape(side, side, -1))


def _turned(nodes: Floats, latents: Floats, bright: Floats, decay: Floats) -> Floats:
    """The lattice transposed and mirrored so that x follows brightness and y decay as well as they can."""
    flat = nodes.reshape(-1, nodes.shape[-1])
    nearest = ((flat[:, None] - latents[None]) ** 2).sum(-1).argsort(1)[:, :3]
    values = [_standard(value[nearest].mean(1).reshape(nodes.shape[:2])) for value in (bright, decay)]
    ramp = np.linspace(-1, 1, nodes.shape[0])

    def fit(turned: list[Floats]) -> float:
        return float((turned[0] * ramp[None, :]).sum() + (turned[1] * ramp[:, None]).sum())

    ways = [(swap, up, left) for swap in (False, True) for up in (1, -1) for left in (1, -1)]
    best = max(ways, key=lambda way: fit([_turn(value, *way) for value in values]))
    return _turn(nodes, *best)


def _turn(array: Floats, swap: bool, up: int, left: int) -> Floats:
    turned = array.swapaxes(0, 1) if swap else array
    return turned[::up, ::left]


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))


def directions(latents: Floats, bright: Floats, decay: Floats) -> tuple[Floats, Floats]:
    """Latent directions (W,) of brightness and of decay; +-1 spans from the 10th to the 90th percentile.

    Latents are regressed on both attributes at once, so that turning one leaves the other alone.
    """
    table = np.stack([_standard(bright), _standard(decay), np.ones(len(bright))], 1)
    slopes = np.linalg.solve(table.T @ table + 0.02 * len(table) * np.eye(3), table.T @ latents)
    half = [0.5 * float(np.subtract(*np.percentile(_standard(value), [90, 10]))) for value in (bright, decay)]
    return np.asarray(slopes[0] * half[0]), np.asarray(slopes[1] * half[1])
