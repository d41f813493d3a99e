"""The table of parameters: everything a player can set, each thing once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import LatidoError, SettingError
from device.parameters import PARAMETER, PARAMETERS, knob, parameter

every = st.sampled_from(PARAMETERS)


def test_no_two_parameters_share_a_name_a_label_or_a_controller():
    for read in (lambda entry: entry.name, lambda entry: entry.label.lower()):
        assert len({read(entry) for entry in PARAMETERS}) == len(PARAMETERS)
    controllers = [entry.cc for entry in PARAMETERS if entry.cc >= 0]
    assert len(set(controllers)) == len(controllers)
    assert all(0 <= cc < 120 for cc in controllers)  # 120..127 are MIDI's own


def test_every_parameter_can_be_reached_by_a_controller():
    assert all(entry.cc >= 0 for entry in PARAMETERS)


@pytest.mark.parametrize("page", ["play", "shift"])
def test_each_page_has_one_parameter_under_each_of_eight_knobs(page):
    assert sorted(entry.knob for entry in PARAMETERS if entry.page == page) == list(range(1, 9))
    for number in range(1, 9):
        assert (knob(page, number).page, knob(page, number).knob) == (page, number)


def test_what_is_on_no_page_has_no_knob():
    assert all((entry.knob == 0) == (entry.page == "") for entry in PARAMETERS)


@pytest.mark.parametrize(("page", "number"), [("play", 0), ("play", 9), ("third", 1)])
def test_a_knob_that_is_not_there_is_said(page, number):
    with pytest.raises(SettingError, match=r"knobs are 1\.\.8, pages are play and shift"):
        knob(page, number)


@pytest.mark.parametrize("entry", PARAMETERS, ids=lambda entry: entry.name)
def test_defaults_are_in_range_and_the_help_is_one_sentence(entry):
    assert entry.check(entry.default) == entry.default
    assert entry.help.endswith(".")
    assert entry.help.count(".") == 1
    assert entry.low < entry.high


@given(every, st.floats(0, 1))
def test_a_value_leads_back_to_its_position(entry, position):
    value = entry.value(position)
    assert entry.check(value) == value
    if entry.whole:
        assert value == int(value)
        assert entry.value(entry.position(value)) == value
    else:
        assert entry.position(value) == pytest.approx(position, abs=1e-9)


@given(every, st.floats(0, 1), st.floats(0, 1))
def test_turning_right_never_lowers_a_value(entry, one, other):
    low, high = sorted((one, other))
    assert entry.value(low) <= entry.value(high)


@given(every, st.floats(-10, 10))
def test_a_knob_beyond_its_end_stays_at_the_end(entry, position):
    assert entry.low <= entry.value(position) <= entry.high
    assert entry.value(0.0) == entry.low
    assert entry.value(1.0) == entry.high
    assert 0.0 <= entry.position(position * 1000) <= 1.0


@pytest.mark.parametrize("value", [19.9, 300.1, float("nan"), float("inf")])
def test_a_value_out_of_range_is_refused_with_the_range(value):
    with pytest.raises(SettingError, match=r"tempo must be 20\.\.300 BPM, got"):
        parameter("tempo").check(value)


def test_a_mistyped_name_gets_the_nearest_one():
    with pytest.raises(SettingError, match="unknown control 'densty': did you mean 'density'"):
        parameter("densty")
    with pytest.raises(SettingError, match="unknown control 'qqq': known: x, y, style"):
        parameter("qqq")


@pytest.mark.parametrize("entry", PARAMETERS, ids=lambda entry: entry.name)
def test_every_name_finds_its_row(entry):
    assert parameter(entry.name) is entry is PARAMETER[entry.name]


def test_the_error_is_ours_and_a_value_error():
    assert issubclass(SettingError, LatidoError)
    assert issubclass(SettingError, ValueError)
