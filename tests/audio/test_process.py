"""Two real processes: either may be killed, and the beat never stops or comes back."""

import os
import signal
import socket
import subprocess
import sys
import time
import wave
from dataclasses import replace

import numpy as np
import psutil
import pytest

from device.audio.clicks import PATTERN_IDENT, TEMPO_BPM, play, replay, reports_until
from device.audio.hello import LOCK_NAME, SOCKET_NAME, TAKEN_EXIT_CODE
from device.audio.launch import AudioHost
from device.audio.slots import SlotPool
from device.contract.voices import VOICE_COUNT
from device.engine.records import SLOT_COUNT, Hit
from device.errors import AudioError

RATE = 44100
BEAT_FRAMES = round(RATE * 60 / TEMPO_BPM)
PATIENCE_SECONDS = 20.0

A_CONTROL = """
import sys, time
from pathlib import Path
from device.audio.clicks import play
from device.audio.launch import AudioHost
link = AudioHost(Path(sys.argv[1]), sys.argv[2]).connect()
play(link)
print("playing", flush=True)
while True:
    link.pump()
    time.sleep(0.01)
"""


@pytest.fixture
def a_control(runtime):
    """Starts a control process that starts the beat and then lives until it is killed."""
    started = []

    def start(sink="null"):
        command = [sys.executable, "-c", A_CONTROL, str(runtime), sink]
        control = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        started.append(control)
        assert control.stdout.readline() == b"playing\n"
        return control

    yield start
    for control in started:
        control.kill()
        control.wait()
        control.stdout.close()


def audio_process(runtime, *options):
    command = [sys.executable, "-m", "device.audio.process", "--runtime", str(runtime), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def hits(reports):
    return [trigger for report in reports for trigger in report.triggers]


def has_hits(count):
    return lambda reports: len(hits(reports)) >= count


def until(condition):
    patience = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.005)


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def loud_in(path):
    """For each frame of a WAV file, whether something is heard."""
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        left = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 0]
    return np.abs(left.astype(int)) > 300


