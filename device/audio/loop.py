"""The audio loop: one pass is one block. Take what control sent, render, hand it to the sink, report.

    pass_once():  commands -> engine.render(block) -> sink.write(block) -> tap -> every 10 ms a Report
                  never waits        pure              the only wait        never waits

Definitions. A block has *room* when the sink could take it; it is *late* when less than one block was left
to play before it when it came: it used more than the whole block time it had, and the next such delay may
be heard. An *underrun* is when nothing was left: it was heard. ``load`` is the time to render over the time
a block lasts, smoothed over about 100 blocks.

Commands may use a quarter of a block's time; a control that floods is read on in the next pass.
"""

import contextlib
import select
import socket
import time
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from device.audio.hello import Hello, say_hello
from device.audio.link import HUNG_UP
from device.audio.sink import Format, Sink
from device.audio.tap import Tap
from device.engine.engine import Engine
from device.engine.records import MAX_RECORD_BYTES, decode
from device.errors import LatidoError, LinkError

REPORTS_PER_SECOND: Final = 100
FADE_SECONDS: Final = 0.05
LOAD_SMOOTHING: Final = 0.01
MAX_AHEAD_SECONDS: Final = 60.0  # a command for a later frame is foreign: it would wait in the engine for ever


class Loop:
    """Runs ``engine`` into ``sink``, for one control at a time: the newest wins.

    ``listener`` is a non-blocking listening socket, or None (then ``adopt`` a connected one). Without a
    control for ``linger_seconds`` (0: for ever) it fades out and ends.
    """

    def __init__(
        self,
        engine: Engine,
        sink: Sink,
        form: Format,
        hello: Hello,
        slots_descriptor: int,
        *,
        listener: socket.socket | None = None,
        tap: Tap | None = None,
        linger_seconds: float = 0.0,
    ) -> None:
        self.engine = engine
        self.sink = sink
        self.tap = tap
        self.late_blocks = 0
        self.bad_records = 0
        self.load = 0.0
        self._hello = hello
        self._slots_descriptor = slots_descriptor
        self._applied = 0
        self._listener = listener
        self._control: socket.socket | None = None
        self._poll = select.poll()
        self._writable = select.poll()
        if listener is not None:
            self._poll.register(listener, select.POLLIN)
        if tap is not None:
            self._poll.register(tap, select.POLLIN)
        self._message = bytearray(MAX_RECORD_BYTES + 1)  # one more, to see that a record is too long
        self._view = memoryview(self._message)
        self._block = np.zeros((form.block_frames, 2), np.float32)
        self._block_ns = form.block_ns
        self._until_report = self._report_blocks = max(
            round(form.sample_rate / REPORTS_PER_SECOND / form.block_frames), 1
        )
        self._max_ahead_frames = int(MAX_AHEAD_SECONDS * form.sample_rate)
        self._alone_frames = 0
        self._linger_frames = int(linger_seconds * form.sample_rate)
        fade_blocks = max(round(FADE_SECONDS * form.sample_rate / form.block_frames), 1)
        ramp = np.linspace(1.0, 0.0, fade_blocks * form.block_frames, dtype=np.float32)
        self._fade = ramp.reshape(fade_blocks, form.block_frames, 1)
        self._faded_blocks = -1  # -1: playing on

    def pass_once(self) -> bool:
        """Play one block; False once the fade-out is over."""
        if self._faded_blocks == len(self._fade):
            return False
        self._listen()
        started_ns = time.monotonic_ns()
        self.engine.render(self._block)
        self.load += LOAD_SMOOTHING * ((time.monotonic_ns() - started_ns) / self._block_ns - self.load)
        if self._faded_blocks >= 0:
            np.multiply(self._block, self._fade[self._faded_blocks], out=self._block)
            self._faded_blocks += 1
        self.late_blocks += self.sink.write(self._block) < len(self._block)
        if self.tap is not None and self.tap.listened:
            self.tap.offer(self._block, self.engine.frame - len(self._block))
        self._until_report -= 1
        if self._until_report == 0:
            self._until_report = self._report_blocks
            self._report()
        return True

    def end(self) -> None:
        """Fade out, then end; safe to call from a signal handler."""
        self._faded_blocks = max(self._faded_blocks, 0)

    def adopt(self, control: socket.socket) -> None:
        """Greet a control and listen to it alone from now on."""
        control.setblocking(False)
        try:
            say_hello(control, msgspec.structs.replace(self._hello, applied=self._applied), self._slots_descriptor)
        except OSError:  # it is gone again
            control.close()
            return
        self._let_go()
        self._control = control
        self._alone_frames = 0
        self._poll.register(control, select.POLLIN | select.POLLRDHUP)
        self._writable.register(control, select.POLLOUT)

    def _let_go(self) -> None:
        if self._control is not None:
            self._poll.unregister(self._control)
            self._writable.unregister(self._control)
            self._control.close()
            self._control = None

    def _listen(self) -> None:
        """Accept a new control, take what the present one sent, notice that it is gone."""
        for descriptor, events in self._poll.poll(0):
            if self._control is not None and descriptor == self._control.fileno():
                if events & select.POLLIN:
                    self._take_waiting(self._control)
                if events & HUNG_UP:
                    self._let_go()
            elif self._listener is not None and descriptor == self._listener.fileno():
                with contextlib.suppress(OSError):
                    self.adopt(self._listener.accept()[0])
            elif self.tap is not None and descriptor == self.tap.fileno():
                self.tap.accept()
        if self._control is None and self._linger_frames:
            self._alone_frames += len(self._block)
            if self._alone_frames > self._linger_frames:
                self.end()

    def _take_waiting(self, control: socket.socket) -> None:
        until_ns = time.monotonic_ns() + self._block_ns // 4
        while True:
            try:
                size = control.recv_into(self._message)
            except OSError:  # nothing more, or gone: the next poll tells
                return
            if size == 0:  # the end, or a record of no bytes: the next poll tells
                return
            try:
                stamped = decode(self._view[:size])
                if stamped.frame > self.engine.frame + self._max_ahead_frames:
                    raise LinkError(f"command for frame {stamped.frame}, now is {self.engine.frame}")
                self.engine.take(stamped)
                self._applied = stamped.sequence
            except LatidoError:
                self.bad_records += 1
            if time.monotonic_ns() > until_ns:
                return

    def _report(self) -> None:
        """Tell control where we are. When it does not read, what must be said waits in the engine."""
        if self._control is None:
            self.engine.report()  # nobody to tell: start afresh for the next control
            return
        if not self._writable.poll(0):
            return
        report = replace(
            self.engine.report(),
            epoch=self._hello.epoch,
            at_ns=time.monotonic_ns(),
            late_blocks=self.late_blocks,
            underruns=self.sink.underruns,
            load=self.load,
        )
        with contextlib.suppress(OSError):  # gone: the next poll tells
            self._control.send(report.encode(), socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Let control, sink and tap go; idempotent."""
        self._let_go()
        self.sink.close()
        if self.tap is not None:
            self.tap.close()
