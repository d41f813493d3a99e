"""Control's side of the seam to the audio half: commands out, reports in, never blocking.

    send() --> [waiting: in order; only the newest Params] --> socket --> audio
    pump() <-- [every Report since the last call]          <-- socket <-- audio

When audio's queue is full a command waits here and is tried again by every ``send`` and ``pump``. Too many
waiting means that audio hangs: the link then says it is not alive, and control connects anew and replays
its snapshot.
"""

import contextlib
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from device.contract.pattern import FloatArray
from device.engine.records import (
    MAX_RECORD_BYTES,
    SLOT_COUNT,
    SLOT_FRAMES,
    Command,
    Params,
    Report,
    Stamped,
    decode,
    encode,
)
from device.errors import LinkError

if TYPE_CHECKING:
    from device.engine.engine import Engine

MAX_WAITING: Final = 1024  # commands; more than audio could fall behind by while it still plays
HUNG_UP: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL | select.POLLRDHUP


class Link(Protocol):
    """What control needs from the audio half, wherever that lives."""

    @property
    def slots(self) -> FloatArray:
        """Shared sound slots (128, 65536) float32; written through a SlotPool."""

    @property
    def alive(self) -> bool:
        """Whether commands still arrive; once False, always False."""

    def send(self, command: Command, frame: int = 0) -> int:
        """Queue a command for ``frame`` (0: at once); returns its sequence number."""

    def pump(self) -> list[Report]:
        """Try again what waits; the reports since the last call, oldest first."""

    def close(self) -> None:
        """Let go; idempotent."""


class LocalLink:
    """Both halves in one process, for renders and tests. ``slots`` are those the engine was made with."""

    def __init__(self, engine: "Engine", slots: FloatArray | None = None) -> None:
        self.engine = engine
        self.slots = engine.slots if slots is None else slots
        self.alive = True
        self._sequence = 0

    def send(self, command: Command, frame: int = 0) -> int:
        """Give the command to the engine at once, through the same bytes as between processes."""
        self._sequence += 1
        self.engine.take(decode(encode(Stamped(command, self._sequence, frame))))
        return self._sequence

    def pump(self) -> list[Report]:
        """The engine's report of now."""
        return [self.engine.report()]

    def close(self) -> None:
        """Nothing to let go."""
        self.alive = False


class SocketLink:
    """The link over a connected AF_UNIX SOCK_SEQPACKET ``socket``, which it owns.

    ``sequence`` is the last number the audio half has taken (from its hello), so that numbers never go back
    when a restarted control takes over.
    """

    def __init__(self, connected: socket.socket, slots: FloatArray, sequence: int = 0) -> None:
        if slots.shape != (SLOT_COUNT, SLOT_FRAMES) or slots.dtype != np.float32:
            raise LinkError(f"slots are {slots.shape} {slots.dtype}, must be ({SLOT_COUNT}, {SLOT_FRAMES}) float32")
        connected.setblocking(False)
        self.slots = slots
        self.bad_reports = 0
        self._socket = connected
        self._poll = select.poll()
        self._poll.register(connected, select.POLLRDHUP)
        self._sequence = sequence
        self._waiting: deque[tuple[bool, bytes]] = deque()  # (is Params, message)
        self._open = True

    @property
    def alive(self) -> bool:
        """False as soon as the audio process is gone, has let go of us, or hangs."""
        if self._open and any(event & HUNG_UP for _, event in self._poll.poll(0)):
            self._open = False
        return self._open

    @property
    def waiting(self) -> int:
        """How many commands wait because audio's queue is full."""
        return len(self._waiting)

    def fileno(self) -> int:
        """To wait for reports with select or poll."""
        return self._socket.fileno()

    def send(self, command: Command, frame: int = 0) -> int:
        """Queue a command for ``frame`` (0: at once); returns its sequence number. A dead link forgets it."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        newest = isinstance(command, Params)
        if newest:  # all parameters at once: what still waits is superseded
            self._waiting = deque(entry for entry in self._waiting if not entry[0])
        self._waiting.append((newest, encode(Stamped(command, self._sequence, frame))))
        self._flush()
        if len(self._waiting) > MAX_WAITING:
            self._open = False
        return self._sequence

    def pump(self) -> list[Report]:
        """Try again what waits; the reports since the last call, oldest first. A foreign record is counted."""
        self._flush()
        reports = []
        while self._open:
            try:
                message = self._socket.recv(MAX_RECORD_BYTES + 1)
            except BlockingIOError:
                break
            except OSError:
                message = b""
            if not message:
                self._open = False
                break
            try:
                reports.append(Report.decode(message))
            except LinkError:
                self.bad_reports += 1
        return reports

    def _flush(self) -> None:
        while self._open and self._waiting:
            try:
                self._socket.send(self._waiting[0][1], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:  # EPIPE, ECONNRESET: audio is gone
                self._open = False
                return
            self._waiting.popleft()

    def close(self) -> None:
        """Let go of the audio process, which plays on; idempotent."""
        self._open = False
        self._waiting.clear()
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._poll.unregister(self._socket)
        self._socket.close()
