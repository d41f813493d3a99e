"""What is played is kept on disk while it is played, and no accident costs more than the last half second."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.audio.clicks import TEMPO_BPM, play, reports_until
from device.audio.launch import AudioHost
from device.audio.tap import TapBlock
from device.control import recorder as module
from device.control.recorder import FRAME_BYTES, Recorder, Tape, TapeFullError, runs, samples_24
from device.errors import LatidoError

RATE, BLOCK = 44100, 128
BEAT_FRAMES = round(RATE * 60 / TEMPO_BPM)
PATIENCE_SECONDS = 20.0
NOTHING_FREE = {"keep_free_bytes": 1 << 62}


def samples(path):
    """(n, 2) whole numbers of 24 bits, as any program would read them."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 3, RATE)
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, 2, 3).astype(np.int32)
    assert len(raw) == file.getnframes()
    return (raw[..., 0] << 8 | raw[..., 1] << 16 | raw[..., 2] << 24) >> 8


def block(number, value=0.5):
    return TapBlock(number * BLOCK, np.full((BLOCK, 2), value, "<f4").tobytes())


def add_all(tape, numbers):
    for number in numbers:
        tape.add(block(number))


def until(condition):
    patience = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def runtime():
    with tempfile.TemporaryDirectory(prefix="latido-") as folder:
        yield Path(folder)


@pytest.fixture
def host(runtime):
    with AudioHost(runtime, "null") as host:
        yield host


# -- the file, without threads ---------------------------------------------------------------------------


def test_a_tape_holds_every_block_to_the_last_bit(tmp_path):
    tape = Tape(tmp_path / "new" / "beat.wav", RATE)
    values = np.linspace(-1.2, 1.2, 300)
    for number, value in enumerate(values):
        tape.add(block(number, value))
    tape.close()
    tape.close()
    heard = samples(tmp_path / "new" / "beat.wav").reshape(300, BLOCK, 2)
    np.testing.assert_array_equal(
        heard[:, 5, 1], np.rint(np.clip(values.astype("f4").astype("f8"), -1, 1) * (2.0**23 - 1))
    )
    assert tape.frames == 300 * BLOCK
    assert tape.gaps == 0


def test_blocks_that_were_lost_are_silence_of_the_same_length_and_counted(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE)
    for number in (10, 11, 15, 16, 20):
        tape.add(block(number))
    tape.close()
    loud = samples(tmp_path / "beat.wav").reshape(-1, BLOCK, 2)[:, 0, 0] > 0
    assert loud.tolist() == [number in (10, 11, 15, 16, 20) for number in range(10, 21)]
    assert (tape.gaps, tape.lost_frames) == (2, 6 * BLOCK)


def test_a_gap_of_the_whole_patience_stays_in_time(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE)
    tape.add(block(0))
    tape.add(block(5000))
    tape.close()
    assert tape.frames == 5001 * BLOCK


def test_another_audio_process_goes_on_in_the_same_file_after_a_silence(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE)
    tape.add(block(9000))
    tape.another_stream(0.5)
    tape.add(block(3))
    tape.add(block(4))
    tape.close()
    heard = samples(tmp_path / "beat.wav")[:, 0]
    assert len(heard) == 3 * BLOCK + RATE // 2
    assert tape.gaps == 1
    assert heard[-2 * BLOCK :].min() > 0


def test_a_long_recording_goes_on_in_a_new_file_without_losing_a_sample(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE, most_file_bytes=1000 * FRAME_BYTES + 3)
    ramp = np.arange(3500 * 2, dtype="<f4").reshape(-1, 2) / 10000
    tape.add(TapBlock(0, ramp.tobytes()))
    tape.close()
    assert [path.name for path in tape.files] == ["beat.wav", "beat-2.wav", "beat-3.wav", "beat-4.wav"]
    whole = [samples(path) for path in tape.files]
    assert [len(part) for part in whole] == [1000, 1000, 1000, 500]
    np.testing.assert_array_equal(np.concatenate(whole), np.rint(ramp.astype(np.float64) * (2.0**23 - 1)))


def test_a_file_that_exists_is_never_overwritten(tmp_path):
    (tmp_path / "beat.wav").write_text("mine")
    tape = Tape(tmp_path / "beat.wav", RATE)
    tape.add(block(0))
    tape.close()
    assert tape.files == (tmp_path / "beat-2.wav",)
    assert (tmp_path / "beat.wav").read_text() == "mine"


def test_the_file_can_be_read_while_it_grows_up_to_the_last_flush(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE)
    for number in range(1000):
        tape.add(block(number))
        if number % 100 == 99:
            assert len(samples(tmp_path / "beat.wav")) >= (number + 1) * BLOCK - 0.6 * RATE
    tape.flush(durable=True)
    assert len(samples(tmp_path / "beat.wav")) == 1000 * BLOCK
    tape.close()


