"""A folder for the sockets, hosts that end their audio process, and a beat to recognise."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from device.audio.launch import AudioHost
from device.audio.slots import SlotPool
from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.records import Action, Params, Pattern, Sound, Transport

TEMPO_BPM = 300.0
PATIENCE_SECONDS = 20.0  # how long a loaded machine may take; nothing here is timed by it


@pytest.fixture
def runtime():
    """A runtime folder with a name short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="latido-") as folder:
        yield Path(folder)


@pytest.fixture
def hosts(runtime):
    """Makes AudioHosts on the runtime folder and ends what they started."""
    made = []

    def make(sink="null", **settings):
        made.append(AudioHost(runtime, sink, **settings))
        return made[-1]

    yield make
    for host in made:
        host.close()


def four_to_the_floor():
    """A kick on every beat."""
    cells = np.zeros(GRID_SHAPE, np.float32)
    cells[::4, 0, :2] = 1.0
    return PatternGrid(cells)


def reports_until(link, enough, tick=0.002):
    """Pump until ``enough(reports)``; fails when it never comes."""
    reports, until = [], time.monotonic() + PATIENCE_SECONDS
    while True:
        reports += link.pump()
        if reports and enough(reports):
            return reports
        assert time.monotonic() < until, f"waited in vain, last report {reports[-1:]}, alive {link.alive}"
        time.sleep(tick)


def triggers(reports):
    return [trigger for report in reports for trigger in report.triggers]


def replay(link, pool, *, start=True):
    """What control sends to an audio half that knows nothing: the whole state."""
    for report in reports_until(link, len):
        pool.heard(report)
    for voice in range(VOICE_COUNT):
        slots, frames = pool.write([np.full(200, 0.5, np.float32)] * 2)
        pool.announced(slots, link.send(Sound(voice, slots, frames)))
    link.send(Params(tempo_bpm=TEMPO_BPM))
    link.send(Pattern(four_to_the_floor(), ident=42))
    if start:
        link.send(Transport(Action.START))


def play(link):
    """Start the beat over a fresh pool; returns the pool."""
    pool = SlotPool(link.slots)
    replay(link, pool)
    return pool
