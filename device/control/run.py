"""Control and audio together: the loop's thread, the audio process brought back when it dies, the state saved.

    with Instrument(control, host, saver) as instrument: ...

The audio process outlives this one when it is killed; ``close`` ends both.
"""

import threading
import time
import traceback
from typing import Final

from device.audio.launch import AudioHost
from device.control.control import Control
from device.control.moment import Moment
from device.control.store import Saved, Saver
from device.control.view import AudioHealth
from device.errors import LatidoError

PASS_SECONDS: Final = 0.005  # a pass at least this often; events make one at once
SAVE_AFTER_SECONDS: Final = 0.5  # changes are written when the hands have rested this long, or have not for a while
SAVE_AT_LEAST_SECONDS: Final = 3.0
RETRY_SECONDS: Final = 0.5  # between attempts to bring the audio process back


def health_of(host: AudioHost) -> AudioHealth:
    """What the host says of the audio process it is connected to."""
    return AudioHealth(sink=host.sink, sample_rate=host.sample_rate, latency_ms=host.latency_ms, alive=True)


class Instrument:
    """Runs a Control in a thread of its own until closed."""

    def __init__(self, control: Control, host: AudioHost, saver: Saver | None = None) -> None:
        self.control, self._host, self._saver = control, host, saver
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control")
        self._kept: Saved = control.saved()
        self._seen = control.moment
        self._changed_at: float | None = None
        self._saved_at = time.monotonic()
        self._trouble = ""  # of the last write, as told to the player
        self._mended = ""  # the last failure of a pass
        self._thread.start()

    def __enter__(self) -> "Instrument":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the loop, write what was played, end the audio process. May be called twice."""
        self._closing.set()
        self._thread.join()
        if self._saver is not None:
            self._saver.save(self.control.saved())
            self._saver.close()
            self._saver = None
        self.control.close()
        self._host.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            before = self.control.moment
            try:
                if not self.control.step(time.monotonic_ns()).audio.alive:
                    self._bring_back()
                self._save_when_at_rest()
            except Exception as error:  # whatever it was, hands and beat go on
                self._mend(before, error)
            self.control.wait(PASS_SECONDS)

    def _mend(self, before: Moment, error: Exception) -> None:
        """Go back to before the pass that failed; say so to the player once, and to the log with all there is."""
        text = f"that went wrong and was taken back ({type(error).__name__}: {error}); please report it"
        self.control.moment = before
        self.control.tell(text)
        if text != self._mended:
            self._mended = text
            traceback.print_exception(error)

    def _bring_back(self) -> None:
        try:
            link = self._host.connect()
        except (LatidoError, OSError) as error:
            self.control.tell(str(error))
            self._closing.wait(RETRY_SECONDS)
            return
        self.control.attach(link, health_of(self._host))

    def _save_when_at_rest(self) -> None:
        if self._saver is None:
            return
        if self._saver.trouble != self._trouble:
            self._trouble = self._saver.trouble
            self.control.tell(self._trouble or "saving works again")
        now = time.monotonic()
        if self.control.moment is not self._seen:
            self._seen, saved = self.control.moment, self.control.saved()
            if saved != self._kept:
                self._kept, self._changed_at = saved, now
        if self._changed_at is None:
            return
        if now - self._changed_at >= SAVE_AFTER_SECONDS or now - self._saved_at >= SAVE_AT_LEAST_SECONDS:
            self._saver.save(self._kept)
            self._changed_at, self._saved_at = None, now