def test_too_little_room_is_one_sentence_and_no_file(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE, **NOTHING_FREE)
    with pytest.raises(TapeFullError, match=r"only \d+ MB are free in .*: delete something or record elsewhere"):
        tape.add(block(0))
    assert tape.files == ()
    assert list(tmp_path.iterdir()) == []


def test_room_that_runs_out_while_recording_ends_the_file_well(tmp_path, monkeypatch):
    tape = Tape(tmp_path / "beat.wav", RATE)
    for number in range(100):
        tape.add(block(number))
    tape._keep_free = 1 << 62
    with pytest.raises(TapeFullError, match="MB are free"):
        add_all(tape, range(100, 1000))
    kept = samples(tmp_path / "beat.wav")
    assert 100 * BLOCK < len(kept) == tape.frames
    assert kept.min() > 0


@pytest.mark.parametrize("taken", [0, 1, 700, 5000])
def test_a_disk_that_is_full_in_the_middle_of_a_write_leaves_a_whole_file(tmp_path, monkeypatch, taken):
    tape = Tape(tmp_path / "beat.wav", RATE)
    for number in range(10):
        tape.add(block(number))
    room, write = [taken], os.write

    def filling(file, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(file, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", filling)
    with pytest.raises(TapeFullError, match=r"cannot go on writing .*beat\.wav: No space left on device"):
        add_all(tape, range(10, 100))
    frames = (10 * BLOCK * FRAME_BYTES + taken) // FRAME_BYTES
    assert len(samples(tmp_path / "beat.wav")) == frames
    assert (tmp_path / "beat.wav").stat().st_size == 44 + frames * FRAME_BYTES


def test_a_real_full_device_is_said_in_one_sentence(tmp_path):
    tape = Tape(tmp_path / "beat.wav", RATE)
    tape.add(block(0))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, tape._file)
    os.close(full)
    with pytest.raises(TapeFullError, match="No space left on device"):
        tape.add(block(1))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LatidoError, match=r"cannot record to .*; name another folder"):
        Tape(tmp_path / "file" / "beat.wav", RATE).add(block(0))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=8))
def test_whatever_is_lost_every_block_that_came_lies_at_its_time(pieces):
    with tempfile.TemporaryDirectory() as folder:
        tape, number, came = Tape(Path(folder) / "beat.wav", RATE), 7, []
        for lost, run in pieces:
            number += lost if came else 0
            for _ in range(run):
                came.append(number)
                tape.add(block(number, 0.1 + number / 1000))
                number += 1
        tape.close()
        if not came:
            assert tape.files == ()
            return
        heard = samples(tape.files[0]).reshape(-1, BLOCK, 2)[:, -1, 0]
        expected = np.zeros(number - 7)
        expected[np.array(came) - 7] = 0.1 + np.array(came) / 1000
        np.testing.assert_allclose(heard / (2.0**23 - 1), expected, atol=1e-6)


