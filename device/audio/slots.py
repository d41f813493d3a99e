"""Which sound slots may be written: control's half of the shared memory.

    free --write()--> written --announced()--> named --heard()--> free

A slot goes back to free only when a Report says so: its bit is clear *and* the audio half has taken the
Sound that named it (or a later command), so a Sound still on its way keeps its slots. Before the first
Report nothing is free, because a beat may already be playing from these slots.
"""

from collections.abc import Sequence

import numpy as np

from device.contract.pattern import FloatArray
from device.engine.records import MAX_LAYERS, SLOT_COUNT, SLOT_FRAMES, Report
from device.errors import LinkError


def not_before(applied: int, sequence: int) -> bool:
    """Whether ``applied`` is ``sequence`` or later; both are counters of 32 bits that wrap."""
    return (applied - sequence) & 0xFFFFFFFF < 0x80000000


class SlotPool:
    """Finds free slots in ``slots`` (128, 65536) float32 and writes sounds there."""

    def __init__(self, slots: FloatArray) -> None:
        self._slots = slots
        self._free: list[int] = []
        self._written: set[int] = set()  # copied, not yet announced
        self._named: dict[int, int] = {}  # slot -> sequence of the last Sound that named it
        self._epoch: int | None = None

    @property
    def free(self) -> int:
        """How many slots may be written now."""
        return len(self._free)

    def write(self, layers: Sequence[FloatArray]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Copy 1..4 layers, each (n,) float32 with n <= 65536, into free slots: (slots, frames) for a Sound.

        None when too few slots are free: try again after a Report. Raises LinkError for layers that do not fit.
        """
        if not 1 <= len(layers) <= MAX_LAYERS:
            raise LinkError(f"a sound has 1..{MAX_LAYERS} layers, got {len(layers)}")
        for layer in layers:
            if layer.ndim != 1 or len(layer) > SLOT_FRAMES:
                raise LinkError(
                    f"a layer is at most {SLOT_FRAMES} frames of one channel, got {layer.shape}: shorten it"
                )
        if len(layers) > len(self._free):
            return None
        slots = tuple(self._free.pop(0) for _ in layers)  # the longest free goes first
        for slot, layer in zip(slots, layers, strict=True):
            np.copyto(self._slots[slot, : len(layer)], layer)
        self._written.update(slots)
        return slots, tuple(len(layer) for layer in layers)

    def announced(self, slots: tuple[int, ...], sequence: int) -> None:
        """Tell that the Sound command with this sequence number names these slots."""
        self._written.difference_update(slots)
        self._named.update(dict.fromkeys(slots, sequence))

    def heard(self, report: Report) -> None:
        """Take back what the audio half no longer needs; an audio process of another epoch needs nothing of ours."""
        if report.epoch != self._epoch:
            self._epoch = report.epoch
            self._free.clear()
            self._written.clear()
            self._named = dict.fromkeys(range(SLOT_COUNT), report.applied)
        for slot, sequence in list(self._named.items()):
            if not report.slots_in_use >> slot & 1 and not_before(report.applied, sequence):
                del self._named[slot]
                self._free.append(slot)
