"""``latido sim`` as a player starts and ends it."""

import os
import signal
import subprocess
import sys

import pytest
from simulator_kit import until
from websockets.sync.client import connect

from device.control.store import load
from device.simulator.command import where_sound_goes
from device.simulator.listener import listen


def sim(tmp_path, *words, **options):
    folders = ["--state", str(tmp_path / "state"), "--runtime", str(tmp_path / "run")]
    return subprocess.Popen(
        [sys.executable, "-m", "device.cli", "sim", "--no-browser", *folders, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def refused(tmp_path, *words):
    """What it says when it does not start."""
    process = sim(tmp_path, *words)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert error.count("\n") == 1
    assert error.startswith("latido sim: ")
    return error


def test_a_taken_port_is_said_before_anything_is_started(tmp_path):
    with listen(0) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is already in use" in refused(tmp_path, "--port", str(port))
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--sink", "gramophone"), "--sink must be one of auto, browser, portaudio, alsa, wav:FILE, null, got"),
        (("--seed", "-1"), r"--seed must be 0..16777215, got -1"),
        (("--port", "70000"), "--port must be 0..65535, got 70000"),
    ],
)
def test_a_word_that_makes_no_sense_is_said(tmp_path, words, why):
    assert why in refused(tmp_path, *words)


def test_a_missing_bundle_is_said_and_ends_the_audio_process(tmp_path):
    assert "no-such.latido" in refused(tmp_path, "--port", "0", "--bundle", str(tmp_path / "no-such.latido"))
    assert not (tmp_path / "run" / "audio.sock").exists()


@pytest.mark.parametrize("goodbye", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_where_it_is_plays_and_ends_all_when_told(tmp_path, goodbye):
    process = sim(tmp_path, "--port", "0", "--sink", "null")
    try:
        address = process.stdout.readline().split()[-1]
        assert address.startswith("http://127.0.0.1:")
        assert process.stdout.readline() == where_sound_goes("null") + "\n"
        assert process.stdout.readline() == "Ctrl-C ends.\n"
        with connect(address.replace("http", "ws") + "play") as page:
            page.recv()
            page.send('{"type": "set", "name": "chaos", "position": 0.625}')
            while '"chaos":0.625' not in page.recv(timeout=20):
                pass
            assert (tmp_path / "run" / "audio.sock").exists()
            process.send_signal(goodbye)
            _, error = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert error == ""
    saved, _ = load(tmp_path / "state")
    assert saved.state.position("chaos") == 0.625
    assert not (tmp_path / "run" / "audio.sock").exists()


def test_started_by_nohup_it_outlives_its_terminal(tmp_path):
    process = sim(
        tmp_path, "--port", "0", "--sink", "null", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    try:
        address = process.stdout.readline().split()[-1]
        process.send_signal(signal.SIGHUP)
        with connect(address.replace("http", "ws") + "play") as page:
            page.recv()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0


def test_it_plays_on_as_it_was_left(tmp_path):
    for expected in (None, '"voice":5'):
        process = sim(tmp_path, "--port", "0", "--sink", "null")
        try:
            address = process.stdout.readline().split()[-1]
            with connect(address.replace("http", "ws") + "play") as page:
                page.recv()
                state = page.recv()
                assert expected is None or expected in state
                page.send('{"type": "voice", "voice": 5}')
                while '"voice":5' not in state:
                    state = page.recv(timeout=20)
            os.kill(process.pid, signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("sink", "words"),
    [
        ("portaudio Built-in Output", "Built-in Output (portaudio)"),
        ("alsa hw:CARD=DAC", "hw:CARD=DAC (alsa)"),
        ("browser", "in the page"),
        ("null", "nowhere"),
        ("wav /tmp/beat.wav", "into the file /tmp/beat.wav"),
    ],
)
def test_where_the_sound_goes_is_said_in_plain_words(sink, words):
    assert words in where_sound_goes(sink)


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path):
    yield
    until(lambda: not (tmp_path / "run" / "audio.sock").exists())
