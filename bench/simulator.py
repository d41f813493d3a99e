"""``latido sim`` from outside: how soon it sounds, what it weighs, how quickly a turned knob is heard.

The real processes, driven over the page's own two sockets. Beside them, in the same call: an interpreter
that starts and imports what both processes cannot do without. What the page costs is looked at from inside
the control process, where the server is a thread.
"""

import base64
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from websockets.sync.client import ClientConnection, connect

from bench.row import Row
from device.panel.events import ParameterSet

STARTS: Final = 5
TURNS: Final = 24
RATE: Final = 44100
SNARE: Final = 1
HIT_SECONDS: Final = 0.04  # between hits by hand that listen for a new sound
WINDOW: Final = 882  # frames compared from each hit on, 20 ms
ALIKE: Final = 0.98  # correlation of two hits that are the same sound
BARE: Final = "import numpy, onnxruntime, starlette.applications, uvicorn"


Samples = np.ndarray[tuple[int, ...], np.dtype[np.int16]]


class Sim:
    """A running ``latido sim``; ``with`` ends it."""

    def __init__(self, sink: str) -> None:
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        folders = ["--state", f"{folder}/state", "--runtime", f"{folder}/run"]
        words = ["sim", "--no-browser", "--port", "0", "--sink", sink, *folders]
        command = [sys.executable, "-m", "device.cli", *words]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("latido sim did not start: see above")
        self.address = line.split()[-1].replace("http", "ws")

    def page(self, path: str = "play") -> ClientConnection:
        """One of the page's sockets."""
        return self._stack.enter_context(
            connect(self.address + path, compression=None, max_size=None, ping_interval=None)
        )

    def __enter__(self) -> "Sim":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.callback(self.process.wait, 30)
        self._stack.callback(self.process.send_signal, signal.SIGTERM)
        assert self.process.stdout is not None
        self._stack.callback(self.process.stdout.close)
        self._stack.close()


def _states(page: ClientConnection) -> Iterator[dict[str, Any]]:
    while True:
        message = json.loads(page.recv(timeout=20))
        if message["type"] == "state":
            yield message


def _say(page: ClientConnection, **message: object) -> None:
    page.send(json.dumps(message))


def _first_sound(sink: str) -> float:
    with Sim(sink) as sim:
        if sink == "browser":
            page = sim.page("sound")
            page.recv()
            while np.abs(_samples(page.recv(timeout=20))[1].astype(int)).max() < 100:
                pass
        else:
            next(state for state in _states(sim.page()) if max(state.get("peaks", [0])) > 0.003)
        return time.perf_counter() - sim.started


def _samples(block: bytes | str) -> tuple[int, Samples]:
    assert isinstance(block, bytes)
    return int.from_bytes(block[:8], "little"), np.frombuffer(block[8:], "<i2").reshape(-1, 2)


def _bare_start() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE], check=True)
    return time.perf_counter() - began


def _weight(sim: Sim) -> tuple[float, float]:
    """Proportional and resident size of all its processes, MB."""
    parent = psutil.Process(sim.process.pid)
    sizes = [process.memory_full_info() for process in (parent, *parent.children(recursive=True))]
    return sum(size.pss for size in sizes) / 1e6, sum(size.rss for size in sizes) / 1e6


class Clock:
    """Where the music is, from states that come late but never early."""

    def __init__(self) -> None:
        self.ahead = -np.inf  # frames at time zero
        self.start = np.inf  # frame of step 0
        self.tempo, self.step = 120.0, 0

    def hear(self, state: dict[str, Any]) -> None:
        self.tempo, self.step = state.get("tempo", self.tempo), state.get("step", self.step)
        self.ahead = max(self.ahead, state["frame"] - time.perf_counter() * RATE)
        if "step" in state:
            self.start = min(self.start, state["frame"] - self.step * self.frames_per_step)

    @property
    def frames_per_step(self) -> float:
        return RATE * 15.0 / self.tempo

    @property
    def frame(self) -> float:
        return self.ahead + time.perf_counter() * RATE

    @property
    def place(self) -> float:
        return (self.frame - self.start) / self.frames_per_step


def _hits_of(pattern: str, plays_from: list[float]) -> list[set[int]]:
    """Which voices each step wants."""
    levels = np.frombuffer(base64.b64decode(pattern), np.uint8).reshape(32, 9, 3)[..., 0] / 255
    return [set(np.flatnonzero(row >= np.asarray(plays_from)).tolist()) for row in levels]


