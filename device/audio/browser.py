"""A sink for pages: blocks go out as packets over a socket of their own, paced by the clock.

    packet = frame u64 (of its first sample, little endian) + samples int16, stereo, little endian

Whoever holds the BrowserTap (control's side) passes them on to a page. A tap that does not read loses
packets and sees the gap in the frame numbers; the audio process never waits for it.
"""

import contextlib
import select
import socket
import struct
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.audio.pace import Pace
from device.audio.samples import Samples
from device.audio.sink import Format
from device.contract.pattern import FloatArray
from device.errors import AudioError

SOCKET_NAME: Final = "pcm.sock"
FRAME: Final = struct.Struct("<Q")
NEWEST_BLOCKS: Final = 256  # what a tap returns at most; 0.74 s of 128-frame blocks


class BrowserSink:
    """Streams to at most one tap, the newest. Raises AudioError when its socket cannot be made."""

    name = "browser"

    def __init__(self, form: Format) -> None:
        self._pace = Pace(form.sample_rate, form.block_frames)
        self.latency_ms = self._pace.latency_ms
        self._samples = Samples(form.block_frames)
        self._packet = bytearray(FRAME.size + len(self._samples.bytes))
        self._frame = 0
        self._tap: socket.socket | None = None
        path = form.folder / SOCKET_NAME
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            path.unlink(missing_ok=True)
            self._listener.bind(str(path))
            self._listener.listen()
        except OSError as error:
            self._listener.close()
            raise AudioError(f"cannot make the socket {path}: {error}; choose another runtime folder") from error
        self._path = path
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)

    @property
    def underruns(self) -> int:
        """How often the queue ran dry."""
        return self._pace.underruns

    def write(self, block: FloatArray) -> int:
        """Send a block to the tap, if there is one and it reads."""
        if self._poll.poll(0):
            with contextlib.suppress(OSError):
                tap, _ = self._listener.accept()
                self._drop()
                tap.setblocking(False)
                self._tap = tap
        if self._tap is not None:
            FRAME.pack_into(self._packet, 0, self._frame)
            self._packet[FRAME.size :] = self._samples.fill(block)
            try:
                self._tap.send(self._packet, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                pass
            except OSError:
                self._drop()
        self._frame += len(block)
        return self._pace.step()

    def _drop(self) -> None:
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def close(self) -> None:
        """Let tap and socket go; idempotent."""
        self._drop()
        if self._listener.fileno() >= 0:
            self._listener.close()
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """One block: its first frame and its samples, int16 stereo little endian."""

    frame: int
    samples: bytes


class BrowserTap:
    """Control's end of the stream. Raises AudioError when no browser sink listens in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(str(folder / SOCKET_NAME))
        except OSError as error:
            self._socket.close()
            raise AudioError(f"no browser sink in {folder}: start the audio process with --sink browser") from error
        self.alive = True

    def fileno(self) -> int:
        """To wait for blocks with select, poll or an event loop; -1 once closed."""
        return self._socket.fileno()

    def read(self) -> list[PcmBlock]:
        """The blocks since the last call, oldest first; of many only the newest 256. Never waits."""
        blocks: deque[PcmBlock] = deque(maxlen=NEWEST_BLOCKS)
        while self.alive:
            try:
                packet = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if len(packet) < FRAME.size:
                self.alive = False  # the audio process is gone or has another tap
                break
            blocks.append(PcmBlock(FRAME.unpack_from(packet)[0], packet[FRAME.size :]))
        return list(blocks)

    def close(self) -> None:
        """Let the stream go; idempotent."""
        self.alive = False
        self._socket.close()


def open_sink(detail: str, form: Format) -> BrowserSink:
    """The browser sink; it has no detail."""
    del detail
    return BrowserSink(form)
