"""Latent maps: where the knobs X, Y, TONE X and TONE Y lead.

A map is a square lattice of latent points laid out after training. Knobs give a place (x, y) in 0..1;
between nodes the latent is interpolated bilinearly, then decoded. ``maps.npz`` of a bundle holds:

    rhythm_nodes   (G, G, Z)     latents; first axis y, second axis x
    node_styles    (G, G, S)     affinity of each place to each style; rows sum to 1; "fill" is 0
    sound_nodes    (C, H, H, W)  one sound map per sound class; axes y, x
    sound_bright   (C, W)        latent direction of brightness; +-1 spans the natural range
    sound_decay    (C, W)        latent direction of decay time; +-1 spans the natural range
    kit_classes    (S, V) int64  sound class of each voice, for every style
    kit_places     (S, V, 2)     place (x, y) on that class's sound map
    kit_latents    (S, V, W)     the exact sound latents of the kit
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from device.contract.pattern import FloatArray
from device.errors import ContractError

IntArray = npt.NDArray[np.int64]


def interpolate(nodes: FloatArray, x: float, y: float) -> FloatArray:
    """Read a lattice (H, W, ...) at x, y in 0..1 (clamped), bilinearly. Returns (...)."""
    rows, columns = nodes.shape[:2]
    column = min(max(x, 0.0), 1.0) * (columns - 1)
    row = min(max(y, 0.0), 1.0) * (rows - 1)
    left, top = min(int(column), max(columns - 2, 0)), min(int(row), max(rows - 2, 0))
    right, bottom = min(left + 1, columns - 1), min(top + 1, rows - 1)
    u, v = np.float32(column - left), np.float32(row - top)
    upper = nodes[top, left] * (1 - u) + nodes[top, right] * u
    lower = nodes[bottom, left] * (1 - u) + nodes[bottom, right] * u
    return np.asarray(upper * (1 - v) + lower * v, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """All maps of a bundle; see the module docstring for shapes. Arrays are finite and read-only."""

    rhythm_nodes: FloatArray
    node_styles: FloatArray
    sound_nodes: FloatArray
    sound_bright: FloatArray
    sound_decay: FloatArray
    kit_classes: IntArray
    kit_places: FloatArray
    kit_latents: FloatArray

    def __post_init__(self) -> None:
        for field in fields(self):
            dtype = np.int64 if field.name == "kit_classes" else np.float32
            array = np.array(getattr(self, field.name), dtype=dtype)
            if not np.isfinite(array).all():
                raise ContractError(f"map {field.name} has a value that is not a number: export the bundle again")
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)

    def check(self, *, styles: int, classes: int, voices: int, rhythm_size: int, sound_size: int) -> None:
        """Raise ContractError when a shape does not fit the manifest."""
        grid, side = self.rhythm_nodes.shape[0], self.sound_nodes.shape[1]
        expected = {
            "rhythm_nodes": (grid, grid, rhythm_size),
            "node_styles": (grid, grid, styles),
            "sound_nodes": (classes, side, side, sound_size),
            "sound_bright": (classes, sound_size),
            "sound_decay": (classes, sound_size),
            "kit_classes": (styles, voices),
            "kit_places": (styles, voices, 2),
            "kit_latents": (styles, voices, sound_size),
        }
        for name, shape in expected.items():
            actual = getattr(self, name).shape
            if actual != shape:
                raise ContractError(f"map {name} is {actual}, the manifest wants {shape}: export the bundle again")
        if self.kit_classes.size and not (0 <= self.kit_classes.min() and self.kit_classes.max() < classes):
            raise ContractError(
                f"map kit_classes names class {self.kit_classes.max()}, the manifest has {classes}: export the bundle again"
            )
