"""The two processes: late blocks alone and beside a CPU hog, memory, and how fast sound is there and back.

``python -m bench.process --seconds 300`` is the run for the record. The audio process plays into the browser
sink, which the clock paces like a card with three blocks; this process is the control and works as one:
parameters 50 times a second, two patterns and four sounds a second. Beside it a third process keeps the same
time and renders nothing: what is late there is the machine's doing.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from bench.row import Row
from device.audio.clicks import reports_until
from device.audio.launch import AudioHost
from device.audio.link import SocketLink
from device.audio.slots import SlotPool
from device.contract.pattern import GRID_SHAPE, OFFSET, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.records import Action, Params, Pattern, Report, Sound, Transport

SECONDS = 60.0
TRIES = 7
BESIDE = """
import sys, time
from device.audio.pace import Pace
pace, late = Pace(44100, 128), 0
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    late += pace.step() < 128
print(late)
"""
HOG = "while True: pass"


class Player:
    """A control that keeps the audio process busy with all nine voices and constant change."""

    def __init__(self, link: SocketLink) -> None:
        self.link = link
        self.pool = SlotPool(link.slots)
        self.newest = Report()
        self.triggers = 0
        self._rng = np.random.default_rng(1)
        self._passes = 0
        cells = np.full(GRID_SHAPE, 0.8, np.float32)
        cells[:, :, OFFSET] = 0.05
        self._grid = PatternGrid(cells)
        self._params = Params(tempo_bpm=140.0, chaos=0.5, drive=0.3)

    def start(self) -> None:
        """All a fresh audio half must know; returns once the first report is there."""
        self._hear(reports_until(self.link, lambda reports: len(reports) > 0))
        for voice in range(VOICE_COUNT):
            self._new_sound(voice)
        self.link.send(self._params)
        self.link.send(Pattern(self._grid))
        self.link.send(Transport(Action.START))

    def play(self, seconds: float) -> None:
        """Live through some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.02)
            self._hear(self.link.pump())
            self._passes += 1
            self.link.send(replace(self._params, density=self._passes % 50 / 50))
            if self._passes % 25 == 0:
                self.link.send(Pattern(self._grid, ident=self._passes))
            if self._passes % 12 == 0:
                self._new_sound(self._passes // 12 % VOICE_COUNT)

    def _new_sound(self, voice: int) -> None:
        fall = np.exp(-np.arange(40000) / 12000).astype(np.float32)
        layer = self._rng.uniform(-0.2, 0.2, 40000).astype(np.float32) * fall
        if written := self.pool.write([layer, layer]):
            self.pool.announced(written[0], self.link.send(Sound(voice, *written)))

    def _hear(self, reports: list[Report]) -> None:
        for report in reports:
            self.pool.heard(report)
            self.newest = report
            self.triggers += len(report.triggers)


@contextmanager
def running(command: list[str], count: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
    """Python programs beside us, ended afterwards."""
    made = [subprocess.Popen([sys.executable, "-c", *command], stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield made
    finally:
        for process in made:
            process.kill()
            process.communicate()


def kilobytes(pid: int) -> dict[str, int]:
    """Rss and Pss of a process, of its own memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}


def _late(host: AudioHost, seconds: float, what: str, target: str) -> Iterator[Row]:
    link = host.connect()
    player = Player(link)
    player.start()
    player.play(1.0)
    before = player.newest
    with running([BESIDE, str(seconds)]) as (clock,):
        player.play(seconds)
        beside = clock.communicate(timeout=60)[0].strip()
    after = player.newest
    late, dry = after.late_blocks - before.late_blocks, after.underruns - before.underruns
    blocks = (after.frame - before.frame) // 128
    yield Row(
        f"late blocks, {seconds:g} s, {what}",
        f"{late} of {blocks} ({dry} heard), load {after.load:.1%}, {player.triggers} hits",
        target,
        f"{beside} late in a process that only keeps time",
        late == 0 if target else None,
    )
    memory = kilobytes(host.hello.pid) if host.hello else {}
    if target and memory:
        yield Row(
            "memory of the audio process",
            f"Rss {memory['Rss'] / 1024:.1f} MB, Pss {memory['Pss'] / 1024:.1f} MB",
            "both processes 250 MB",
            f"control of this bench: Rss {kilobytes(os.getpid())['Rss'] / 1024:.1f} MB",
        )
    link.close()


def _times(host: AudioHost) -> Iterator[Row]:
    to_report, to_sound = [], []
    for _ in range(TRIES):
        if host.hello is not None:
            os.kill(host.hello.pid, signal.SIGKILL)
        started = time.monotonic()
        link = host.connect()
        player = Player(link)
        player.start()
        to_report.append(time.monotonic() - started)
        reports_until(link, lambda reports: any(report.triggers for report in reports))
        to_sound.append(time.monotonic() - started)
        link.close()
    nothing = []
    for _ in range(TRIES):
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", "import numpy, msgspec"], check=True)
        nothing.append(time.monotonic() - started)
    beside = f"Python that imports numpy: {median(nothing):.2f} s"
    for what, times in (("start of the audio process to its first report", to_report), ("SIGKILL to hits", to_sound)):
        worst = max(times)
        yield Row(what, f"median {median(times):.2f} s, worst {worst:.2f} s", "1 s", beside, worst <= 1.0)


def rows(seconds: float = SECONDS) -> Iterator[Row]:
    """What this area measured."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="latido-") as folder, AudioHost(Path(folder), "browser") as host:
        yield from _times(host)
        yield from _late(host, seconds, "nothing else asked of the machine", "0")
        with running([HOG], cores):
            yield from _late(host, min(seconds, SECONDS), f"beside {cores} CPU hogs", "")
        assert host.hello is not None
        yield Row("what the system granted", host.hello.scheduling)


def main() -> int:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="bench.process", description="Measure the two processes.")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    for row in rows(parser.parse_args().seconds):
        print(f"{row.what}: {row.measured} [target {row.target or '-'}; beside {row.beside or '-'}]", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
