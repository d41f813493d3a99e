"""The pattern grid: two bars of sixteenths, nine voices, three numbers a cell.

level     0..1       how much the model wants a hit here (a probability, thresholded when played)
velocity  0..1       how hard it is hit
offset   -0.5..0.5   microtiming in steps: negative is early; carries swing and triplets
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from device.contract.voices import VOICE_COUNT
from device.errors import ContractError

STEPS_PER_BEAT: Final = 4
STEPS_PER_BAR: Final = 16
BARS: Final = 2
STEPS: Final = STEPS_PER_BAR * BARS
LEVEL, VELOCITY, OFFSET = 0, 1, 2
GRID_SHAPE: Final = (STEPS, VOICE_COUNT, 3)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PatternGrid:
    """One pattern: ``cells`` (32, 9, 3) float32, read-only: level, velocity, offset.

    Raises ContractError when the shape is another, a value is not finite or out of its range.
    """

    cells: FloatArray

    def __post_init__(self) -> None:
        cells = np.array(self.cells, dtype=np.float32)  # a copy: grids are values
        if cells.shape != GRID_SHAPE:
            raise ContractError(
                f"pattern is {cells.shape}, this device plays {GRID_SHAPE}: (step, voice, level/velocity/offset)"
            )
        if not np.isfinite(cells).all():
            raise ContractError("pattern has a value that is not a number: decode it again or load another bundle")
        for name, index, low, high in (
            ("level", LEVEL, 0.0, 1.0),
            ("velocity", VELOCITY, 0.0, 1.0),
            ("offset", OFFSET, -0.5, 0.5),
        ):
            plane = cells[:, :, index]
            if plane.min() < low or plane.max() > high:
                raise ContractError(f"pattern {name} must be {low}..{high}, got {plane.min():.3f}..{plane.max():.3f}")
        cells.setflags(write=False)
        object.__setattr__(self, "cells", cells)

    @property
    def levels(self) -> FloatArray:
        """(32, 9) 0..1."""
        return self.cells[:, :, LEVEL]

    @property
    def velocities(self) -> FloatArray:
        """(32, 9) 0..1."""
        return self.cells[:, :, VELOCITY]

    @property
    def offsets(self) -> FloatArray:
        """(32, 9) in steps, -0.5..0.5."""
        return self.cells[:, :, OFFSET]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PatternGrid) and bool(np.array_equal(self.cells, other.cells))

    def __hash__(self) -> int:
        return hash(self.cells.tobytes())

    def __repr__(self) -> str:
        return f"PatternGrid({int((self.levels >= 0.5).sum())} likely hits)"

    @classmethod
    def empty(cls) -> "PatternGrid":
        """A silent pattern."""
        return cls(np.zeros(GRID_SHAPE, np.float32))

    @classmethod
    def clipped(cls, cells: npt.ArrayLike) -> "PatternGrid":
        """A grid from model output: finite values are brought into range, others raise ContractError."""
        array = np.array(cells, dtype=np.float32)
        if array.shape == GRID_SHAPE and np.isfinite(array).all():
            np.clip(array[:, :, :OFFSET], 0.0, 1.0, out=array[:, :, :OFFSET])
            np.clip(array[:, :, OFFSET], -0.5, 0.5, out=array[:, :, OFFSET])
        return cls(array)
