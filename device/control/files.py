"""WAV and MIDI files of a render, written whole or not at all.

Every file of a render is first written beside its final name and renamed when all are complete, so a
render that fails overwrites nothing (``write_all``). An export never overwrites at all: it takes the next
free name (``write_new``).
"""

import contextlib
import errno
import io
import itertools
import os
import tempfile
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


def check_targets(paths: Iterable[Path]) -> None:
    """Raise LatidoError when two files would be one, a folder is in the way, or a folder cannot be made or written."""
    seen: set[Path] = set()
    for path in paths:
        whole = path.absolute()
        if whole in seen:
            raise LatidoError(f"two files would both be {path}: give each a name of its own")
        seen.add(whole)
        if os.path.isdir(path):  # noqa: PTH112 (a name the system refuses is no folder)
            raise LatidoError(f"cannot write {path}: it is a folder; name a file")
        folder = next(parent for parent in whole.parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise LatidoError(f"cannot write {path}: {folder} takes no files; nothing was changed, name another place")


def write_all(contents: dict[Path, bytes]) -> None:
    """Write every file or none. Raises LatidoError; then no file that was there before has changed."""
    check_targets(contents)
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
        raise LatidoError(f"cannot write {path}: {error.strerror}; nothing was changed, name another place") from error
    finally:
        for temporary, _ in written:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_new(folder: Path, contents: dict[Path, bytes]) -> tuple[Path, ...]:
    """Write files that belong together under names nobody has yet; returns where they lie.

    Keys are relative: "beat.wav", "beat.mid", "beat-stems/kick.wav". When one of the top names is taken all become
    "beat-2.wav", "beat-2.mid", "beat-2-stems". They are complete and on disk before the first of them appears; the
    first key appears last. Raises LatidoError; then nothing is there.
    """
    tops = list(dict.fromkeys(path.parts[0] for path in contents))
    stem = Path(tops[0]).stem
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".latido-", ignore_cleanup_errors=True) as stage:
            for path, data in contents.items():
                _write_through(Path(stage) / path, data)
            for number in itertools.count(1):
                name = stem if number == 1 else f"{stem}-{number}"
                finals = {top: folder / f"{name}{top.removeprefix(stem)}" for top in tops}
                if _claim(Path(stage), finals):
                    break
        _sync_folder(folder)
    except OSError as error:
        raise LatidoError(f"cannot write to {folder}: {error.strerror}; nothing was kept") from error
    return tuple(finals[path.parts[0]].joinpath(*path.parts[1:]) for path in contents)


def _claim(stage: Path, finals: dict[str, Path]) -> bool:
    """Move everything to its final name; False, and nothing moved, when one is taken."""
    if any(os.path.lexists(path) for path in finals.values()):
        return False
    moved: list[str] = []
    try:
        for top in reversed(finals):
            _move_new(stage / top, finals[top])
            moved.append(top)
    except OSError as error:
        for top in moved:
            finals[top].rename(stage / top)
        if isinstance(error, FileExistsError):  # somebody was quicker
            return False
        raise
    return True


def _move_new(path: Path, final: Path) -> None:
    """Rename without ever overwriting. Raises FileExistsError."""
    if path.is_dir():
        final.mkdir()  # taken from here on: a rename replaces an empty folder, and only that
        path.rename(final)
        return
    try:
        final.hardlink_to(path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        final.touch(exist_ok=False)  # a stick's file system without links: the name is taken, then filled
        path.replace(final)
    else:
        path.unlink()


def _write_through(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
