"""How much of one core the engine takes: nine sounding voices, mixed in blocks of 128 frames."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.row import Row
from device.contract.pattern import PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Action, Hit, Params, Pattern, Sound, Stamped, Transport

SAMPLE_RATE = 44100
BLOCK_FRAMES = 128
BLOCK_US = BLOCK_FRAMES / SAMPLE_RATE * 1e6
BLOCKS = 6000  # 17 s of music
TARGET_SHARE = 0.04


def sounding_engine() -> Engine:
    """Nine voices of three layers, each as long as a slot, hit on every beat: all nine always sound."""
    draw = np.random.default_rng(1)
    slots = np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)
    fall = np.exp(-np.arange(SLOT_FRAMES) / 8000)
    engine = Engine(SAMPLE_RATE, slots)
    for voice in range(VOICE_COUNT):
        layers = tuple(range(3 * voice, 3 * voice + 3))
        for layer in layers:
            slots[layer] = draw.standard_normal(SLOT_FRAMES) * 0.2 * fall
        engine.take(Stamped(Sound(voice, layers, (SLOT_FRAMES,) * 3)))
    cells = np.zeros((32, VOICE_COUNT, 3), np.float32)
    cells[::4, :, 0] = 1.0
    cells[:, :, 1] = draw.uniform(0.3, 1.0, (32, VOICE_COUNT))
    cells[:, :, 2] = draw.uniform(-0.3, 0.3, (32, VOICE_COUNT))
    engine.take(Stamped(Pattern(PatternGrid(cells))))
    engine.take(Stamped(Params(tempo_bpm=120.0, drive=0.3, decay=(0.9,) * VOICE_COUNT)))
    engine.take(Stamped(Transport(Action.START)))
    return engine


@dataclass(frozen=True, slots=True)
class Timed:
    """Microseconds a call: wall clock (n,), and the processor time of the calling thread on average."""

    wall_us: npt.NDArray[np.float64]
    busy_us: float

    def __str__(self) -> str:
        middle, high = np.percentile(self.wall_us, (50, 99))
        return f"p50 {middle:.0f} us, p99 {high:.0f} us"


def timed(work: Callable[[], None], calls: int = BLOCKS, warm_up: int = 500) -> Timed:
    for _ in range(warm_up):
        work()
    wall = np.zeros(calls)
    busy = time.thread_time_ns()
    for index in range(calls):
        begun = time.perf_counter_ns()
        work()
        wall[index] = (time.perf_counter_ns() - begun) / 1000
    return Timed(wall, (time.thread_time_ns() - busy) / calls / 1000)


def rows() -> Iterator[Row]:
    engine, out = sounding_engine(), np.zeros((BLOCK_FRAMES, 2), np.float32)
    buffers = np.random.default_rng(2).standard_normal((VOICE_COUNT, BLOCK_FRAMES, 2)).astype(np.float32)
    bare = np.zeros((BLOCK_FRAMES, 2), np.float32)

    def add_nine() -> None:
        bare.fill(0.0)
        for buffer in buffers:
            np.add(bare, buffer, out=bare)

    def strike_nine() -> None:
        for voice in range(VOICE_COUNT):
            engine.take(Stamped(Hit(voice, 0.8)))
        engine.render(out)

    ours, theirs = timed(lambda: engine.render(out)), timed(add_nine)
    yield Row(
        "nine sounding voices in blocks of 128 frames, share of real time on one core",
        f"{ours.busy_us / BLOCK_US:.2%} ({ours} of {BLOCK_US:.0f} us)",
        f"<= {TARGET_SHARE:.0%}",
        f"a bare numpy loop adding nine buffers: {theirs}",
        ours.busy_us / BLOCK_US <= TARGET_SHARE,
    )
    struck = timed(strike_nine, calls=1000)
    yield Row(
        "a block in which all nine voices are struck anew, every block", f"{struck}", beside=f"sounding on: {ours}"
    )
    cells = np.random.default_rng(3).random((32, VOICE_COUNT, 3)).astype(np.float32) * np.float32(0.5)
    pattern = Pattern(PatternGrid(cells))

    def change_pattern() -> None:
        engine.take(Stamped(pattern))
        engine.render(out)

    changed = timed(change_pattern, calls=1000)
    yield Row("a block that brings a new pattern", f"{changed}", beside=f"without: {ours}")
