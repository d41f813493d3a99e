"""A vector of gains that never jumps: each change is spread evenly over a few quanta.

    target   ______________.-------      the newest target is walked to in a straight line;
    value    ____________./              a newer one met on the way starts a new line from there

The engine renders in quanta of ``QUANTUM`` frames, aligned to its frame counter; everything that ramps
moves once a quantum and is interpolated inside it, so output does not depend on the caller's block size.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray

QUANTUM: Final = 128  # frames rendered at once. 64 costs twice as much per frame, and a block of 128 waits for neither
RISE: Final[FloatArray] = (np.arange(1, QUANTUM + 1, dtype=np.float32) / np.float32(QUANTUM)).astype(np.float32)


def quanta(seconds: float, sample_rate: int) -> int:
    """How many quanta this time is, at least one."""
    return max(round(seconds * sample_rate / QUANTUM), 1)


class Ramp:
    """``size`` gains. ``rows`` (size, QUANTUM) holds them frame by frame for the quantum being rendered."""

    def __init__(self, values: Sequence[float], seconds: float, sample_rate: int) -> None:
        self.now = np.array(values, np.float32)  # (size,) at the end of the quantum
        self.rows = np.repeat(self.now[:, None], QUANTUM, axis=1)
        self._target = self.now.copy()
        self._step = np.zeros_like(self.now)
        self._now_column, self._step_column = self.now[:, None], self._step[:, None]
        self._quanta = quanta(seconds, sample_rate)
        self._aimed = tuple(values)
        self._left = 0
        self._flat = True  # rows hold the one value throughout

    @property
    def moving(self) -> bool:
        """True while the values of the quantum being rendered are not all alike."""
        return not self._flat

    def aim(self, values: Sequence[float]) -> None:
        """Walk to these values from the next quantum on."""
        aimed = tuple(values)
        if aimed == self._aimed:
            return
        self._aimed = aimed
        target = self._target
        for index, value in enumerate(aimed):
            target[index] = value
        np.subtract(target, self.now, out=self._step)
        if not self._step.any():
            self._left = 0
            return
        self._step /= self._quanta
        self._left = self._quanta

    def advance(self) -> None:
        """Move on by one quantum."""
        if self._left == 0:
            if not self._flat:
                np.copyto(self.rows, self._now_column)
                self._flat = True
            return
        self._flat = False
        self._left -= 1
        np.multiply(self._step_column, RISE, out=self.rows)
        np.add(self.rows, self._now_column, out=self.rows)
        if self._left:
            np.add(self.now, self._step, out=self.now)
        else:
            np.copyto(self.now, self._target)
