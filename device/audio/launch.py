"""Control's side of the audio process: find the one that plays, or start one, and end it when all is over.

    connect():  knock at audio.sock --answers--> same settings? --> adopt it: the beat goes on
                       |                             no --> end it, start ours
                       nobody, or it hangs --> start one, knock until it answers

The process has a session of its own: neither our death nor a Ctrl-C in our terminal reaches it.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.audio.browser import BrowserTap
from device.audio.hello import LOG_NAME, SOCKET_NAME, TAKEN_EXIT_CODE, Hello, hear_hello
from device.audio.link import SocketLink
from device.audio.memory import map_slots
from device.engine.records import VERSION
from device.errors import AudioError, LinkError

START_SECONDS: Final = 20.0  # a card may take 10 s to come up
ANSWER_SECONDS: Final = 2.0  # a process that accepts and says nothing for so long hangs
KNOCK_SECONDS: Final = 0.005
END_SECONDS: Final = 3.0
CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
ONE_THREAD: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Answer:
    """An audio process that answered a knock."""

    connected: socket.socket
    hello: Hello
    slots_descriptor: int
    pid: int  # as the kernel says

    def refuse(self) -> None:
        """Let it go."""
        self.connected.close()
        os.close(self.slots_descriptor)


class AudioHost:
    """Starts, finds again, restarts and ends the audio process of ``runtime_folder``."""

    def __init__(
        self,
        runtime_folder: Path,
        sink: str = "auto",
        *,
        sample_rate: int = 44100,
        block_frames: int = 128,
        linger_seconds: float = 60.0,
    ) -> None:
        self.hello: Hello | None = None  # of the process connected last
        self.pcm: BrowserTap | None = None  # its stream, when the sink is "browser"
        self._folder = runtime_folder
        self._asked = sink
        self._sample_rate = sample_rate
        self._block_frames = block_frames
        self._linger_seconds = linger_seconds
        self._pidfd = -1
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def sink(self) -> str:
        """Where the sound goes, as the audio process says; "" before connect."""
        return self.hello.sink if self.hello else ""

    @property
    def folder(self) -> Path:
        """Where the sockets are."""
        return self._folder

    @property
    def sample_rate(self) -> int:
        """Frames per second."""
        return self._sample_rate

    @property
    def latency_ms(self) -> float:
        """From a frame handed to the sink until it is heard, as far as the sink knows."""
        return self.hello.latency_ms if self.hello else 0.0

    def __enter__(self) -> "AudioHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> SocketLink:
        """A link to the process that plays here, or to a new one. Raises AudioError with the reason."""
        self._let_go()
        until = time.monotonic() + START_SECONDS
        started = False
        while True:
            answer = self._knock()
            if answer is not None and self._fits(answer.hello):
                return self._adopt(answer)
            if answer is not None:  # it plays otherwise than we were asked to
                answer.refuse()
                _end(_open_pid(answer.pid))
            if self._child is not None and self._child.poll() is not None:
                code, self._child = self._child.returncode, None
                if started and code != TAKEN_EXIT_CODE:
                    raise AudioError(self._last_words() or f"the audio process ended at once with exit code {code}")
            if time.monotonic() > until:
                self._end_child()
                raise AudioError(f"the audio process did not answer within {START_SECONDS:g} s: see {self._log}")
            if not started:
                self._end_child()  # an earlier one that no longer answers
                self._child, started = self._start(), True
            elif self._child is None:  # another control's was first and did not answer yet
                self._child = self._start()
            time.sleep(KNOCK_SECONDS)

    @property
    def _log(self) -> Path:
        return self._folder / LOG_NAME

    def _fits(self, hello: Hello) -> bool:
        wanted = (VERSION, self._sample_rate, self._block_frames, self._asked)
        return (hello.records, hello.sample_rate, hello.block_frames, hello.asked) == wanted

    def _settings(self) -> list[str]:
        settings = {
            "--runtime": self._folder,
            "--sink": self._asked,
            "--rate": self._sample_rate,
            "--block": self._block_frames,
            "--linger": self._linger_seconds,
        }
        return [str(word) for pair in settings.items() for word in pair]

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._log.open("wb") as log:
                return subprocess.Popen(
                    [sys.executable, "-m", "device.audio.process", *self._settings()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | ONE_THREAD,
                    start_new_session=True,
                )
        except OSError as error:
            raise AudioError(f"cannot start the audio process in {self._folder}: {error}; choose another") from error

    def _knock(self) -> Answer | None:
        """Connect to whoever listens; None when nobody does. One that hangs is killed."""
        knocking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        knocking.settimeout(ANSWER_SECONDS)
        try:
            knocking.connect(str(self._folder / SOCKET_NAME))
            pid = CREDENTIALS.unpack(knocking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))[0]
        except (FileNotFoundError, ConnectionError):
            knocking.close()
            return None
        except OSError as error:
            knocking.close()
            raise AudioError(f"cannot reach the audio process in {self._folder}: {error}") from error
        try:
            heard = hear_hello(knocking)
        except (TimeoutError, LinkError):  # it hangs, or is a stranger from another version
            _end(_open_pid(pid), at_once=True)
            heard = None
        if heard is None:
            knocking.close()
            return None
        return Answer(knocking, *heard, pid)

    def _adopt(self, answer: Answer) -> SocketLink:
        self._pidfd = _open_pid(answer.pid)
        self.hello = answer.hello
        try:
            slots = map_slots(answer.slots_descriptor)
            if answer.hello.sink == "browser":
                self.pcm = BrowserTap(self._folder)
        except (LinkError, AudioError):
            answer.connected.close()
            raise
        finally:
            os.close(answer.slots_descriptor)
        return SocketLink(answer.connected, slots, answer.hello.applied)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            for line in reversed(self._log.read_text(errors="replace").splitlines()):
                if line.startswith("latido audio: "):
                    return line.removeprefix("latido audio: ")
        return ""

    def _let_go(self) -> None:
        if self.pcm is not None:
            self.pcm.close()
            self.pcm = None
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _end_child(self) -> None:
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.terminate()
                self._child.wait(END_SECONDS)
            self._child.kill()
            self._child.wait()
            self._child = None

    def close(self) -> None:
        """End the audio process, also one that was adopted, after its short fade; idempotent."""
        if self._pidfd >= 0:
            _end(self._pidfd)
            self._pidfd = -1
        self._let_go()
        self._end_child()


def _open_pid(pid: int) -> int:
    """A descriptor that means this process and no later one with its number; -1 when it is gone."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _end(pidfd: int, *, at_once: bool = False) -> None:
    """End a process: ask, wait, insist. Closes ``pidfd``."""
    if pidfd < 0:
        return
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    with contextlib.suppress(ProcessLookupError):
        if not at_once:
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        if at_once or not poll.poll(END_SECONDS * 1000):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            poll.poll(END_SECONDS * 1000)
    os.close(pidfd)
