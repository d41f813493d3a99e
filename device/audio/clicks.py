"""A beat of clicks that needs no model: to hear whether a sink works, for tests and for benchmarks.

``python -m device.audio.clicks --sink alsa`` plays a few seconds and prints what the audio process says.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from device.audio.launch import AudioHost
from device.audio.link import SocketLink
from device.audio.slots import SlotPool
from device.contract.pattern import GRID_SHAPE, LEVEL, STEPS_PER_BEAT, VELOCITY, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.records import Action, Params, Pattern, Report, Sound, Transport
from device.errors import AudioError, LatidoError

TEMPO_BPM: Final = 300.0
CLICK_FRAMES: Final = 200
PATTERN_IDENT: Final = 42


def four_to_the_floor() -> PatternGrid:
    """A kick on every beat."""
    cells = np.zeros(GRID_SHAPE, np.float32)
    cells[::STEPS_PER_BEAT, 0, LEVEL] = cells[::STEPS_PER_BEAT, 0, VELOCITY] = 1.0
    return PatternGrid(cells)


def reports_until(
    link: SocketLink, enough: Callable[[list[Report]], bool], patience_seconds: float = 20.0
) -> list[Report]:
    """The reports until ``enough`` of them have come. AudioError when they never do."""
    reports: list[Report] = []
    until = time.monotonic() + patience_seconds
    while True:
        reports += link.pump()
        if reports and enough(reports):
            return reports
        if not link.alive or time.monotonic() > until:
            raise AudioError(f"the audio process {'fell silent' if link.alive else 'is gone'}: last {reports[-1:]}")
        time.sleep(0.001)


def replay(link: SocketLink, pool: SlotPool) -> None:
    """Bring an audio half that knows nothing up to date: sounds, parameters, pattern, start."""
    for report in reports_until(link, lambda reports: len(reports) > 0):
        pool.heard(report)
    click = np.full(CLICK_FRAMES, 0.5, np.float32)
    for voice in range(VOICE_COUNT):
        written = pool.write([click, click])
        if written is None:
            raise AudioError("no sound slot is free: end the audio process and start again")
        pool.announced(written[0], link.send(Sound(voice, *written)))
    link.send(Params(tempo_bpm=TEMPO_BPM))
    link.send(Pattern(four_to_the_floor(), ident=PATTERN_IDENT))
    link.send(Transport(Action.START))


def play(link: SocketLink) -> SlotPool:
    """Start the beat; returns the pool it plays from."""
    pool = SlotPool(link.slots)
    replay(link, pool)
    return pool


def main(argv: Sequence[str] | None = None) -> int:
    """Play clicks for a while; returns the exit code."""
    parser = argparse.ArgumentParser(prog="latido clicks", description="Play clicks, to hear whether a sink works.")
    parser.add_argument("--sink", default="auto", help="auto, alsa[:CARD], portaudio[:NAME], browser, wav:FILE, null")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="latido-") as folder, AudioHost(Path(folder), arguments.sink) as host:
            link = host.connect()
            play(link)
            time.sleep(arguments.seconds)
            newest = link.pump()[-1]
            link.close()
            assert host.hello is not None
            print(f"{host.hello.sink} ({host.hello.reason}), {host.latency_ms:.1f} ms, {host.hello.scheduling}")
            print(f"{newest.late_blocks} late blocks, {newest.underruns} underruns, load {newest.load:.1%}")
    except LatidoError as error:
        print(f"latido clicks: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
