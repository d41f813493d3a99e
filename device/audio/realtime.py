"""What the system may grant an audio process: memory that stays in place, and being first in line.

Nothing here is needed to play; what was not granted is said in the hello and shows as late blocks under load.
"""

import ctypes
import gc
import os
import resource
from typing import Final

import numpy as np

from device.contract.pattern import GRID_SHAPE, LEVEL, OFFSET, FloatArray, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.engine import Engine
from device.engine.records import Action, Command, Hit, Params, Pattern, Sound, Stamped, Transport

HIGHEST_PRIORITY: Final = 70  # below the kernel's own threads
NICE: Final = -11
LOCK_CURRENT, LOCK_FUTURE, LOCK_ON_FAULT = 1, 2, 4  # mlockall: pages stay once touched, untouched ones cost nothing


def claim() -> str:
    """Ask for both, once all memory is there; returns what was granted in words."""
    if priority := _first_in_line():
        line = f"SCHED_FIFO {priority}"
    else:
        line = f"{'nice ' + str(NICE) if _nice() else 'ordinary scheduling'} (RLIMIT_RTPRIO grants no SCHED_FIFO)"
    return f"{line}, memory {'locked' if _lock_memory() else 'not locked'}"


def _first_in_line() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    priority = HIGHEST_PRIORITY if allowed == resource.RLIM_INFINITY else min(allowed, HIGHEST_PRIORITY)
    if priority <= 0:
        return 0
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return 0
    return priority


def _nice() -> bool:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except OSError:
        return False
    return True


def _lock_memory() -> bool:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    later = LOCK_FUTURE if limit == resource.RLIM_INFINITY else 0  # with a limit, a later allocation could fail
    try:
        return bool(ctypes.CDLL(None).mlockall(LOCK_CURRENT | LOCK_ON_FAULT | later) == 0)
    except (OSError, AttributeError):
        return False


def warm_up(sample_rate: int, block_frames: int, slots: FloatArray) -> None:
    """Play two bars to nobody on an engine of its own, so that every path has been walked before it counts."""
    engine = Engine(sample_rate, slots)
    cells = np.full(GRID_SHAPE, 0.5, np.float32)
    cells[:, :, LEVEL] = 1.0
    cells[:, :, OFFSET] = 0.0
    commands: list[Command] = [Params(tempo_bpm=300.0), Pattern(PatternGrid(cells))]
    commands += [Sound(voice, (0,), (block_frames,)) for voice in range(VOICE_COUNT)]
    for number, command in enumerate([*commands, Hit(0, 1.0), Transport(Action.START)], 1):
        engine.take(Stamped(command, number))
    block = np.zeros((block_frames, 2), np.float32)
    for _ in range(max(sample_rate // (2 * block_frames), 1)):  # half a second
        engine.render(block)
        engine.report().encode()


def freeze() -> None:
    """No more collections: what lives now lives on, and the beat path makes no cycles."""
    gc.collect()
    gc.freeze()
    gc.disable()
