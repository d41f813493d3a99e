"""The settings file: what the hands reach; unknown names are refused with the nearest one."""

import re
from pathlib import Path

import pytest

from device.cli import main
from device.errors import SettingError
from device.parameters import PARAMETER, knob
from device.settings import DEFAULTS, CcBinding, learn, load, read

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "playing.md"
MINE = """
[knobs.play]
6 = "bright"   # mine

[buttons]
VOICE = "morph"

[[cc]]
number = 74
channel = 1
parameter = "tone_x"
voice = "snare"
"""


def test_what_is_not_said_is_as_built_in(tmp_path):
    assert load(tmp_path / "none.toml") == DEFAULTS == read("")
    for page in ("play", "shift"):
        for number in range(1, 9):
            assert DEFAULTS.knob(page, number) is knob(page, number)
    for entry in PARAMETER.values():
        assert DEFAULTS.controlled(10, entry.cc) == (entry, None)
        assert DEFAULTS.controlled(3, entry.cc) == (entry, 2 if entry.per_voice else None)


def test_what_is_said_goes_before_what_is_built_in():
    settings = read(MINE)
    assert settings.knob("play", 6) is PARAMETER["bright"]
    assert settings.knob("play", 7) is PARAMETER["tone_y"]
    assert settings.buttons == {"VOICE": "morph"}
    assert settings.controlled(1, 74) == (PARAMETER["tone_x"], 1)
    assert settings.controlled(2, 74) is None
    assert settings.with_cc(CcBinding(74, "x", 1)).controlled(1, 74) == (PARAMETER["x"], None)
    assert read(MINE + '[[cc]]\nnumber = 7\nparameter = "drive"').controlled(5, 7) == (PARAMETER["drive"], None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[knobs.play]\n1 = "densty"', "unknown control 'densty': did you mean 'density'"),
        ('[knobs.plya]\n1 = "x"', "unknown page 'plya': did you mean 'play'"),
        ('[knobs.play]\n9 = "x"', "unknown knob '9'"),
        ('[buttons]\nVOCIE = "x"', "unknown button 'VOCIE': did you mean 'VOICE'"),
        ("[kobs]", "unknown setting 'kobs': did you mean 'knobs'"),
        (
            '[[cc]]\nnumber = 1\nparametre = "x"',
            "unknown setting of a controller 'parametre': did you mean 'parameter'",
        ),
        ('[[cc]]\nnumber = 128\nparameter = "x"', r"a MIDI controller is 0\.\.127, got 128"),
        ('[[cc]]\nnumber = 1\nchannel = 0\nparameter = "x"', r"a MIDI channel is 1\.\.16, got 0"),
        ('[[cc]]\nnumber = 1\nparameter = "tune"\nvoice = "snaer"', "unknown voice 'snaer': did you mean 'snare'"),
        ('[[cc]]\nnumber = 1\nparameter = "x"\nvoice = "snare"', "x is not a parameter of a voice"),
        ('[[cc]]\nnumber = "one"\nparameter = "x"', "Expected `int`"),
        ("cc = 3", "Expected `array`"),
        ("[[cc", "not TOML"),
    ],
)
def test_what_is_wrong_is_refused_in_one_sentence_with_the_nearest_name(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=said) as refused:
        load(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_learned_controller_is_written_at_the_end_and_leaves_the_rest_as_it_is(tmp_path):
    path = tmp_path / "folder" / "mine.toml"
    learn(path, CcBinding(20, "drift"))
    path.write_text(MINE.strip())
    learn(path, CcBinding(74, "y", 1))
    learn(path, CcBinding(75, "tune", 2, "kick"))
    assert path.read_text().startswith(MINE.strip())
    settings = load(path)
    assert settings.controlled(1, 74) == (PARAMETER["y"], None)
    assert settings.controlled(2, 75) == (PARAMETER["tune"], 0)
    assert settings.knob("play", 6) is PARAMETER["bright"]
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.toml"]


def test_a_file_that_has_become_unreadable_is_not_written_over(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[[cc")
    with pytest.raises(SettingError):
        learn(path, CcBinding(20, "drift"))
    assert path.read_text() == "[[cc"


def test_sim_refuses_a_settings_file_that_is_not_there_or_wrong_before_anything_starts(tmp_path, capsys):
    assert main(["sim", "--settings", str(tmp_path / "none.toml")]) == 1
    assert "there is no settings file" in capsys.readouterr().err
    (tmp_path / "bad.toml").write_text('[knobs.play]\n1 = "densty"')
    assert main(["sim", "--settings", str(tmp_path / "bad.toml"), "--state", str(tmp_path / "state")]) == 1
    assert "did you mean 'density'" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_the_settings_file_of_the_guide_is_understood():
    (example,) = re.findall(r"```TOML\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    settings = read(example)
    assert settings.knobs
    assert settings.buttons
    assert settings.cc