def _pattern_turns(sim: Sim) -> tuple[list[float], list[int]]:
    """Turning STYLE: ms until the page is told the new pattern; whole steps that the old one still played after that
    in which the knob was turned."""
    page = sim.page()
    states = _states(page)
    clock = Clock()
    first = next(states)
    clock.hear(first)
    old, plays_from = first["pattern"], first["plays_from"]
    milliseconds, steps = [], []
    for turn in range(TURNS + 2):
        stop = clock.step + 6 + turn % 3
        while clock.step < stop:
            clock.hear(next(states))
        time.sleep((turn * 0.381966 % 1.0) * 15 / clock.tempo)  # anywhere within a step
        turned, place = time.perf_counter(), clock.place
        _say(page, type="set", name="style", position=round((0.05 + turn * 0.381966) % 1.0, 4))
        heard: dict[int, set[int]] = {}
        new, until = "", place + 10
        while clock.place < until:
            state = next(states)
            clock.hear(state)
            for voice, _, step, _ in state.get("hits", ()):
                heard.setdefault(step, set()).add(voice)
            if "pattern" in state and not new:
                new = state["pattern"]
                milliseconds.append((time.perf_counter() - turned) * 1000)
            elif "pattern" in state:
                new = state["pattern"]
        if new:
            steps.append(_old_steps(heard, int(place), _hits_of(old, plays_from), _hits_of(new, plays_from)))
            old = new
    return milliseconds[2:], steps[2:]


def _old_steps(heard: dict[int, set[int]], turned: int, old: list[set[int]], new: list[set[int]]) -> int:
    """How many steps after the turned one still played the old pattern, where the two can be told apart."""
    told = [step for step in range(turned + 1, turned + 8) if old[step % 32] != new[step % 32]]
    return max((step - turned for step in told if heard.get(step, set()) == old[step % 32]), default=0)


def _tone_turns(sim: Sim) -> list[float]:
    """Turning TONE X while a voice is hit by hand every 40 ms: until the first hit that sounds otherwise, ms."""
    page, sound = sim.page(), sim.page("sound")
    for voice in range(9):
        _say(page, type="set", name="mute", position=1.0, voice=voice)
    _say(page, type="voice", voice=SNARE)
    sound.recv()
    time.sleep(2.0)
    found = []
    for turn in range(TURNS + 2):
        found.append(_one_tone_turn(page, sound, (0.05, 0.95)[turn % 2]))
    return [entry for entry in found[2:] if entry is not None]


def _one_tone_turn(page: ClientConnection, sound: ClientConnection, position: float) -> float | None:
    """Milliseconds from turning to the first hit with the new sound; None when both sound alike."""
    with contextlib.suppress(TimeoutError):  # forget what is old
        while True:
            page.recv(timeout=0)
    with contextlib.suppress(TimeoutError):
        while True:
            sound.recv(timeout=0)
    tape: list[Samples] = []
    next_hit, hits, begin, end, turned = 0.0, 0, -1, 0, 0
    while hits < 24:
        now = time.perf_counter()
        if now >= next_hit:
            _say(page, type="hit", voice=SNARE, velocity=0.9)
            next_hit, hits = now + HIT_SECONDS, hits + 1
            if hits == 10:
                _say(page, type="set", name="tone_x", position=position)
                turned = end
        first, samples = _samples(sound.recv(timeout=20))
        begin = first if begin < 0 else begin
        end = first + len(samples)
        tape.append(samples)
    frames: list[int] = []
    with contextlib.suppress(TimeoutError):
        until = time.perf_counter() + 0.3
        while time.perf_counter() < until:
            message = json.loads(page.recv(timeout=0.2))
            frames += [frame for voice, _, step, frame in message.get("hits", ()) if voice == SNARE and step == -1]
    return _first_change(
        np.concatenate(tape).astype(np.float64)[:, 0], [frame - begin for frame in frames], turned - begin
    )


def _first_change(tape: np.ndarray[Any, Any], onsets: list[int], turned: int) -> float | None:
    whole = [at for at in sorted(onsets) if at >= 0 and at + WINDOW <= len(tape)]
    before = [tape[at : at + WINDOW] for at in whole if at + WINDOW < turned]
    if not before:
        return None
    for at in whole:
        if at >= turned and _likeness(before[-1], tape[at : at + WINDOW]) < ALIKE:
            return (at - turned) / RATE * 1000
    return None


def _likeness(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Correlation, -1..1."""
    return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1.0))


class Inside:
    """The control process of ``latido sim`` as this one: its View and its page's thread can be looked at."""

    def __init__(self) -> None:
        from device.audio.launch import AudioHost
        from device.control.control import Control, Spaces
        from device.control.run import Instrument, health_of
        from device.models.background import Background
        from device.models.library import find_bundle
        from device.models.models import Models
        from device.simulator.listener import listen
        from device.simulator.server import PanelServer

        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        host = self._stack.enter_context(AudioHost(folder, "null"))
        link = host.connect()
        with ThreadPoolExecutor(1) as thread:
            models = thread.submit(lambda: Models.load(find_bundle(None))).result()
        worker = self._stack.enter_context(Background(models))
        spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
        self.control = Control(spaces, worker, link, health=health_of(host))
        self._stack.enter_context(Instrument(self.control, host))
        self.server = self._stack.enter_context(PanelServer(self.control, listen(0)))

    def page(self) -> ClientConnection:
        """A page's socket."""
        address = self.server.address.replace("http", "ws") + "play"
        return self._stack.enter_context(connect(address, compression=None, max_size=None, ping_interval=None))

    def page_seconds(self) -> float:
        """Processor time of the page's thread so far."""
        ident = self.server.thread_ident
        return next(
            thread.user_time + thread.system_time for thread in psutil.Process().threads() if thread.id == ident
        )

    def __enter__(self) -> "Inside":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _event_milliseconds(inside: Inside, page: ClientConnection) -> list[float]:
    """From a page's message to the View that has it."""
    found = []
    for turn in range(200):
        position = (turn + 1) / 256
        began = time.perf_counter()
        _say(page, type="set", name="drive", position=position)
        while inside.control.view.positions.get("drive") != position:
            time.sleep(0.0002)
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.011)
    return found[20:]


