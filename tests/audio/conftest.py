"""A folder for the sockets, and hosts that end their audio process."""

import tempfile
from pathlib import Path

import pytest

from device.audio.launch import AudioHost


@pytest.fixture
def runtime():
    """A runtime folder with a name short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="latido-") as folder:
        yield Path(folder)


@pytest.fixture
def host(runtime):
    """Makes AudioHosts on the runtime folder and ends what they started."""
    made = []

    def make(sink="null", **settings):
        made.append(AudioHost(runtime, sink, **settings))
        return made[-1]

    yield make
    for host in made:
        host.close()
