"""The panel as a web page: one small server on this computer only, in a thread of the control process.

It reads ``control.view`` a little over thirty times a second and hands events to ``control.post``; nothing here can
hold up the control loop or the beat. Every page has its own short outbox:

    View ──ticker──> changes ──┬─> outbox of page 1 ──> /play      full outbox: emptied, and the page is
                               └─> outbox of page 2                told everything again when it is ready
    tap ──reader──> blocks ────┬─> outbox of page 1 ──> /sound     full outbox: the oldest blocks go
                               └─> ...

What leaves the page as a file is asked for with POST: /take/midi, /take/wav, /record/start, /record/stop;
/screen.png is the box's little screen.

A web page from elsewhere must not drive the instrument: Host must name this computer, and Origin, when a
browser sends one, must be the very host the page came from.
"""

import asyncio
import contextlib
import mimetypes
import os
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from device.contract.latent import Maps
from device.control.view import View
from device.engine.records import Trigger
from device.errors import LatidoError, SettingError
from device.panel.events import ButtonPressed, ButtonReleased, Event
from device.panel.screen import Glance, screen_png
from device.simulator import protocol
from device.simulator.taking import MEDIA, Taking

FRAMES_PER_SECOND: Final = 32
LOOKS_PER_FRAME: Final = 3
OUTBOX_MESSAGES: Final = 30  # a page that is a second behind is told everything anew
SOUND_BLOCKS: Final = 256  # of 128 frames: 0.7 s
SOUND_MESSAGE_FRAMES: Final = 384  # blocks are joined to at least this much, 9 ms
BYTES_PER_FRAME: Final = 4
PAGE_FOLDER: Final = Path(__file__).parent / "page"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
POLICY_VIOLATION: Final = 1008
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Player(Protocol):
    """What the server needs of the control loop."""

    view: View

    def post(self, event: Event) -> None:
        """Hand an event over; any thread, never blocks."""


class Block(Protocol):
    """A piece of sound: int16 stereo little endian, from ``frame`` on."""

    @property
    def frame(self) -> int: ...  # noqa: D102

    @property
    def samples(self) -> bytes: ...  # noqa: D102


class Tap(Protocol):
    """Where the sound of the browser sink comes out."""

    alive: bool

    def fileno(self) -> int: ...  # noqa: D102

    def read(self) -> Sequence[Block]: ...  # noqa: D102


