"""Configurations: a TOML file becomes frozen dataclasses, and a name nobody knows is refused.

    task = "rhythm"        which task reads the other tables
    seed = 1
    [loop]                 how long and on what to train: LoopConfig, the same for every task
    [model] [data] ...     the task's own tables, each a dataclass named in its ``SECTIONS``

The plain table travels inside every checkpoint, so a run can be rebuilt with no file beside it.
"""

import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from device.errors import SettingError

Table = Mapping[str, Any]
Section = TypeVar("Section")

# Settings a resumed run may change: they decide where it computes and how long, not what it computes.
FREE_ON_RESUME = ("steps", "accelerator", "devices", "nodes", "threads", "save_every")


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """How long, how fast and on what machine to train. Durations are in steps."""

    steps: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    final_rate: float = 0.02  # fraction of learning_rate the cosine ends at
    warmup_steps: int = 100
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    average_decay: float = 0.999  # of the moving average of the weights that is evaluated and shipped; 0 is none
    log_every: int = 50
    evaluate_every: int = 500
    save_every: int = 500
    accelerator: str = "cpu"  # "cpu", "cuda", "mps" or "auto"
    devices: int = 1  # per node
    nodes: int = 1
    precision: str = "32-true"
    threads: int = 0  # torch threads of each process; 0 leaves torch's own choice

    def __post_init__(self) -> None:
        counts = ("steps", "batch_size", "log_every", "evaluate_every", "save_every", "devices", "nodes")
        for name in counts:
            if getattr(self, name) < 1:
                raise SettingError(f"loop.{name} must be at least 1, got {getattr(self, name)}")
        if self.learning_rate <= 0.0:
            raise SettingError(f"loop.learning_rate must be above 0, got {self.learning_rate}")
        if not 0.0 <= self.average_decay < 1.0:
            raise SettingError(f"loop.average_decay must be from 0 to below 1, got {self.average_decay}")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole configuration. ``table`` is the plain nested dict it came from."""

    task: str
    seed: int
    loop: LoopConfig
    sections: Mapping[str, Any]  # name -> instance of the task's dataclass for it
    table: Table

    def section(self, name: str, kind: type[Section]) -> Section:
        """The task's table of that name, as its dataclass."""
        value = self.sections[name]
        if not isinstance(value, kind):
            raise SettingError(f"[{name}] is a {type(value).__name__}, not a {kind.__name__}")
        return value


def read_table(path: Path) -> dict[str, Any]:
    """The plain table of a TOML file. Raises SettingError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"cannot read configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is not TOML: {error}") from error


def parse_config(table: Table, kinds: Mapping[str, type]) -> RunConfig:
    """Check a table against LoopConfig and the task's own ``kinds``. Raises SettingError."""
    known = {"task", "seed", "loop", *kinds}
    for name in table:
        if name not in known:
            raise SettingError(f"unknown setting {name!r}{nearest(name, known)}")
    seed = table.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise SettingError(f"seed must be a whole number from 0, got {seed!r}")
    sections: dict[str, Any] = {name: parse_section(kind, table.get(name, {}), name) for name, kind in kinds.items()}
    loop = parse_section(LoopConfig, table.get("loop", {}), "loop")
    return RunConfig(str(table["task"]), seed, loop, types.MappingProxyType(sections), table)


def parse_section(kind: type[Section], table: object, where: str) -> Section:
    """One table as a frozen dataclass; unknown, missing and ill-typed keys raise SettingError."""
    if not isinstance(table, Mapping):
        raise SettingError(f"{where} must be a table, got {table!r}: write it as [{where}]")
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise SettingError(f"unknown setting {where}.{name}{nearest(name, known)}")
    for name, field in known.items():
        if name not in table and field.default is MISSING and field.default_factory is MISSING:
            raise SettingError(f"setting {where}.{name} is missing: the configuration must give it")
    values = {name: _convert(value, hints[name], f"{where}.{name}") for name, value in table.items()}
    return kind(**values)


def _convert(value: object, hint: Any, where: str) -> Any:
    """``value`` as int, float, bool, str or a tuple of one of them."""
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise SettingError(f"{where} must be a list, got {value!r}")
        return tuple(_convert(item, typing.get_args(hint)[0], where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise SettingError(f"{where} must be of type {hint.__name__}, got {value!r}")
    return value


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """The end of an error sentence: the known name nearest to a mistyped one, or all of them."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f": did you mean {close[0]!r}?" if close else f": known are {', '.join(sorted(known))}"


def override(table: Table, settings: typing.Iterable[str]) -> dict[str, Any]:
    """A copy of ``table`` with ``section.name=value`` settings written over it; values are TOML."""
    changed = {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    for setting in settings:
        path, equals, text = setting.partition("=")
        *outer, name = path.strip().split(".")
        if not equals or not name or len(outer) > 1:
            raise SettingError(f"--set {setting!r} is not like loop.steps=2000")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()  # a bare word is a string
        target = changed.setdefault(outer[0], {}) if outer else changed
        if not isinstance(target, dict):
            raise SettingError(f"--set {setting!r}: {outer[0]} is no table")
        target[name] = value
    return changed


def first_difference(old: Table, new: Table) -> str | None:
    """The first setting in which two tables differ and which a resumed run may not change, or None."""
    for name in sorted({*old, *new}):
        left, right = old.get(name), new.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            for key in sorted({*left, *right}):
                if left.get(key) != right.get(key) and not (name == "loop" and key in FREE_ON_RESUME):
                    return f"{name}.{key} was {left.get(key)!r}, now {right.get(key)!r}"
        elif left != right:
            return f"{name} was {left!r}, now {right!r}"
    return None
