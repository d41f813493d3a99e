"""What hands mean: knobs that never jump, buttons that are tapped or held. Pure; time is in the events.

A knob after a change of page, voice or scene does not stand where its value stands. It catches up
relatively, from the first touch: towards either end, hand and value keep the same share of what is left,

    value  |-----------o==============>|      turning up: value gains dh * (1 - value) / (1 - hand)
    hand   |--o=======================>|      so both would arrive at the end together; down likewise

and a hand that sweeps across the value between two samples takes it over at once. The pull is never
stronger than ``MAX_PULL`` times the hand's own movement, so no small movement makes a large jump; from
any start, one turn to an end and back meets the value, so the full range is always within reach.

A button says "down" at once, "hold" when it has been down for ``HOLD_NS``, and "up" (with ``held``).
"""

from dataclasses import dataclass, field, replace
from typing import Final

from device.errors import SettingError
from device.panel.events import BUTTONS

MAX_PULL: Final = 2.0
HOLD_NS: Final = 500_000_000


def take_over(value: float, before: float, hand: float) -> float:
    """New value 0..1 after the hand went from ``before`` to ``hand`` while the value was ``value``."""
    if before <= value <= hand or hand <= value <= before:
        return hand
    moved = hand - before
    left_of_value, left_of_hand = (1.0 - value, 1.0 - before) if moved > 0 else (value, before)
    pull = min(left_of_value / left_of_hand, MAX_PULL) if left_of_hand > 0 else 0.0
    return min(max(value + moved * pull, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Gesture:
    """One thing a button said."""

    button: str
    kind: str  # "down", "hold" or "up"
    at_ns: int
    shifted: bool = False  # SHIFT was down (or latched) when the button went down
    held: bool = False  # for "up": the hold time had passed


@dataclass(frozen=True, slots=True)
class _Down:
    at_ns: int
    shifted: bool
    held: bool = False


@dataclass(frozen=True, slots=True)
class Buttons:
    """Which buttons are down, since when."""

    down: dict[str, _Down] = field(default_factory=dict)  # replaced, never changed

    def is_down(self, button: str) -> bool:
        """Is it down now?"""
        return button in self.down

    def is_held(self, button: str) -> bool:
        """Has it been down for the hold time?"""
        return button in self.down and self.down[button].held

    def press(self, button: str, at_ns: int, *, shifted: bool) -> tuple["Buttons", tuple[Gesture, ...]]:
        """It goes down. A second press without a release says nothing."""
        if button not in BUTTONS:
            raise SettingError(f"unknown button {button!r}: known are {', '.join(BUTTONS)}")
        if button in self.down:
            return self, ()
        return Buttons({**self.down, button: _Down(at_ns, shifted)}), (Gesture(button, "down", at_ns, shifted),)

    def release(self, button: str, at_ns: int) -> tuple["Buttons", tuple[Gesture, ...]]:
        """It goes up. A release without a press says nothing."""
        state = self.down.get(button)
        if state is None:
            return self, ()
        held = state.held or at_ns - state.at_ns >= HOLD_NS
        said = Gesture(button, "up", at_ns, state.shifted, held)
        late = (Gesture(button, "hold", state.at_ns + HOLD_NS, state.shifted),) if held and not state.held else ()
        return Buttons({name: entry for name, entry in self.down.items() if name != button}), (*late, said)

    def pass_time(self, now_ns: int) -> tuple["Buttons", tuple[Gesture, ...]]:
        """Say "hold" for every button whose hold time has passed."""
        due = {n: entry for n, entry in self.down.items() if not entry.held and now_ns - entry.at_ns >= HOLD_NS}
        if not due:
            return self, ()
        said = tuple(Gesture(name, "hold", entry.at_ns + HOLD_NS, entry.shifted) for name, entry in due.items())
        return Buttons({**self.down, **{name: replace(entry, held=True) for name, entry in due.items()}}), said
