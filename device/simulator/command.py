"""``latido sim``: the whole instrument on this computer, with the panel as a web page.

port ── taken? one sentence, nothing started
  │
  ├── audio process is started       (a thread waits until it answers)
  ├── models are loaded              (another thread: onnxruntime, bundle)
  ├── the page's library is imported (this thread)
  └── all there: control, page, browser ... until Ctrl-C, SIGTERM or a closed terminal
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from device import settings
from device.audio.launch import AudioHost
from device.errors import LatidoError, SettingError
from device.simulator.listener import listen

if TYPE_CHECKING:
    from device.models.models import Models

PORT: Final = 7878
SINKS: Final = ("auto", "browser", "portaudio", "alsa", "wav:FILE", "null")
LIBRARIES: Final = ("starlette", "uvicorn", "websockets")
DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``latido sim``."""
    parser.add_argument("--port", type=int, default=PORT, help="of the page, on this computer only; 0: any free one")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    parser.add_argument("--bundle", type=Path, metavar="FILE.latido", help="models to play (default: the factory's)")
    parser.add_argument("--sink", default="auto", help=f"where the sound goes: {', '.join(SINKS)} (default: auto)")
    parser.add_argument("--state", type=Path, metavar="DIR", help="what is remembered (default: ~/.local/state/latido)")
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="recorded sound (default: STATE/recordings)")
    parser.add_argument("--runtime", type=Path, metavar="DIR", help="sockets (default: $XDG_RUNTIME_DIR/latido/PORT)")
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="bindings (default: ~/.config/latido/settings.toml)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn by chance (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Play until told to stop; returns the exit code."""
    if arguments.sink.partition(":")[0] not in {name.partition(":")[0] for name in SINKS}:
        raise SettingError(f"--sink must be one of {', '.join(SINKS)}, got {arguments.sink!r}")
    if not 0 <= arguments.seed < 2**24:
        raise SettingError(f"--seed must be 0..{2**24 - 1}, got {arguments.seed}")
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise LatidoError(f"the page needs {' and '.join(missing)}: install with pip install 'latido[desktop]'")
    if arguments.settings is not None and not arguments.settings.exists():
        raise SettingError(
            f"there is no settings file {arguments.settings}: make an empty one, or leave out --settings"
        )
    bindings = arguments.settings or settings.default_path()
    bound = settings.load(bindings)
    listener = listen(arguments.port)
    with _told_to_stop() as stop, contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        runtime = arguments.runtime or _runtime_folder(arguments.port, stack)
        host = stack.enter_context(AudioHost(runtime, arguments.sink))
        pool = stack.enter_context(ThreadPoolExecutor(2, "start"))
        connecting = pool.submit(host.connect)
        loading = pool.submit(_load, arguments.bundle)
        from device.control import store
        from device.control.control import Control, Spaces
        from device.control.kits import DiskKits
        from device.control.recorder import Recorder
        from device.control.run import Instrument, health_of
        from device.models.background import Background
        from device.simulator.server import PanelServer
        from device.simulator.taking import Taking

        state_folder = arguments.state or store.state_home()
        saved, trouble = store.load(state_folder)
        models, link = loading.result(), connecting.result()
        worker = stack.enter_context(Background(models))
        spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
        saver = store.Saver(state_folder)
        control = Control(
            spaces,
            worker,
            link,
            saved,
            health=health_of(host),
            seed=arguments.seed,
            settings=bound,
            kits=DiskKits(state_folder),
            bound=lambda binding: saver.also(lambda: settings.learn(bindings, binding)),
        )
        if control.left_out:
            trouble = f"{control.view.message}; {store.keep_copy(state_folder)}"
        if trouble:
            control.tell(trouble)
        stack.enter_context(Instrument(control, host, saver))
        recorder = stack.enter_context(Recorder(runtime, host.sample_rate))
        taking = Taking(control, recorder, arguments.recordings or state_folder / "recordings")
        server = stack.enter_context(PanelServer(control, listener, lambda: host.pcm, taking))
        if trouble:
            print(trouble, flush=True)
        print(f"Latido plays. The panel: {server.address}", flush=True)
        print(where_sound_goes(host.sink), flush=True)
        print("Ctrl-C ends.", flush=True)
        if not arguments.no_browser and (sys.platform == "darwin" or any(map(os.environ.get, DISPLAYS))):
            threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        stop.wait()
    return 0


def _load(path: Path | None) -> "Models":
    from device.models.library import find_bundle
    from device.models.models import Models

    return Models.load(find_bundle(path))


def where_sound_goes(sink: str) -> str:
    """One line for the player."""
    kind, _, detail = sink.partition(" ")
    match kind:
        case "browser":
            return "Sound: in the page (no sound card was found, or it was asked for); click the page once to hear it."
        case "null":
            return "Sound: nowhere; it is made and thrown away."
        case "wav":
            return f"Sound: into the file {detail}."
    return f"Sound: {detail or 'the default output'} ({kind})."


def _runtime_folder(port: int, stack: contextlib.ExitStack) -> Path:
    """A private folder for sockets, the same at every start on this port: audio that plays on is found again."""
    home = os.environ.get("XDG_RUNTIME_DIR")
    if port and home and os.access(home, os.W_OK):
        return Path(home) / "latido" / str(port)
    folder = Path(tempfile.gettempdir()) / f"latido-{os.getuid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        seen = folder.lstat()
        ours = not folder.is_symlink() and seen.st_uid == os.getuid() and seen.st_mode & 0o077 == 0
        if port and ours:
            return folder / str(port)
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latido-")))  # goes away with us


@contextlib.contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set."""
    stop = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # started by nohup: it shall play on
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
