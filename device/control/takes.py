"""What plays, taken out of the box: a pattern with its sounds as a WAV file, stems and MIDI, by the engine that plays it.

    Playing   all the engine was told: parameters, pattern, sounds. An immutable value, so it may be taken while
              the beat goes on and rendered elsewhere
    Take      what the engine makes of it, every hit included

No model is asked: the sounds are the very ones that are heard. ``export_playing`` is for a worker thread; it
takes a second or so and touches nothing that plays.
"""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from device.audio.link import LocalLink
from device.audio.slots import SlotPool
from device.contract.pattern import STEPS_PER_BAR, STEPS_PER_BEAT, FloatArray, PatternGrid
from device.contract.voices import VOICE_COUNT, VOICES
from device.control.files import midi_bytes, wav_bytes, write_new
from device.control.params import engine_params
from device.engine.engine import Engine
from device.engine.records import (
    SLOT_COUNT,
    SLOT_FRAMES,
    Action,
    Params,
    Pattern,
    Report,
    Sound,
    Transport,
    Trigger,
    When,
)
from device.errors import SettingError

if TYPE_CHECKING:
    from device.control.control import Control

MOST_BARS: Final = 400
BLOCK_FRAMES: Final = 512  # large blocks are quick, and the engine gives the same samples for every size
LEAD_IN_SECONDS: Final = 0.25  # unheard: tempo and gains come to rest before the first downbeat
LONGEST_TAIL_SECONDS: Final = 4.0
COURTESY_SECONDS: Final = 0.0003  # after each block of a take of what plays: the control loop goes first
QUIET_SECONDS: Final = 0.2  # silence of this length ends the tail
SILENCE: Final = 1e-4
MOST_EXPORT_SECONDS: Final = 60.0  # of what a box keeps in memory, stems and all: about 400 MB


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """What a render gives."""

    audio: FloatArray  # (n, 2) -1..1
    stems: FloatArray  # (9, n, 2), each voice before drive and master; empty when not asked for
    triggers: tuple[Trigger, ...]
    beat_frames: tuple[float, ...]  # frame at which quarter note i began, the end of the last one included
    sample_rate: int

    @property
    def stem_gain(self) -> np.float32:
        """What all stems are turned down by in their files: before drive and limiter a voice may exceed full scale."""
        return np.float32(1.0 / max(float(np.abs(self.stems).max(initial=0.0)), 1.0))

    def files(
        self, wav: Path, *, stems: Path | None = None, midi: Path | None = None, bits: int = 24
    ) -> dict[Path, bytes]:
        """The take as files: the WAV, each voice as ``stems``/VOICE.wav, the hits as a standard MIDI file."""
        contents = {wav: wav_bytes(self.audio, self.sample_rate, bits)}
        if stems is not None:
            for voice, stem in zip(VOICES, self.stems * self.stem_gain, strict=True):
                contents[stems / f"{voice.name}.wav"] = wav_bytes(stem, self.sample_rate, bits)
        if midi is not None:
            beats = [float(beat) for beat in range(len(self.beat_frames))]
            contents[midi] = midi_bytes(self.triggers, self.beat_frames, beats, self.sample_rate)
        return contents


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


class Deck(Protocol):
    """An engine, and whoever tells it what to play."""

    engine: Engine
    link: HeardLink
    block_frames: int

    def play(self, out: FloatArray, stems: FloatArray | None = None) -> None:
        """The next block (n, 2) of sound, (9, n, 2) of stems."""


def record(
    deck: Deck,
    bars: int,
    *,
    stems: bool = False,
    at: Callable[[float], None] | None = None,
    told: Callable[[float], None] | None = None,
) -> Take:
    """Play ``bars`` bars of a deck whose first downbeat is now, then let the sounds ring out.

    ``at`` hears the place in bars before each block, ``told`` after it.
    """
    tape = _Tape(deck, stems)
    beats: list[float] = []
    end, place = float(bars * STEPS_PER_BAR), 0.0
    while place < end:
        if at is not None:
            at(place / STEPS_PER_BAR)
        if place >= end - 1.0:  # nothing of the bar after the last may sound early; control may say otherwise meanwhile
            deck.link.send(Pattern(PatternGrid.empty(), When.NEXT_BAR))
        started, before = deck.engine.frame - tape.first_frame, place
        tape.roll()
        place = deck.engine.place
        while len(beats) * STEPS_PER_BEAT <= min(place, end):
            share = (len(beats) * STEPS_PER_BEAT - before) / max(place - before, 1e-9)
            beats.append(started + max(share, 0.0) * deck.block_frames)
        if told is not None:
            told(min(place, end) / STEPS_PER_BAR)
    deck.link.send(Transport(Action.STOP))
    quiet, rate = 0, deck.engine.sample_rate
    last = deck.engine.frame + LONGEST_TAIL_SECONDS * rate
    while quiet < QUIET_SECONDS * rate and deck.engine.frame < last:
        quiet = quiet + deck.block_frames if tape.roll() < SILENCE else 0
    deck.link.pump()
    return tape.take(tuple(beats))


