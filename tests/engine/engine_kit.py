"""A drum kit made by hand: decaying sines and noise in the slots, and short words to play it with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from device.contract.pattern import LEVEL, OFFSET, VELOCITY, FloatArray, PatternGrid
from device.contract.voices import VOICE_COUNT, VOICE_INDEX
from device.engine.engine import Engine
from device.engine.records import (
    SLOT_COUNT,
    SLOT_FRAMES,
    Action,
    Command,
    Params,
    Pattern,
    Sound,
    Stamped,
    Transport,
    Trigger,
)

RATE = 44100
KIT_FRAMES = 30000
PITCHES = (55.0, 180.0, 7000.0, 6000.0, 90.0, 130.0, 190.0, 5000.0, 4000.0)
RINGING = (0.12, 0.08, 0.02, 0.2, 0.15, 0.12, 0.1, 0.3, 0.25)  # seconds to fall by 1/e


def synthetic_kit(layers: int = 3) -> FloatArray:
    """Slots with ``layers`` one-shots per voice, soft to hard, in slots 4 * voice and on."""
    slots = np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)
    seconds = np.arange(KIT_FRAMES) / RATE
    attack = np.minimum(np.arange(KIT_FRAMES) / 40, 1.0)  # a rise of 1 ms
    for voice, (pitch, ringing) in enumerate(zip(PITCHES, RINGING, strict=True)):
        for layer in range(layers):
            loudness = 10 ** (-12 * (1 - (layer + 1) / layers) / 20)
            bright = 1.0 + 0.5 * layer
            tone = np.sin(2 * np.pi * pitch * seconds) + 0.1 * bright * np.sin(2 * np.pi * 1.5 * pitch * seconds)
            slots[4 * voice + layer, :KIT_FRAMES] = 0.8 * loudness * tone * attack * np.exp(-seconds / ringing)
    return slots


KIT = synthetic_kit()
KIT.setflags(write=False)


def kit_sounds(layers: int = 3) -> list[Sound]:
    return [
        Sound(voice, tuple(4 * voice + layer for layer in range(layers)), (KIT_FRAMES,) * layers, ident=voice)
        for voice in range(VOICE_COUNT)
    ]


def grid(
    hits: Iterable[tuple[int, str]] = (), level: float = 1.0, velocity: float = 0.8, offset: float = 0.0
) -> PatternGrid:
    """A pattern with these (step, voice name) hits."""
    cells = np.zeros((32, VOICE_COUNT, 3), np.float32)
    cells[:, :, VELOCITY] = velocity
    for step, name in hits:
        cells[step, VOICE_INDEX[name], LEVEL] = level
        cells[step, VOICE_INDEX[name], OFFSET] = offset
    return PatternGrid(cells)


def every(step: int, name: str, start: int = 0) -> list[tuple[int, str]]:
    return [(at, name) for at in range(start, 32, step)]


@dataclass
class Player:
    """An engine with a kit in it, and everything it has said and played."""

    engine: Engine
    sound: list[FloatArray] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    sequence: int = 0

    def tell(self, command: Command, frame: int = 0) -> None:
        self.sequence += 1
        self.engine.take(Stamped(command, self.sequence, frame))

    def start(self, pattern: PatternGrid | None = None, frame: int = 0, **params: object) -> None:
        if params:
            self.tell(Params(**params), frame)
        if pattern is not None:
            self.tell(Pattern(pattern), frame)
        self.tell(Transport(Action.START), frame)

    def play(self, frames: int, block: int = 128) -> FloatArray:
        """The next frames (n, 2)."""
        out = np.zeros((frames, 2), np.float32)
        for begin in range(0, frames, block):
            self.engine.render(out[begin : begin + block])
            self.triggers.extend(self.engine.report().triggers)
        self.sound.append(out)
        return out

    def stems(self, frames: int) -> FloatArray:
        """Each voice (9, n, 2) of the next frames, before drive, master and limiter."""
        out, stems = np.zeros((frames, 2), np.float32), np.zeros((VOICE_COUNT, frames, 2), np.float32)
        self.engine.render(out, stems)
        self.sound.append(out)
        return stems

    def until(self, frame: int) -> FloatArray:
        return self.play(frame - self.engine.frame)

    def hits(self, name: str) -> list[Trigger]:
        return [hit for hit in self.triggers if hit.voice == VOICE_INDEX[name]]

    def steps(self, name: str) -> list[int]:
        return [hit.step for hit in self.hits(name)]


def new_player(slots: FloatArray = KIT, sounds: Sequence[Sound] | None = None) -> Player:
    made = Player(Engine(RATE, slots))
    for sound in kit_sounds() if sounds is None else sounds:
        made.tell(sound)
    return made


def without_dc(audio: FloatArray) -> FloatArray:
    """The DC blocker as its definition says, frame by frame: (n, 2) -> (n, 2)."""
    keep, mean, out = np.exp(-2 * np.pi * 5.0 / RATE), np.zeros(2), np.zeros(audio.shape)
    for frame, value in enumerate(audio.astype(np.float64)):
        mean = keep * mean + (1 - keep) * value
        out[frame] = value - mean
    return out.astype(np.float32)


def largest_step(audio: FloatArray) -> float:
    """The largest difference between neighbouring frames."""
    return float(np.abs(np.diff(audio, axis=0)).max())


def render(
    commands: Iterable[Stamped], frames: int, blocks: Iterable[int], slots: FloatArray = KIT
) -> tuple[FloatArray, FloatArray, list[Trigger]]:
    """Output, stems and triggers of these commands, rendered in these block sizes."""
    engine = Engine(RATE, slots)
    for sound in kit_sounds():
        engine.take(Stamped(sound))
    for command in commands:
        engine.take(command)
    out, stems = np.zeros((frames, 2), np.float32), np.zeros((VOICE_COUNT, frames, 2), np.float32)
    triggers: list[Trigger] = []
    sizes = iter(blocks)
    begin = 0
    while begin < frames:
        end = min(begin + next(sizes), frames)
        engine.render(out[begin:end], stems[:, begin:end])
        triggers.extend(engine.report().triggers)
        begin = end
    return out, stems, triggers