def assert_beats(path, *, at_least):
    """A click on every beat from the first to the end of the file (but for the fade): no gap, nothing moved."""
    loud = loud_in(path)
    beats = np.arange(np.flatnonzero(loud)[0], len(loud) - RATE // 10, BEAT_FRAMES)
    assert len(beats) >= at_least
    for beat in beats:
        assert loud[beat : beat + 20].any(), f"no click at frame {beat}, {beat / RATE:.2f} s"
    return beats


def test_the_audio_process_answers_plays_and_ends(host):
    ours = host()
    link = ours.connect()
    play(link)
    reports = reports_until(link, has_hits(5))
    assert reports[-1].playing
    assert reports[-1].pattern == PATTERN_IDENT
    assert [hit.step for hit in hits(reports)][:5] == [0, 4, 8, 12, 16]
    assert ours.sink == "null"
    assert ours.latency_ms == pytest.approx(3 * 128 / 44.1, rel=0.01)
    pid = ours.hello.pid
    ours.close()
    ours.close()
    assert not link.alive
    assert not psutil.pid_exists(pid)
    link.close()


def test_the_audio_process_loads_no_models_and_has_one_thread(host):
    ours = host()
    link = ours.connect()
    process = psutil.Process(ours.hello.pid)
    libraries = {entry.path for entry in process.memory_maps()}
    assert not [path for path in libraries if "onnxruntime" in path or "torch" in path]
    assert process.num_threads() == 1
    assert os.getsid(process.pid) != os.getsid(0)  # a Ctrl-C here does not reach it
    link.close()


def test_a_killed_control_leaves_the_beat_playing_and_another_takes_it_over(a_control, host, runtime, tmp_path):
    sink = f"wav:{tmp_path / 'beat.wav'}"
    control = a_control(sink)
    control.send_signal(signal.SIGKILL)
    control.wait()
    time.sleep(0.5)  # nobody is there, the beat is
    ours = host(sink)
    link = ours.connect()
    reports = reports_until(link, has_hits(4))
    assert reports[0].frame > 0.5 * RATE
    assert reports[0].playing
    assert reports[0].pattern == PATTERN_IDENT
    assert bin(reports[0].slots_in_use).count("1") == 2 * VOICE_COUNT

    pool = SlotPool(link.slots)
    pool.heard(reports[0])
    assert pool.free == SLOT_COUNT - 2 * VOICE_COUNT  # the slots that sound are not ours to write
    number = link.send(Hit(3, 0.5))  # and it obeys
    last = reports_until(link, lambda reports: any(hit.voice == 3 for hit in hits(reports)))[-1]
    assert last.applied == number > VOICE_COUNT  # the numbers went on
    link.close()
    ours.close()

    beats = assert_beats(tmp_path / "beat.wav", at_least=5)  # on time throughout, nothing missing
    kicks = [hit.frame for hit in hits(reports) if hit.voice == 0]
    assert np.isin(kicks, beats + np.arange(-3, 1)[:, None]).any()  # what was reported is what was heard


def test_a_killed_audio_process_is_noticed_at_once_and_replayed(host, record_property):
    ours = host()
    link = ours.connect()
    play(link)
    before = reports_until(link, has_hits(3))[-1]
    kill(ours.hello.pid)
    started = time.monotonic()
    assert not link.alive
    link.close()
    link = ours.connect()
    replay(link, SlotPool(link.slots))
    after = reports_until(link, has_hits(1))
    seconds = time.monotonic() - started
    record_property("seconds_until_sound", seconds)
    print(f"sound is back {seconds:.3f} s after SIGKILL")
    assert seconds < 5.0  # a loaded machine; bench/process.py measures it
    assert after[0].epoch != before.epoch
    assert replace(after[-1], triggers=()).pattern == before.pattern
    link.close()


def test_a_hung_audio_process_is_replaced(host, monkeypatch):
    monkeypatch.setattr("device.audio.launch.ANSWER_SECONDS", 0.2)
    ours = host()
    link = ours.connect()
    pid = ours.hello.pid
    os.kill(pid, signal.SIGSTOP)
    link.close()
    link = ours.connect()
    assert ours.hello.pid != pid
    assert reports_until(link, len)
    assert not psutil.pid_exists(pid)
    link.close()


def test_two_controls_share_one_audio_process_and_the_newest_wins(host):
    first, second = host(), host()
    old = first.connect()
    new = second.connect()
    assert first.hello.pid == second.hello.pid
    until(lambda: not old.alive)
    play(new)
    assert reports_until(new, has_hits(2))
    old.close()
    new.close()


def test_other_settings_replace_the_process(host):
    first, second = host(block_frames=128), host(block_frames=256)
    old = first.connect()
    new = second.connect()
    assert second.hello.block_frames == 256
    assert second.hello.pid != first.hello.pid
    assert not old.alive
    old.close()
    new.close()


def test_two_audio_processes_never_fight_over_a_folder(host, runtime):
    ours = host()
    link = ours.connect()
    second = audio_process(runtime, "--sink", "null")
    assert second.returncode == TAKEN_EXIT_CODE
    assert second.stderr == f"latido audio: another audio process plays in {runtime}: end it, or use another folder\n"
    assert reports_until(link, len)
    link.close()


def test_sockets_left_by_a_killed_process_are_removed(host, runtime):
    ours = host("browser")
    link = ours.connect()
    kill(ours.hello.pid)
    link.close()
    assert {"audio.sock", "pcm.sock"} <= {entry.name for entry in runtime.iterdir()}
    link = ours.connect()
    assert reports_until(link, len)
    link.close()
    ours.close()
    assert [entry.name for entry in runtime.iterdir() if entry.suffix == ".sock"] == []
    assert (runtime / LOCK_NAME).exists()


def test_the_browser_hears_the_same_frames_without_a_gap(host):
    ours = host("browser")
    link = ours.connect()
    play(link)
    blocks = []
    until(lambda: blocks.extend(ours.pcm.read()) or len(blocks) > 300)
    frames = [entry.frame for entry in blocks]
    assert set(np.diff(frames)) == {128}
    assert np.frombuffer(b"".join(entry.samples for entry in blocks), "<i2").max() > 1000
    link.close()


def test_without_a_control_the_process_ends_after_its_linger(host):
    ours = host(linger_seconds=0.5)
    link = ours.connect()
    pid = ours.hello.pid
    link.close()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_terminated_process_leaves_a_whole_file_and_exit_code_0(runtime, tmp_path):
    command = [sys.executable, "-m", "device.audio.process", "--runtime", str(runtime)]
    with subprocess.Popen([*command, "--sink", f"wav:{tmp_path / 'beat.wav'}"]) as process:
        host = AudioHost(runtime, f"wav:{tmp_path / 'beat.wav'}")
        until((runtime / SOCKET_NAME).exists)
        link = host.connect()
        play(link)
        reports = reports_until(link, has_hits(5))
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
        link.close()
        host.close()
    with wave.open(str(tmp_path / "beat.wav")) as file:
        assert file.getnframes() * 4 + 44 == (tmp_path / "beat.wav").stat().st_size
        assert file.getnframes() >= reports[-1].frame
    assert_beats(tmp_path / "beat.wav", at_least=4)


def test_a_killed_process_leaves_a_file_that_can_be_read(host, tmp_path):
    ours = host(f"wav:{tmp_path / 'beat.wav'}")
    link = ours.connect()
    play(link)
    reports = reports_until(link, has_hits(8))
    kill(ours.hello.pid)
    with wave.open(str(tmp_path / "beat.wav")) as file:
        assert file.getnframes() > reports[-1].frame - RATE  # up to the last flush
        assert len(file.readframes(file.getnframes())) == 4 * file.getnframes()
    assert_beats(tmp_path / "beat.wav", at_least=3)
    link.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sink", "jazz"], "no sink named 'jazz': use auto, alsa, portaudio, browser, wav, null"),
        (["--sink", "wav:/nowhere/beat.wav"], "cannot write /nowhere/beat.wav"),
        (["--block", "3"], "blocks are 16..1024 frames"),
    ],
)
def test_what_cannot_be_played_is_one_sentence_and_an_exit_code(runtime, options, said):
    ended = audio_process(runtime, *options)
    assert ended.returncode == 1
    assert ended.stderr.startswith("latido audio: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (runtime / SOCKET_NAME).exists()


def test_control_says_why_the_audio_process_did_not_start(host):
    with pytest.raises(AudioError, match="no sink named 'jazz': use auto"):
        host("jazz").connect()


def test_a_runtime_folder_that_cannot_be_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / ("long" * 30)):
        with pytest.raises(AudioError, match=r"runtime folder|cannot (reach|start) the audio process"):
            AudioHost(folder, "null").connect()


def test_a_stranger_at_the_socket_does_not_stop_us(host, runtime):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.bind(str(runtime / SOCKET_NAME))  # bound, never listening
        link = host().connect()
        assert reports_until(link, len)
        link.close()
