"""From nine mono voices to stereo: level and pan, drive, master, limiter, meters. Every gain is ramped.

    voices -> level, pan -> (stems) -> sum -> drive -> master -> DC blocker -> limiter -> out

Drive and limiter are odd functions of the sample without memory; what DC a sound brings, or lopsided drums
leave behind a bent curve, the blocker takes away: it subtracts a one-pole mean of everything below 5 Hz.
The limiter leaves everything below KNEE as it is and bends the rest so that it never passes 1:

    1.0 |              . - ~ ~        |x| <= KNEE:  x
        |          .                  beyond:       KNEE + (1 - KNEE) tanh((|x| - KNEE) / (1 - KNEE))
   KNEE |      /
"""

import math
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.contract.voices import VOICE_COUNT
from device.engine.ramp import QUANTUM, Ramp
from device.engine.records import Params
from device.engine.voices import Voices

RAMP_SECONDS: Final = 0.02
UNITY: Final = 0.8  # position of LEVEL that leaves a voice as it is
MASTER_GAIN: Final = 0.7  # of MASTER at UNITY: room for several voices at once
MOST_DRIVE: Final = 5.0
LEAST_PUSH: Final = 1e-3  # where tanh cannot be told from the identity in float32
DRIVE_REFERENCE: Final = 0.4  # an amplitude that drive leaves alone: louder is pressed, softer is raised
BLOCKED_HZ: Final = 5.0
KNEE: Final = 0.75
NOTHING: Final = 1e-6  # a remembered mean below this is forgotten once the voices are silent


def level_gain(position: float) -> float:
    """LEVEL 0..1 as gain: 0 is silent, 0.8 unity, 1 is 3.9 dB more."""
    return (position / UNITY) ** 2


def pan_gains(pan: float) -> tuple[float, float]:
    """PAN -1..1 as gains left and right, of equal power everywhere."""
    angle = (pan + 1.0) * math.pi / 4.0
    return math.cos(angle), math.sin(angle)


def _place_gains(params: Params) -> list[float]:
    pairs = [(level_gain(level), pan_gains(pan)) for level, pan in zip(params.level, params.pan, strict=True)]
    return [gain * pan[side] for side in range(2) for gain, pan in pairs]


def _bus_gains(params: Params) -> tuple[float, float]:
    return params.drive, level_gain(params.master) * MASTER_GAIN


