"""Anyone may listen to the finished blocks beside the sink, and nobody who does can hold them up."""

import gc
import os
import tempfile
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from device.audio.clicks import play, reports_until
from device.audio.hello import Hello
from device.audio.loop import Loop
from device.audio.memory import make_slots, map_slots
from device.audio.null import NullSink
from device.audio.sink import Format
from device.audio.tap import SOCKET_NAME, Tap, TapReader
from device.audio.wav import WavSink
from device.engine.engine import Engine
from device.engine.records import VERSION, Hit, Sound, Stamped
from device.errors import AudioError

RATE, BLOCK = 44100, 128
HELLO = Hello(
    records=VERSION, epoch=1, pid=1, sample_rate=RATE, block_frames=BLOCK, asked="null", sink="null", reason="",
    latency_ms=0.0, scheduling="", applied=0,
)  # fmt: skip


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="latido-") as name:
        yield Path(name)


@pytest.fixture
def loops(folder):
    """Makes loops with a tap that play as fast as they are asked, and closes them."""
    made = []

    def make(sink=NullSink):
        form = Format(RATE, BLOCK, folder)
        descriptor, slots = make_slots()
        map_slots(descriptor)[0, :40000] = np.random.default_rng(1).uniform(-0.5, 0.5, 40000)
        engine = Engine(RATE, slots)
        engine.take(Stamped(Sound(0, (0,), (40000,))))
        tap = Tap(form)
        to = NullSink(form, paced=False) if sink is NullSink else WavSink(folder / "beat.wav", form, paced=False)
        made.append((Loop(engine, to, form, HELLO, descriptor, tap=tap), descriptor))
        return made[-1][0]

    yield make
    for loop, descriptor in made:
        loop.close()
        loop.close()
        os.close(descriptor)


def heard(blocks):
    return np.concatenate([np.frombuffer(block.samples, "<f4").reshape(-1, 2) for block in blocks])


def test_a_listener_hears_every_frame_that_the_sink_gets(loops, folder):
    loop = loops(WavSink)
    for _ in range(10):
        loop.pass_once()
    reader = TapReader(folder)
    loop.engine.take(Stamped(Hit(0, 1.0)))
    blocks = []
    for _ in range(200):
        loop.pass_once()
        blocks += reader.read()
    reader.close()
    loop.close()
    assert [block.frame for block in blocks] == list(range(10 * BLOCK, 210 * BLOCK, BLOCK))
    written = np.frombuffer((folder / "beat.wav").read_bytes()[44:], "<i2").reshape(-1, 2)[10 * BLOCK :]
    assert np.abs(written).max() > 1000
    np.testing.assert_allclose(np.clip(heard(blocks), -1, 1) * 32767, written, atol=0.51)


def test_a_listener_that_never_reads_holds_nothing_up_and_sees_the_gap(loops, folder):
    loop = loops()
    reader = TapReader(folder)
    for _ in range(5000):
        assert loop.pass_once()
    first = reader.read()
    loop.pass_once()
    (after,) = reader.read()
    assert 40 <= len(first) < 5000  # what the kernel held
    assert [block.frame for block in first] == list(range(0, len(first) * BLOCK, BLOCK))
    assert after.frame == 5000 * BLOCK
    reader.close()


def test_the_newest_listener_wins_and_one_that_leaves_is_forgotten(loops, folder):
    loop = loops()
    first = TapReader(folder)
    loop.pass_once()
    second = TapReader(folder)
    loop.pass_once()
    first.read()
    assert not first.alive
    first.close()
    assert [block.frame for block in second.read()] == [BLOCK]
    second.close()
    second.close()
    loop.pass_once()
    assert not loop.tap.listened
    assert loop.pass_once()


def test_nobody_listens_and_nothing_is_done(loops, folder, monkeypatch):
    loop = loops()
    monkeypatch.setattr(loop.tap, "offer", None)  # would raise
    for _ in range(100):
        loop.pass_once()


def test_a_block_for_a_listener_makes_no_garbage(loops, folder):
    loop = loops()
    reader = TapReader(folder)
    loop.pass_once()
    block = np.zeros((BLOCK, 2), np.float32)
    gc.disable()
    tracemalloc.start()
    try:
        highest = 0
        for number in range(50):
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            loop.tap.offer(block, number)
            highest = max(highest, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
        gc.enable()
    reader.close()
    assert highest < 512


def test_where_no_audio_process_plays_a_listener_is_told_so(folder):
    with pytest.raises(AudioError, match="no audio process plays in"):
        TapReader(folder)
    (folder / SOCKET_NAME).write_text("left behind")
    with pytest.raises(AudioError, match="no audio process plays in"):
        TapReader(folder)


def test_a_folder_where_no_socket_can_be_is_one_sentence(folder):
    with pytest.raises(AudioError, match="choose another runtime folder"):
        Tap(Format(RATE, BLOCK, folder / "none"))


@pytest.mark.parametrize("sink", ["null", "browser"])
def test_every_audio_process_has_a_tap_beside_its_sink(folder, sink):
    from device.audio.launch import AudioHost

    with AudioHost(folder, sink) as host:
        link = host.connect()
        play(link)
        reader = TapReader(host.folder)
        blocks = []
        reports_until(link, lambda reports: blocks.extend(reader.read()) or len(blocks) > 300)
        assert {after.frame - before.frame for before, after in pairwise(blocks)} == {BLOCK}
        assert np.abs(heard(blocks)).max() > 0.05
        if host.pcm is not None:
            assert host.pcm.read()  # the page hears it too
        link.close()
        host.close()
        until = time.monotonic() + 10
        while reader.alive and time.monotonic() < until:
            reader.read()
        assert not reader.alive
        assert not (folder / SOCKET_NAME).exists()
        reader.close()
