"""A sink that plays to nobody, on time. Tests and benchmarks stand on it, and it is the last resort."""

from device.audio.pace import Pace
from device.audio.sink import Format
from device.contract.pattern import FloatArray


class NullSink:
    """Paced by the clock, or with ``paced=False`` as fast as it is asked."""

    name = "null"

    def __init__(self, form: Format, *, paced: bool = True) -> None:
        self._pace = Pace(form.sample_rate, form.block_frames) if paced else None
        self.latency_ms = self._pace.latency_ms if self._pace else 0.0

    @property
    def underruns(self) -> int:
        """How often the queue ran dry."""
        return self._pace.underruns if self._pace else 0

    def write(self, block: FloatArray) -> int:
        """Let a block pass."""
        return self._pace.step() if self._pace else len(block)

    def close(self) -> None:
        """Nothing to let go."""


def open_sink(detail: str, form: Format) -> NullSink:
    """The paced null sink; it has no detail."""
    del detail
    return NullSink(form)
