"""What the audio process says to each control that connects, beside the descriptor of the sound slots."""

import socket
from typing import Final

import msgspec

from device.errors import LinkError

SOCKET_NAME: Final = "audio.sock"
LOCK_NAME: Final = "audio.lock"
LOG_NAME: Final = "audio.log"
MAX_HELLO_BYTES: Final = 4096
TAKEN_EXIT_CODE: Final = 75  # another audio process has the runtime folder


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Who plays, and how."""

    records: int  # version of the records spoken
    epoch: int  # as in every Report
    pid: int
    sample_rate: int
    block_frames: int
    asked: str  # the sink as it was asked for
    sink: str  # the sink as it is
    reason: str  # why it is that one
    latency_ms: float
    scheduling: str  # what the system granted
    applied: int  # sequence number of the newest command taken, from any control


def say_hello(connected: socket.socket, hello: Hello, slots_descriptor: int) -> None:
    """First message of a connection. Raises OSError when the other side is gone."""
    socket.send_fds(connected, [msgspec.json.encode(hello)], [slots_descriptor])


def hear_hello(connected: socket.socket) -> tuple[Hello, int] | None:
    """The greeting and the slots' descriptor, which the caller closes; None when the other side hung up.

    Raises TimeoutError when it stays silent (the socket's own timeout), LinkError for another greeting.
    """
    try:
        message, descriptors, _, _ = socket.recv_fds(connected, MAX_HELLO_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    except (ConnectionResetError, BrokenPipeError):
        return None
    if not message:
        return None
    try:
        return msgspec.json.decode(message, type=Hello), descriptors[0]
    except (msgspec.DecodeError, IndexError) as error:
        raise LinkError(f"not the greeting of an audio process: {error}; restart it") from error
