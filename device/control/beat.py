"""Where the music is between two reports: a place in steps, with its fraction, for any frame or moment.

A report says which step was begun and how many frames were rendered; the frame at which the step number
changed lies between two reports. A click of the count-in (on the grid, without microtiming) says it exactly.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from device.contract.pattern import STEPS_PER_BEAT
from device.engine.records import Report


@dataclass(frozen=True, slots=True)
class Beat:
    """A reference: ``step`` began at ``step_frame``. Norns' idea of a clock: a reference, not a tick."""

    sample_rate: int
    step: int = 0
    step_frame: float = 0.0
    tempo_bpm: float = 120.0
    frame: int = 0  # of the newest report
    at_ns: int = 0
    playing: bool = False

    @property
    def frames_per_step(self) -> float:
        """Length of a sixteenth."""
        return self.sample_rate * 60.0 / (self.tempo_bpm * STEPS_PER_BEAT)

    def heard(self, report: Report) -> "Beat":
        """With a newer report taken in."""
        tempo = report.tempo_bpm if report.tempo_bpm > 0 else self.tempo_bpm
        beat = replace(self, frame=report.frame, at_ns=report.at_ns, playing=report.playing, tempo_bpm=tempo)
        if not report.playing:
            return replace(beat, step=report.step, step_frame=float(report.frame))
        if report.step == self.step and self.playing:
            return beat
        if (
            report.step == self.step + 1 and self.playing
        ):  # it began between the two reports: where we expected, if we can
            expected = self.step_frame + self.frames_per_step
            return replace(beat, step=report.step, step_frame=min(max(expected, self.frame), report.frame))
        return replace(beat, step=report.step, step_frame=float(report.frame))

    def struck(self, step_frames: list[float]) -> "Beat":
        """With where hits of the pattern say that step 0 lies; two that agree to a frame are believed."""
        for one, other in pairwise(step_frames):
            if self.playing and abs(one - other) <= 1.0:
                begun = (one + other) / 2 + self.step * self.frames_per_step
                if abs(begun - self.step_frame) <= self.frames_per_step / 2:
                    return replace(self, step_frame=begun)
        return self

    def clicked(self, step: int, frame: int) -> "Beat":
        """With the exact frame at which a step begins."""
        return replace(self, step=step, step_frame=float(frame))

    def place(self, frame: float) -> float:
        """Steps since start at this frame, with fraction; 0 while stopped."""
        return self.step + (frame - self.step_frame) / self.frames_per_step if self.playing else 0.0

    def place_at(self, at_ns: int) -> float:
        """Steps since start at this moment of CLOCK_MONOTONIC (0: now, as of the newest report)."""
        ahead = (at_ns - self.at_ns) * self.sample_rate / 1e9 if at_ns and self.at_ns else 0.0
        return self.place(self.frame + ahead)

    def frame_of(self, step: int) -> float:
        """The frame at which a step begins, at the tempo of now. Only while playing."""
        return self.step_frame + (step - self.step) * self.frames_per_step
