"""Undo and redo: a line of whole states. A turn of one knob is one entry, however many samples it had."""

from dataclasses import dataclass, replace
from typing import Final

from device.control.state import PlayerState

TOGETHER_NS: Final = 1_000_000_000  # moves of one control closer than this are one gesture
MOST: Final = 1000  # states kept


@dataclass(frozen=True, slots=True)
class History:
    """What was (newest last) and what was undone (next to redo last)."""

    past: tuple[PlayerState, ...] = ()
    future: tuple[PlayerState, ...] = ()
    gesture: str = ""  # of the newest entry
    at_ns: int = 0

    def remember(self, before: PlayerState, gesture: str, at_ns: int) -> "History":
        """Keep the state from before a change, unless it belongs to the gesture already kept ("": never)."""
        near = at_ns - self.at_ns <= TOGETHER_NS
        same = gesture != "" and gesture == self.gesture and near and bool(self.past) and not self.future
        past = self.past if same else (*self.past, before)[-MOST:]
        return History(past, (), gesture, at_ns)

    def undo(self, now: PlayerState) -> tuple["History", PlayerState] | None:
        """The history and the state one step back, or None at the beginning."""
        if not self.past:
            return None
        return replace(self, past=self.past[:-1], future=(*self.future, now), gesture=""), self.past[-1]

    def redo(self, now: PlayerState) -> tuple["History", PlayerState] | None:
        """The history and the state one step forward again, or None."""
        if not self.future:
            return None
        return replace(self, past=(*self.past, now), future=self.future[:-1], gesture=""), self.future[-1]
