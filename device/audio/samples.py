"""Float frames as the integers that cards, files and pages want, in one buffer made once."""

from typing import Final

import numpy as np

from device.contract.pattern import FloatArray

FULL_SCALE: Final = {16: 32767.0, 32: 2147483520.0}  # the largest float32 that fits


class Samples:
    """Little-endian signed integers of 16 or 32 bits for blocks of (frames, 2)."""

    def __init__(self, frames: int, bits: int = 16) -> None:
        self._scale = np.float32(FULL_SCALE[bits])
        self._floats = np.zeros((frames, 2), np.float32)
        self._integers = np.zeros((frames, 2), f"<i{bits // 8}")
        self.bytes: Final = self._integers.data.cast("B")  # the last block

    def fill(self, block: FloatArray) -> memoryview:
        """Convert a block (frames, 2) in -1..1, anything beyond is clipped; returns ``bytes``."""
        np.maximum(block, -1.0, out=self._floats)
        np.minimum(self._floats, 1.0, out=self._floats)
        np.multiply(self._floats, self._scale, out=self._floats)
        np.rint(self._floats, out=self._floats)
        np.copyto(self._integers, self._floats, casting="unsafe")
        return self.bytes
