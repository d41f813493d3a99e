"""The settings file: what the hands reach. TOML; all of it is optional, and what it does not say is as built in.

    [knobs.play]             # page "play" or "shift"
    6 = "bright"             # knob 1..8: any parameter

    [buttons]                # with SHIFT held: switches a parameter between its two ends
    VOICE = "morph"

    [[cc]]                   # a MIDI controller; a later entry goes before an earlier one
    number = 74
    channel = 1              # left out: on every channel
    parameter = "tone_x"
    voice = "snare"          # left out: the chosen voice

A name that is not known is refused with the nearest one that is. Learned controllers are written at the
end of the file, which leaves every line and comment of yours as it is.
"""

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec

from device.contract.voices import VOICE_INDEX
from device.errors import LatidoError, SettingError
from device.panel.events import BUTTONS
from device.parameters import PARAMETER, Parameter, knob, parameter

PAGES: Final = ("play", "shift")
SHIFTED: Final = tuple(name for name in BUTTONS if name != "SHIFT")


class CcBinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One MIDI controller and the parameter it moves."""

    number: int
    parameter: str
    channel: int | None = None  # 1..16; None: every channel
    voice: str | None = None  # per-voice parameters: this one; None: the chosen voice

    def __post_init__(self) -> None:
        if not 0 <= self.number <= 127:
            raise SettingError(f"a MIDI controller is 0..127, got {self.number}")
        if self.channel is not None and not 1 <= self.channel <= 16:
            raise SettingError(f"a MIDI channel is 1..16, got {self.channel}")
        if self.voice is not None:
            _known(self.voice, tuple(VOICE_INDEX), "voice")
            if not parameter(self.parameter).per_voice:
                raise SettingError(f"{self.parameter} is not a parameter of a voice: leave out voice = {self.voice!r}")
        parameter(self.parameter)

    def hears(self, channel: int, number: int) -> bool:
        """Is it meant?"""
        return number == self.number and self.channel in (None, channel)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a settings file can say. Raises SettingError for what does not exist."""

    knobs: dict[str, dict[str, str]] = {}
    buttons: dict[str, str] = {}
    cc: tuple[CcBinding, ...] = ()

    def __post_init__(self) -> None:
        for page, knobs in self.knobs.items():
            _known(page, PAGES, "page")
            for number, name in knobs.items():
                _known(number, tuple("12345678"), "knob")
                parameter(name)
        for button, name in self.buttons.items():
            _known(button, SHIFTED, "button")
            parameter(name)

    def knob(self, page: str, number: int) -> Parameter:
        """The parameter under knob 1..8 of a page."""
        bound = self.knobs.get(page, {}).get(str(number))
        return knob(page, number) if bound is None else parameter(bound)

    def controlled(self, channel: int, number: int) -> tuple[Parameter, int | None] | None:
        """What a MIDI controller moves, of which voice (None: the chosen one); None: nothing.

        Built in: the controller of the table; channels 1..9 are the voices there.
        """
        for binding in reversed(self.cc):
            if binding.hears(channel, number):
                return parameter(binding.parameter), None if binding.voice is None else VOICE_INDEX[binding.voice]
        entry = _BY_CC.get(number)
        if entry is None:
            return None
        voice = channel - 1 if entry.per_voice and 1 <= channel <= len(VOICE_INDEX) else None
        return entry, voice

    def with_cc(self, binding: CcBinding) -> "Settings":
        """The settings with one controller bound anew."""
        kept = tuple(old for old in self.cc if (old.number, old.channel) != (binding.number, binding.channel))
        return msgspec.structs.replace(self, cc=(*kept, binding))


_BY_CC: Final = {entry.cc: entry for entry in PARAMETER.values() if entry.cc >= 0}
DEFAULTS: Final = Settings()


def _known(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        near = get_close_matches(name, names, n=1, cutoff=0.4)
        raise SettingError(
            f"unknown {what} {name!r}: " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}")
        )


def read(text: str) -> Settings:
    """Settings from TOML. Raises SettingError."""
    try:
        told: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"not TOML: {error}") from error
    for name in told:
        _known(name, ("knobs", "buttons", "cc"), "setting")
    for binding in told["cc"] if isinstance(told.get("cc"), list) else ():
        for name in binding if isinstance(binding, dict) else ():
            _known(name, CcBinding.__struct_fields__, "setting of a controller")
    try:
        return msgspec.convert(told, Settings)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, SettingError):
            raise error.__cause__ from None
        raise SettingError(str(error)) from error


def default_path() -> Path:
    """Where the settings are when nothing else is said."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "latido" / "settings.toml"


def load(path: Path) -> Settings:
    """The settings in a file; a file that is not there says nothing. Raises SettingError with the file's name."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DEFAULTS
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: cannot be read ({error}): mend it or leave out --settings") from error
    except SettingError as error:
        raise SettingError(f"{path}: {error}") from error


def learn(path: Path, binding: CcBinding) -> None:
    """Write a learned controller at the end of the file, which is replaced whole or not at all.

    Raises SettingError when the file has become unreadable meanwhile, LatidoError when the disk does not take it.
    """
    load(path)
    temporary = path.with_name(f".{path.name}.new")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(before + ("" if not before or before.endswith("\n") else "\n") + written(binding))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise LatidoError(f"cannot write {path}: {error.strerror}; the controller is bound until power-off") from error


def written(binding: CcBinding) -> str:
    """One binding as TOML."""
    lines = ["\n[[cc]]", f"number = {binding.number}"]
    lines += [] if binding.channel is None else [f"channel = {binding.channel}"]
    lines += [f'parameter = "{binding.parameter}"']
    lines += [] if binding.voice is None else [f'voice = "{binding.voice}"']
    return "\n".join(lines) + "\n"
