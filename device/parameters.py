"""Everything a player can set, as one table. Panel, page, MIDI CC, docs and saved state all read it.

A knob always gives 0..1. A parameter says what that means: ``value(position)`` in the parameter's own
unit and ``position(value)`` back. Global parameters have one value; per-voice ones have nine.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from device.errors import SettingError


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a player can set."""

    name: str
    label: str
    help: str  # one sentence for page, docs and --help
    default: float  # in the unit below
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    whole: bool = False  # whole numbers only
    page: str = ""  # "play", "shift" or "" (reached by CC and page only)
    knob: int = 0  # 1..8 on that page
    cc: int = -1  # MIDI CC, per-voice parameters: MIDI channel 1..9 is the voice
    per_voice: bool = False

    def value(self, position: float) -> float:
        """Knob position 0..1 -> value in the parameter's unit (clamped)."""
        value = self.low + min(max(position, 0.0), 1.0) * (self.high - self.low)
        return float(round(value)) if self.whole else value

    def position(self, value: float) -> float:
        """Value in the parameter's unit -> knob position 0..1 (clamped)."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def check(self, value: float) -> float:
        """The value itself, or SettingError with the range."""
        if not self.low <= value <= self.high:
            raise SettingError(
                f"{self.name} must be {self.low:g}..{self.high:g}{' ' + self.unit if self.unit else ''}, got {value:g}"
            )
        return float(round(value)) if self.whole else float(value)


PARAMETERS: Final = (
    # play page
    Parameter("x", "X", "Moves across the rhythm map, left to right.", 0.5, page="play", knob=1, cc=20),
    Parameter("y", "Y", "Moves across the rhythm map, bottom to top.", 0.5, page="play", knob=2, cc=21),
    Parameter(
        "style",
        "STYLE",
        "Chooses the style the rhythm model plays in and blends between neighbours.",
        0.0,
        page="play",
        knob=3,
        cc=22,
    ),
    Parameter(
        "density",
        "DENSITY",
        "How many of the wanted hits are played; more never removes a hit.",
        0.5,
        page="play",
        knob=4,
        cc=23,
    ),
    Parameter(
        "chaos",
        "CHAOS",
        "How far each bar strays from the likely pattern; zero repeats it exactly.",
        0.0,
        page="play",
        knob=5,
        cc=24,
    ),
    Parameter(
        "tone_x",
        "TONE X",
        "Moves the chosen voice across its sound map.",
        0.5,
        page="play",
        knob=6,
        cc=25,
        per_voice=True,
    ),
    Parameter(
        "tone_y", "TONE Y", "Moves the chosen voice up its sound map.", 0.5, page="play", knob=7, cc=26, per_voice=True
    ),
    Parameter("decay", "DECAY", "How long the chosen voice rings.", 0.7, page="play", knob=8, cc=27, per_voice=True),
    # shift page
    Parameter("tempo", "TEMPO", "Beats per minute.", 110.0, 20.0, 300.0, "BPM", page="shift", knob=1, cc=28),
    Parameter(
        "swing", "SWING", "Delays every second sixteenth, up to a dotted feel.", 0.0, page="shift", knob=2, cc=29
    ),
    Parameter(
        "humanize",
        "HUMANIZE",
        "From machine to player: how much learned timing and velocity is kept.",
        1.0,
        page="shift",
        knob=3,
        cc=30,
    ),
    Parameter(
        "length",
        "LENGTH",
        "How many steps are played before the pattern starts again.",
        32.0,
        1.0,
        32.0,
        "steps",
        whole=True,
        page="shift",
        knob=4,
        cc=31,
    ),
    Parameter(
        "couple",
        "COUPLE",
        "Blends your kit into the kit that suits this place on the rhythm map.",
        0.0,
        page="shift",
        knob=5,
        cc=85,
    ),
    Parameter(
        "tune",
        "TUNE",
        "Pitch of the chosen voice.",
        0.0,
        -12.0,
        12.0,
        "semitones",
        page="shift",
        knob=6,
        cc=86,
        per_voice=True,
    ),
    Parameter("level", "LEVEL", "Loudness of the chosen voice.", 0.8, page="shift", knob=7, cc=87, per_voice=True),
    Parameter("drive", "DRIVE", "Warm saturation of the whole kit.", 0.1, page="shift", knob=8, cc=88),
    # reached by CC and the page
    Parameter(
        "voice_density", "Voice density", "Density of this voice, around the whole kit's.", 0.5, cc=102, per_voice=True
    ),
    Parameter("mute", "Mute", "Silences this voice's pattern.", 0.0, whole=True, cc=103, per_voice=True),
    Parameter("pan", "Pan", "Place of this voice between left and right.", 0.0, -1.0, 1.0, cc=104, per_voice=True),
    Parameter(
        "bright",
        "Bright",
        "Moves the sound along the brightness the model has learned.",
        0.0,
        -1.0,
        1.0,
        cc=105,
        per_voice=True,
    ),
    Parameter("follow", "Follow", "How much a hit's velocity moves its sound.", 1.0, cc=106, per_voice=True),
    Parameter(
        "voice_length",
        "Voice length",
        "Steps this voice plays before it starts again.",
        32.0,
        1.0,
        32.0,
        "steps",
        whole=True,
        cc=107,
        per_voice=True,
    ),
    Parameter("drift", "Drift", "Walks slowly over the rhythm map at bar lines.", 0.0, cc=108),
    Parameter("morph", "Morph", "Moves between the two places kept as A and B.", 0.0, cc=109),
    Parameter("master", "Master", "Loudness of everything.", 0.8, cc=7),
)
PARAMETER: Final = {parameter.name: parameter for parameter in PARAMETERS}


def parameter(name: str) -> Parameter:
    """Look a parameter up; SettingError names the nearest match."""
    found = PARAMETER.get(name)
    if found is None:
        near = get_close_matches(name, PARAMETER, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(PARAMETER)
        raise SettingError(f"unknown control {name!r}: {hint}")
    return found


def knob(page: str, number: int) -> Parameter:
    """The parameter under knob 1..8 of page "play" or "shift"."""
    for entry in PARAMETERS:
        if entry.page == page and entry.knob == number:
            return entry
    raise SettingError(f"no knob {number} on page {page!r}: knobs are 1..8, pages are play and shift")
