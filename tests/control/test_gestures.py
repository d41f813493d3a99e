"""Knobs never jump and are never dead; buttons say down, hold and up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.control.gestures import HOLD_NS, MAX_PULL, Buttons, Gesture, take_over
from device.errors import SettingError

unit = st.floats(0.0, 1.0)
turns = st.lists(unit, min_size=1, max_size=50)


@given(unit, unit, unit)
def test_value_stays_in_range_and_never_moves_more_than_the_pull_allows(value, before, hand):
    moved = take_over(value, before, hand)
    assert 0.0 <= moved <= 1.0
    assert abs(moved - value) <= MAX_PULL * abs(hand - before) + 1e-12


@given(unit, unit, unit)
def test_value_never_moves_against_the_hand(value, before, hand):
    assert (take_over(value, before, hand) - value) * (hand - before) >= 0.0


@given(unit, unit, st.floats(0.001, 0.004))
def test_a_slow_hand_never_makes_a_jump_above_one_percent(value, start, step):
    hand = start
    for _ in range(50):
        after = min(hand + step, 1.0)
        moved = take_over(value, hand, after)
        assert abs(moved - value) <= 0.01
        value, hand = moved, after


@given(unit, turns)
def test_one_turn_to_an_end_and_back_always_reaches_the_full_range(value, wandering):
    hand = wandering[0]
    for after in wandering[1:]:
        value, hand = take_over(value, hand, after), after
    for target in [i / 100 for i in range(int(hand * 100), -1, -1)] + [i / 100 for i in range(101)]:
        value, hand = take_over(value, hand, target), target
    assert value == pytest.approx(1.0)
    for target in [i / 100 for i in range(100, -1, -1)]:
        value, hand = take_over(value, hand, target), target
    assert value == pytest.approx(0.0)


@given(unit, st.sampled_from([(0.0, 1.0), (1.0, 0.0)]))
def test_a_full_turn_within_one_poll_catches(value, turn):
    before, hand = turn
    caught = take_over(value, before, hand)
    assert caught == hand
    assert take_over(caught, hand, 0.37) == 0.37


@given(unit, unit)
def test_a_hand_sweeping_across_the_value_takes_it_over_at_once(value, hand):
    before = 0.0 if hand >= value else 1.0
    assert take_over(value, before, hand) == hand


@given(unit, unit, unit)
def test_a_hand_that_holds_the_value_moves_it_one_to_one(value, first, second):
    assert take_over(take_over(value, value, first), first, second) == second


@given(st.floats(0.01, 0.99), unit, st.floats(0.001, 0.1), st.sampled_from([-1, 1]))
def test_a_knob_is_never_dead(value, before, step, direction):
    hand = min(max(before + direction * step, 0.0), 1.0)
    if abs(hand - before) > 1e-9:
        assert take_over(value, before, hand) != value


def test_a_tap_says_down_and_up():
    buttons, down = Buttons().press("NEW", 10, shifted=False)
    buttons, nothing = buttons.pass_time(10 + HOLD_NS - 1)
    buttons, up = buttons.release("NEW", 20)
    assert down == (Gesture("NEW", "down", 10),)
    assert nothing == ()
    assert up == (Gesture("NEW", "up", 20),)
    assert not buttons.down


def test_a_hold_is_said_once_at_the_hold_time():
    buttons, _ = Buttons().press("NEW", 10, shifted=True)
    buttons, hold = buttons.pass_time(10 + HOLD_NS)
    buttons, again = buttons.pass_time(10 + 3 * HOLD_NS)
    buttons, up = buttons.release("NEW", 10 + 4 * HOLD_NS)
    assert hold == (Gesture("NEW", "hold", 10 + HOLD_NS, shifted=True),)
    assert again == ()
    assert up == (Gesture("NEW", "up", 10 + 4 * HOLD_NS, shifted=True, held=True),)


def test_a_release_after_the_hold_time_says_hold_first_even_if_nobody_looked_meanwhile():
    buttons, _ = Buttons().press("NEW", 0, shifted=False)
    _, said = buttons.release("NEW", 2 * HOLD_NS)
    assert [gesture.kind for gesture in said] == ["hold", "up"]


def test_bouncing_presses_and_releases_say_nothing_twice():
    buttons, _ = Buttons().press("PLAY", 0, shifted=False)
    assert buttons.press("PLAY", 1, shifted=False) == (buttons, ())
    assert Buttons().release("PLAY", 1) == (Buttons(), ())


def test_an_unknown_button_is_refused_with_the_known_ones():
    with pytest.raises(SettingError, match="unknown button 'PAUSE': known are PLAY, NEW"):
        Buttons().press("PAUSE", 0, shifted=False)
