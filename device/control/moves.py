"""Moves: hands written down. A TOML file says which control goes where, at which bar, over how long.

[[move]]
at_bar = 1.0           # bars since the start; 0 is the first downbeat
control = "density"    # a parameter, by its name in the table
value = 0.8            # in the parameter's own unit (see docs/playing.md)
voice = "kick"         # per-voice parameters; left out: the chosen voice
over_bars = 2.0        # glide there from where it is; left out: at once

[[move]]
at_bar = 3.0
control = "FILL"       # a button
for_bars = 1.0         # how long it is down; left out: a short press
"""

import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec

from device.contract.voices import VOICE_INDEX
from device.errors import SettingError
from device.panel.events import BUTTONS, ButtonPressed, ButtonReleased, Event, ParameterSet
from device.parameters import PARAMETER, parameter

PRESS_BARS: Final = 1 / 64  # a short press


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of a moves file; see the module docstring."""

    at_bar: float
    control: str
    value: float | None = None
    voice: str | None = None
    over_bars: float = 0.0
    for_bars: float = PRESS_BARS


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    move: list[Move] = []


def read_moves(path: Path) -> tuple[Move, ...]:
    """Read and check a moves file. Raises SettingError naming the move and the nearest known control."""
    try:
        text = path.read_text(encoding="utf-8")
        moves = tuple(msgspec.convert(tomllib.loads(text), _File).move)
    except OSError as error:
        raise SettingError(f"cannot read moves file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise SettingError(f"moves file {path}: {error}") from error
    for number, move in enumerate(moves, 1):
        try:
            check(move)
        except SettingError as error:
            raise SettingError(f"moves file {path}, move {number}: {error}") from error
    return moves


def check(move: Move) -> None:
    """Raise SettingError unless the control, its value, voice and times make sense."""
    for name in ("at_bar", "over_bars", "for_bars"):
        if not 0.0 <= getattr(move, name) < 100_000.0:
            raise SettingError(f"{name} must be 0 or more bars, got {getattr(move, name):g}")
    if move.control == "PLAY":
        raise SettingError("PLAY would stop the render: leave it out, --bars says how long it plays")
    if move.control in BUTTONS:
        if move.value is not None or move.voice is not None:
            raise SettingError(f"button {move.control} takes for_bars, not a value or a voice")
        return
    if move.control not in PARAMETER:
        known = {name.lower(): name for name in (*PARAMETER, *BUTTONS)}
        near = get_close_matches(move.control.lower(), known, n=1, cutoff=0.4)
        hint = f"did you mean {known[near[0]]!r}?" if near else "known: " + ", ".join((*PARAMETER, *BUTTONS))
        raise SettingError(f"unknown control {move.control!r}: {hint}")
    if move.value is None:
        raise SettingError(f"{move.control} needs a value")
    entry = parameter(move.control)
    entry.check(move.value)
    if move.voice is not None and (not entry.per_voice or move.voice not in VOICE_INDEX):
        near = get_close_matches(move.voice, VOICE_INDEX, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(VOICE_INDEX)
        raise SettingError(
            f"unknown voice {move.voice!r}: {hint}" if entry.per_voice else f"{move.control} has no voice: leave it out"
        )


class Hands:
    """Plays moves: asked at every block, it hands out the events that are due."""

    def __init__(self, moves: tuple[Move, ...]) -> None:
        self._waiting = sorted(moves, key=lambda move: move.at_bar)
        self._gliding: list[tuple[Move, float]] = []  # with the position each started from
        self._down: list[Move] = []

    def events(self, bar: float, at_ns: int, position: Callable[[str, int | None], float]) -> list[Event]:
        """What hands do up to this bar. ``position`` reads a parameter's present position (of a voice)."""
        events: list[Event] = []
        for move in [move for move in self._down if move.at_bar + move.for_bars <= bar]:
            self._down.remove(move)
            events.append(ButtonReleased(move.control, at_ns))
        while self._waiting and self._waiting[0].at_bar <= bar:
            move = self._waiting.pop(0)
            if move.control in BUTTONS:
                self._down.append(move)
                events.append(ButtonPressed(move.control, at_ns))
            else:
                self._gliding.append((move, position(move.control, _voice(move))))
        for move, start in tuple(self._gliding):
            share = min((bar - move.at_bar) / move.over_bars, 1.0) if move.over_bars > 0 else 1.0
            goal = parameter(move.control).position(move.value or 0.0)
            events.append(ParameterSet(move.control, start + share * (goal - start), _voice(move), at_ns))
            if share >= 1.0:
                self._gliding.remove((move, start))
        return events


def _voice(move: Move) -> int | None:
    return None if move.voice is None else VOICE_INDEX[move.voice]
