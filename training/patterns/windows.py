"""Windows: many two-bar patterns with their labels, as arrays. What every data source gives and training takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.contract.pattern import GRID_SHAPE, LEVEL, FloatArray
from training.patterns.labels import STYLES, style_vector

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """n patterns. Level is 0 or 1; velocity and offset are 0 where there is no hit."""

    cells: FloatArray  # (n, 32, 9, 3) level, velocity, offset
    style: IntArray  # (n,) index into STYLES, never "fill"
    fill: BoolArray  # (n,)

    def __post_init__(self) -> None:
        if self.cells.shape[1:] != GRID_SHAPE or not len(self.cells) == len(self.style) == len(self.fill):
            raise ValueError(f"windows do not fit together: {self.cells.shape}, {self.style.shape}, {self.fill.shape}")

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, chosen: npt.NDArray[np.generic] | slice) -> "Windows":
        return Windows(self.cells[chosen], self.style[chosen], self.fill[chosen])

    @property
    def hits(self) -> FloatArray:
        """(n, 32, 9) 0 or 1."""
        return self.cells[..., LEVEL]

    def style_vectors(self) -> FloatArray:
        """(n, S) weights that sum to 1; a fill is half its style, half "fill"."""
        return STYLE_VECTORS[self.fill.astype(np.int64), self.style]

    @classmethod
    def join(cls, parts: "Sequence[Windows]") -> "Windows":
        """All windows of several sources, in order."""
        return cls(
            np.concatenate([part.cells for part in parts]),
            np.concatenate([part.style for part in parts]),
            np.concatenate([part.fill for part in parts]),
        )


# (2, S - 1, S): plain and fill vectors of every style
STYLE_VECTORS = np.stack(
    [np.stack([style_vector(name, fill=fill) for name in STYLES[:-1]]) for fill in (False, True)]
).astype(np.float32)
