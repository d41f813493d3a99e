"""How much of one core the engine takes: nine sounding voices, mixed in blocks of 128 frames."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from bench.row import Row
from device.contract.pattern import FloatArray, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Action, Params, Pattern, Sound, Stamped, Transport

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


def block_times_us(work: Callable[[], None], blocks: int = BLOCKS, warm_up: int = 500) -> FloatArray:
    """(blocks,) microseconds of each call, after a warm-up."""
    times = np.zeros(blocks)
    for index in range(-warm_up, blocks):
        begun = time.perf_counter_ns()
        work()
        if index >= 0:
            times[index] = (time.perf_counter_ns() - begun) / 1000
    return times


def rows() -> Iterator[Row]:
    engine, out = sounding_engine(), np.zeros((BLOCK_FRAMES, 2), np.float32)
    buffers = np.random.default_rng(2).standard_normal((VOICE_COUNT, BLOCK_FRAMES, 2)).astype(np.float32)
    bare = np.zeros((BLOCK_FRAMES, 2), np.float32)

    def add_nine() -> None:
        bare.fill(0.0)
        for buffer in buffers:
            np.add(bare, buffer, out=bare)

    ours = block_times_us(lambda: engine.render(out))
    theirs = block_times_us(add_nine)
    middle, high, mean = float(np.median(ours)), float(np.percentile(ours, 99)), float(ours.mean())
    yield Row(
        "mixing nine sounding voices, share of real time on one core",
        f"{mean / BLOCK_US:.2%} (p50 {middle:.0f} us, p99 {high:.0f} us of {BLOCK_US:.0f} us)",
        f"<= {TARGET_SHARE:.0%}",
        f"a bare numpy loop adding nine buffers: p50 {np.median(theirs):.0f} us, p99 {np.percentile(theirs, 99):.0f} us",
        mean / BLOCK_US <= TARGET_SHARE,
    )