class _Tape:
    """Blocks of a deck, kept. Frames count from when it was put in."""

    def __init__(self, deck: Deck, stems: bool) -> None:
        self.deck, self.stems = deck, stems
        self.first_frame = deck.engine.frame
        self.blocks: list[FloatArray] = []
        self.stem_blocks: list[FloatArray] = []

    def roll(self) -> float:
        """Record one block; returns its peak."""
        out = np.zeros((self.deck.block_frames, 2), np.float32)
        parts = np.zeros((VOICE_COUNT, self.deck.block_frames, 2), np.float32) if self.stems else None
        self.deck.play(out, parts)
        self.blocks.append(out)
        if parts is not None:
            self.stem_blocks.append(parts)
        return float(np.abs(out).max())

    def take(self, beats: tuple[float, ...]) -> Take:
        """Everything recorded."""
        stems = np.concatenate(self.stem_blocks, axis=1) if self.stems else np.zeros((0, 0, 2), np.float32)
        hits = sorted(self.deck.link.triggers, key=lambda hit: hit.frame)
        triggers = tuple(
            Trigger(hit.frame - self.first_frame, hit.voice, hit.velocity, hit.step)
            for hit in hits
            if hit.frame >= self.first_frame
        )
        return Take(np.concatenate(self.blocks), stems, triggers, beats, self.deck.engine.sample_rate)


# -- what plays now --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Playing:
    """What plays at one moment."""

    params: Params
    pattern: PatternGrid
    sounds: tuple[tuple[FloatArray, ...], ...]  # of each voice, one (n,) per layer, soft to hard; () is silent
    sample_rate: int
    style: str = ""  # in words, for the file's name


def take_of(playing: Playing, bars: int, *, stems: bool = False) -> Take:
    """``bars`` bars of it from the first downbeat, and its tail. Pure: the same value, the same samples.

    For a worker thread beside a playing instrument: after each block it lets the other threads go first. Raises
    SettingError for too few or too many bars.
    """
    if not 1 <= bars <= MOST_BARS:
        raise SettingError(f"bars must be 1..{MOST_BARS}, got {bars}")
    deck = _Rest(playing)
    for _ in range(round(LEAD_IN_SECONDS * playing.sample_rate / BLOCK_FRAMES)):
        deck.play(np.zeros((BLOCK_FRAMES, 2), np.float32))
    deck.link.send(Transport(Action.START))
    return record(deck, bars, stems=stems, told=lambda _: time.sleep(COURTESY_SECONDS))


def playing_now(control: "Control") -> Playing:
    """What the instrument plays at this moment; from any thread, it only looks."""
    view, state = control.view, control.moment.state
    sounds = tuple(() if sound is None else sound.layers for sound in control.sounds)
    return Playing(engine_params(state), view.pattern, sounds, view.audio.sample_rate, view.style)


class _Rest:
    """A deck that nobody touches any more."""

    block_frames = BLOCK_FRAMES

    def __init__(self, playing: Playing) -> None:
        slots = np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)
        self.engine = Engine(playing.sample_rate, slots)
        self.link = HeardLink(self.engine)
        pool = SlotPool(slots)
        for report in self.link.pump():
            pool.heard(report)
        self.link.send(playing.params)
        self.link.send(Pattern(playing.pattern))
        for voice, layers in enumerate(playing.sounds):
            written = pool.write(layers) if layers else None
            if written is not None:  # nine voices of four layers always fit
                pool.announced(written[0], self.link.send(Sound(voice, *written)))

    def play(self, out: FloatArray, stems: FloatArray | None = None) -> None:
        """One block."""
        self.engine.render(out, stems)
        self.link.pump()


def export_playing(
    playing: Playing,
    bars: int,
    folder: Path,
    *,
    when: datetime.datetime | None = None,
    stems: bool = True,
    bits: int = 24,
) -> tuple[Path, ...]:
    """Write it as WAV, MIDI and (``stems``) a folder of one WAV per voice, under a name that was free; their paths.

    Nothing is overwritten, and nothing half-written is ever seen. Raises SettingError, LatidoError.
    """
    seconds = bars * STEPS_PER_BAR / STEPS_PER_BEAT * 60.0 / max(playing.params.tempo_bpm, 1.0)
    if seconds > MOST_EXPORT_SECONDS:
        raise SettingError(
            f"{bars} bars last {seconds:.0f} s, at most {MOST_EXPORT_SECONDS:g} s are exported: take fewer"
        )
    return keep(take_of(playing, bars, stems=stems), folder, dated_name(playing.style, when), bits=bits)


def keep(take: Take, folder: Path, name: str, *, bits: int = 24) -> tuple[Path, ...]:
    """Write NAME.wav, NAME.mid and, if it has stems, NAME-stems/; with a number when the name is taken. Their paths."""
    parts = Path(f"{name}-stems") if len(take.stems) else None
    return write_new(folder, take.files(Path(f"{name}.wav"), midi=Path(f"{name}.mid"), stems=parts, bits=bits))


def dated_name(style: str, when: datetime.datetime | None = None) -> str:
    """ "latido-2026-11-24-2137-house": the local time and the style, safe on every file system."""
    moment = when or datetime.datetime.now().astimezone()
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in style.lower()).split()
    named = [word for word in words if not word.isdigit()][:2]
    return "-".join(["latido", moment.strftime("%Y-%m-%d-%H%M"), *named])
