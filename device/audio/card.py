"""A sound card that may be pulled out: while it is away the clock paces the beat, and it is sought again.

    playing --error--> away (silent, paced) --found again--> playing

A card driver only says how to open a card and how to play a block; coming and going is here. A "card" that
takes blocks much faster than they last (ALSA's null and file plugins) has no clock, and is paced by ours.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from device.audio.pace import Pace
from device.audio.sink import Format
from device.contract.pattern import FloatArray
from device.errors import AudioError

FIRST_SEEK_SECONDS: Final = 0.5
LONGEST_SEEK_SECONDS: Final = 5.0
CLOCK_BLOCKS: Final = 100  # after so many it is known whether the card has a clock


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep a C library from writing to standard error while a card is opened: our error says it all."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Card(Protocol):
    """An open device."""

    name: str
    latency_ms: float
    underruns: int

    def play(self, block: FloatArray) -> int:
        """Hand a block over, waiting for room; returns the frames that were queued. AudioError: it is gone."""

    def close(self) -> None:
        """Let the device go at once, without playing what is queued."""


class CardSink:
    """Plays on the card ``seek`` opens. Raises AudioError when none is there within ``wait_seconds``."""

    def __init__(
        self,
        seek: Callable[[], Card],
        form: Format,
        *,
        wait_seconds: float = 0.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seek = seek
        self._form = form
        self._now = now
        self._pace: Pace | None = None  # while the card is away or has no clock
        self._blocks = 0  # since the card was opened
        self._opened = now()
        self._missed = 0  # underruns of cards that are gone
        self._pause_seconds = FIRST_SEEK_SECONDS
        self._next_seek = 0.0
        until = now() + wait_seconds
        while True:
            try:
                with quiet():
                    self._card: Card | None = seek()
                break
            except AudioError:
                if now() >= until:
                    raise
                sleep(FIRST_SEEK_SECONDS / 2)
        self.name = self._card.name
        self.latency_ms = self._card.latency_ms

    @property
    def underruns(self) -> int:
        """How often the queue ran dry; a pulled card is one."""
        away = self._pace.underruns if self._pace else 0
        return self._missed + away + (self._card.underruns if self._card else 0)

    def write(self, block: FloatArray) -> int:
        """Play a block, or let it pass in time while the card is away."""
        if self._card is None and self._now() >= self._next_seek:
            self._find()
        if self._card is None:
            assert self._pace is not None
            return self._pace.step()
        try:
            queued = self._card.play(block)
        except AudioError:
            self._lose()
            return 0
        if self._blocks < CLOCK_BLOCKS:
            self._judge(len(block))
        return queued if self._pace is None else self._pace.step()

    def _judge(self, frames: int) -> None:
        """Once, soon after a card was opened: does it take blocks no faster than they last?"""
        if self._blocks == 0:
            self._opened = self._now()
        self._blocks += 1
        lasted = self._blocks * frames / self._form.sample_rate
        if self._blocks == CLOCK_BLOCKS and self._now() - self._opened < lasted / 2:
            self._pace = Pace(self._form.sample_rate, self._form.block_frames)

    def _lose(self) -> None:
        assert self._card is not None
        self._missed = self.underruns + 1
        self._card.close()
        self._card = None
        self._pace = Pace(self._form.sample_rate, self._form.block_frames)
        self._pause_seconds = FIRST_SEEK_SECONDS
        self._next_seek = self._now() + self._pause_seconds

    def _find(self) -> None:
        try:
            with quiet():
                self._card = self._seek()
        except AudioError:
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_SEEK_SECONDS)
            self._next_seek = self._now() + self._pause_seconds
            return
        assert self._pace is not None
        self._missed += self._pace.underruns
        self._pace = None
        self._blocks = 0

    def close(self) -> None:
        """Let the card go; idempotent."""
        if self._card is not None:
            self._lose()
            self._missed -= 1
            self._next_seek = float("inf")
