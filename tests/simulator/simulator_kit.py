"""A panel under test, and how a test talks to it."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.client import connect

from device.audio.launch import AudioHost
from device.control.control import Control
from device.simulator.server import PanelServer


def until(true, seconds=20.0):
    """Wait until ``true()`` is; returns what it gave, fails when it never was."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.01)
    return value


@dataclass
class Panel:
    """An instrument that plays, with its page."""

    control: Control
    host: AudioHost
    server: PanelServer
    recordings: Path

    @property
    def view(self):
        return self.control.view

    def page(self, path="play", **options):
        """A web socket, as a page opens it."""
        return connect(f"ws://127.0.0.1:{self.server.port}/{path}", compression=None, **options)

    def value(self, name, voice=None):
        value = self.view.positions[name]
        return value[self.view.voice if voice is None else voice] if isinstance(value, tuple) else value


def hear(page, kind):
    """The next message of this kind."""
    while True:
        message = json.loads(page.recv(timeout=20))
        if message["type"] == kind:
            return message


def say(page, **message):
    page.send(json.dumps(message))


class Face:
    """A page under test, with its finger and its ears."""

    def __init__(self, browser, panel, **context):
        self.panel = panel
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | context))
        self.page = self.context.new_page()
        self.asked, self.complaints = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text))
        self.page.goto(panel.server.address)
        self.page.wait_for_selector(".key[data-light]")

    def js(self, words):
        return self.page.evaluate(words)

    def knob(self, name):
        return self.page.locator(f'.knob[data-parameter="{name}"]')

    def button(self, name):
        return self.page.locator(f'.key[data-button="{name}"]')

    def show(self, page):
        """Brings the play or shift page up, by tapping SHIFT."""
        if self.panel.view.page != page:
            self.button("SHIFT").click()
        until(lambda: self.panel.view.page == page)
        self.page.wait_for_selector(f'.face[data-page="{page}"]')

    def drag(self, name, pixels):
        box = self.knob(name).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.stroke((x, y), (x, y - pixels / 2), (x, y - pixels))

    def stroke(self, *points):
        """The mouse goes down at the first point, over the others, and up."""
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def within(self, selector, x, y):
        """A point of the window: x and y 0..1 within an element, y upwards."""
        box = self.page.locator(selector).bounding_box()
        return box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"]

    def cell(self, voice, step, down=0.5):
        """The point of the window where a step of the grid is."""
        box = self.page.locator("#grid").bounding_box()
        x, wide, y, tall = self.js(f"[...latido.grid.x({step}), ...latido.grid.y({voice})]")
        return box["x"] + x + wide / 2, box["y"] + y + down * tall

    def swipe(self, *points):
        """A finger, as ``stroke``."""
        touch = self.context.new_cdp_session(self.page)
        for index, (x, y) in enumerate(points):
            kind = "touchMove" if index else "touchStart"
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
