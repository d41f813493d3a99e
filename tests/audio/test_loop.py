"""One pass is one block: nothing control does can stop it, and it makes no garbage."""

import gc
import os
import socket
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from device.audio.hello import Hello, hear_hello
from device.audio.link import SocketLink
from device.audio.loop import Loop
from device.audio.memory import make_slots, map_slots
from device.audio.null import NullSink
from device.audio.sink import Format
from device.audio.slots import SlotPool
from device.audio.wav import WavSink
from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.engine import Engine
from device.engine.records import (
    MAX_RECORD_BYTES,
    MAX_TRIGGERS,
    SLOT_COUNT,
    VERSION,
    Action,
    Hit,
    Params,
    Pattern,
    Sound,
    Stamped,
    Transport,
    encode,
)

RATE, BLOCK = 44100, 128
BLOCKS_PER_SECOND = RATE / BLOCK
HELLO = Hello(
    records=VERSION,
    epoch=77,
    pid=1,
    sample_rate=RATE,
    block_frames=BLOCK,
    asked="null",
    sink="null",
    reason="null was asked for",
    latency_ms=0.0,
    scheduling="ordinary",
    applied=0,
)


class Studio:
    """The loop of the audio process with a sink that does not wait, and a control beside it."""

    def __init__(self, folder, sink=None, linger_seconds=0.0):
        self.form = Format(RATE, BLOCK, folder)
        self.descriptor, slots = make_slots()
        self.engine = Engine(RATE, slots)
        self.sink = sink or NullSink(self.form, paced=False)
        self.loop = Loop(self.engine, self.sink, self.form, HELLO, self.descriptor, linger_seconds=linger_seconds)
        self.links = []

    def connect(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.loop.adopt(theirs)
        self.hello, descriptor = hear_hello(ours)
        self.links.append(SocketLink(ours, map_slots(descriptor), self.hello.applied))
        os.close(descriptor)
        self.socket = ours
        return self.links[-1]

    def play(self, seconds):
        for _ in range(round(seconds * BLOCKS_PER_SECOND)):
            self.loop.pass_once()

    def reports(self, seconds):
        reports = []
        for _ in range(round(seconds * BLOCKS_PER_SECOND)):
            self.loop.pass_once()
            reports += self.links[-1].pump()
        return reports

    def close(self):
        for link in self.links:
            link.close()
        self.loop.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1


@pytest.fixture
def studios(tmp_path):
    """Makes studios and closes them, also after a failed test."""
    made = []

    def make(sink=None, **settings):
        made.append(Studio(tmp_path, sink, **settings))
        return made[-1]

    yield make
    for studio in made:
        studio.close()


@pytest.fixture
def studio(studios):
    return studios()


@pytest.fixture
def form(tmp_path):
    return Format(RATE, BLOCK, tmp_path)


def full_pattern():
    cells = np.full(GRID_SHAPE, 0.9, np.float32)
    cells[:, :, 2] = 0.1
    return PatternGrid(cells)


def sounding(link, pool, voice, rng, frames=20000):
    written = pool.write([rng.uniform(-0.1, 0.1, frames).astype(np.float32) for _ in range(2)])
    assert written is not None, "a slot was lost"
    pool.announced(written[0], link.send(Sound(voice, *written)))


def test_reports_come_about_a_hundred_times_a_second_and_say_who_speaks(studio):
    studio.connect()
    reports = studio.reports(1.0)
    assert 80 <= len(reports) <= 120
    assert {report.epoch for report in reports} == {77}
    assert [report.frame for report in reports] == sorted({report.frame for report in reports})


def test_garbage_is_counted_and_the_beat_goes_on(studio):
    link = studio.connect()
    link.send(Pattern(full_pattern()))
    link.send(Transport(Action.START))
    rng = np.random.default_rng(1)
    commands = [
        Params(),
        Hit(1, 0.5),
        Sound(2, (3, 4), (500, 600)),
        Pattern(full_pattern()),
        Transport(Action.CONTINUE),
    ]
    played = []
    for number in range(2000):
        bent = bytearray(encode(Stamped(commands[number % 5], 1)))
        bent[rng.integers(len(bent))] ^= 1 << rng.integers(8)
        for garbage in (rng.bytes(int(rng.integers(0, MAX_RECORD_BYTES))), bent, b""):
            studio.socket.send(garbage)
        played += studio.reports(0.02)
    link.send(Pattern(full_pattern(), ident=9))
    link.send(Params(density=1.0))
    link.send(Transport(Action.START))
    played += studio.reports(5.0)
    assert studio.loop.bad_records >= 2000
    assert played[-1].playing
    assert played[-1].pattern == 9
    assert any(report.triggers for report in played[-400:])
    assert np.isfinite(studio.loop._block).all()


def test_a_command_for_a_frame_that_never_comes_is_dropped(studio):
    link = studio.connect()
    link.send(Hit(0, 0.5), frame=2**63)
    link.send(Hit(0, 0.5), frame=RATE)
    assert [t.frame for report in studio.reports(1.5) for t in report.triggers] == [RATE]
    assert studio.loop.bad_records == 1


def test_a_record_that_is_too_long_is_dropped(studio):
    studio.connect()
    studio.socket.send(bytes(MAX_RECORD_BYTES * 3))
    studio.play(0.1)
    assert studio.loop.bad_records == 1


def test_a_control_that_floods_is_heard_in_order_and_never_holds_a_block_up(studio):
    link = studio.connect()
    count = 3000
    reports = []
    for number in range(count):
        link.send(Hit(number % VOICE_COUNT, 0.5))
        if link.waiting > 100:
            reports += studio.reports(0.003)
            assert link.alive
    reports += studio.reports(1.0)
    assert link.waiting == 0
    assert reports[-1].applied == count


def test_a_control_that_never_reads_loses_no_place_only_old_news(studio):
    link = studio.connect()
    link.send(Params(tempo_bpm=300.0))
    link.send(Pattern(full_pattern()))
    link.send(Transport(Action.START))
    studio.play(30.0)
    kept = link.pump()
    newest = studio.reports(0.1)
    assert kept[0].frame < 2 * RATE / 100 + BLOCK
    assert len(kept) < 1000  # the rest was dropped
    assert studio.engine.frame - newest[-1].frame < RATE / 50  # the place is that of now
    waited = [trigger for report in newest for trigger in report.triggers]
    assert waited  # what could not be said was kept, as far as a report can carry it
    assert max(len(report.triggers) for report in newest) <= MAX_TRIGGERS


def test_no_trigger_is_lost_between_reports(studio):
    link = studio.connect()
    link.send(Params(tempo_bpm=300.0, voice_density=(1.0,) * VOICE_COUNT, density=1.0))
    link.send(Pattern(full_pattern()))
    link.send(Transport(Action.START))
    heard = [t for report in studio.reports(10.0) for t in report.triggers]
    steps = max(t.step for t in heard)
    assert steps > 180
    for voice in range(VOICE_COUNT):
        assert [t.step for t in heard if t.voice == voice][:180] == list(range(180))


def test_the_newest_control_wins_and_numbers_go_on(studio):
    first = studio.connect()
    for _ in range(10):
        first.send(Hit(0, 0.5))
    studio.play(0.1)
    second = studio.connect()
    assert not first.alive
    assert studio.hello.applied == 10
    assert second.send(Hit(0, 0.5)) == 11
    assert studio.reports(0.1)[-1].applied == 11


def test_the_beat_plays_on_without_a_control_and_ends_softly_after_the_linger(studios, form, tmp_path):
    studio = studios(WavSink(tmp_path / "beat.wav", form, paced=False), linger_seconds=2.0)
    link = studio.connect()
    pool = SlotPool(link.slots)
    for report in studio.reports(0.1):
        pool.heard(report)
    slots, frames = pool.write([(0.5 * np.sin(2 * np.pi * 60 / RATE * np.arange(60000))).astype(np.float32)])
    link.send(Sound(0, slots, frames))
    link.send(Hit(0, 1.0))
    studio.play(0.5)
    link.close()
    passes = 0
    while studio.loop.pass_once():
        passes += 1
        if passes == 300:
            studio.engine.take(Stamped(Hit(0, 1.0)))
        assert passes < 3 * BLOCKS_PER_SECOND
    assert passes == pytest.approx(2.05 * BLOCKS_PER_SECOND, abs=5)
    studio.close()
    samples = np.frombuffer((tmp_path / "beat.wav").read_bytes()[44:], "<i2").reshape(-1, 2)[:, 0].astype(float)
    assert np.abs(samples[-2 * RATE // 10 :]).max() > 1000
    assert samples[-1] == 0
    assert np.abs(np.diff(samples[-RATE // 10 :])).max() < 0.01 * 32767  # nothing clicks


@pytest.mark.parametrize("kind", ["null", "wav"])
def test_minutes_of_playing_make_no_garbage_and_hold_no_new_memory(studios, form, tmp_path, kind):
    studio = studios(None if kind == "null" else WavSink(tmp_path / "beat.wav", form, paced=False))
    link, rng = studio.connect(), np.random.default_rng(2)
    pool = SlotPool(link.slots)
    for report in studio.reports(0.1):
        pool.heard(report)
    params, grid = Params(tempo_bpm=160.0, chaos=0.3, swing=0.3), full_pattern()
    for voice in range(VOICE_COUNT):
        sounding(link, pool, voice, rng)
    for command in (params, Pattern(grid), Transport(Action.START)):
        link.send(command)

    def virtual(seconds):
        for number in range(round(seconds * BLOCKS_PER_SECOND)):
            studio.loop.pass_once()
            for report in link.pump():
                pool.heard(report)
            if number % 23 == 0:
                link.send(replace(params, density=number % 10 / 10, tempo_bpm=100.0 + number % 100))
            if number % 101 == 0:
                link.send(Pattern(grid, ident=number))
            if number % 43 == 0:
                sounding(link, pool, number % VOICE_COUNT, rng, 5000)
            if number % 59 == 0:
                link.send(Hit(number % VOICE_COUNT, 0.7))

    gc.disable()  # as in the audio process
    tracemalloc.start()
    try:
        virtual(5)
        gc.collect()  # also empties the interpreter's own lists of free tuples
        before = tracemalloc.take_snapshot()
        virtual(120 if kind == "null" else 10)
        cycles = gc.collect()
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
        gc.enable()
    ours = [tracemalloc.Filter(True, "*/device/*")]
    lines = after.filter_traces(ours).compare_to(before.filter_traces(ours), "lineno")
    assert cycles == 0
    assert [str(line) for line in lines if line.size_diff >= BLOCK * 2 * 4] == []
    assert sum(line.size_diff for line in lines) < 4096
    assert pool.free >= SLOT_COUNT - 4 * VOICE_COUNT  # nothing of the sounds was lost either


def test_the_loop_and_its_sinks_make_no_arrays_of_their_own(studios, form, tmp_path):
    block = np.zeros((BLOCK, 2), np.float32)
    for sink in (NullSink(form, paced=False), WavSink(tmp_path / "beat.wav", form, paced=False)):
        studio = studios(sink)
        studio.connect()
        studio.reports(1.0)
        tracemalloc.start()
        try:
            highest = 0
            for work in (studio.loop._listen, partial(sink.write, block)) * 20:
                work()
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                work()
                highest = max(highest, tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
        assert highest < block.nbytes
