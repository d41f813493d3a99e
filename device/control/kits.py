"""Rendered kits on disk: what a scene's nine voices sound like, to the last bit, whatever model is loaded.

    kits/IDENT.kit   "LATIDOKT" version, then for each of 9 voices its layers: frames, and the samples
                     as four planes of bytes (float32 little endian, most alike beside each other), zlib

The name says which sounds are in it (see scenes.kit_ident), so a kit is written once and never changed.
Reading and writing run in a thread of their own, never in a pass of control; a kit is in memory only while
it is being written or after it was asked for, and only the newest few.
"""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from device.contract.pattern import FloatArray
from device.contract.voices import VOICE_COUNT
from device.control.store import write_whole
from device.engine.records import MAX_LAYERS, SLOT_FRAMES
from device.errors import DataError

MAGIC: Final = b"LATIDOKT\x01"
QUOTA_BYTES: Final = 128 * 2**20  # of all kits on disk
KEPT_IN_MEMORY: Final = 2  # kits; about 8 MB each at most
MOST_BYTES: Final = VOICE_COUNT * MAX_LAYERS * (SLOT_FRAMES + 1) * 4
FOLDER: Final = "kits"

Layers = tuple[FloatArray, ...]
Kit = tuple[Layers, ...]  # of nine voices


def pack(kit: Kit) -> bytes:
    """A kit as the bytes of a file."""
    parts: list[bytes] = []
    for layers in kit:
        parts.append(np.array([len(layers), *map(len, layers)], "<u4").tobytes())
        parts.extend(np.ascontiguousarray(layer, "<f4").view(np.uint8).reshape(-1, 4).T.tobytes() for layer in layers)
    return MAGIC + zlib.compress(b"".join(parts), 1)


def unpack(data: bytes) -> Kit:
    """A kit back from a file. Raises DataError for anything else."""
    if not data.startswith(MAGIC):
        raise DataError("not a kit of sounds, or of another version of Latido")
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(data[len(MAGIC) :], MOST_BYTES)
        if not inflate.eof or inflate.unused_data:
            raise DataError("a kit of sounds is cut off or too long")
        kit, place = [], 0
        for _ in range(VOICE_COUNT):
            count = int(np.frombuffer(raw, "<u4", 1, place)[0])
            if not 1 <= count <= MAX_LAYERS:
                raise DataError(f"a kit's voice has {count} layers, not 1..{MAX_LAYERS}")
            frames = np.frombuffer(raw, "<u4", count, place + 4).tolist()
            place += 4 + 4 * count
            layers = []
            for length in frames:
                planes = np.frombuffer(raw, np.uint8, 4 * length, place).reshape(4, length)
                layer = np.ascontiguousarray(planes.T).view("<f4")[:, 0].astype(np.float32)
                if not 1 <= length <= SLOT_FRAMES or not np.abs(layer).max() <= 1.0:  # also what is not a number
                    raise DataError("a kit's sound is too long, or louder than 1")
                layer.setflags(write=False)
                layers.append(layer)
                place += 4 * length
            kit.append(tuple(layers))
    except (zlib.error, ValueError, IndexError) as error:
        raise DataError(f"a kit of sounds is damaged ({error})") from error
    if place != len(raw):
        raise DataError("a kit of sounds has more than nine voices")
    return tuple(kit)


def is_ident(ident: str) -> bool:
    """May this be a kit's name? (It becomes a file's.)"""
    return len(ident) == 32 and set(ident) <= set("0123456789abcdef")


class Kits(Protocol):
    """Where control keeps kits and finds them again."""

    def keep(self, ident: str, kit: Kit) -> None:
        """Write it, some time soon."""

    def has(self, ident: str) -> bool:
        """Is it kept, or about to be?"""

    def find(self, ident: str) -> Kit | None:
        """The kit, if it is in memory; else it will be soon, unless there is none."""

    def forget(self, but: Iterable[str]) -> None:
        """Delete all others."""

    def trouble(self) -> str:
        """One line about what went wrong since the last call, or none."""

    def close(self) -> None:
        """Finish writing."""


