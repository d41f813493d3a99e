"""A sound card made of nothing but a clock: it plays at the sample rate and holds three blocks.

                 |<-------- queue -------->|
    played ......[ block ][ block ][ block ]   step() waits for room, as a card's write does
                 ^ now

When the queue has run dry the missing frames are skipped, never caught up in a burst: the queue starts
again, filled with silence, as the ALSA sink does.
"""

import time
from collections.abc import Callable

from device.audio.sink import QUEUE_BLOCKS

SECOND_NS = 1_000_000_000


class Pace:
    """Paces blocks of ``block_frames`` by a monotonic clock in ns."""

    def __init__(
        self,
        sample_rate: int,
        block_frames: int,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.depth_frames = QUEUE_BLOCKS * block_frames
        self.underruns = 0
        self._rate = sample_rate
        self._block_frames = block_frames
        self._now_ns = now_ns
        self._sleep = sleep
        self._start_ns = 0
        self._written = 0  # frames since start; 0: not started

    @property
    def latency_ms(self) -> float:
        """How long a frame stays in the queue."""
        return 1000.0 * self.depth_frames / self._rate

    def step(self) -> int:
        """Take one block, waiting for room; returns the frames that were queued when it came."""
        now_ns = self._now_ns()
        queued = self._written - (now_ns - self._start_ns) * self._rate // SECOND_NS
        first = self._written == 0
        if first or queued < 0:
            self.underruns += not first
            self._start_ns = now_ns
            self._written = self.depth_frames
            return self.depth_frames if first else 0
        self._written += self._block_frames
        room_ns = self._start_ns + (self._written - self.depth_frames) * SECOND_NS // self._rate
        if room_ns > now_ns:
            self._sleep((room_ns - now_ns) / SECOND_NS)
        return queued
