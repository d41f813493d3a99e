"""A moves file is checked before anything sounds, and plays as hands would."""

import pytest

from device.control.moves import Hands, Move, read_moves
from device.errors import SettingError
from device.panel.events import ButtonPressed, ButtonReleased, ParameterSet


@pytest.fixture
def moves_file(tmp_path):
    def write(text):
        path = tmp_path / "moves.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('control = "densty"\nvalue = 1', "unknown control 'densty': did you mean 'density'"),
        ('control = "fil"', "did you mean 'FILL'"),
        ('control = "zzz"', "known: x, y"),
        ('control = "tempo"\nvalue = 400', "tempo must be 20..300 BPM, got 400"),
        ('control = "tempo"', "tempo needs a value"),
        ('control = "level"\nvalue = 1\nvoice = "kik"', "did you mean 'kick'"),
        ('control = "tempo"\nvalue = 100\nvoice = "kick"', "tempo has no voice"),
        ('control = "FILL"\nvalue = 1', "button FILL takes for_bars"),
        ('control = "x"\nvalue = nan', "x must be 0..1, got nan"),
        ('control = "x"\nvalue = 1\nover_bars = -1', "over_bars must be 0 or more"),
        ('control = "x"\nvalue = 1\nat = 3', "unknown field `at`"),
        ("at_bar =", "moves file"),
    ],
)
def test_a_mistake_in_a_move_is_said_in_one_sentence_with_the_way_out(moves_file, line, said):
    path = moves_file(f"[[move]]\nat_bar = 1.0\n{line}\n")
    with pytest.raises(SettingError) as error:
        read_moves(path)
    assert said in str(error.value)
    assert "moves.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_moves_file_is_said(tmp_path):
    with pytest.raises(SettingError, match="cannot read moves file"):
        read_moves(tmp_path / "none.toml")


def test_moves_are_read_as_written(moves_file):
    path = moves_file('[[move]]\nat_bar = 1\ncontrol = "density"\nvalue = 0.8\nover_bars = 2\n')
    assert read_moves(path) == (Move(1.0, "density", 0.8, over_bars=2.0),)


def test_a_glide_starts_where_the_control_is_and_ends_exactly_at_its_goal():
    hands = Hands((Move(1.0, "density", 0.8, over_bars=2.0),))
    asked = []
    for bar in (0.0, 1.0, 2.0, 3.0, 4.0):
        asked += [event.position for event in hands.events(bar, 0, lambda name, voice: 0.4)]
    assert asked == pytest.approx([0.4, 0.6, 0.8])
    assert asked[-1] == 0.8


def test_a_value_is_given_in_the_parameters_own_unit_and_to_the_named_voice():
    hands = Hands((Move(0.0, "tune", 12.0, voice="snare"), Move(0.0, "tempo", 160.0)))
    assert hands.events(0.0, 5, lambda name, voice: 0.0) == [
        ParameterSet("tune", 1.0, 1, 5),
        ParameterSet("tempo", 0.5, None, 5),
    ]


def test_a_button_goes_down_and_up_again():
    hands = Hands((Move(1.0, "FILL", for_bars=1.0),))
    events = [hands.events(bar, 0, lambda name, voice: 0.0) for bar in (0.9, 1.0, 1.5, 2.0, 3.0)]
    assert events == [[], [ButtonPressed("FILL")], [], [ButtonReleased("FILL")], []]
