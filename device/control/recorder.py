"""What is played, kept as a WAV file while it is played (stereo, 24 bits).

    audio process --tap.sock, never waiting--> reader thread --queue--> writer thread --> disk

A slow disk holds up the writer only, which has ``PATIENCE_SECONDS`` of music to catch up; what is lost
nevertheless (a stopped process, a hung disk, an audio process that had to be started again) is silence in the
file, so that the beat stays in time, and is counted. The header is brought up to date twice a second: whatever
happens, the file can be read up to there.

    tape = Tape(...)      the file, without threads: blocks in, samples on disk
    Recorder              start, stop, state; may be asked by the control loop, never waits
"""

import contextlib
import itertools
import os
import queue
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from device.audio.tap import TapBlock, TapReader
from device.audio.wav import HEADER_BYTES, wav_header
from device.contract.pattern import FloatArray
from device.errors import AudioError, LatidoError

BITS: Final = 24
FRAME_BYTES: Final = 2 * BITS // 8
FULL_SCALE: Final = float(2 ** (BITS - 1) - 1)
KEEP_FREE_BYTES: Final = 200_000_000
MOST_FILE_BYTES: Final = 2_000_000_000  # many programs read no larger WAV file; 2.1 hours at 44.1 kHz
FLUSH_SECONDS: Final = 0.5
SYNC_SECONDS: Final = 5.0  # what a power cut may cost
READ_SECONDS: Final = 0.03  # the kernel holds ten times as much
PATIENCE_SECONDS: Final = 20.0  # of music that may wait for the disk
AWAY_SECONDS: Final = 10.0  # so long an audio process may be gone
LONGEST_GAP_SECONDS: Final = 60.0  # more is no gap: the frame numbers are another stream's
MEGABYTE: Final = 1_000_000
TAPPED_FRAME_BYTES: Final = 8


class TapeFullError(LatidoError):
    """There is no room to record (on)."""


def samples_24(block: FloatArray) -> bytes:
    """(n, 2) float -1..1, anything beyond is clipped, as 24-bit little-endian samples."""
    whole = np.rint(np.clip(block, -1.0, 1.0).astype(np.float64) * FULL_SCALE).astype("<i4")
    return whole[..., None].view(np.uint8)[..., :3].tobytes()


