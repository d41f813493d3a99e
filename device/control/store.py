"""The player's state on disk: one JSON file, written whole to a neighbour and renamed over the old one.

A power cut leaves either the old file or the new one. A file that cannot be read is set aside under a
name that says so, never deleted, and the instrument starts from defaults with one clear line.
"""

import itertools
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from device.control.state import SCENE_COUNT, PlayerState
from device.errors import LatidoError

VERSION: Final = 1
FILE_NAME: Final = "player.json"
UNDO_KEPT: Final = 64  # undo steps that survive a restart


class Scene(msgspec.Struct, frozen=True):
    """One of 16 remembered moments: all that sounds, the pattern as it was decoded, and by which bundle."""

    state: PlayerState
    pattern: bytes  # (32, 9, 3) float32 little endian
    bundle: str
    kit: str = ""  # name of its rendered sounds (see kits.py); "": not kept


class Saved(msgspec.Struct, frozen=True):
    """What survives switching off."""

    state: PlayerState
    version: int = VERSION
    voice: int = 0
    playing: bool = False
    scene: int = 0
    scenes: tuple[Scene | None, ...] = (None,) * SCENE_COUNT
    undo: tuple[PlayerState, ...] = ()
    bundle: str = ""
    song: tuple[tuple[int, int], ...] = ()
    draws: int = 0  # random places drawn: NEW goes on from there


def state_home() -> Path:
    """Where the player's state is kept when nothing else is said."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "latido"


def load(folder: Path) -> tuple[Saved | None, str]:
    """What was saved (None: nothing usable) and one line for the player ("": all is well)."""
    path = folder / FILE_NAME
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
        if saved.version != VERSION or len(saved.scenes) != SCENE_COUNT:
            raise msgspec.ValidationError(f"version {saved.version} with {len(saved.scenes)} scenes")
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"cannot read {path}: {error.strerror}; starting from defaults"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, set_aside(folder, str(error))
    return saved, ""


def keep_copy(folder: Path) -> str:
    """Copy the state file, before it is written without what cannot be used; returns the line that says so."""
    path = folder / FILE_NAME
    try:
        copy = _free_name(path)
        shutil.copyfile(path, copy)
    except OSError as error:
        return f"and no copy could be kept ({error.strerror})"
    return f"the file as it was is kept as {copy.name}"


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{FILE_NAME}.unreadable-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def set_aside(folder: Path, why: str) -> str:
    """Rename the state file out of the way; returns the line that says so."""
    path = folder / FILE_NAME
    aside = _free_name(path)
    try:
        path.rename(aside)
    except OSError as error:
        return f"saved state cannot be read ({why}) nor set aside ({error.strerror}); starting from defaults"
    return f"saved state cannot be read ({why}); it was set aside as {aside.name}, starting from defaults"


def save(folder: Path, saved: Saved) -> None:
    """Write atomically and durably. Raises LatidoError when the disk does not take it."""
    path = folder / FILE_NAME
    try:
        write_whole(path, msgspec.json.encode(saved))
    except OSError as error:
        raise LatidoError(f"cannot save to {path}: {error.strerror}; what you play is kept until power-off") from error


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there after a power cut as it was before or as it is now. Raises OSError."""
    temporary = path.with_suffix(".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Saver:
    """Writes the newest Saved from a thread of its own: a slow SD card must not hold up the knobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted: Saved | None = None
        self._jobs: list[Callable[[], None]] = []
        self._closing = False
        self._change = threading.Condition()
        self.trouble = ""  # one line while the last write failed
        self._thread = threading.Thread(target=self._run, name="saver")
        self._thread.start()

    def save(self, saved: Saved) -> None:
        """Ask for this to be written; an older wish not yet begun is forgotten."""
        with self._change:
            self._wanted = saved
            self._change.notify()

    def also(self, job: Callable[[], None]) -> None:
        """Do this, too, in the writer's thread: a file that must not hold up the knobs either."""
        with self._change:
            self._jobs.append(job)
            self._change.notify()

    def close(self) -> None:
        """Write what is still wanted, then end. May be called twice."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._wanted is not None or self._jobs or self._closing)
                wanted, self._wanted = self._wanted, None
                jobs, self._jobs = self._jobs, []
            if wanted is None and not jobs:
                return
            try:
                for job in jobs:
                    job()
                if wanted is not None:
                    save(self._folder, wanted)
                self.trouble = ""
            except LatidoError as error:
                self.trouble = str(error)
