"""The factory bundle's models, loaded once, and an instrument whose time is passed in."""

import numpy as np
import pytest

from device.control.offline import Offline
from device.models.library import find_bundle
from device.models.models import Models


@pytest.fixture(scope="session")
def models():
    return Models.load(find_bundle(None))


@pytest.fixture
def box(models):
    """A box that boots into sound; ``box.run(steps)`` lets music pass, ``box.do(event)`` is a hand."""

    class Box(Offline):
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

    return Box(models)
