"""Where the music is, counted in steps (sixteenths) at a frame. The frame counter is the only clock.

Like norns, the beat is a *reference*, not a tick: step ``_step`` falls on frame ``_frame``, and from there

    place(frame) = _step + (frame - _frame) / frames_per_step

At a steady tempo the reference stands still, so no rounding error piles up. While the tempo moves, the
reference is carried along at every quantum, which leaves the place where it was: tempo has no phase jumps.
"""

import math
from typing import Final

from device.contract.pattern import STEPS_PER_BEAT
from device.engine.ramp import quanta

SLOWEST_BPM: Final = 20.0
FASTEST_BPM: Final = 300.0
TEMPO_SECONDS: Final = 0.05  # how long a change of tempo takes


class Transport:
    """Start, stop, continue and tempo."""

    def __init__(self, sample_rate: int, tempo_bpm: float) -> None:
        self.playing = False
        self._frames_per_minute = sample_rate * 60.0 / STEPS_PER_BEAT
        self._set_tempo(tempo_bpm)
        self._target_bpm = tempo_bpm
        self._step_bpm = 0.0
        self._left = 0  # quanta until the target
        self._quanta = quanta(TEMPO_SECONDS, sample_rate)
        self._frame = 0
        self._step = 0.0  # while stopped: where CONTINUE goes on

    def start(self, frame: int) -> None:
        """Step 0 falls on this frame."""
        self.playing, self._frame, self._step = True, frame, 0.0

    def stop(self, frame: int) -> None:
        """Stay at the place of this frame."""
        self._step, self.playing, self._frame = self.place(frame), False, frame

    def resume(self, frame: int) -> None:
        """Go on at this frame from where it was stopped; while playing this changes nothing."""
        if not self.playing:
            self.playing, self._frame = True, frame

    def place(self, frame: int) -> float:
        """Steps since start at this frame, with fraction."""
        return self._step + (frame - self._frame) / self.frames_per_step if self.playing else self._step

    def frame_of(self, place: float) -> int:
        """The frame nearest to this place, at the tempo of now. Only while playing."""
        return self._frame + math.floor((place - self._step) * self.frames_per_step + 0.5)

    def step_at(self, frame: int) -> int:
        """The step that has begun at this frame, in agreement with ``frame_of``."""
        step = math.floor(self.place(frame))
        return step + 1 if self.playing and self.frame_of(step + 1) <= frame else step

    def aim(self, tempo_bpm: float) -> None:
        """Go to this tempo: at once while stopped, else within TEMPO_SECONDS."""
        if tempo_bpm == self._target_bpm:
            return
        self._target_bpm = tempo_bpm
        if self.playing:
            self._left = self._quanta
            self._step_bpm = (tempo_bpm - self.tempo_bpm) / self._quanta
        else:
            self._left = 0
            self._set_tempo(tempo_bpm)

    def advance(self, frame: int) -> None:
        """Move the tempo on by one quantum, which begins at this frame."""
        if self._left == 0:
            return
        if self.playing:
            self._step, self._frame = self.place(frame), frame
        self._left -= 1
        self._set_tempo(self.tempo_bpm + self._step_bpm if self._left else self._target_bpm)

    def _set_tempo(self, tempo_bpm: float) -> None:
        self.tempo_bpm = tempo_bpm
        self.frames_per_step = self._frames_per_minute / tempo_bpm
