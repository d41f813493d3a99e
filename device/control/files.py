"""WAV and MIDI files of a render, written whole or not at all.

Every file of a render is first written beside its final name and renamed when all are complete, so a
render that fails overwrites nothing.
"""

import contextlib
import io
import wave
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import mido
import numpy as np
import numpy.typing as npt

from device.contract.pattern import FloatArray
from device.contract.voices import VOICES
from device.engine.records import Trigger
from device.errors import LatidoError

TICKS_PER_BEAT: Final = 960
NOTE_TICKS: Final = TICKS_PER_BEAT // 8
DRUM_CHANNEL: Final = 9
DITHER_SEED: Final = 20260101  # dither is noise, but the same each time


def wav_bytes(audio: FloatArray, sample_rate: int, bits: int = 24) -> bytes:
    """(n, channels) float -1..1 as a WAV file: 24 bits, or 16 with triangular dither."""
    steps = float(2 ** (bits - 1))
    scaled = np.asarray(audio, np.float64) * (steps - 1)
    if bits == 16:
        draw = np.random.default_rng(DITHER_SEED)
        scaled += draw.random(scaled.shape) - draw.random(scaled.shape)
    whole = np.clip(np.rint(scaled), -steps, steps - 1).astype("<i4")
    data = whole.astype("<i2").tobytes() if bits == 16 else _three_bytes(whole)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(audio.shape[1])
        file.setsampwidth(bits // 8)
        file.setframerate(sample_rate)
        file.writeframes(data)
    return buffer.getvalue()


def _three_bytes(whole: npt.NDArray[np.int32]) -> bytes:
    return np.ascontiguousarray(whole)[..., None].view(np.uint8)[..., :3].tobytes()


def midi_bytes(
    triggers: Iterable[Trigger], beat_frames: Sequence[float], beats: Sequence[float], sample_rate: int
) -> bytes:
    """Hits as a standard MIDI file on the drum channel, with their timing and velocity.

    ``beat_frames`` and ``beats`` are the tempo map: at frame ``beat_frames[i]`` the music is at ``beats[i]``
    quarter notes (both rising). The file carries one tempo per stretch of it.
    """
    events: list[tuple[int, int, mido.Message | mido.MetaMessage]] = []  # tick, order, message
    for (start, end), (beat, next_beat) in zip(pairwise(beat_frames), pairwise(beats), strict=True):
        microseconds = round((end - start) / sample_rate / (next_beat - beat) * 1e6)
        tempo = mido.MetaMessage("set_tempo", tempo=microseconds)
        if not events or events[-1][2].tempo != microseconds:
            events.append((round(beat * TICKS_PER_BEAT), 0, tempo))
    for hit in triggers:
        tick = round(float(np.interp(hit.frame, beat_frames, beats)) * TICKS_PER_BEAT)
        note, velocity = VOICES[hit.voice].note, min(max(round(hit.velocity * 127), 1), 127)
        on = mido.Message("note_on", note=note, velocity=velocity, channel=DRUM_CHANNEL)
        events.append((tick, 2, on))
        events.append((tick + NOTE_TICKS, 1, on.copy(velocity=0)))
    events.sort(key=lambda event: event[:2])
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="Latido")])
    before = 0
    for tick, _, message in events:
        track.append(message.copy(time=tick - before))
        before = tick
    buffer = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(file=buffer)
    return buffer.getvalue()


def write_all(contents: dict[Path, bytes]) -> None:
    """Write every file or none. Raises LatidoError; then no file that was there before has changed."""
    written: list[tuple[Path, Path]] = []
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.new")
            written.append((temporary, path))
            temporary.write_bytes(data)
        for temporary, path in written:
            temporary.replace(path)
    except OSError as error:
        raise LatidoError(f"cannot write {error.filename}: {error.strerror}; nothing was changed") from error
    finally:
        for temporary, _ in written:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
