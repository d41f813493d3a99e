"""The screen in hardware: luma's own device classes, and behind them a wire that draws what arrives."""

import errno
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from luma.core.device import dummy
from luma.core.interface.serial import i2c
from luma.oled import device as luma_devices

from device.errors import LatidoError, SettingError
from device.panel.oled import CHIPS, SEEK_SECONDS, AnyDevice, LittleScreen, Oled, image, open_oled, strips
from device.panel.screen import Focus, draw

SECOND_NS = 1_000_000_000


class Glass:
    """An I2C bus with a display on it: keeps the picture as the chip's memory would hold it."""

    def __init__(self, chip):
        self.chip, self.pulled = chip, False
        self.memory = np.zeros((8, 132), np.uint8)
        self.strip = self.column = 0
        self.window = (0, 127, 0, 7)
        self.packets = 0

    def write_i2c_block_data(self, address, mode, data):
        if self.pulled or address != 0x3C:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        self.packets += 1
        if mode == 0x00:
            self.command(list(data))
        else:
            self.data(data)

    def command(self, words):
        if self.chip == "ssd1306" and words[:1] == [0x21]:
            self.window = (words[1], words[2], words[4], words[5])
            self.column, self.strip = self.window[0], self.window[2]
        elif self.chip == "sh1106" and 0xB0 <= words[0] <= 0xB7 and len(words) == 3:
            self.strip, self.column = words[0] & 7, words[1] | (words[2] & 0xF) << 4

    def data(self, values):
        for value in values:
            self.memory[self.strip, self.column] = value
            self.column += 1
            if self.chip == "ssd1306" and self.column > self.window[1]:
                self.column, self.strip = self.window[0], self.strip + 1

    @property
    def picture(self):
        first = 0 if self.chip == "ssd1306" else 2
        columns = self.memory[:, first : first + 128]
        return np.unpackbits(columns[:, None], axis=1, bitorder="little").reshape(64, 128).astype(bool)

    def close(self):
        pass


@pytest.fixture(params=CHIPS)
def chip(request):
    return request.param


@pytest.fixture
def glass(chip, monkeypatch):
    """A display of each kind; luma clears it by its own slow way, which Pillow finds old-fashioned."""
    monkeypatch.setattr(getattr(luma_devices, chip), "display", lambda self, picture: None)
    return Glass(chip)


def woken(glass, **settings):
    return Oled(getattr(luma_devices, glass.chip)(i2c(bus=glass)), glass.chip, where="at 0x3c on i2c-1", **settings)


def test_what_is_drawn_is_what_the_glass_shows(glass, view):
    oled = woken(glass)
    for focus in (Focus(), Focus("density"), Focus("x")):
        oled.show(draw(view, focus))
        assert (glass.picture == draw(view, focus)).all()
    oled.close()
    oled.close()


def test_only_strips_that_changed_cross_the_wire(glass, view):
    oled = woken(glass)
    oled.show(draw(view))
    assert oled.bytes_sent == 1024
    oled.show(draw(view))
    assert oled.bytes_sent == 1024
    moved = draw(replace(view, step=10))
    oled.show(moved)
    assert 1024 + 128 <= oled.bytes_sent <= 1024 + 5 * 128
    assert (glass.picture == moved).all()


def test_a_box_with_its_screen_upside_down_turns_the_picture(glass, view):
    woken(glass, upside_down=True).show(draw(view))
    assert (glass.picture[::-1, ::-1] == draw(view)).all()


def test_a_screen_that_is_pulled_out_is_one_line_and_comes_back_whole(glass, view):
    screen = LittleScreen(lambda: view, lambda: woken(glass), start=False)
    assert screen.pass_once(0)
    assert screen.trouble == ""
    glass.pulled = True
    view2 = replace(view, step=20)
    screen._look = lambda: view2
    assert not screen.pass_once(SECOND_NS)
    assert screen.trouble.startswith("no little screen answers at 0x3c on i2c-1 (")
    assert screen.trouble.endswith("check its wires; it is sought again")
    assert "\n" not in screen.trouble
    packets = glass.packets
    assert not screen.pass_once(2 * SECOND_NS)  # not at every look
    glass.memory[:] = 0
    glass.pulled = False
    assert not screen.pass_once(3 * SECOND_NS)
    assert glass.packets == packets
    assert screen.pass_once(SECOND_NS + int(SEEK_SECONDS * SECOND_NS))
    assert screen.trouble == ""
    assert (glass.picture == draw(view2)).all()
    screen.close()


# -- the thread and other devices ------------------------------------------------------------------------


