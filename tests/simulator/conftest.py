"""The real thing: an audio process, a control loop with the factory's models, the server, and a Chromium."""

import contextlib
import sys
from pathlib import Path

import pytest

from device.audio.launch import AudioHost
from device.control.control import Control, Spaces
from device.control.recorder import Recorder
from device.control.run import Instrument, health_of
from device.models.background import Background
from device.models.library import find_bundle
from device.models.models import Models
from device.simulator.listener import listen
from device.simulator.server import PanelServer
from device.simulator.taking import Taking

sys.path.insert(0, str(Path(__file__).resolve().parent))

from simulator_kit import Face, Panel, until


@pytest.fixture(scope="session")
def models():
    """The factory's."""
    return Models.load(find_bundle(None))


@pytest.fixture(scope="module")
def start(models, tmp_path_factory):
    """start(sink) gives a Panel; it ends with the module."""
    with contextlib.ExitStack() as stack:

        def begin(sink="browser", port=0):
            runtime, recordings = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("recordings")
            host = stack.enter_context(AudioHost(runtime, sink))
            link = host.connect()
            worker = stack.enter_context(Background(models))
            spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
            control = Control(spaces, worker, link, health=health_of(host))
            stack.enter_context(Instrument(control, host))
            recorder = stack.enter_context(Recorder(runtime, host.sample_rate))
            taking = Taking(control, recorder, recordings)
            server = stack.enter_context(PanelServer(control, listen(port), lambda: host.pcm, taking))
            until(lambda: control.view.frame)
            return Panel(control, host, server, recordings)

        yield begin


@pytest.fixture(scope="module")
def panel(start):
    return start()


CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium; tests that want it carry the mark ``browser``."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        pytest.skip(f"no Chromium at {', '.join(CHROMIUM)}: apt install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(chromium, panel):
    face = Face(chromium, panel)
    yield face
    face.context.close()


@pytest.fixture
def face(shared):
    shared.page.mouse.move(2, 2)
    yield shared
    assert shared.complaints == []