def _frames(inside: Inside, pages: list[ClientConnection], seconds: float) -> tuple[float, float, int]:
    """State messages a second to one page, share of a core for all of them, late blocks meanwhile; nine voices
    play and X moves all the time."""
    told = 0
    for page in pages:  # what waited
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                page.recv(timeout=0.02)
    late, spent, began = inside.control.view.audio.late_blocks, inside.page_seconds(), time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        inside.control.post(ParameterSet("x", round((now - began) / seconds, 4)))
        next_look = now + 0.025
        for index, page in enumerate(pages):
            with contextlib.suppress(TimeoutError):
                while True:
                    page.recv(timeout=0)
                    told += index == 0
        time.sleep(max(next_look - time.perf_counter(), 0))
    passed = time.perf_counter() - began
    return told / passed, (inside.page_seconds() - spent) / passed, inside.control.view.audio.late_blocks - late


def _first_load_bytes() -> int:
    from device.simulator.server import PAGE_FOLDER

    return sum(path.stat().st_size for path in PAGE_FOLDER.iterdir() if path.suffix != ".txt")


def _page_rows() -> Iterator[Row]:
    with Inside() as inside:
        time.sleep(2.0)
        milliseconds = _event_milliseconds(inside, inside.page())
        worst = float(np.percentile(milliseconds, 95))
        yield Row(
            "page's message -> parameter changed, loopback",
            f"{np.median(milliseconds):.1f} ms (p95 {worst:.1f}, most {max(milliseconds):.1f}, {len(milliseconds)} messages)",
            "<= 20 ms",
            met=worst <= 20,
        )
    without = 0
    for count in (0, 1, 8):
        with Inside() as inside:
            pages = [inside.page() for _ in range(count)]
            time.sleep(2.0)
            a_second, share, late = _frames(inside, pages, 10.0)
            if not pages:
                without = late
                continue
            yield Row(
                f"state frames to {count} page{'s' if count > 1 else ''} while X moves",
                f"{a_second:.1f} a second, {share * 100:.1f} % of a core, {late} late blocks",
                ">= 30 a second, < 5 %" if count == 1 else "0 late blocks caused",
                f"{without} late blocks without a page",
                (a_second >= 30 and share < 0.05) if count == 1 else late <= without,
            )
    size = _first_load_bytes()
    yield Row("first load of the page", f"{size / 1000:.0f} kB, nothing compressed", "< 200 kB", met=size < 200_000)


def rows() -> Iterator[Row]:
    yield from _page_rows()
    _first_sound("null")  # warm
    bare = float(np.median([_bare_start() for _ in range(STARTS)]))
    for sink in ("null", "browser"):
        times = [_first_sound(sink) for _ in range(STARTS)]
        yield Row(
            f"latido sim --sink {sink}: start to first sound heard outside",
            f"{np.median(times):.2f} s (worst of {STARTS}: {max(times):.2f})",
            "<= 2.5 s",
            f"interpreter with its libraries alone {bare:.2f} s",
            max(times) <= 2.5,
        )
    with Sim("browser") as sim:
        page = sim.page()
        states = _states(page)
        end = time.perf_counter() + 10
        while time.perf_counter() < end:
            next(states)
        proportional, resident = _weight(sim)
        yield Row(
            "both processes together, playing with a page open",
            f"PSS {proportional:.0f} MB, RSS {resident:.0f} MB",
            "<= 250 MB",
            met=resident <= 250,
        )
        milliseconds, steps = _pattern_turns(sim)
        yield Row(
            "STYLE turned -> new pattern plays",
            f"{np.mean([count == 0 for count in steps]) * 100:.0f} % from the next step on, worst {max(steps) + 1} steps on",
            "the next step",
            f"page told after {np.median(milliseconds):.0f} ms (p95 {np.percentile(milliseconds, 95):.0f}); "
            "its frames are 33 ms apart",
            max(steps) <= 1,
        )
    with Sim("browser") as sim:
        heard = _tone_turns(sim)
        yield Row(
            "TONE X turned -> first hit with the new sound",
            f"{np.median(heard):.0f} ms (p95 {np.percentile(heard, 95):.0f}, {len(heard)} turns)" if heard else "never",
            "<= 100 ms",
            f"hits by hand every {HIT_SECONDS * 1000:.0f} ms",
            bool(heard) and float(np.percentile(heard, 95)) <= 100,
        )