@given(st.lists(st.integers(0, 30), unique=True).map(sorted))
def test_runs_join_what_follows_and_lose_nothing(numbers):
    joined = runs([block(number, number / 100) for number in numbers])
    assert b"".join(run.samples for run in joined) == b"".join(
        block(number, number / 100).samples for number in numbers
    )
    ends = [(run.frame, run.frame + len(run.samples) // 8) for run in joined]
    assert all(end < begin for (_, end), (begin, _) in pairwise(ends))


def test_24_bits_are_full_scale_at_one_and_clipped_beyond():
    raw = np.frombuffer(samples_24(np.array([[-2.0, 2.0], [0.0, 1e-7]], np.float32)), np.uint8).reshape(-1, 3)
    assert raw.tolist() == [[1, 0, 128], [255, 255, 127], [0, 0, 0], [1, 0, 0]]


# -- the real audio process ------------------------------------------------------------------------------


def clicks(path):
    """Frames where a click begins."""
    loud = np.abs(samples(path)[:, 0]) > 300 << 8
    begins = np.flatnonzero(loud)
    return begins[np.insert(np.diff(begins) > BEAT_FRAMES // 2, 0, True)]


def test_what_is_played_is_recorded_and_the_beat_does_not_notice(host, tmp_path):
    link = host.connect()
    play(link)
    late = reports_until(link, len)[-1].late_blocks
    with Recorder(host.folder, RATE) as recorder:
        assert not recorder.state.running
        recorder.start(tmp_path / "beat.wav")
        recorder.start(tmp_path / "other.wav")  # it runs: nothing changes
        until(lambda: link.pump() is not None and recorder.state.seconds > 2.5)
        assert recorder.state.path == tmp_path / "beat.wav"
        recorder.stop()
        until(lambda: not recorder.state.running)
        state = recorder.state
    assert state.path is None
    assert state.files == (tmp_path / "beat.wav",)
    assert state.message.startswith(f"recorded 0:0{int(state.seconds)} to {tmp_path / 'beat.wav'}")
    begins = clicks(tmp_path / "beat.wav")[1:]  # the first may have begun before
    assert len(begins) >= 4
    assert set(np.diff(begins)) == {BEAT_FRAMES} or state.gaps
    assert abs(len(samples(tmp_path / "beat.wav")) / RATE - state.seconds) < 0.01
    print("late blocks while recording", reports_until(link, len)[-1].late_blocks - late)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beat.wav"]
    link.close()


def test_a_second_recording_takes_the_next_name(host, tmp_path):
    link = host.connect()
    with Recorder(host.folder, RATE) as recorder:
        for _ in range(2):
            recorder.start(tmp_path / "beat.wav")
            until(lambda: recorder.state.seconds > 0.1)
            recorder.stop()
            until(lambda: not recorder.state.running)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beat-2.wav", "beat.wav"]
    link.close()


def test_an_audio_process_that_is_killed_leaves_a_silence_and_the_recording_goes_on(host, tmp_path):
    link = host.connect()
    play(link)
    with Recorder(host.folder, RATE) as recorder:
        recorder.start(tmp_path / "beat.wav")
        until(lambda: recorder.state.seconds > 0.7)
        os.kill(host.hello.pid, signal.SIGKILL)
        link.close()
        before = recorder.state.seconds
        link = host.connect()
        play(link)
        until(lambda: recorder.state.seconds > before + 1.5)
    state = recorder.state
    assert not state.running
    assert state.gaps >= 1
    assert 0.0 < state.lost_seconds < PATIENCE_SECONDS
    assert "gap" in state.message
    assert len(samples(tmp_path / "beat.wav")) == pytest.approx(state.seconds * RATE, abs=1)
    link.close()


def test_without_an_audio_process_a_recording_says_so_and_makes_no_file(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.1)
    with Recorder(runtime, RATE) as recorder:
        recorder.start(tmp_path / "beat.wav")
        until(lambda: not recorder.state.running)
        assert recorder.state.message.startswith("nothing was recorded: no audio process plays in")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_recording_with_one_sentence(host, tmp_path):
    link = host.connect()
    with Recorder(host.folder, RATE, **NOTHING_FREE) as recorder:
        recorder.start(tmp_path / "beat.wav")
        until(lambda: not recorder.state.running)
        assert "MB are free in" in recorder.state.message
        assert "\n" not in recorder.state.message
        recorder._keep_free = 0  # something was deleted
        recorder.start(tmp_path / "beat.wav")
        until(lambda: recorder.state.seconds > 0.05)
    assert recorder.state.message.startswith("recorded 0:00 to")
    link.close()


def test_a_disk_that_hangs_holds_nothing_up_and_nothing_is_lost(host, tmp_path, monkeypatch):
    """One write takes a second: the kernel alone could not hold that much."""
    link, write, hung = host.connect(), os.write, []

    def hanging(file, data):
        if len(data) > 44 and not hung:
            hung.append(time.sleep(1.0))
        return write(file, data)

    monkeypatch.setattr(os, "write", hanging)
    with Recorder(host.folder, RATE) as recorder:
        recorder.start(tmp_path / "beat.wav")
        until(lambda: recorder.state.seconds > 1.2)
    assert hung
    assert recorder.state.lost_seconds < 0.5  # none, unless this machine itself stood still
    link.close()


def test_more_than_the_patience_becomes_a_gap(tmp_path, runtime, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)
    session = module._Session(Tape(tmp_path / "beat.wav", RATE), runtime, RATE)
    session.close()
    session._put_bytes, session._taken_bytes = 100, 0
    session._put([block(0)])
    assert session._put_bytes == 100


A_PLAYER = """
import sys, time
from pathlib import Path
from device.control.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), 44100)
recorder.start(Path(sys.argv[2]))
while True:
    print(recorder.state.seconds, flush=True)
    time.sleep(0.05)
"""


def test_a_killed_player_leaves_a_file_that_can_be_read_up_to_the_last_flush(host, tmp_path):
    link = host.connect()
    play(link)
    command = [sys.executable, "-c", A_PLAYER, str(host.folder), str(tmp_path / "beat.wav")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player:
        seconds = 0.0
        while seconds < 2.0:
            seconds = float(player.stdout.readline())
            link.pump()
        player.kill()
        player.wait()
    kept = len(samples(tmp_path / "beat.wav")) / RATE
    assert seconds - 0.6 < kept
    assert len(clicks(tmp_path / "beat.wav")) >= 2
    assert reports_until(link, len)  # the beat plays on
    link.close()
