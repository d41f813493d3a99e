"""Control and audio as they run live: two processes, each of which survives the other's end."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from device.audio.launch import AudioHost
from device.control import store
from device.control.control import Control, Spaces
from device.control.run import Instrument, health_of
from device.models.background import Background
from device.panel.events import ButtonPressed, ButtonReleased, ParameterSet

PATIENCE_SECONDS = 20.0


def until(condition):
    """Wait for something to become true; fails when it never does."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def live(models, tmp_path):
    """A running instrument with a silent, paced sink."""
    host = AudioHost(tmp_path / "run", "null", linger_seconds=20.0)
    spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
    with Background(models) as worker:
        link = host.connect()
        control = Control(spaces, worker, link, health=health_of(host))
        with Instrument(control, host, store.Saver(tmp_path / "state")) as instrument:
            instrument.host = host
            yield instrument


def test_the_first_downbeat_is_heard(models, tmp_path):
    """Models need a moment at switching on: the beat waits for its first sounds, not the other way round."""
    host = AudioHost(tmp_path / "run", f"wav:{tmp_path / 'beat.wav'}")
    spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
    with Background(models) as worker:
        control = Control(spaces, worker, host.connect(), health=health_of(host))
        with Instrument(control, host) as instrument:
            until(lambda: len(instrument.control.view.triggers) > 8)
            first = instrument.control.view.triggers[0]
    audio, _ = soundfile.read(tmp_path / "beat.wav")
    assert first.step == 0
    assert np.abs(audio[first.frame : first.frame + 4410]).max() > 0.05


def heard(instrument):
    """Hits with sound since the start of the audio process, as the view shows them."""
    return bool(instrument.control.view.triggers) and max(instrument.control.view.peaks[-2:]) > 0.0


def test_a_box_is_heard_by_itself_and_remembers_what_was_played(live, tmp_path):
    until(lambda: heard(live))
    live.control.post(ParameterSet("tempo", 0.5))
    until(lambda: abs(live.control.view.tempo_bpm - 160.0) < 0.1)
    until((tmp_path / "state" / store.FILE_NAME).exists)
    live.close()
    saved, _ = store.load(tmp_path / "state")
    assert saved.state.value("tempo") == pytest.approx(160.0)
    assert saved.playing


def test_a_killed_audio_process_comes_back_with_the_same_state(live):
    live.control.post(ParameterSet("density", 0.8))
    until(lambda: heard(live))
    pattern, state = live.control.view.pattern, live.control.moment.state
    pid = live.host.hello.pid
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: live.host.hello.pid != pid and live.control.view.audio.alive and heard(live))
    print(f"sound back {time.monotonic() - killed:.2f} s after SIGKILL")
    assert live.control.view.playing
    assert live.control.view.pattern == pattern
    assert live.control.moment.state == state


SIMULATOR = [sys.executable, "-m", "device.cli", "sim", "--no-browser", "--port", "0", "--sink", "null"]


def test_a_killed_control_leaves_the_beat_playing_and_the_next_one_takes_over(tmp_path):
    """The whole simulator, killed and started again: the audio process and its frame count go on."""
    command = [*SIMULATOR, "--runtime", str(tmp_path / "run"), "--state", str(tmp_path / "state")]

    def start():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with process.stdout:
            assert "Latido plays" in process.stdout.readline()
        return process

    first = start()
    until((tmp_path / "run" / "audio.sock").exists)
    time.sleep(1.5)  # let it play, and save
    first.kill()
    first.wait()
    second = None
    host = AudioHost(tmp_path / "run", "null")
    link = host.connect()
    try:
        pid, reports = host.hello.pid, []
        until(lambda: reports.extend(link.pump()) or any(report.triggers for report in reports))
        assert reports[0].playing
        assert reports[0].frame > 44100
        frame = reports[-1].frame
        link.close()
        second = start()
        link = host.connect()  # look again: the newest control wins, the second takes it back
        assert host.hello.pid == pid
        until(lambda: reports.extend(link.pump()) or reports[-1].frame > frame)
        assert reports[-1].playing
    finally:
        if second is not None:
            second.terminate()
            second.wait()
        link.close()
        host.close()


def test_events_of_the_panel_reach_the_sound(live):
    until(lambda: heard(live))
    live.control.post(ButtonPressed("PLAY"))
    live.control.post(ButtonReleased("PLAY"))
    until(lambda: not live.control.view.playing)
    triggers = live.control.view.triggers
    time.sleep(0.3)
    assert live.control.view.triggers[-1].step == triggers[-1].step