class Mixer:
    """Mixes one quantum at a time; ``stems`` (2, 9, QUANTUM) and ``out`` (QUANTUM, 2) hold the newest."""

    def __init__(self, sample_rate: int, params: Params) -> None:
        self._placed = (params.level, params.pan)
        self._places = Ramp(_place_gains(params), RAMP_SECONDS, sample_rate)
        self._bus_gains = Ramp(_bus_gains(params), RAMP_SECONDS, sample_rate)
        self._levels = Ramp([level_gain(level) for level in params.level], RAMP_SECONDS, sample_rate)
        self._place_rows = self._places.rows.reshape(2, VOICE_COUNT, QUANTUM)
        self._drive_row, self._master_row = self._bus_gains.rows
        self.stems = np.zeros((2, VOICE_COUNT, QUANTUM), np.float32)
        self.out = np.zeros((QUANTUM, 2), np.float32)
        self.peaks = np.zeros(VOICE_COUNT + 2, np.float32)  # highest since they were last read
        self._voice_peaks, self._bus_peaks = self.peaks[:VOICE_COUNT], self.peaks[VOICE_COUNT:]
        self._bus = np.zeros((2, QUANTUM), np.float32)
        self._bus_transposed = self._bus.T
        keep = math.exp(-2.0 * math.pi * BLOCKED_HZ / sample_rate)
        powers = keep ** np.arange(1, QUANTUM + 1)
        self._fall: FloatArray = powers.astype(np.float32)  # what is left of the mean after each frame
        self._weights: FloatArray = ((1.0 - keep) / powers).astype(np.float32)
        self._mean = np.zeros((2, 1), np.float32)  # at the end of the quantum
        self._means = np.zeros((2, QUANTUM), np.float32)
        self._last_means = self._means[:, -1:]
        self._folded = np.zeros((2, QUANTUM), np.float32)
        self._push = np.zeros(QUANTUM, np.float32)
        self._makeup = np.ones(QUANTUM, np.float32)
        self._leveled = np.zeros(VOICE_COUNT, np.float32)
        self._peak = np.zeros(2, np.float32)
        self._peak_column = self._peak[:, None]
        self._shape_drive()

    def set(self, params: Params) -> None:
        """Take new parameters: ramped from the next quantum on."""
        if (params.level, params.pan) != self._placed:
            self._placed = (params.level, params.pan)
            self._places.aim(_place_gains(params))
            self._levels.aim([level_gain(level) for level in params.level])
        self._bus_gains.aim(_bus_gains(params))

    def _shape_drive(self) -> None:
        """Fill push and makeup for this quantum; see ``_drive``."""
        np.multiply(self._drive_row, MOST_DRIVE, out=self._push)
        np.maximum(self._push, LEAST_PUSH, out=self._push)
        np.multiply(self._push, DRIVE_REFERENCE, out=self._makeup)
        np.tanh(self._makeup, out=self._makeup)
        np.divide(DRIVE_REFERENCE, self._makeup, out=self._makeup)

    def render(self, voices: Voices) -> None:
        """Mix what the voices hold."""
        for ramp in (self._places, self._levels):
            ramp.advance()
        moved = self._bus_gains.moving
        self._bus_gains.advance()
        if moved or self._bus_gains.moving:
            self._shape_drive()
        if float(np.maximum.reduce(voices.peaks)) == 0.0 and self._forgot():
            for buffer in (self._mean, self.stems, self.out):
                buffer.fill(0.0)
            return
        np.multiply(self._place_rows, voices.out, out=self.stems)
        np.add.reduce(self.stems, axis=1, out=self._bus)
        np.multiply(voices.peaks, self._levels.now, out=self._leveled)
        np.maximum(self._voice_peaks, self._leveled, out=self._voice_peaks)
        self._drive()
        np.multiply(self._bus, self._master_row, out=self._bus)
        self._block_dc()
        self._limit()
        np.maximum(self._bus_peaks, self._peak, out=self._bus_peaks)
        np.copyto(self.out, self._bus_transposed)

    def _drive(self) -> None:
        """bus -> r tanh(push bus) / tanh(push r): passes +-r unchanged, and tends to the identity at no push."""
        if not self._bus_gains.moving and float(self._bus_gains.now[0]) == 0.0:
            return
        np.multiply(self._bus, self._push, out=self._bus)
        np.tanh(self._bus, out=self._bus)
        np.multiply(self._bus, self._makeup, out=self._bus)

    def _forgot(self) -> bool:
        np.abs(self._mean, out=self._peak_column)
        return float(np.maximum.reduce(self._peak)) < NOTHING

    def _block_dc(self) -> None:
        """bus - mean, with mean[n] = keep mean[n-1] + (1 - keep) bus[n], unrolled over the quantum as a sum."""
        np.multiply(self._bus, self._weights, out=self._means)
        np.add.accumulate(self._means, axis=1, out=self._means)
        np.add(self._means, self._mean, out=self._means)
        np.multiply(self._means, self._fall, out=self._means)
        np.subtract(self._bus, self._means, out=self._bus)
        np.copyto(self._mean, self._last_means)

    def _limit(self) -> None:
        """Bend what is above KNEE; below it this is the identity, so a soft quantum skips it."""
        np.abs(self._bus, out=self._folded)
        np.maximum.reduce(self._folded, axis=1, out=self._peak)
        if float(np.maximum.reduce(self._peak)) <= KNEE:
            return
        np.subtract(self._folded, KNEE, out=self._folded)
        np.maximum(self._folded, 0.0, out=self._folded)
        np.multiply(self._folded, 1.0 / (1.0 - KNEE), out=self._folded)
        np.tanh(self._folded, out=self._folded)
        np.multiply(self._folded, 1.0 - KNEE, out=self._folded)
        np.copysign(self._folded, self._bus, out=self._folded)
        np.clip(self._bus, -KNEE, KNEE, out=self._bus)
        np.add(self._bus, self._folded, out=self._bus)
        np.abs(self._bus, out=self._folded)
        np.maximum.reduce(self._folded, axis=1, out=self._peak)
