"""Real one-shots from disk: a folder per class or a ``manifest.csv``, anything libsndfile reads.

Every sound becomes mono, 44.1 kHz, onset at frame 0, peak 1, 65536 frames. Recordings of one
instrument (a *group*) sound alike, so train and validation are split by group, never by file.
"""

from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from device.contract.voices import CLASS_INDEX, SOUND_CLASSES
from device.errors import DataError
from training.csv_rows import read_rows
from training.sounds.controls import FRAMES, SAMPLE_RATE, FloatArray

SUFFIXES = {".wav", ".flac", ".ogg", ".aif", ".aiff", ".mp3", ".au", ".caf"}
ONSET_DB = -30.0  # the onset is where a sound first comes within 30 dB of its peak ...
LEAD_FRAMES = 16  # ... and a few frames before it are kept
LONGEST_SECONDS = 20.0
COLUMNS = ("file", "class", "group")  # of manifest.csv


@dataclass(frozen=True, slots=True, eq=False)
class OneShot:
    """One drum sound: audio (65536,) float32, peak 1, onset at frame 0."""

    path: str
    sound_class: str
    group: str
    audio: FloatArray


def read_audio(path: Path) -> FloatArray:
    """Read one file to (65536,) float32. DataError says what is wrong with the file."""
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            audio = file.read(int(LONGEST_SECONDS * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"cannot read {path} as a sound file: replace it or take it out of the folder") from error
    if not np.isfinite(audio).all():
        raise DataError(f"{path} holds values that are not numbers: export it again or take it out of the folder")
    if audio.size == 0 or float(np.abs(audio).max()) < 1e-5:
        raise DataError(f"{path} is silent: take it out of the folder")
    return align(_at_our_rate(_mono(audio), rate))


def _mono(audio: FloatArray) -> FloatArray:
    """Mean of the channels, or the loudest one when they cancel each other."""
    mono = np.asarray(audio.mean(1), np.float32)
    loudest = audio[:, int(np.abs(audio).max(0).argmax())]
    return mono if np.abs(mono).max() > 0.25 * np.abs(loudest).max() else loudest


def _at_our_rate(audio: FloatArray, rate: int) -> FloatArray:
    if rate == SAMPLE_RATE:
        return audio
    shared = gcd(rate, SAMPLE_RATE)
    return np.asarray(resample_poly(audio, SAMPLE_RATE // shared, rate // shared), np.float32)


def align(audio: FloatArray) -> FloatArray:
    """Onset to frame 0, no DC, peak 1, cut or padded to 65536 frames; a cut end fades over 70 ms."""
    onset = int(np.argmax(np.abs(audio) >= np.abs(audio).max() * 10.0 ** (ONSET_DB / 20.0)))
    kept = audio[max(onset - LEAD_FRAMES, 0) :][:FRAMES].astype(np.float32)
    if len(kept) == FRAMES:
        kept[-3072:] *= np.linspace(1.0, 0.0, 3072, dtype=np.float32)
    out = np.zeros(FRAMES, np.float32)
    out[: len(kept)] = kept / np.abs(kept).max()
    return out


def read_folder(folder: Path) -> list[OneShot]:
    """All one-shots of a folder, in the order of their names.

    With ``manifest.csv`` (columns file, class, group) that list rules; else every subfolder named like a
    sound class is read and the file name up to the last ``-`` or ``_`` is its group. Raises DataError.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give a folder with one subfolder per sound class")
    rows = _manifest_rows(folder) if (folder / "manifest.csv").is_file() else _folder_rows(folder)
    if not rows:
        raise DataError(f"no sounds in {folder}: it needs subfolders such as kick/ and snare/ with sound files")
    return [OneShot(file, sound_class, group, read_audio(folder / file)) for file, sound_class, group in rows]


def _manifest_rows(folder: Path) -> list[tuple[str, str, str]]:
    table = read_rows(folder / "manifest.csv", COLUMNS, f"save it as CSV with columns {', '.join(COLUMNS)}")
    rows = [(row["file"], row["class"], row["group"]) for row in table]
    for name, sound_class, _ in rows:
        if sound_class not in CLASS_INDEX:
            raise DataError(f"{name} has class {sound_class!r}; known classes: {', '.join(SOUND_CLASSES)}")
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{folder}/manifest.csv names {name}, which lies outside the folder")
    return rows


def _folder_rows(folder: Path) -> list[tuple[str, str, str]]:
    rows = []
    for sound_class in SOUND_CLASSES:
        for path in sorted((folder / sound_class).glob("*")):
            if path.suffix.lower() in SUFFIXES:
                stem = path.stem.replace("_", "-")
                rows.append((f"{sound_class}/{path.name}", sound_class, stem.rsplit("-", 1)[0]))
    return rows


def split_by_group(sounds: list[OneShot], held_out: float, seed: int) -> tuple[list[OneShot], list[OneShot]]:
    """Train and validation sounds. Of every class about ``held_out`` of the groups are held out.

    A group is held out in all classes or in none; a class with one group stays in training.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    groups_of: dict[str, list[str]] = {}
    for sound_class in SOUND_CLASSES:
        groups_of[sound_class] = sorted({sound.group for sound in sounds if sound.sound_class == sound_class})
    held: set[str] = set()
    for groups in groups_of.values():
        wanted = max(round(held_out * len(groups)), 1) - len(held.intersection(groups))
        for group in generator.permutation(np.array(groups, dtype=str)):
            # a group may serve several classes: none of them may lose its last one
            if wanted > 0 and group not in held and _spared(groups_of, held | {str(group)}):
                held.add(str(group))
                wanted -= 1
    train = [sound for sound in sounds if sound.group not in held]
    return train, [sound for sound in sounds if sound.group in held]


def _spared(groups_of: dict[str, list[str]], held: set[str]) -> bool:
    """Whether every class that has sounds keeps a group for training."""
    return all(not groups or set(groups) - held for groups in groups_of.values())