class Counting(AnyDevice):
    """Luma's own dummy, and how often it was sent something."""

    def __init__(self):
        self.luma = dummy(width=128, height=64, mode="1")
        super().__init__(self.luma)
        self.pictures = []

    def show(self, canvas):
        super().show(canvas)
        self.pictures.append(np.asarray(self.luma.image).copy())


def test_luma_emulators_show_the_same_picture(view):
    for mode in ("1", "RGB"):
        luma = dummy(width=128, height=64, mode=mode)
        AnyDevice(luma).show(draw(view))
        seen = np.asarray(luma.image.convert("L")) > 0
        assert (seen == draw(view)).all()


def test_an_image_is_128_by_64_and_black_and_white(view):
    picture = image(draw(view))
    assert (picture.size, picture.mode) == ((128, 64), "1")
    assert (np.asarray(picture) == draw(view)).all()


def test_strips_hold_eight_rows_each_with_the_topmost_lowest():
    canvas = np.zeros((64, 128), bool)
    canvas[0, 5] = canvas[9, 7] = canvas[63, 127] = True
    held = strips(canvas)
    assert held.shape == (8, 128)
    assert (held[0, 5], held[1, 7], held[7, 127]) == (1, 2, 128)
    assert np.count_nonzero(held) == 3


def test_a_picture_that_did_not_change_is_not_sent_again(view):
    display = Counting()
    screen = LittleScreen(lambda: view, lambda: display, start=False)
    times = [number * SECOND_NS // 15 for number in range(30)]
    assert [screen.pass_once(at) for at in times] == [True] + [False] * 29
    view2 = replace(view, undo_depth=3)  # nothing of it is seen
    screen._look = lambda: view2
    assert not screen.pass_once(3 * SECOND_NS)
    assert screen.frames_sent == len(display.pictures) == 1
    screen.close()


def test_a_turn_is_shown_and_then_the_beat_again(view):
    display = Counting()
    turned = replace(view, positions={**view.positions, "density": 0.9})
    shown = [view]
    screen = LittleScreen(lambda: shown[0], lambda: display, start=False)
    screen.pass_once(0)
    shown[0] = turned
    for at in range(1, 4 * 15):
        screen.pass_once(at * SECOND_NS // 15)
    pictures = [draw(view), draw(turned, Focus("density")), draw(turned)]
    assert len(display.pictures) == 3
    assert all((got == wanted).all() for got, wanted in zip(display.pictures, pictures, strict=True))
    screen.close()


def test_the_thread_looks_at_most_fifteen_times_a_second_and_ends(view):
    display, looks = Counting(), []

    def look():
        looks.append(time.monotonic())
        return replace(view, step=len(looks))  # always something new

    with LittleScreen(look, lambda: display) as screen:
        until = time.monotonic() + 10
        while len(looks) < 8 and time.monotonic() < until:
            time.sleep(0.01)
    screen.close()
    assert len(looks) >= 8
    assert min(after - before for before, after in zip(looks, looks[2:], strict=False)) > 1.5 / 15
    assert not [thread for thread in threading.enumerate() if thread.name == "little screen"]


def test_a_missing_screen_does_not_stop_the_thread_and_is_found_later(view, monkeypatch):
    monkeypatch.setattr("device.panel.oled.SEEK_SECONDS", 0.05)
    display, tries = Counting(), []

    def open_late():
        tries.append(1)
        if len(tries) < 3:
            raise LatidoError("no little screen answers")
        return display

    with LittleScreen(lambda: view, open_late) as screen:
        until = time.monotonic() + 10
        while not display.pictures and time.monotonic() < until:
            time.sleep(0.01)
        assert len(tries) == 3
        assert screen.trouble == ""


def test_a_bus_that_is_not_there_is_one_sentence():
    with pytest.raises(LatidoError, match=r"no little screen answers at 0x3c on i2c-77 \(.*\): check its wires"):
        open_oled(bus=77)


def test_an_unknown_chip_names_those_that_are_known():
    with pytest.raises(SettingError, match="no screen chip 'lcd': use ssd1306 or sh1106"):
        open_oled("lcd")
    with pytest.raises(SettingError, match="use ssd1306 or sh1106"):
        Oled(None, "lcd")


def test_without_luma_the_way_out_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "luma.oled", None)
    with pytest.raises(LatidoError, match=r"pip install 'latido\[screen\]'"):
        open_oled()


def test_drawing_needs_neither_luma_nor_pillow(checkout):
    import subprocess

    code = "import sys, device.panel.screen as s; from device.control.view import View; s.screen_png(View()); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=checkout)
    assert not {"luma", "PIL", "onnxruntime", "device.audio"} & set(done.stdout.split())
