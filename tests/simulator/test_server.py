"""The page's server beside a real control loop and a real audio process."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal

import numpy as np
import pytest
from simulator_kit import hear, say, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from device.errors import LatidoError
from device.parameters import PARAMETERS
from device.simulator.listener import listen
from device.simulator.server import (
    OUTBOX_MESSAGES,
    PAGE_FOLDER,
    SOUND_BLOCKS,
    PanelServer,
    _Outbox,
    _SoundBox,
    from_here,
)


def get(panel, path, **headers):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", panel.server.port, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def test_the_page_comes_with_all_its_parts(panel):
    status, body, headers = get(panel, "/")
    assert status == 200
    assert b"<title>Latido</title>" in body
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    for path in PAGE_FOLDER.iterdir():
        assert get(panel, f"/{path.name}")[:2] == (200, path.read_bytes())


def test_the_page_is_small_and_names_no_other_place():
    parts = [path for path in PAGE_FOLDER.iterdir() if path.suffix != ".txt"]
    assert sum(path.stat().st_size for path in parts) < 200_000
    for path in parts:
        if path.suffix != ".woff2":
            named = set(re.findall(r"https?://[\w./]+", path.read_text()))
            assert named <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    "path", ["/server.py", "/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "/.git", "/x/y"]
)
def test_nothing_but_the_page_is_served(panel, path):
    assert get(panel, path)[0] == 404


@pytest.mark.parametrize(
    ("host", "origin", "let_in"),
    [
        ("127.0.0.1:7878", None, True),
        ("localhost:7878", "http://localhost:7878", True),
        ("[::1]:80", "http://[::1]:80", True),
        ("localhost:8000", "http://localhost:8000", True),  # an SSH tunnel's other end
        ("127.0.0.1:7878", "http://127.0.0.1:3000", False),
        ("127.0.0.1:7878", "https://latido.example", False),
        ("127.0.0.1:7878", "null", False),
        ("127.0.0.1:7878", "", False),
        ("latido.example", None, False),  # a name that was made to mean this computer
        ("latido.example:7878", "http://latido.example:7878", False),
        ("", None, False),
        ("[", "http://[", False),
    ],
)
def test_only_the_panels_own_page_may_drive_it(host, origin, let_in):
    assert from_here(host, origin) == let_in


@pytest.mark.parametrize("path", ["play", "sound"])
def test_a_page_from_elsewhere_is_turned_away(panel, path):
    with pytest.raises(InvalidStatus, match="403"), panel.page(path, origin="https://elsewhere.example"):
        pass
    with panel.page(path, origin=f"http://127.0.0.1:{panel.server.port}"):
        pass
    assert get(panel, "/", Origin="https://elsewhere.example")[0] == 403
    assert get(panel, "/", Host="elsewhere.example")[0] == 403


def post(panel, path, **headers):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", panel.server.port, timeout=60)) as connection:
        connection.request("POST", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def test_what_plays_is_taken_home_as_midi_and_as_wav(panel):
    status, song, headers = post(panel, "/take/midi")
    assert (status, song[:4]) == (200, b"MThd")
    assert re.search(r'filename="latido-[-\w]+\.mid"', headers["Content-Disposition"])
    status, sound, headers = post(panel, "/take/wav")
    assert (status, sound[:4], sound[8:12]) == (200, b"RIFF", b"WAVE")
    assert len(sound) > 8 * 4 * 60 / panel.view.tempo_bpm * 44100 * 6
    assert np.frombuffer(sound[44 : 44 + 600_000], np.uint8).any()
    assert post(panel, "/take/mp3")[0] == 404
    assert get(panel, "/take/midi")[0] == 405


def test_only_the_own_page_may_take_and_record(panel):
    for path in ("/take/wav", "/record/start"):
        assert post(panel, path, Origin="https://elsewhere.example")[0] == 403
        assert post(panel, path, Host="elsewhere.example")[0] == 403
    assert panel.view.recording == ""


def test_what_is_played_is_recorded_until_told_to_stop(panel):
    with panel.page() as page:
        assert post(panel, "/record/start")[0] == 204
        name = until(lambda: panel.view.recording)
        assert name.startswith("latido-")
        until(lambda: (panel.recordings / name).stat().st_size > 44100)
        assert post(panel, "/record/stop")[0] == 204
        until(lambda: panel.view.recording == "")
        assert f"to {panel.recordings / name}" in hear(page, "told")["text"]
    assert (panel.recordings / name).read_bytes()[:4] == b"RIFF"
    assert post(panel, "/record/louder")[0] == 404


def test_the_little_screen_is_a_picture(panel):
    status, picture, headers = get(panel, "/screen.png")
    assert (status, picture[:8], headers["Content-Type"]) == (200, b"\x89PNG\r\n\x1a\n", "image/png")


def test_a_new_page_is_told_the_table_and_then_everything(panel):
    with panel.page() as page:
        assert json.loads(page.recv())["type"] == "table"
        state = json.loads(page.recv())
        assert state["voice"] == panel.view.voice
        assert len(state["positions"]) == len(PARAMETERS)
        assert len(state["pattern"]) == 1152
        assert state["audio"]["sink"] == "browser"


def test_what_a_hand_does_reaches_the_instrument_and_every_page(panel):
    with panel.page() as one, panel.page() as other:
        say(one, type="set", name="chaos", position=0.375)
        until(lambda: panel.value("chaos") == 0.375)
        while hear(other, "state").get("positions", {}).get("chaos") != 0.375:
            pass
        say(one, type="voice", voice=4)
        say(one, type="set", name="level", position=0.5)
        until(lambda: panel.value("level", 4) == 0.5)
        say(one, type="press", button="PLAY")
        say(one, type="release", button="PLAY")
        until(lambda: not panel.view.playing)
        say(one, type="press", button="PLAY")
        say(one, type="release", button="PLAY")
        until(lambda: panel.view.playing)
        say(one, type="hit", voice=7, velocity=0.625)
        until(lambda: any(hit.voice == 7 and hit.step == -1 for hit in panel.view.triggers))


def test_every_message_that_makes_no_sense_is_answered_and_the_page_stays(panel):
    with panel.page() as page:
        for index in range(100):
            page.send(["{", "nonsense", b"\x00\xff", '{"type": "set", "name": "densty", "position": 1}'][index % 4])
        answers = [hear(page, "error")["text"] for _ in range(100)]
        assert sum("did you mean 'density'" in text for text in answers) == 25
        assert sum("not binary" in text for text in answers) == 25
        say(page, type="set", name="drift", position=0.25)
        until(lambda: panel.value("drift") == 0.25)
        say(page, type="set", name="drift", position=0.0)
    until(lambda: panel.value("drift") == 0.0)


def test_a_page_that_goes_away_lets_go_of_its_buttons(panel):
    with panel.page() as page:
        say(page, type="press", button="TEMP")
        until(lambda: panel.view.lights["TEMP"] == "blink")
    until(lambda: panel.view.lights["TEMP"] == "off")


def test_sound_comes_in_one_unbroken_stretch_and_is_not_silent(panel):
    assert panel.view.playing
    with panel.page("sound") as page:
        assert json.loads(page.recv()) == {"type": "stream", "here": True, "sink": "browser", "rate": 44100}
        frame, heard = None, []
        for _ in range(150):
            block = page.recv(timeout=20)
            first, samples = int.from_bytes(block[:8], "little"), np.frombuffer(block[8:], "<i2")
            frame = first if frame is None else frame
            assert first == frame
            frame += len(samples) // 2
            heard.append(samples)
        assert np.abs(np.concatenate(heard).astype(int)).max() > 300


def test_sound_goes_on_when_the_audio_process_was_killed(panel):
    with panel.page("sound") as page:
        page.recv()
        last = int.from_bytes(page.recv(timeout=20)[:8], "little")
        before = panel.host.hello
        os.kill(before.pid, signal.SIGKILL)
        until(lambda: panel.host.hello is not before and panel.host.pcm)
        until(lambda: int.from_bytes(page.recv(timeout=20)[:8], "little") < last)  # anew, on the same line


def test_a_panel_that_sounds_elsewhere_says_so(start):
    panel = start("null")
    with panel.page("sound") as page:
        assert json.loads(page.recv())["here"] is False


def test_a_pass_that_goes_wrong_is_said_once_and_pages_are_told_on(panel, capsys):
    faults = []

    def tap():
        if len(faults) < 5:
            faults.append("broken")
            raise ZeroDivisionError("an unforeseen fault")

    with PanelServer(panel.control, listen(0), tap) as server:
        until(lambda: len(faults) == 5)
        with connect(f"ws://127.0.0.1:{server.port}/play") as page:
            say(page, type="set", name="drift", position=0.875)
            while hear(page, "state").get("positions", {}).get("drift") != 0.875:
                pass
            say(page, type="set", name="drift", position=0.0)
            while hear(page, "state").get("positions", {}).get("drift") != 0.0:
                pass
    said = capsys.readouterr().err
    assert said.count("the panel missed a moment and goes on") == 1
    assert said.count("ZeroDivisionError: an unforeseen fault") == 1


def test_a_taken_port_is_refused_with_the_way_out(panel):
    with pytest.raises(LatidoError, match=rf"port {panel.server.port} is already in use.*--port"):
        listen(panel.server.port)
    with pytest.raises(LatidoError, match=r"--port must be 0\.\.65535, got 70000"):
        listen(70000)


def test_a_page_that_does_not_read_holds_nothing_up():
    async def script():
        outbox = _Outbox()
        for number in range(10 * OUTBOX_MESSAGES):
            outbox.put(b"%d" % number)
        assert len(outbox.waiting) <= OUTBOX_MESSAGES
        assert await outbox.take() is None  # everything is told anew
        outbox.put(b"next")
        assert await outbox.take() == b"next"

    asyncio.run(script())


def test_a_page_that_listens_too_slowly_loses_the_oldest_sound():
    class Block:
        def __init__(self, frame):
            self.frame, self.samples = frame, bytes(128 * 4)

    async def script():
        box = _SoundBox()
        box.put([Block(128 * index) for index in range(SOUND_BLOCKS + 10)])
        message = await box.take()
        assert int.from_bytes(message[:8], "little") == 10 * 128
        assert len(message) == 8 + SOUND_BLOCKS * 128 * 4
        box.put([Block(0), Block(128), Block(1024), Block(1152), Block(1280)])
        assert len(await box.take()) == 8 + 2 * 128 * 4  # a gap parts two messages

    asyncio.run(script())