class Tape:
    """One recording: a WAV file, or several when it is long. Opened by the first block.

    ``path`` is where it goes, or the next free name beside it. Raises TapeFullError when less than
    ``keep_free_bytes`` are left or the disk takes no more, LatidoError when it cannot be written at all; the
    file then ends well. ``files`` says what there is.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        *,
        keep_free_bytes: int = KEEP_FREE_BYTES,
        most_file_bytes: int = MOST_FILE_BYTES,
    ) -> None:
        self.files: tuple[Path, ...] = ()
        self.frames = 0  # recorded, silence for gaps included
        self.gaps = 0
        self.lost_frames = 0
        self._path, self._rate, self._keep_free = path, sample_rate, keep_free_bytes
        self._most_bytes = most_file_bytes // FRAME_BYTES * FRAME_BYTES
        self._file = -1
        self._data_bytes = self._told_bytes = 0
        self._next: int | None = None  # frame the stream goes on with

    def add(self, block: TapBlock) -> None:
        """Append a block; what is missing before it becomes silence."""
        missing = 0 if self._next is None else block.frame - self._next
        if 0 < missing <= LONGEST_GAP_SECONDS * self._rate:
            self.gap(missing)
        samples = np.frombuffer(block.samples, "<f4").reshape(-1, 2)
        self._next = block.frame + len(samples)
        self._keep(samples_24(samples))

    def gap(self, frames: int) -> None:
        """Append so much silence for what was lost."""
        self.gaps += 1
        self.lost_frames += frames
        while frames:
            part = min(frames, self._rate)
            self._keep(bytes(part * FRAME_BYTES))
            frames -= part

    def another_stream(self, seconds_lost: float) -> None:
        """The next block comes from another audio process, so much later than the last."""
        if self._next is not None:
            self.gap(max(round(seconds_lost * self._rate), 1))
        self._next = None

    def _keep(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._file < 0 or self._data_bytes >= self._most_bytes:
                self._open()
            part = view[: self._most_bytes - self._data_bytes]
            try:
                written = os.write(self._file, part)
            except OSError as error:
                self.close()
                raise TapeFullError(f"cannot go on writing {self.files[-1]}: {error.strerror}") from error
            self._data_bytes += written
            self.frames += written // FRAME_BYTES
            view = view[written:]
        if self._data_bytes - self._told_bytes >= FLUSH_SECONDS * self._rate * FRAME_BYTES:
            self.flush()
            self._check_room(self.files[-1].parent)

    def _open(self) -> None:
        self.close()
        folder, path = self._path.parent, self._path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check_room(folder)
            for number in itertools.count(2):
                try:
                    self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                    break
                except FileExistsError:
                    path = self._path.with_stem(f"{self._path.stem}-{number}")
            os.write(self._file, wav_header(self._rate, 0, BITS))
        except OSError as error:
            raise LatidoError(f"cannot record to {path}: {error.strerror}; name another folder") from error
        self._data_bytes = self._told_bytes = 0
        self.files = (*self.files, path)

    def _check_room(self, folder: Path) -> None:
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self._keep_free:
            self.close()
            raise TapeFullError(
                f"only {free // MEGABYTE} MB are free in {folder}, {self._keep_free // MEGABYTE} MB are left alone: "
                "delete something or record elsewhere"
            )

    def flush(self, *, durable: bool = False) -> None:
        """Let the header say what is there. ``durable``: and let the disk have it, which may take its time."""
        if self._file < 0:
            return
        whole = self._data_bytes // FRAME_BYTES * FRAME_BYTES
        with contextlib.suppress(OSError):  # the next write says so
            if durable:
                os.fdatasync(self._file)
            os.pwrite(self._file, wav_header(self._rate, whole, BITS), 0)
            self._told_bytes = self._data_bytes

    def close(self) -> None:
        """End the file as a whole one; idempotent."""
        if self._file < 0:
            return
        self.flush()
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, HEADER_BYTES + self._data_bytes // FRAME_BYTES * FRAME_BYTES)
            os.fdatasync(self._file)
        os.close(self._file)
        self._file = -1


@dataclass(frozen=True, slots=True)
class Recording:
    """How a recording goes, or how it went."""

    running: bool = False
    files: tuple[Path, ...] = ()  # the last one is being written while ``running``
    seconds: float = 0.0
    gaps: int = 0
    lost_seconds: float = 0.0
    message: str = ""  # one line for the player: why it ended, where it is

    @property
    def path(self) -> Path | None:
        """The file being written, None when nothing is recorded."""
        return self.files[-1] if self.running and self.files else None


class Recorder:
    """Records what the audio process in ``runtime_folder`` plays. ``state`` may be read by any thread.

    ``start`` and ``stop`` never wait and never raise: what goes wrong is said by ``state.message``.
    """

    def __init__(
        self,
        runtime_folder: Path,
        sample_rate: int = 44100,
        *,
        keep_free_bytes: int = KEEP_FREE_BYTES,
        most_file_bytes: int = MOST_FILE_BYTES,
    ) -> None:
        self._folder, self._rate = runtime_folder, sample_rate
        self._keep_free, self._most_file = keep_free_bytes, most_file_bytes
        self._session: _Session | None = None

    @property
    def state(self) -> Recording:
        """The newest."""
        return self._session.state if self._session is not None else Recording()

    def start(self, path: Path) -> None:
        """Record to this file, or to the next free name beside it; while recording this changes nothing."""
        if self.state.running:
            return
        self.close()
        tape = Tape(path, self._rate, keep_free_bytes=self._keep_free, most_file_bytes=self._most_file)
        self._session = _Session(tape, self._folder, self._rate)

    def stop(self) -> None:
        """End the recording; ``state.running`` is False as soon as the file is whole."""
        if self._session is not None:
            self._session.closing.set()

    def close(self) -> None:
        """Stop and wait until the file is whole. May be called twice."""
        if self._session is not None:
            self._session.close()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_Item = TapBlock | float | str | None  # a run of blocks, seconds lost before another stream, why it ends, the end


class _Session:
    """The two threads of one recording."""

    def __init__(self, tape: Tape, folder: Path, sample_rate: int) -> None:
        self.closing = threading.Event()
        self.state = Recording(running=True)
        self._tape, self._folder, self._rate = tape, folder, sample_rate
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._put_bytes = self._taken_bytes = 0  # each counted by one thread only
        self._why = ""  # it cannot be connected to
        self._threads = [threading.Thread(target=work, name="recorder") for work in (self._read, self._write)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop, and wait for the last sample."""
        self.closing.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        tap: TapReader | None = None
        heard_at, joined, fresh = time.monotonic(), False, False
        while True:
            last = self.closing.is_set()  # one more look after that
            if tap is None or not tap.alive:
                tap, fresh = self._connect(tap), True
            blocks = tap.read() if tap is not None else []
            now = time.monotonic()
            if blocks:
                if fresh and joined:
                    self._queue.put(now - heard_at)
                heard_at, joined, fresh = now, True, False
                self._put(blocks)
            elif now - heard_at > AWAY_SECONDS:
                self._queue.put(
                    self._why or f"nothing has been played for {AWAY_SECONDS:g} s, start the instrument again"
                )
                break
            if last:
                break
            self.closing.wait(READ_SECONDS)
        if tap is not None:
            tap.close()
        self._queue.put(None)

    def _connect(self, gone: TapReader | None) -> TapReader | None:
        if gone is not None:
            gone.close()
        try:
            tap, self._why = TapReader(self._folder), ""
        except AudioError as error:
            self._why = str(error)
            return None
        return tap

    def _put(self, blocks: list[TapBlock]) -> None:
        """Hand runs of blocks to the writer, unless it is too far behind: then they are a gap."""
        if (self._put_bytes - self._taken_bytes) > PATIENCE_SECONDS * self._rate * TAPPED_FRAME_BYTES:
            return
        for run in runs(blocks):
            self._put_bytes += len(run.samples)
            self._queue.put(run)

    def _write(self) -> None:
        why, synced_at = "", time.monotonic()
        try:
            while (item := self._queue.get()) is not None:
                match item:
                    case TapBlock():
                        self._taken_bytes += len(item.samples)
                        self._tape.add(item)
                    case str():
                        why = item
                    case _:
                        self._tape.another_stream(item)
                if time.monotonic() - synced_at >= SYNC_SECONDS:
                    self._tape.flush(durable=True)
                    synced_at = time.monotonic()
                self.state = self._told()
        except LatidoError as error:
            why = str(error)
        except OSError as error:
            why = f"cannot write to {self._folder}: {error.strerror}"
        self.closing.set()
        self._tape.close()
        self.state = replace(self._told(), running=False, message=self._last_words(why))

    def _told(self) -> Recording:
        tape = self._tape
        return Recording(True, tape.files, tape.frames / self._rate, tape.gaps, tape.lost_frames / self._rate)

    def _last_words(self, why: str) -> str:
        tape, seconds = self._tape, self._tape.frames // self._rate
        if not tape.files:
            return f"nothing was recorded: {why or 'nothing was played'}"
        said = f"recording ended: {why}" if why else f"recorded {seconds // 60}:{seconds % 60:02d} to {tape.files[-1]}"
        gaps = "1 gap" if tape.gaps == 1 else f"{tape.gaps} gaps"
        return f"{said} ({gaps}, {tape.lost_frames / self._rate:.1f} s silent)" if tape.gaps else said


def runs(blocks: list[TapBlock]) -> list[TapBlock]:
    """Blocks that follow on each other joined to one."""
    joined: list[TapBlock] = []
    first, following = 0, -1
    parts: list[bytes] = []
    for block in blocks:
        if block.frame != following:
            if parts:
                joined.append(TapBlock(first, b"".join(parts)))
            first, parts = block.frame, []
        parts.append(block.samples)
        following = block.frame + len(block.samples) // TAPPED_FRAME_BYTES
    return [*joined, TapBlock(first, b"".join(parts))] if parts else joined
