"""Nine voices and thirteen sound classes: the rows of a pattern and what a row can sound like.

A *voice* is a row of the pattern (the field's nine-class drum reduction). What it sounds like is a
*sound class* plus a point of the sound latent, so a snare row can clap. Everything that needs to know
about voices (training, engine, MIDI, page, docs) reads this table.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Voice:
    """One row of the pattern."""

    index: int
    name: str  # also the default sound class
    label: str  # what the player reads
    note: int  # General MIDI note sent and written
    notes_in: tuple[int, ...]  # MIDI notes that mean this voice (General MIDI and Roland TD-11)
    pan: float  # default place, -1 left .. 1 right
    choked_by: tuple[str, ...] = ()  # voices whose hit silences this one


VOICES: Final = (
    Voice(0, "kick", "Kick", 36, (35, 36), 0.0),
    Voice(1, "snare", "Snare", 38, (37, 38, 39, 40), 0.0),
    Voice(2, "closed_hat", "Closed hat", 42, (42, 44, 22), 0.25),
    Voice(3, "open_hat", "Open hat", 46, (46, 26), 0.25, ("closed_hat",)),
    Voice(4, "low_tom", "Low tom", 43, (41, 43, 58), -0.4),
    Voice(5, "mid_tom", "Mid tom", 47, (45, 47), -0.1),
    Voice(6, "high_tom", "High tom", 50, (48, 50), 0.2),
    Voice(7, "crash", "Crash", 49, (49, 52, 55, 57), -0.3),
    Voice(8, "ride", "Ride", 51, (51, 53, 59), 0.35),
)
VOICE_COUNT: Final = len(VOICES)
VOICE_INDEX: Final = {voice.name: voice.index for voice in VOICES}
VOICE_OF_NOTE: Final = {note: voice.index for voice in VOICES for note in voice.notes_in}

SOUND_CLASSES: Final = (
    "kick",
    "snare",
    "rim",
    "clap",
    "closed_hat",
    "open_hat",
    "low_tom",
    "mid_tom",
    "high_tom",
    "crash",
    "ride",
    "cowbell",
    "perc",
)
CLASS_INDEX: Final = {name: index for index, name in enumerate(SOUND_CLASSES)}
