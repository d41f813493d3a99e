"""A sink that keeps everything in a WAV file (stereo, 16 bits), paced by the clock or as fast as it is asked.

The header is brought up to date twice a second, so that the file can be read up to there whatever happens
to the process. A file that exists is never overwritten: the next free name is taken. When the disk is full
the file ends there and the beat goes on.
"""

import contextlib
import itertools
import os
import struct
from pathlib import Path
from typing import Final

from device.audio.pace import Pace
from device.audio.samples import Samples
from device.audio.sink import Format
from device.contract.pattern import FloatArray
from device.errors import AudioError

HEADER_BYTES: Final = 44
FLUSH_SECONDS: Final = 0.5
MAX_DATA_BYTES: Final = 0xFFFFFFFF - HEADER_BYTES  # a RIFF file is at most 4 GiB: 6.7 hours


def wav_header(sample_rate: int, data_bytes: int, bits: int = 16) -> bytes:
    """The 44 bytes before the samples, stereo."""
    frame_bytes = 2 * bits // 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        HEADER_BYTES - 8 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,  # PCM
        2,
        sample_rate,
        sample_rate * frame_bytes,
        frame_bytes,
        bits,
        b"data",
        data_bytes,
    )


class WavSink:
    """Writes blocks to ``path``, or to the next free name beside it. Raises AudioError when it cannot."""

    def __init__(self, path: Path, form: Format, *, paced: bool = True) -> None:
        self._pace = Pace(form.sample_rate, form.block_frames) if paced else None
        self.latency_ms = self._pace.latency_ms if self._pace else 0.0
        self._rate = form.sample_rate
        self._samples = Samples(form.block_frames)
        self._flush_bytes = int(FLUSH_SECONDS * form.sample_rate) * 4
        self._data_bytes = 0
        self._kept_bytes = 0  # as the header says
        self.path = path
        try:
            for number in itertools.count(2):
                try:
                    self._file = self.path.open("xb")
                    break
                except FileExistsError:
                    self.path = path.with_stem(f"{path.stem}-{number}")
            self._file.write(wav_header(self._rate, 0))
            self._file.flush()
        except OSError as error:
            raise AudioError(f"cannot write {path}: {error.strerror}; give another file to wav:FILE") from error
        self.name = f"wav {self.path}"

    @property
    def underruns(self) -> int:
        """How often the queue ran dry."""
        return self._pace.underruns if self._pace else 0

    def write(self, block: FloatArray) -> int:
        """Append a block."""
        try:
            if not self._file.closed:
                self._keep(self._samples.fill(block))
        except OSError:  # the disk is full, or gone
            self._end()
        return self._pace.step() if self._pace else len(block)

    def _keep(self, samples: memoryview) -> None:
        if self._data_bytes + len(samples) > MAX_DATA_BYTES:
            self.close()
            return
        self._file.write(samples)
        self._data_bytes += len(samples)
        if self._data_bytes - self._kept_bytes >= self._flush_bytes:
            self._flush()

    def _flush(self) -> None:
        self._file.flush()
        os.pwrite(self._file.fileno(), wav_header(self._rate, self._data_bytes), 0)
        self._kept_bytes = self._data_bytes

    def _end(self) -> None:
        with contextlib.suppress(OSError):  # what is buffered cannot be written either; the header says what is there
            self._file.close()

    def close(self) -> None:
        """Bring the header up to date and end the file; idempotent."""
        if self._file.closed:
            return
        with contextlib.suppress(OSError):
            self._flush()
        self._end()


def open_sink(detail: str, form: Format) -> WavSink:
    """``wav:FILE``, paced by the clock."""
    if not detail:
        raise AudioError("the wav sink needs a file: wav:beat.wav")
    return WavSink(Path(detail), form)
