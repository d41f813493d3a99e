"""Everything that sounds at the moment, as rows of arrays that are advanced together, a quantum at a time.

A hit becomes one *stream* per layer it sounds. A stream is

    slot samples x gain (velocity, layer share, decay) x fade
    fade   ------------------.            1 until FADE before its end, then a smooth way down to 0:
                              `-.___      the end of the sound, a choke, a new hit of the voice, panic

Whatever ends a stream only brings its end nearer, so nothing clicks and nothing needs a state machine.
A slot that holds what is no sound (not a number, infinite, far beyond full scale) is played with those
samples silent or clipped; other voices never notice.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from device.contract.pattern import FloatArray
from device.contract.voices import VOICE_COUNT
from device.engine.ramp import QUANTUM, RISE, Ramp
from device.engine.records import SLOT_FRAMES

FADE_SECONDS: Final = 0.004
HITS_PER_VOICE: Final = 3  # one sounding, two fading
SILENCE: Final = 1e-5  # a stream decayed to this gain has ended
LOUDEST: Final = 16.0  # beyond this a voice holds something that is no sound
_STREAMS: Final = VOICE_COUNT * HITS_PER_VOICE * 2
_TIDY_FRAMES: Final = 8 * QUANTUM


class Streams:
    """Plays into ``out`` (9, QUANTUM): each voice in mono. ``peaks`` (9,) are of the newest quantum.

    ``samples`` are all slots in one row, ``damping`` the decay of each voice in nepers a frame.
    """

    def __init__(self, samples: FloatArray, sample_rate: int, damping: Ramp) -> None:
        self._samples = samples
        self._damping = damping
        self._fade_frames = max(round(FADE_SECONDS * sample_rate), 1)
        # one entry per sounding stream, in the first ``len(self._voice)`` rows
        self._voice: list[int] = []
        self._slot: list[int] = []
        self._end: list[int] = []  # frame at which its fade reaches 0
        self._hit: list[int] = []  # streams of one hit share a number
        self._begun: list[tuple[int, int]] = []  # (row, frames into the quantum) of streams begun in it
        self._first_fade = 0  # frame at which the earliest fade begins
        self._at = np.zeros((_STREAMS, 1), np.int64)  # where the quantum begins in the samples
        self._gain = np.zeros((_STREAMS, 1), np.float32)
        self._row_voice = np.zeros(_STREAMS, np.intp)
        self._left = np.zeros((_STREAMS, 1), np.float32)  # frames until the fade reaches 0
        # scratch
        self.out = np.zeros((VOICE_COUNT, QUANTUM), np.float32)
        self.peaks = np.zeros(VOICE_COUNT, np.float32)  # of the quantum
        self._factor = np.exp(self._damping.now * np.float32(-QUANTUM))  # (9,) decay over one quantum
        self._damped = bool((self._factor < 1.0).any())
        self._row_factor = np.zeros((_STREAMS, 1), np.float32)
        self._gain_after = np.zeros((_STREAMS, 1), np.float32)
        self._row_left = np.zeros((_STREAMS, 1), np.float32)
        self._index = np.zeros((_STREAMS, QUANTUM), np.int64)
        self._sound = np.zeros((_STREAMS, QUANTUM), np.float32)
        self._curve = np.zeros((_STREAMS, QUANTUM), np.float32)
        self._smooth = np.zeros((_STREAMS, QUANTUM), np.float32)
        self._finite = np.zeros((_STREAMS, QUANTUM), np.bool_)
        self._magnitude = np.zeros((VOICE_COUNT, QUANTUM), np.float32)
        self._offsets = np.arange(QUANTUM, dtype=np.int64)
        self._countdown = (-np.arange(QUANTUM) / self._fade_frames).astype(np.float32)
        self._rows = [self._sound[row] for row in range(_STREAMS)]
        self._outs = [self.out[voice] for voice in range(VOICE_COUNT)]
        self._prefixes = [_Prefix(self, count) for count in range(_STREAMS + 1)]

    def struck(self, voice: int) -> int:
        """How many hits of this voice still sound, fading ones included."""
        return len({hit for hit, own in zip(self._hit, self._voice, strict=True) if own == voice})

    def slots(self) -> list[int]:
        """The slots that are being read, with repeats."""
        return self._slot

    def begin(self, voice: int, slot: int, frames: int, gain: float, frame: int, *, quantum: int, hit: int) -> None:
        """A slot's first ``frames`` begin to sound at ``frame``, inside the quantum that begins at ``quantum``."""
        row = len(self._voice)
        self._voice.append(voice)
        self._slot.append(slot)
        self._end.append(frame + frames)
        self._hit.append(hit)
        self._begun.append((row, frame - quantum))
        self._first_fade = min(self._first_fade, frame + frames - self._fade_frames)
        self._at[row, 0] = slot * SLOT_FRAMES - (frame - quantum)
        self._gain[row, 0] = gain
        self._row_voice[row] = voice
        self._left[row, 0] = frame + frames - quantum

    def release(self, voice: int, frame: int) -> None:
        """Fade all that sounds of this voice, from this frame on."""
        end = frame + self._fade_frames
        for row, own in enumerate(self._voice):
            if own == voice and self._end[row] > end:
                self._left[row, 0] -= self._end[row] - end
                self._end[row] = end
                self._first_fade = min(self._first_fade, frame)

    def render(self, quantum: int) -> None:
        """Fill ``out`` and ``peaks`` for the quantum that begins at this frame."""
        self._advance_damping()
        count = len(self._voice)
        if count == 0:
            self.out.fill(0.0)
            self.peaks.fill(0.0)
            return
        prefix = self._prefixes[count]
        self._sum(prefix, quantum, scrub=False)
        if not float(np.maximum.reduce(self.peaks)) < LOUDEST:  # also when it is not a number
            self._sum(prefix, quantum, scrub=True)
        np.copyto(prefix.gain, prefix.gain_after)
        np.add(prefix.at, QUANTUM, out=prefix.at)
        np.subtract(prefix.left, QUANTUM, out=prefix.left)
        self._begun.clear()
        self._tidy(quantum + QUANTUM)

    def _advance_damping(self) -> None:
        moved = self._damping.moving
        self._damping.advance()
        if moved or self._damping.moving:
            np.multiply(self._damping.now, -QUANTUM, out=self._factor)
            np.exp(self._factor, out=self._factor)
            self._damped = bool(np.less(self._factor, 1.0).any())

    def _sum(self, prefix: "_Prefix", quantum: int, *, scrub: bool) -> None:
        np.add(prefix.at, self._offsets, out=prefix.index)
        self._samples.take(prefix.index, out=prefix.sound, mode="clip")
        if scrub:
            np.isfinite(prefix.sound, out=prefix.finite)
            np.logical_not(prefix.finite, out=prefix.finite)
            np.copyto(prefix.sound, 0.0, where=prefix.finite)
            np.clip(prefix.sound, -1.0, 1.0, out=prefix.sound)
        if self._damped:  # exponential decay, by chords of one quantum
            self._factor.take(prefix.row_voice, out=prefix.row_factor_flat, mode="clip")
            np.multiply(prefix.row_factor, prefix.gain, out=prefix.gain_after)
            np.subtract(prefix.gain_after, prefix.gain, out=prefix.row_left)
            np.multiply(prefix.row_left, RISE, out=prefix.curve)
            np.add(prefix.curve, prefix.gain, out=prefix.curve)
            np.multiply(prefix.sound, prefix.curve, out=prefix.sound)
        else:
            np.multiply(prefix.sound, prefix.gain, out=prefix.sound)
            np.copyto(prefix.gain_after, prefix.gain)
        if self._first_fade < quantum + QUANTUM:
            np.multiply(prefix.left, 1.0 / self._fade_frames, out=prefix.row_left)
            np.add(prefix.row_left, self._countdown, out=prefix.curve)
            np.clip(prefix.curve, 0.0, 1.0, out=prefix.curve)
            np.multiply(prefix.curve, -2.0, out=prefix.smooth)  # x * x * (3 - 2 x)
            np.add(prefix.smooth, 3.0, out=prefix.smooth)
            np.multiply(prefix.smooth, prefix.curve, out=prefix.smooth)
            np.multiply(prefix.smooth, prefix.curve, out=prefix.smooth)
            np.multiply(prefix.sound, prefix.smooth, out=prefix.sound)
        for row, offset in self._begun:
            if offset:
                self._rows[row][:offset] = 0.0
        self.out.fill(0.0)
        for row, voice in enumerate(self._voice):
            np.add(self._outs[voice], self._rows[row], out=self._outs[voice])
        np.abs(self.out, out=self._magnitude)
        np.maximum.reduce(self._magnitude, axis=1, out=self.peaks)

    def _tidy(self, frame: int) -> None:
        """Forget streams that have ended by this frame."""
        if self._first_fade < frame:
            for row in range(len(self._voice) - 1, -1, -1):
                if self._end[row] <= frame:
                    self._remove(row)
            self._first_fade = min(self._end, default=frame + SLOT_FRAMES) - self._fade_frames
        if frame % _TIDY_FRAMES == 0:
            for row in range(len(self._voice) - 1, -1, -1):
                if self._gain[row, 0] < SILENCE:
                    self._remove(row)

    def _remove(self, row: int) -> None:
        last = len(self._voice) - 1
        for entries in (self._voice, self._slot, self._end, self._hit):
            entries[row] = entries[last]
            entries.pop()
        for array in (self._at, self._gain, self._left):
            array[row, 0] = array[last, 0]
        self._row_voice[row] = self._row_voice[last]


class _Prefix:
    """Views of the first ``count`` rows of every array, made once: slicing makes garbage."""

    def __init__(self, streams: Streams, count: int) -> None:
        self.at: npt.NDArray[np.int64] = streams._at[:count]
        self.gain: FloatArray = streams._gain[:count]
        self.left: FloatArray = streams._left[:count]
        self.row_voice: npt.NDArray[np.intp] = streams._row_voice[:count]
        self.row_factor: FloatArray = streams._row_factor[:count]
        self.row_factor_flat: FloatArray = streams._row_factor[:count, 0]
        self.gain_after: FloatArray = streams._gain_after[:count]
        self.row_left: FloatArray = streams._row_left[:count]
        self.index: npt.NDArray[np.int64] = streams._index[:count]
        self.sound: FloatArray = streams._sound[:count]
        self.curve: FloatArray = streams._curve[:count]
        self.smooth: FloatArray = streams._smooth[:count]
        self.finite: npt.NDArray[np.bool_] = streams._finite[:count]
