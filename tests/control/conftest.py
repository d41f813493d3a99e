"""The factory bundle's models, loaded once, and an instrument whose time is passed in."""

import numpy as np
import pytest

from device.control.offline import Offline
from device.models.library import find_bundle
from device.models.models import Models


@pytest.fixture(scope="session")
def models():
    return Models.load(find_bundle(None))


class Box(Offline):
    """A box that boots into sound; ``run(steps)`` lets music pass, ``do(event)`` is a hand."""

    def do(self, *events):
        for event in events:
            self.control.post(event)
        return self.control.step(self.now_ns)

    def run(self, steps):
        goal = self.engine.place + steps
        blocks = []
        while self.engine.place < goal:
            blocks.append(np.zeros((64, 2), np.float32))
            self.play(blocks[-1])
        return np.concatenate(blocks)


@pytest.fixture
def box(models):
    return Box(models)


@pytest.fixture
def make_box(models):
    return lambda: Box(models)
