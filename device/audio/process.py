"""The audio process: ``python -m device.audio.process --runtime DIR``. One interpreter, one thread, one beat.

It owns the runtime folder through a lock, so two never fight; makes the sound slots; opens the sink; and
then plays blocks until it is told to end (SIGTERM, SIGINT: a short fade) or nobody has wanted it for a
while. Its control may die and come back: the beat plays on.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from device.audio.hello import LOCK_NAME, SOCKET_NAME, TAKEN_EXIT_CODE, Hello
from device.audio.loop import Loop
from device.audio.memory import make_slots
from device.audio.realtime import claim, freeze, warm_up
from device.audio.sink import Format, open_sink
from device.audio.tap import Tap
from device.engine.engine import Engine
from device.engine.records import VERSION
from device.errors import AudioError, LatidoError

LOCK_WAIT_SECONDS: Final = 2.0  # another one may be fading out
MAX_SOCKET_PATH_BYTES: Final = 107


class FolderTakenError(AudioError):
    """Another audio process has the runtime folder."""

    exit_code = TAKEN_EXIT_CODE


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="latido audio", description="Play what control sends to a sink.")
    parser.add_argument("--runtime", type=Path, required=True, metavar="DIR", help="folder of the sockets")
    parser.add_argument("--sink", default="auto", help="auto, alsa[:CARD], portaudio[:NAME], browser, wav:FILE, null")
    parser.add_argument("--block", type=int, default=128, metavar="FRAMES", help="16..1024")
    parser.add_argument("--rate", type=int, default=44100, metavar="HZ", help="8000..192000")
    parser.add_argument("--linger", type=float, default=60.0, metavar="SECONDS", help="without a control; 0: for ever")
    parser.add_argument("--card-wait", type=float, default=10.0, metavar="SECONDS", help="for a card to come up")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Play until told to end; returns the exit code. An error is one sentence on standard error."""
    arguments = parse(argv)
    try:
        if not 16 <= arguments.block <= 1024 or not 8000 <= arguments.rate <= 192000:
            raise AudioError(
                f"blocks are 16..1024 frames at 8000..192000 Hz, got {arguments.block} at {arguments.rate} Hz"
            )
        with own(arguments.runtime) as listener:
            play(arguments, listener)
    except LatidoError as error:
        print(f"latido audio: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


@contextlib.contextmanager
def own(folder: Path) -> Iterator[socket.socket]:
    """Own the runtime folder and its socket. Raises AudioError when another process has it or it cannot be."""
    path = folder / SOCKET_NAME
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise AudioError(f"the runtime folder {folder} has too long a name for a socket: choose a shorter one")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, lock)  # the kernel lets the lock go, however we end
            _lock(lock, folder)
            path.unlink(missing_ok=True)  # left by one that was killed
            stack.callback(path.unlink, missing_ok=True)
            mask = os.umask(0o077)
            try:
                listener.bind(str(path))
            finally:
                os.umask(mask)
        except OSError as error:
            raise AudioError(
                f"cannot use the runtime folder {folder}: {error.strerror or error}; choose another"
            ) from error
        yield listener


def _lock(lock: int, folder: Path) -> None:
    until = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise FolderTakenError(
                    f"another audio process plays in {folder}: end it, or use another folder"
                ) from None
            time.sleep(0.01)


def play(arguments: argparse.Namespace, listener: socket.socket) -> None:
    """Open everything and play. Raises AudioError when the sink is not there."""
    form = Format(arguments.rate, arguments.block, arguments.runtime, arguments.card_wait)
    slots_descriptor, slots = make_slots()
    sink, reason = open_sink(arguments.sink, form)
    warm_up(arguments.rate, arguments.block, slots)
    engine = Engine(arguments.rate, slots)
    hello = Hello(
        records=VERSION,
        epoch=int.from_bytes(os.urandom(4)) | 1,
        pid=os.getpid(),
        sample_rate=arguments.rate,
        block_frames=arguments.block,
        asked=arguments.sink,
        sink=sink.name,
        reason=reason,
        latency_ms=sink.latency_ms,
        scheduling=claim(),
        applied=0,
    )
    tap, linger = Tap(form), arguments.linger
    loop = Loop(engine, sink, form, hello, slots_descriptor, listener=listener, tap=tap, linger_seconds=linger)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.end())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    freeze()
    listener.listen()
    try:
        while loop.pass_once():
            pass
    finally:
        listener.close()  # nobody connects to one that is leaving
        loop.close()


if __name__ == "__main__":
    sys.exit(main())
