"""The little screen says what is played at a glance; its pictures are looked at once and then kept.

After a change that is meant: ``LATIDO_REDRAW=1 pytest tests/panel``, and look at every picture that changed.
"""

import importlib.util
import io
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import VOICE_COUNT, VOICES
from device.control.view import View
from device.panel.font import BODY, SMALL, set_line, thrice, twice
from device.panel.screen import (
    FOOT_TOP,
    GRID_TOP,
    HEIGHT,
    MESSAGE_SHOWN_NS,
    ROW,
    SIDE_LEFT,
    TURN_SHOWN_NS,
    WIDTH,
    Focus,
    Glance,
    column_left,
    draw,
    png,
    screen_png,
    tempo_words,
)
from device.parameters import PARAMETERS

_spec = importlib.util.spec_from_file_location("panel_conftest", Path(__file__).with_name("conftest.py"))
_conftest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_conftest)
make_view = _conftest.make_view

PICTURES = Path(__file__).parent / "pictures"
SECOND_NS = 1_000_000_000
SHIFTED = {"page": "shift", "hands": (0.9, None, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0), "taking_over": (True,) + (False,) * 7}

SCENES = {
    "beat": (make_view(), Focus()),
    "beat-stopped": (make_view(playing=False, scene=0, scenes_saved=(False,) * 16, voice=2, wave=()), Focus()),
    "beat-busy": (
        make_view(
            page="shift", recording="a.wav", song_at=0, scene=11, scenes_saved=(True,) * 16, style="funk 70 jazz 30"
        ),
        Focus(),
    ),
    "beat-short": (
        make_view(positions={**make_view().positions, "length": 10 / 31, "mute": (0.0, 1.0) + (0.0,) * 7}, edited=True),
        Focus(),
    ),
    "message": (make_view(message="saved as scene 3"), Focus()),
    "message-long": (make_view(message="release TEMP first: it takes back everything that was tried"), Focus()),
    "message-endless": (make_view(message="cannot save to player.json: No space left on device; " * 4), Focus()),
    "message-shown": (make_view(message="saved as scene 3"), Focus(message=False)),
    "density": (make_view(), Focus("density")),
    "tempo-hand": (make_view(**SHIFTED), Focus("tempo")),
    "tune": (make_view(positions={**make_view().positions, "tune": (0.5, 0.65) + (0.5,) * 7}), Focus("tune")),
    "style": (make_view(texts={"style": "funk 70 jazz 30"}), Focus("style")),
    "mute": (make_view(texts={"mute": "plays"}), Focus("mute")),
    "length": (make_view(texts={"voice_length": "32 steps"}, voice=4), Focus("voice_length")),
    "map-x": (make_view(), Focus("x")),
    "map-tone": (make_view(), Focus("tone_y")),
    "map-corners": (make_view(map_kind="corners", corners=(0, None, 11, 3), place=(0.2, 0.9)), Focus("x")),
    "morph": (make_view(kept_a=True, kept_b=True, positions={**make_view().positions, "morph": 0.3}), Focus("morph")),
    "count-in": (make_view(learn="counting 3"), Focus()),
    "learning": (make_view(learn="recording"), Focus()),
    "fresh": (View(), Focus()),
}


def opened(path):
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "1")
        return np.asarray(picture)


@pytest.mark.parametrize("name", SCENES)
def test_the_picture_is_the_one_that_was_looked_at(name):
    canvas = draw(*SCENES[name])
    path = PICTURES / f"{name}.png"
    if os.environ.get("LATIDO_REDRAW"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(canvas))
    kept = opened(path)
    assert path.stat().st_size < 2048
    assert canvas.shape == kept.shape == (HEIGHT, WIDTH)
    wrong = np.argwhere(canvas != kept)
    assert len(wrong) == 0, f"{len(wrong)} dots differ, the first at row {wrong[0][0]}, column {wrong[0][1]}"


