"""The whole instrument in one process, faster than real time and repeatable to the bit.

Control, models and engine are the very ones that play live; only time is made up: a block of frames is
rendered, the clock moves on by exactly that much, hands move as the moves say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from device.audio.link import LocalLink
from device.contract.pattern import STEPS_PER_BAR, STEPS_PER_BEAT, FloatArray, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.control.control import Control, Spaces
from device.control.moves import Hands, Move
from device.control.view import AudioHealth
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Action, Pattern, Report, Transport, Trigger, When
from device.models.background import Inline
from device.models.models import Models

BLOCK_FRAMES: Final = 64
LONGEST_TAIL_SECONDS: Final = 4.0
QUIET_SECONDS: Final = 0.2  # silence of this length ends the tail
SILENCE: Final = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """What a render gives."""

    audio: FloatArray  # (n, 2) -1..1
    stems: FloatArray  # (9, n, 2), each voice before drive and master; empty when not asked for
    triggers: tuple[Trigger, ...]
    beat_frames: tuple[float, ...]  # frame at which quarter note i began, the end of the last one included
    sample_rate: int


class HeardLink(LocalLink):
    """A local link that also remembers every hit."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.triggers: list[Trigger] = []

    def pump(self) -> list[Report]:
        """The engine's report of now."""
        reports = super().pump()
        for report in reports:
            self.triggers += report.triggers
        return reports


class Offline:
    """An instrument whose time is passed in. ``control`` may be given events at any moment."""

    def __init__(self, models: Models, *, seed: int = 1, begin: bool = True) -> None:
        manifest = models.manifest
        self.sample_rate = manifest.sample_rate
        slots = np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)
        self.engine = Engine(self.sample_rate, slots)
        self.link = HeardLink(self.engine)
        spaces = Spaces(models.maps, tuple(manifest.styles), models.bundle.ident)
        health = AudioHealth(sink="offline", sample_rate=self.sample_rate, alive=True)
        self.control = Control(spaces, Inline(models), self.link, health=health, seed=seed, begin=begin)

    @property
    def now_ns(self) -> int:
        """The made-up clock; it starts at 1 ns, as 0 means "not stamped" in events."""
        return 1 + self.engine.frame * 1_000_000_000 // self.sample_rate

    def play(self, out: FloatArray, stems: FloatArray | None = None) -> None:
        """One pass of control, then one block (n, 2) of sound."""
        self.control.step(self.now_ns)
        self.engine.render(out, stems)


def render(
    models: Models,
    bars: int,
    *,
    seed: int = 1,
    moves: tuple[Move, ...] = (),
    stems: bool = False,
    told: Callable[[float], None] | None = None,
) -> Take:
    """Play ``bars`` bars from the first downbeat, then let the sounds ring out; ``told`` hears how far it is."""
    offline = Offline(models, seed=seed)
    hands = Hands(moves)
    tape = _Tape(offline, stems)
    beats: list[float] = []
    end, place, closing = float(bars * STEPS_PER_BAR), 0.0, False
    while place < end:
        for event in hands.events(place / STEPS_PER_BAR, offline.now_ns, _position(offline.control)):
            offline.control.post(event)
        if place >= end - 1.0 and not closing:  # nothing of the bar after the last may sound early
            closing = True
            offline.link.send(Pattern(PatternGrid.empty(), When.NEXT_BAR))
        started, before = offline.engine.frame, place
        tape.roll()
        place = offline.engine.place
        while len(beats) * STEPS_PER_BEAT <= min(place, end):
            share = (len(beats) * STEPS_PER_BEAT - before) / max(place - before, 1e-9)
            beats.append(started + max(share, 0.0) * BLOCK_FRAMES)
        if told is not None:
            told(min(place, end) / STEPS_PER_BAR)
    offline.link.send(Transport(Action.STOP))
    quiet, last = 0, offline.engine.frame + LONGEST_TAIL_SECONDS * offline.sample_rate
    while quiet < QUIET_SECONDS * offline.sample_rate and offline.engine.frame < last:
        quiet = quiet + BLOCK_FRAMES if tape.roll() < SILENCE else 0
    offline.link.pump()
    return tape.take(tuple(beats))


class _Tape:
    """Blocks of an offline instrument, kept."""

    def __init__(self, offline: Offline, stems: bool) -> None:
        self.offline, self.stems = offline, stems
        self.blocks: list[FloatArray] = []
        self.stem_blocks: list[FloatArray] = []

    def roll(self) -> float:
        """Record one block; returns its peak."""
        out = np.zeros((BLOCK_FRAMES, 2), np.float32)
        parts = np.zeros((VOICE_COUNT, BLOCK_FRAMES, 2), np.float32) if self.stems else None
        self.offline.play(out, parts)
        self.blocks.append(out)
        if parts is not None:
            self.stem_blocks.append(parts)
        return float(np.abs(out).max())

    def take(self, beats: tuple[float, ...]) -> Take:
        """Everything recorded."""
        stems = np.concatenate(self.stem_blocks, axis=1) if self.stems else np.zeros((0, 0, 2), np.float32)
        triggers = tuple(sorted(self.offline.link.triggers, key=lambda hit: hit.frame))
        return Take(np.concatenate(self.blocks), stems, triggers, beats, self.offline.sample_rate)


def _position(control: Control) -> Callable[[str, int | None], float]:
    def read(name: str, voice: int | None) -> float:
        return control.moment.state.position(name, control.moment.voice if voice is None else voice)

    return read
