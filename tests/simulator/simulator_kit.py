"""A panel under test, and how a test talks to it."""

import json
import time
from dataclasses import dataclass

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