def test_every_kept_picture_is_still_drawn():
    assert {path.stem for path in PICTURES.iterdir()} == set(SCENES)


# -- what it says ----------------------------------------------------------------------------------------


def lit(canvas, voice, step):
    """The six dots of one cell."""
    top, left = GRID_TOP + voice * ROW, column_left(step)
    return canvas[top : top + 3, left : left + 2]


def test_a_hit_that_is_played_is_lit_and_a_harder_one_is_larger(view):
    canvas = draw(replace(view, playing=False))
    for voice in range(VOICE_COUNT):
        for step in range(32):
            cell = view.pattern.cells[step, voice]
            assert lit(canvas, voice, step).any() == (cell[0] >= 0.5)
    assert lit(canvas, 2, 2).sum() > lit(canvas, 2, 0).sum() > lit(canvas, 2, 1).sum() > 0


def test_less_density_takes_hits_away_and_a_muted_voice_fades(view):
    def cells(**positions):
        canvas = draw(replace(view, playing=False, positions={**view.positions, **positions}))
        return sum(lit(canvas, 1, step).sum() for step in range(32))

    assert cells(density=0.0) == 0
    assert 0 < cells(mute=(0.0, 1.0) + (0.0,) * 7) < cells()


@pytest.mark.parametrize("step", [0, 1, 15, 16, 31, 32, 1000])
def test_the_playhead_inverts_its_column_and_nothing_else(view, step):
    there, gone = draw(replace(view, step=step)), draw(replace(view, step=step, playing=False))
    changed = np.argwhere(there[9:] != gone[9:])  # below the line with play and stop
    left = column_left(step % 32)
    assert {int(column) for _, column in changed} == {left, left + 1}
    assert len(changed) == 2 * (9 * ROW + 1)


def test_a_short_pattern_ends_where_it_starts_again(view):
    canvas = draw(replace(view, step=11, positions={**view.positions, "length": 10 / 31}))  # 11 steps
    assert not any(lit(canvas, voice, step).any() for voice in range(VOICE_COUNT) for step in range(12, 32))
    assert lit(canvas, 5, 0).all()  # the playhead is back at the start: nobody plays there


def test_the_dot_on_the_map_goes_where_the_place_goes(view):
    def dot(x, y):
        canvas = draw(replace(view, place=(x, y)))[GRID_TOP - 1 : GRID_TOP + 20, SIDE_LEFT:]
        inner = canvas[1:-1, 1:-1]
        full = [(r, c) for r in range(1, 18) for c in range(1, 18) if inner[r - 1 : r + 2, c - 1 : c + 2].all()]
        assert len(full) == 1
        return full[0]

    assert dot(0.0, 0.0)[0] > dot(0.0, 1.0)[0]  # up is up
    assert dot(0.0, 0.5)[1] < dot(0.5, 0.5)[1] < dot(1.0, 0.5)[1]


def test_a_message_takes_the_foot_and_leaves_the_beat(view):
    plain, said = draw(view), draw(replace(view, message="nothing to undo"))
    assert (plain[: FOOT_TOP - 2] == said[: FOOT_TOP - 2]).all()
    assert (plain[FOOT_TOP:] != said[FOOT_TOP:]).any()
    assert (draw(replace(view, message="nothing to undo"), Focus(message=False)) == plain).all()


@pytest.mark.parametrize("entry", PARAMETERS, ids=lambda entry: entry.name)
def test_every_parameter_has_a_page_of_its_own(view, entry):
    canvas = draw(view, Focus(entry.name))
    assert (canvas != draw(view)).sum() > 300
    at_ends = [
        draw(
            replace(view, positions={**view.positions, entry.name: (end,) * 9 if entry.per_voice else end}),
            Focus(entry.name),
        )
        for end in (0.0, 1.0)
    ]
    if entry.name not in ("x", "y", "tone_x", "tone_y"):
        assert (at_ends[0] != at_ends[1]).any()


