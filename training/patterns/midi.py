"""Drums of a MIDI file on the sixteenth grid.

Time is read in ticks, not seconds, so tempo does not matter: a step is a quarter of a beat. A hit goes to
the nearest step and keeps the rest as its offset; of several hits in a cell the loudest stays.
"""

from pathlib import Path
from typing import Final

import mido
import numpy as np

from device.contract.pattern import LEVEL, OFFSET, STEPS, STEPS_PER_BAR, STEPS_PER_BEAT, VELOCITY, FloatArray
from device.contract.voices import VOICE_COUNT, VOICE_OF_NOTE
from device.errors import DataError

DRUM_CHANNEL: Final = 9  # counted from 0; players call it channel 10


def read_drums(path: Path) -> FloatArray:
    """Whole bars of a drum part, (bars * 16, 9, 3): level 0 or 1, velocity 0..1, offset -0.5..0.5 steps.

    Raises DataError when the file cannot be read or has no drums.
    """
    try:
        file = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, IndexError, KeyError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{path} cannot be read as MIDI ({why}): replace it, or take it out of the folder") from error
    if file.ticks_per_beat <= 0:
        raise DataError(f"{path} counts time in SMPTE frames, not in beats: save it with beats (PPQ)")
    hits: list[tuple[float, int, float]] = []  # step, voice, velocity
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "note_on" and message.channel == DRUM_CHANNEL and message.velocity > 0:
                voice = VOICE_OF_NOTE.get(message.note)
                if voice is not None:
                    hits.append((ticks * STEPS_PER_BEAT / file.ticks_per_beat, voice, message.velocity / 127.0))
    if not hits:
        raise DataError(
            f"{path} has no drums (no note of our nine voices on channel {DRUM_CHANNEL + 1}): "
            f"take it out of the folder, or move its drums to channel {DRUM_CHANNEL + 1}"
        )
    return _on_grid(hits)


def _on_grid(hits: list[tuple[float, int, float]]) -> FloatArray:
    last = int(np.floor(max(step for step, _, _ in hits) + 0.5))
    cells = np.zeros(((last // STEPS_PER_BAR + 1) * STEPS_PER_BAR, VOICE_COUNT, 3), np.float32)
    for position, voice, velocity in hits:
        step = int(np.floor(position + 0.5))
        if velocity > cells[step, voice, VELOCITY]:
            cells[step, voice, LEVEL] = 1.0
            cells[step, voice, VELOCITY] = velocity
            cells[step, voice, OFFSET] = position - step
    return cells


def two_bar_windows(cells: FloatArray) -> FloatArray:
    """Windows (n, 32, 9, 3) at one-bar stride; a single bar is played twice, windows with an empty bar are left out."""
    bars = cells.reshape(-1, STEPS_PER_BAR, VOICE_COUNT, 3)
    full = [bool(bar[..., LEVEL].any()) for bar in bars]
    while len(full) > 1 and not full[-1]:
        bars, full = bars[:-1], full[:-1]
    if len(bars) == 1:
        return np.tile(bars, (1, 2, 1, 1)).reshape(1, STEPS, VOICE_COUNT, 3)
    pairs = [np.concatenate([bars[i], bars[i + 1]]) for i in range(len(bars) - 1) if full[i] and full[i + 1]]
    return np.stack(pairs) if pairs else np.zeros((0, STEPS, VOICE_COUNT, 3), np.float32)
