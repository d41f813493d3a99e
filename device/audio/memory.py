"""The sound slots: memory without a name that audio makes, and control maps from a passed descriptor.

It lives as long as one of them does. It is sealed against resizing, so that neither can pull it from under the other.
"""

import fcntl
import mmap
import os
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.engine.records import SLOT_COUNT, SLOT_FRAMES
from device.errors import LinkError

SLOT_BYTES: Final = SLOT_COUNT * SLOT_FRAMES * 4


def make_slots() -> tuple[int, FloatArray]:
    """A descriptor to pass on, and the slots (128, 65536) float32, read-only here. Pages cost memory once used."""
    descriptor = os.memfd_create("latido-slots", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, SLOT_BYTES)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor, _as_slots(mmap.mmap(descriptor, SLOT_BYTES, mmap.MAP_SHARED, mmap.PROT_READ))


def map_slots(descriptor: int) -> FloatArray:
    """The slots behind a descriptor, writable; the descriptor may be closed after. Raises LinkError."""
    try:
        if os.fstat(descriptor).st_size != SLOT_BYTES:
            raise LinkError(f"sound memory of {os.fstat(descriptor).st_size} bytes, must be {SLOT_BYTES}: restart both")
        return _as_slots(mmap.mmap(descriptor, SLOT_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
    except OSError as error:
        raise LinkError(f"sound memory cannot be mapped: {error}") from error


def _as_slots(memory: mmap.mmap) -> FloatArray:
    return np.frombuffer(memory, np.float32).reshape(SLOT_COUNT, SLOT_FRAMES)
