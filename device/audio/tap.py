"""Finished blocks for whoever wants to keep them, beside any sink: what the recorder listens to.

    packet = frame u64 (of its first sample, little endian) + samples float32, stereo, little endian

One listener at a time, the newest. One that does not read loses packets and sees the gap in the frame numbers;
the audio process never waits for it. While nobody listens a block costs one comparison.
"""

import contextlib
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from device.audio.sink import Format
from device.contract.pattern import FloatArray
from device.errors import AudioError

SOCKET_NAME: Final = "tap.sock"
FRAME: Final = struct.Struct("<Q")
BUFFER_BYTES: Final = 1 << 20  # what the kernel may hold for a listener that is held up; it grants less


class Tap:
    """The audio process's end. Raises AudioError when its socket cannot be made."""

    def __init__(self, form: Format) -> None:
        self._packet = bytearray(FRAME.size + form.block_frames * 8)
        self._samples = np.frombuffer(self._packet, "<f4", offset=FRAME.size).reshape(form.block_frames, 2)
        self._listener_path = path = form.folder / SOCKET_NAME
        self._heard_by: socket.socket | None = None
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            path.unlink(missing_ok=True)  # left by one that was killed
            self._door.bind(str(path))
            self._door.listen()
        except OSError as error:
            self._door.close()
            raise AudioError(f"cannot make the socket {path}: {error}; choose another runtime folder") from error

    def fileno(self) -> int:
        """Readable when somebody wants to listen: then call ``accept``."""
        return self._door.fileno()

    @property
    def listened(self) -> bool:
        """Whether somebody listens."""
        return self._heard_by is not None

    def accept(self) -> None:
        """Let the newest listener in; an older one is let go."""
        with contextlib.suppress(OSError):
            listener, _ = self._door.accept()
            self._let_go()
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            self._heard_by = listener

    def offer(self, block: FloatArray, frame: int) -> None:
        """Send a block that begins at ``frame``, if somebody listens and has room."""
        if self._heard_by is None:
            return
        FRAME.pack_into(self._packet, 0, frame)
        np.copyto(self._samples, block)
        try:
            self._heard_by.send(self._packet, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            pass
        except OSError:
            self._let_go()

    def _let_go(self) -> None:
        if self._heard_by is not None:
            self._heard_by.close()
            self._heard_by = None

    def close(self) -> None:
        """Let listener and socket go; idempotent."""
        self._let_go()
        if self._door.fileno() >= 0:
            self._door.close()
            self._listener_path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class TapBlock:
    """One block: its first frame and its samples, float32 stereo little endian."""

    frame: int
    samples: bytes


class TapReader:
    """The listener's end. Raises AudioError when no audio process plays in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(str(folder / SOCKET_NAME))
        except OSError as error:
            self._socket.close()
            raise AudioError(f"no audio process plays in {folder}: start the instrument first") from error
        self.alive = True

    def read(self) -> list[TapBlock]:
        """The blocks since the last call, oldest first. Never waits."""
        blocks = []
        while self.alive:
            try:
                packet = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if len(packet) < FRAME.size:
                self.alive = False  # the audio process is gone or has another listener
                break
            blocks.append(TapBlock(FRAME.unpack_from(packet)[0], packet[FRAME.size :]))
        return blocks

    def close(self) -> None:
        """Let the stream go; idempotent."""
        self.alive = False
        self._socket.close()