class MemoryKits:
    """Kits of an instrument that keeps nothing on disk. For renders and tests."""

    def __init__(self) -> None:
        self._kits: dict[str, Kit] = {}

    def keep(self, ident: str, kit: Kit) -> None:
        """Remember it."""
        self._kits.setdefault(ident, kit)

    def has(self, ident: str) -> bool:
        """Is it kept?"""
        return ident in self._kits

    def find(self, ident: str) -> Kit | None:
        """The kit, at once."""
        return self._kits.get(ident)

    def forget(self, but: Iterable[str]) -> None:
        """Drop all others."""
        wanted = set(but)
        self._kits = {ident: kit for ident, kit in self._kits.items() if ident in wanted}

    def trouble(self) -> str:
        """Never any."""
        return ""

    def close(self) -> None:
        """Nothing to finish."""


class DiskKits:
    """Kits as files in ``folder``/kits, at most ``quota_bytes`` of them."""

    def __init__(self, folder: Path, quota_bytes: int = QUOTA_BYTES) -> None:
        self._folder, self._quota = folder / FOLDER, quota_bytes
        self._lock = threading.Lock()
        self._memory: OrderedDict[str, Kit] = OrderedDict()
        self._asked: set[str] = set()
        self._trouble = ""
        try:
            found = {path.stem: path.stat().st_size for path in self._folder.glob("*.kit")}
        except OSError:
            found = {}
        self._sizes = found  # on disk, or (0) about to be
        self._thread = ThreadPoolExecutor(1, "kits")

    def keep(self, ident: str, kit: Kit) -> None:
        """Write it in the background; trouble is told by ``trouble``."""
        with self._lock:
            if ident in self._sizes:
                return
            self._sizes[ident] = 0
        self._thread.submit(self._guarded, ident, lambda: self._write(ident, kit))

    def has(self, ident: str) -> bool:
        """Is it on disk, or about to be?"""
        with self._lock:
            return ident in self._sizes

    def find(self, ident: str) -> Kit | None:
        """The kit if it is in memory; else it is read in the background, once."""
        with self._lock:
            kit = self._memory.get(ident)
            if kit is not None:
                self._memory.move_to_end(ident)
                return kit
            if ident in self._asked or ident not in self._sizes:
                return None
            self._asked.add(ident)
        self._thread.submit(self._guarded, ident, lambda: self._read(ident))
        return None

    def forget(self, but: Iterable[str]) -> None:
        """Delete all others, in the background."""
        wanted = set(but)
        self._thread.submit(self._guarded, "", lambda: self._delete(wanted))

    def trouble(self) -> str:
        """What went wrong since the last call."""
        with self._lock:
            trouble, self._trouble = self._trouble, ""
        return trouble

    def close(self) -> None:
        """Finish what was asked for. May be called twice."""
        self._thread.shutdown(wait=True)

    def _path(self, ident: str) -> Path:
        return self._folder / f"{ident}.kit"

    def _guarded(self, ident: str, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._failed(ident, f"a scene's sounds cannot be kept on disk: {error.strerror}")
        except DataError as error:
            self._failed(ident, f"a scene's sounds: {error}")

    def _failed(self, ident: str, trouble: str) -> None:
        with self._lock:
            self._trouble = trouble
            self._sizes.pop(ident, None)
            self._asked.discard(ident)

    def _write(self, ident: str, kit: Kit) -> None:
        data = pack(kit)
        with self._lock:
            full = sum(self._sizes.values()) + len(data) > self._quota
        if full:
            raise DataError(f"the kits take {self._quota >> 20} MB already: clear a scene, then save this one again")
        write_whole(self._path(ident), data)
        with self._lock:
            self._sizes[ident] = len(data)

    def _read(self, ident: str) -> None:
        if not self.has(ident):  # it could not be written, which was said
            self._asked.discard(ident)
            return
        kit = unpack(self._path(ident).read_bytes())
        with self._lock:
            self._asked.discard(ident)
            self._memory[ident] = kit
            while len(self._memory) > KEPT_IN_MEMORY:
                self._memory.popitem(last=False)

    def _delete(self, wanted: set[str]) -> None:
        with self._lock:
            gone = [ident for ident in self._sizes if ident not in wanted]
            for ident in gone:
                del self._sizes[ident]
                self._memory.pop(ident, None)
        for ident in gone:
            self._path(ident).unlink(missing_ok=True)