class _Outbox:
    """Messages on their way to one page; bounded, never waited for."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.behind = False  # the page missed something and must be told everything
        self._more = asyncio.Event()

    def put(self, message: bytes) -> None:
        if len(self.waiting) >= OUTBOX_MESSAGES:
            self.waiting.clear()
            self.behind = True
        if not self.behind:
            self.waiting.append(message)
        self._more.set()

    async def take(self) -> bytes | None:
        """The next message; None: tell everything."""
        while not self.waiting and not self.behind:
            self._more.clear()
            await self._more.wait()
        if self.behind:
            self.behind = False
            return None
        return self.waiting.popleft()


class _SoundBox:
    """Sound on its way to one page; the oldest is dropped."""

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque(maxlen=SOUND_BLOCKS)
        self._more = asyncio.Event()

    def put(self, blocks: Sequence[Block]) -> None:
        self._blocks.extend(blocks)
        if sum(len(block.samples) for block in self._blocks) >= SOUND_MESSAGE_FRAMES * BYTES_PER_FRAME:
            self._more.set()

    async def take(self) -> bytes:
        """The next stretch without a gap, as one message."""
        if not self._blocks or not self._more.is_set():
            self._more.clear()
            await self._more.wait()
        first = self._blocks.popleft()
        parts, end = [first.samples], first.frame + len(first.samples) // BYTES_PER_FRAME
        while self._blocks and self._blocks[0].frame == end:
            block = self._blocks.popleft()
            parts.append(block.samples)
            end += len(block.samples) // BYTES_PER_FRAME
        if not self._blocks:
            self._more.clear()
        return protocol.sound_block(first.frame, b"".join(parts))


class PanelServer:
    """Serves the page and its two sockets on ``listener`` until closed. ``with`` or ``close()``.

    ``tap`` gives the browser sink's sound of the moment, or None when sound goes elsewhere; ``taking`` what
    leaves the page as a file (None: nothing does).
    """

    def __init__(
        self,
        player: Player,
        listener: socket.socket,
        tap: Callable[[], Tap | None] = lambda: None,
        taking: Taking | None = None,
    ) -> None:
        self._player = player
        self._taking = taking
        self._glance = Glance()
        self._listener = listener
        self._tap_of = tap
        self._tap: Tap | None = None
        self._tap_descriptor = -1
        self._pages: set[_Outbox] = set()
        self._listeners: set[_SoundBox] = set()
        self._told: protocol.Shown = {}
        self._hits_told: frozenset[Trigger] = frozenset(player.view.triggers)
        self._styles: tuple[str, ...] = ()
        self._maps_told: Maps | None = None
        self._has_stumbled = False
        self.port: int = listener.getsockname()[1]
        routes = [
            Route("/", _page_file),
            Route("/screen.png", self._screen),
            Route("/take/{kind}", self._take, methods=["POST"]),
            Route("/record/{action}", self._record, methods=["POST"]),
            Route("/{name}", _page_file),
            WebSocketRoute("/play", self._play),
            WebSocketRoute("/sound", self._sound),
        ]
        config = uvicorn.Config(
            _OnlyFromHere(Starlette(routes=routes)),
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="page")
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def thread_ident(self) -> int:
        """Of the thread that serves, as the system counts it."""
        return self._thread.native_id or 0

    def close(self) -> None:
        """Say goodbye to every page and end. May be called twice."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> "PanelServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        async def serve() -> None:
            self._ready.set()
            ticker = asyncio.create_task(self._tick())
            try:
                await self._server.serve(sockets=[self._listener])
            finally:
                ticker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await ticker
                self._follow_tap(None)

        asyncio.run(serve())

    # what pages are told

    async def _tick(self) -> None:
        """Pages are told until the end: what goes wrong in one pass costs that pass."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            looked: list[View] = []
            for _ in range(LOOKS_PER_FRAME):  # a hit's peak is in a view for 10 ms only
                due = max(due + 1 / (FRAMES_PER_SECOND * LOOKS_PER_FRAME), loop.time())
                await asyncio.sleep(due - loop.time())
                looked.append(self._player.view)
            try:
                self._tell(looked[-1], tuple(map(max, *(view.peaks for view in looked))))
                if self._taking is not None and (said := self._taking.look()):
                    self._send(protocol.told(said))
                tap = self._tap_of()
                self._follow_tap(tap if tap is not None and tap.alive else None)
            except Exception as error:  # whatever it is, the panel must not stand still while the beat goes on
                self._told = {}  # perhaps on no page: the next pass tells all
                self._stumbled(error)

    def _stumbled(self, error: Exception) -> None:
        """Say a fault of ours once, with where it was; thirty times a second would help nobody."""
        if not self._has_stumbled:
            self._has_stumbled = True
            print("latido sim: the panel missed a moment and goes on; please report this:", file=sys.stderr)
            traceback.print_exception(error)

    def _tell(self, view: View, peaks: tuple[float, ...]) -> None:
        now = protocol.shown(view, peaks)
        told = protocol.changes(self._told, now, view.pattern)
        hits = [hit for hit in view.triggers if hit not in self._hits_told]
        self._told, self._hits_told = now, frozenset(view.triggers)
        maps = self._maps
        if view.styles != self._styles or maps is not self._maps_told:
            self._styles, self._maps_told = view.styles, maps
            self._send(protocol.table(view.styles, maps))
        if told or hits:
            self._send(protocol.state(told, view.frame, hits))

    def _send(self, message: bytes) -> None:
        for page in self._pages:
            page.put(message)

    @property
    def _maps(self) -> Maps | None:
        return getattr(self._player, "maps", None)

    def _everything(self) -> bytes:
        view = self._player.view
        return protocol.state(protocol.changes({}, protocol.shown(view), view.pattern), view.frame)

    async def _play(self, websocket: WebSocket) -> None:
        await websocket.accept()
        outbox = _Outbox()
        outbox.put(protocol.table(self._player.view.styles, self._maps))
        outbox.put(self._everything())
        self._pages.add(outbox)
        down: set[str] = set()
        try:
            await _both(self._say(websocket, outbox), self._hear(websocket, down))
        finally:
            self._pages.discard(outbox)
            for button in down:  # a page that goes away lets go
                self._player.post(ButtonReleased(button, time.monotonic_ns()))

    async def _say(self, websocket: WebSocket, outbox: _Outbox) -> None:
        while True:
            message = await outbox.take()
            await websocket.send_text((message or self._everything()).decode())

    async def _hear(self, websocket: WebSocket, down: set[str]) -> None:
        while True:
            received = await websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text")
            message = text if text is not None else received.get("bytes") or b""
            try:
                event = protocol.understand(message, time.monotonic_ns())
            except SettingError as error:
                await websocket.send_text(protocol.error(str(error)).decode())  # a page that floods waits for itself
                continue
            if isinstance(event, ButtonPressed):
                down.add(event.button)
            elif isinstance(event, ButtonReleased):
                down.discard(event.button)
            self._player.post(event)

    # files

    async def _take(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if self._taking is None or kind not in MEDIA:
            return PlainTextResponse("no such file\n", 404, HEADERS)
        try:
            name, media, contents = await run_in_threadpool(self._taking.take, kind)
        except LatidoError as error:
            return PlainTextResponse(f"{error}\n", 409, HEADERS)
        return Response(contents, 200, {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}, media)

    async def _record(self, request: Request) -> Response:
        action = request.path_params["action"]
        if self._taking is None or action not in ("start", "stop"):
            return PlainTextResponse("nothing can be recorded here\n", 404, HEADERS)
        await run_in_threadpool(self._taking.record, on=action == "start")
        return Response(None, 204, HEADERS)

    async def _screen(self, _: Request) -> Response:
        view = self._player.view
        self._glance = self._glance.see(view, time.monotonic_ns())
        return Response(screen_png(view, self._glance.focus), 200, HEADERS, "image/png")

    # sound

    def _follow_tap(self, tap: Tap | None) -> None:
        if tap is self._tap:
            return
        loop = asyncio.get_running_loop()
        if self._tap_descriptor >= 0:
            loop.remove_reader(self._tap_descriptor)
            os.close(self._tap_descriptor)
            self._tap_descriptor = -1
        self._tap = None
        with contextlib.suppress(OSError):  # closed this very moment: the next tick sees another one, or none
            if tap is not None:
                self._tap_descriptor = os.dup(tap.fileno())  # ours, whatever the control thread does with its own
                self._tap = tap
                loop.add_reader(self._tap_descriptor, self._pour)

    def _pour(self) -> None:
        if self._tap is None:
            return
        blocks = self._tap.read()
        if not self._tap.alive:  # the audio process went away; control starts another
            self._follow_tap(None)
        for listener in self._listeners:
            listener.put(blocks)

    async def _sound(self, websocket: WebSocket) -> None:
        await websocket.accept()
        audio = self._player.view.audio
        here = self._tap_of() is not None
        await websocket.send_text(protocol.stream(audio.sink, audio.sample_rate, here=here).decode())
        if not here:
            await websocket.close()
            return
        box = _SoundBox()
        self._listeners.add(box)
        try:
            await _both(_pour_out(websocket, box), _until_gone(websocket))
        finally:
            self._listeners.discard(box)


async def _pour_out(websocket: WebSocket, box: _SoundBox) -> None:
    while True:
        await websocket.send_bytes(await box.take())


async def _until_gone(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _both(*halves: Awaitable[None]) -> None:
    """Run until one half ends; a page that goes away is no error."""
    tasks = [asyncio.ensure_future(half) for half in halves]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # sent into a closed socket
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _page_files() -> dict[str, Path]:
    return {path.name: path for path in PAGE_FOLDER.iterdir() if path.is_file() and not path.name.startswith(".")}


async def _page_file(request: Request) -> Response:
    path = _page_files().get(request.path_params.get("name", "index.html"))
    if path is None:
        return PlainTextResponse("no such page\n", 404, HEADERS)
    kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0] or "text/plain"
    return Response(path.read_bytes(), 200, HEADERS, kind)


class _OnlyFromHere:
    """Refuses what names another host, or comes from another page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        if scope["type"] not in ("http", "websocket") or from_here(headers.get("host", ""), headers.get("origin")):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse("this panel only answers its own page\n", 403, HEADERS)(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).close(POLICY_VIOLATION)


def from_here(host: str, origin: str | None) -> bool:
    """Is this Host loopback, and Origin (None: not a browser) the same place?"""
    try:
        named = urlsplit(f"//{host}").hostname
        place = urlsplit(origin) if origin is not None else None
    except ValueError:
        return False
    return named in LOOPBACK and (place is None or (place.scheme == "http" and place.netloc == host))