@pytest.mark.parametrize(("tempo", "words"), [(120.0, "120"), (119.96, "120"), (99.5, "99.5"), (float("nan"), "-")])
def test_a_tempo_has_a_fraction_only_where_it_matters(tempo, words):
    assert tempo_words(tempo) == words


# -- what a hand does ------------------------------------------------------------------------------------


def turned(view, **positions):
    return replace(view, positions={**view.positions, **positions})


def test_a_turn_is_shown_for_a_moment_and_then_the_beat_again(view):
    glance = Glance().see(view, 0).see(turned(view, density=0.9), SECOND_NS)
    assert glance.focus.parameter == "density"
    after = glance.see(turned(view, density=0.9), SECOND_NS + TURN_SHOWN_NS - 1)
    assert after.focus.parameter == "density"
    assert after.see(turned(view, density=0.9), SECOND_NS + TURN_SHOWN_NS).focus.parameter == ""


def test_a_sound_knob_shows_its_parameter_and_a_style_only_itself(view):
    glance = Glance().see(view, 0)
    decay = list(view.positions["decay"])
    decay[1] = 0.1
    assert glance.see(turned(view, decay=tuple(decay)), 1).focus.parameter == "decay"
    style = turned(view, style=0.7, tone_x=(0.1,) * 9, tone_y=(0.2,) * 9)  # the kit comes with it
    assert glance.see(style, 1).focus.parameter == "style"


def test_a_scene_that_comes_is_no_turn_of_a_knob(view):
    glance = Glance().see(view, 0)
    assert glance.see(turned(view, x=0.1, y=0.9, density=0.3), 1).focus.parameter == ""
    assert glance.see(turned(view, decay=(0.3,) * 9), 1).focus.parameter == ""


def test_a_message_is_shown_for_a_while_after_it_was_said(view):
    said = replace(view, message="nothing to undo")
    glance = Glance().see(view, 0).see(said, 10 * SECOND_NS)
    assert glance.focus.message
    assert not glance.see(said, 10 * SECOND_NS + MESSAGE_SHOWN_NS).focus.message
    again = glance.see(said, 20 * SECOND_NS).see(replace(view, message="undone"), 21 * SECOND_NS)
    assert again.focus.message


def test_a_message_cuts_a_turn_short(view):
    glance = Glance().see(view, 0).see(turned(view, density=0.9), 1)
    assert glance.see(replace(turned(view, density=0.9), message="undone"), 2).focus == Focus("", message=True)


# -- whatever comes --------------------------------------------------------------------------------------

anything = st.floats(allow_nan=True, allow_infinity=True)
words = st.text(max_size=80)


@st.composite
def odd_views(draw_):
    cells = np.zeros(GRID_SHAPE, np.float32)
    rng = np.random.default_rng(draw_(st.integers(0, 99)))
    cells[..., :2] = rng.random((*GRID_SHAPE[:2], 2))
    names = st.sampled_from([entry.name for entry in PARAMETERS] + ["foreign"])
    nine = st.lists(anything, max_size=10).map(tuple)
    return View(
        playing=draw_(st.booleans()),
        tempo_bpm=draw_(anything),
        step=draw_(st.integers(0, 2**31)),
        page=draw_(st.sampled_from(["play", "shift", ""])),
        voice=draw_(st.integers(0, 20)),
        positions=draw_(st.dictionaries(names, anything | nine)),
        texts=draw_(st.dictionaries(names, words)),
        pattern=PatternGrid(cells),
        peaks=draw_(nine),
        style=draw_(words),
        sound_classes=draw_(st.lists(words, max_size=9).map(tuple)),
        scene=draw_(st.integers(-1, 40)),
        scenes_saved=draw_(st.lists(st.booleans(), max_size=16).map(tuple)),
        place=draw_(st.tuples(anything, anything)),
        hands=draw_(st.lists(st.none() | anything, max_size=8).map(tuple)),
        taking_over=draw_(st.lists(st.booleans(), max_size=8).map(tuple)),
        wave=draw_(st.lists(anything, max_size=130).map(tuple)),
        tones=draw_(st.lists(st.tuples(anything, anything), max_size=9).map(tuple)),
        recording=draw_(words),
        map_kind=draw_(st.sampled_from(["learned", "corners"])),
        corners=draw_(st.lists(st.none() | st.integers(0, 99), max_size=6).map(tuple)),
        learn=draw_(words | st.sampled_from(["counting 3", "counting", "recording"])),
        song_at=draw_(st.integers(-1, 3)),
        message=draw_(words),
    )


