"""A session as a musician plays it on the page, recorded while it is played and listened to afterwards."""

import numpy as np
import pytest
from simulator_kit import Face, until

pytestmark = pytest.mark.browser
QUIET = 0.01


def listen(path):
    """(seconds, 2) peaks of a 24-bit stereo WAV file, -1..1, one a second."""
    data = path.read_bytes()
    whole = np.frombuffer(data[44 : 44 + (len(data) - 44) // 6 * 6], np.uint8).reshape(-1, 2, 3)
    samples = np.zeros((len(whole), 2, 4), np.uint8)
    samples[..., 1:] = whole
    sound = samples.view("<i4")[..., 0] / 2.0**31
    return np.abs(sound[: len(sound) // 44100 * 44100]).reshape(-1, 44100, 2).max(1), len(sound) / 44100


def test_a_session_is_played_to_its_end_and_heard(chromium, panel):
    face = Face(chromium, panel)
    page, keys = face.page, face.page.keyboard
    try:
        if not panel.view.playing:
            keys.press("Space")
            until(lambda: panel.view.playing)
        page.locator("#record").click()
        name = until(lambda: panel.view.recording)
        began = panel.view.frame
        for turn in range(2):
            walk = [(0.2 + 0.06 * step, 0.5 + 0.3 * np.sin(step + turn)) for step in range(10)]
            face.stroke(*(face.within("#map", *place) for place in walk))
            keys.press("n")
            page.wait_for_timeout(600)
            keys.down("f")  # a fill, as long as it is held
            page.wait_for_timeout(900)
            keys.up("f")
            page.locator("#scenes .scene").nth(turn).click(delay=800)
            until(lambda turn=turn: panel.view.scenes_saved[turn])
            page.mouse.click(*face.within("#tone", 0.3 + 0.3 * turn, 0.6))
            face.stroke(face.cell(8, 0), face.cell(8, 4), face.cell(8, 10))
            page.wait_for_timeout(600)
            before = {key: value for key, value in panel.view.positions.items() if key != "master"}
            keys.down("t")  # try anything ...
            until(lambda: panel.view.lights["TEMP"] == "blink")
            face.drag("density", 60)
            face.drag("chaos", 90)
            page.mouse.click(*face.within("#map", 0.9, 0.9))
            page.wait_for_timeout(500)
            keys.up("t")  # ... and all is as before
            until(lambda before=before: all(panel.view.positions[key] == value for key, value in before.items()))
            for _ in range(3):
                keys.press("Control+z")
            keys.press("Control+y")
            for digit in "1234":
                keys.press(digit)
            page.wait_for_timeout(600)
        page.locator("#keep-a").click()
        page.locator("#scenes .scene").first.click()
        until(lambda: panel.view.scene == 0)
        page.locator("#keep-b").click()
        until(page.locator("#morph").is_enabled)
        for value in range(0, 1001, 100):
            page.locator("#morph").evaluate(f"m => {{ m.value = {value}; m.dispatchEvent(new Event('input')); }}")
            page.wait_for_timeout(60)
        until(lambda: panel.view.positions["morph"] == 1.0)
        played = (panel.view.frame - began) / 44100  # of the music: a machine that is too busy plays late, never twice
        page.locator("#record").click()
        until(lambda: panel.view.recording == "")
        peaks, seconds = listen(panel.recordings / name)
        assert seconds == pytest.approx(played, abs=1.5)
        assert peaks.max() <= 1.0
        assert (peaks > QUIET).mean() > 0.9  # it never stopped
        assert panel.view.playing
        assert face.complaints == []
    finally:
        face.context.close()
