"""The instrument's audible half as one object: records in, frames out.

    take(Stamped) -> queue by frame -+
                                     v
    render(out):  [ quantum | quantum | quantum ...      128 frames each, aligned to the frame counter
                    commands and hits at their exact frames, then voices, then mixer

``render`` may ask for any number of frames: it copies from finished quanta and makes new ones as needed, so
the sound is the same to the last bit for every block size. The price is that up to 127 frames are made ahead:
a command takes effect exactly at its frame when it arrives a quantum before it, else at the next quantum.
"""

import math
from dataclasses import fields
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.engine.mixer import Mixer
from device.engine.ramp import QUANTUM
from device.engine.records import (
    MAX_TRIGGERS,
    Action,
    Command,
    Hit,
    Params,
    Pattern,
    Report,
    Sound,
    Stamped,
    Trigger,
)
from device.engine.records import (
    Transport as TransportCommand,
)
from device.engine.sequencer import Sequencer
from device.engine.transport import FASTEST_BPM, SLOWEST_BPM, Transport
from device.engine.voices import Voices

_RANGES: Final = {
    "tempo_bpm": (SLOWEST_BPM, FASTEST_BPM),
    "length_steps": (1.0, 32.0),
    "voice_length": (1.0, 32.0),
    "pan": (-1.0, 1.0),
    "seed": (0.0, 2.0**24),
}  # all others 0..1


def playable(params: Params, before: Params) -> Params:
    """The parameters brought into range; what is not a number stays as it was."""
    flat: list[float | tuple[float, ...]] = []
    for entry in fields(Params):
        low, high = _RANGES.get(entry.name, (0.0, 1.0))
        value, last = getattr(params, entry.name), getattr(before, entry.name)
        if value == last:  # most of them, most of the time; what is no number never equals
            flat.append(last)
        elif isinstance(value, tuple):
            flat.append(tuple(_within(v, was, low, high) for v, was in zip(value, last, strict=True)))
        else:
            flat.append(_within(value, last, low, high))
    return Params(*flat)  # type: ignore[arg-type]


def _within(value: float, last: float, low: float, high: float) -> float:
    return min(max(value, low), high) if math.isfinite(value) else last


class Engine:
    """Transport, sequencer, voices and mixer on one frame counter.

    ``slots`` (128, 65536) float32 holds the sounds; it is only read. ``frame`` counts the frames handed out.
    """

    def __init__(self, sample_rate: int, slots: FloatArray) -> None:
        self.sample_rate = sample_rate
        self.slots = slots
        self.frame = 0
        self._params = Params()
        self._transport = Transport(sample_rate, self._params.tempo_bpm)
        self._sequencer = Sequencer(self._params)
        self._voices = Voices(slots, sample_rate, self._params)
        self._mixer = Mixer(sample_rate, self._params)
        self._made = 0  # frames rendered, a whole number of quanta
        self._waiting: list[Stamped] = []  # by frame, then by arrival
        self._applied = 0
        self._triggers: list[Trigger] = []

    @property
    def place(self) -> float:
        """Steps since start, with fraction, at the frames handed out; while stopped, where it was stopped."""
        return max(self._transport.place(self.frame), 0.0)

    def take(self, stamped: Stamped) -> None:
        """Put a command in line for its frame. Raises LinkError for a sound that names no slots."""
        if isinstance(stamped.command, Sound):
            self._voices.check(stamped.command)
        place = len(self._waiting)
        while place and self._waiting[place - 1].frame > max(stamped.frame, self._made):
            place -= 1
        self._waiting.insert(place, stamped)
        self._applied = stamped.sequence

    def render(self, out: FloatArray, stems: FloatArray | None = None) -> None:
        """The next frames into ``out`` (n, 2), within -1..1, n >= 1.

        ``stems`` (9, n, 2), when given, gets each voice after level and pan, before drive, master and limiter.
        """
        done, wanted = 0, len(out)
        while done < wanted:
            if self.frame == self._made:
                with np.errstate(all="ignore"):  # what is no number in a slot is caught by the voices
                    self._make_quantum()
            begin = QUANTUM - (self._made - self.frame)
            count = min(QUANTUM - begin, wanted - done)
            out[done : done + count] = self._mixer.out[begin : begin + count]
            if stems is not None:
                for side in range(2):
                    stems[:, done : done + count, side] = self._mixer.stems[side, :, begin : begin + count]
            done += count
            self.frame += count

    def report(self) -> Report:
        """Where the engine is, for the frames handed out. Peaks and triggers are since the last report."""
        step = max(self._transport.step_at(self.frame), 0)
        used = self._voices.slots_in_use()
        for stamped in self._waiting:
            if isinstance(stamped.command, Sound):
                for slot in stamped.command.slots:
                    used |= 1 << slot
        report = Report(
            applied=self._applied,
            frame=self.frame,
            playing=self._transport.playing,
            step=step,
            pattern=self._sequencer.pattern_at(step),
            tempo_bpm=self._transport.tempo_bpm,
            peaks=tuple(self._mixer.peaks.tolist()),
            slots_in_use=used,
            triggers=tuple(self._triggers),
        )
        self._mixer.peaks.fill(0.0)
        self._triggers.clear()
        return report

    def _make_quantum(self) -> None:
        now, end = self._made, self._made + QUANTUM
        self._transport.advance(now)
        while self._waiting and self._waiting[0].frame < end:
            stamped = self._waiting.pop(0)
            frame = max(stamped.frame, now)
            self._play(now, frame)
            self._apply(stamped.command, frame)
            now = frame
        self._play(now, end)
        self._voices.render(self._made)
        self._mixer.render(self._voices)
        self._made = end

    def _play(self, now: int, until: int) -> None:
        """The hits of the pattern in frames now..until-1."""
        if now < until and self._transport.playing:
            for due in self._sequencer.due(self._transport, now, until):
                self._strike(due.voice, due.velocity, due.frame, due.step)

    def _strike(self, voice: int, velocity: float, frame: int, step: int) -> None:
        self._voices.hit(voice, velocity, frame, self._made)
        if len(self._triggers) == MAX_TRIGGERS:
            del self._triggers[0]
        self._triggers.append(Trigger(frame, voice, velocity, step))

    def _apply(self, command: Command, frame: int) -> None:
        match command:
            case Params():
                self._params = params = playable(command, self._params)
                self._transport.aim(params.tempo_bpm)
                self._sequencer.set(params)
                self._voices.set(params)
                self._mixer.set(params)
            case Pattern():
                self._sequencer.take(command, self._transport, frame)
            case Sound():
                self._voices.announce(command)
            case Hit():
                self._strike(command.voice, command.velocity, frame, -1)
            case TransportCommand():
                self._move(command.action, frame)

    def _move(self, action: Action, frame: int) -> None:
        match action:
            case Action.START:
                self._transport.start(frame)
                self._sequencer.start()
            case Action.CONTINUE:
                self._transport.resume(frame)
            case Action.STOP:
                self._transport.stop(frame)
            case Action.PANIC:
                self._transport.stop(frame)
                self._voices.silence(frame)