@given(odd_views(), st.sampled_from(["", "foreign", *(entry.name for entry in PARAMETERS)]), st.booleans())
def test_no_view_is_too_odd_to_be_drawn(view, parameter, message):
    canvas = draw(view, Focus(parameter, message))
    assert canvas.shape == (HEIGHT, WIDTH)
    assert canvas.dtype == bool
    assert (canvas == draw(view, Focus(parameter, message))).all()


@given(odd_views(), odd_views(), st.integers(0, 2**62))
def test_no_two_views_are_too_odd_to_be_glanced_at(before, after, now_ns):
    glance = Glance().see(before, 0).see(after, now_ns)
    draw(after, glance.focus)


def test_every_field_of_a_view_may_be_at_its_default():
    assert draw(View()).any()
    assert {entry.name for entry in fields(View)} >= {"place", "wave", "tones", "hands", "recording", "learn"}


# -- letters and files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("font", [BODY, SMALL], ids=["body", "small"])
def test_every_letter_can_be_told_from_every_other(font):
    ascii_ = [chr(code) for code in range(33, 127)]
    if font is BODY:
        assert [letter for letter in ascii_ if letter not in font.glyphs] == [
            "$",
            "@",
            "\\",
            "^",
            "`",
            "{",
            "|",
            "}",
            "~",
        ]
    pictures = {}
    for letter, glyph in font.glyphs.items():
        key = (glyph.shape, glyph.tobytes())
        other = pictures.setdefault(key, letter)
        assert other.upper() == letter.upper() or {other, letter} in ({"0", "O"}, {"I", "1"}, {"S", "5"}), (
            other,
            letter,
        )


@given(st.text(max_size=60), st.integers(10, 128), st.integers(1, 3))
def test_words_never_run_over_their_place(text, width, most):
    for font in (BODY, SMALL):
        lines = font.lines(text, width, most)
        assert len(lines) <= most
        assert all(font.width(line) <= width for line in lines)


def test_larger_letters_are_the_same_letters_with_round_corners():
    letter = BODY.text("R")
    for size, grow in ((2, twice), (3, thrice)):
        big = grow(letter)
        assert big.shape == (letter.shape[0] * size, letter.shape[1] * size)
        middle = big[size // 2 :: size, size // 2 :: size] if size == 3 else big[::2, ::2] | big[1::2, 1::2]
        assert (middle == letter).mean() > 0.9
    assert set_line("8", 3).shape == (21, 15)
    assert set_line("", 2).shape[1] == 0


def test_the_page_gets_the_same_picture_as_a_file(view):
    with Image.open(io.BytesIO(screen_png(view))) as picture:
        assert (np.asarray(picture) == draw(view)).all()
    with Image.open(io.BytesIO(screen_png(view, Focus("density"), scale=4))) as picture:
        assert picture.size == (4 * WIDTH, 4 * HEIGHT)
        assert (np.asarray(picture)[::4, 3::4] == draw(view, Focus("density"))).all()
    assert len(screen_png(view)) < 1500


def test_a_voice_that_sounds_like_another_says_so(view):
    assert VOICES[1].label == "Snare"
    snare = replace(view, sound_classes=tuple(voice.name for voice in VOICES))
    assert (draw(view)[FOOT_TOP + 9 :, :40] != draw(snare)[FOOT_TOP + 9 :, :40]).any()
