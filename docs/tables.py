"""Tables of the documentation that come from the code: ``python docs/tables.py`` writes them, ``--check`` only looks.

A table stands between two marks, <!-- table: NAME --> and <!-- end -->; what is between them is replaced.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from device.contract.voices import SOUND_CLASSES, VOICES  # noqa: E402
from device.parameters import PARAMETERS, Parameter  # noqa: E402

MARK: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def parameters(page: str) -> str:
    """The parameters of a knob page, or those that have no knob (page "")."""
    knobs = [entry for entry in PARAMETERS if entry.page == page]
    rows = [
        (str(entry.knob), entry.label, f"`{entry.name}`", entry.help, _range(entry), _per(entry), str(entry.cc))
        for entry in knobs
    ]
    header = ("knob", "label", "name", "what it does", "range (default)", "of", "CC")
    skip = 0 if page else 1
    return _table(header[skip:], [row[skip:] for row in rows])


def voices() -> str:
    """The nine voices with their MIDI notes."""
    rows = [
        (str(voice.index), voice.label, f"`{voice.name}`", str(voice.note), ", ".join(map(str, voice.notes_in)))
        for voice in VOICES
    ]
    return _table(("row", "label", "name", "note written", "notes understood"), rows)


def sound_classes() -> str:
    """The sound classes in one line."""
    return ", ".join(f"`{name}`" for name in SOUND_CLASSES) + "\n"


def _range(entry: Parameter) -> str:
    unit = f" {entry.unit}" if entry.unit else ""
    return f"{entry.low:g} to {entry.high:g}{unit} ({entry.default:g})"


def _per(entry: Parameter) -> str:
    return "the voice" if entry.per_voice else "everything"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


TABLES: Final[dict[str, Callable[[], str]]] = {
    "play_page": lambda: parameters("play"),
    "shift_page": lambda: parameters("shift"),
    "more_parameters": lambda: parameters(""),
    "voices": voices,
    "sound_classes": sound_classes,
}


def filled(text: str) -> str:
    """The page with every table as the code has it."""
    return MARK.sub(lambda mark: mark[1] + TABLES[mark[2]]() + mark[3], text)


def main() -> int:
    """Write (or with --check only compare) every page; returns 1 when one was out of step."""
    check, stale = "--check" in sys.argv, False
    for path in sorted(HERE.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            stale = True
            print(f"{path.name}: {'out of step with the code: run python docs/tables.py' if check else 'written'}")
            if not check:
                path.write_text(filled(text), encoding="utf-8")
    return int(stale and check)


if __name__ == "__main__":
    sys.exit(main())
