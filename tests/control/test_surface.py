"""Corners, the morph, the song and MIDI controllers, over the real models and the real engine."""

import numpy as np
import pytest

from device.contract.voices import VOICE_INDEX
from device.control.wishes import rhythm_place
from device.panel.events import (
    ButtonPressed,
    ButtonReleased,
    CcLearn,
    CcReceived,
    CornerSet,
    KnobTurned,
    MapChosen,
    ParameterSet,
    PlaceKept,
    SceneCommand,
    SongPlayed,
    SongSet,
    StepSet,
)
from device.settings import CcBinding, Settings

SNARE = VOICE_INDEX["snare"]


def shifted(name):
    return ButtonPressed("SHIFT"), ButtonPressed(name), ButtonReleased(name), ButtonReleased("SHIFT")


def latent(box):
    state = box.control.moment.state
    return rhythm_place(state, box.control.maps, state.position("x"), state.position("y"))[0]


# -- morph -------------------------------------------------------------------------------------------


@pytest.fixture
def between(box):
    """A box with two places kept, far from each other, and the states at both."""
    box.do(ParameterSet("x", 0.1), ParameterSet("y", 0.2), ParameterSet("tone_x", 0.1, SNARE), PlaceKept("a"))
    a = box.control.moment.state, box.control.view.pattern
    box.do(ParameterSet("x", 0.9), ParameterSet("style", 1.0), ParameterSet("tone_x", 0.7, SNARE), PlaceKept("b"))
    b = box.control.moment.state, box.control.view.pattern
    return box, a, b


def sounding(state):
    keys = ("x", "y", "style")
    return (
        [state.globals[key] for key in keys],
        state.voices["tone_x"],
        state.voices["tone_y"],
        state.classes,
        state.kit,
        state.own,
        state.offset,
        state.mix,
    )


def test_either_end_of_the_morph_is_what_was_kept_to_the_last_bit(between):
    box, (a, a_pattern), (b, b_pattern) = between
    assert box.control.view.kept_a
    assert box.control.view.kept_b
    box.do(ParameterSet("morph", 0.5))
    view = box.do(ParameterSet("morph", 0.0))
    assert sounding(box.control.moment.state) == sounding(a)
    assert view.pattern == a_pattern
    view = box.do(ParameterSet("morph", 1.0))
    assert sounding(box.control.moment.state) == sounding(b)
    assert view.pattern == b_pattern


def test_the_morph_goes_in_a_straight_line_and_a_hand_goes_on_from_there(between):
    box, (a, _), (b, _) = between
    box.do(ParameterSet("morph", 0.25))
    line = 0.75 * np.asarray(box.control.moment.state.a.latent) + 0.25 * np.asarray(box.control.moment.state.b.latent)
    assert latent(box) == pytest.approx(line, abs=1e-5)
    assert box.control.view.place[0] == pytest.approx(0.3)
    assert box.control.view.tones[SNARE][0] == pytest.approx(0.25 if a.classes[SNARE] == b.classes[SNARE] else 0.1)
    before = latent(box)
    box.do(ParameterSet("x", box.control.moment.state.position("x") + 0.001))
    assert latent(box) == pytest.approx(before, abs=0.1)


def test_own_hits_kept_at_an_end_are_played_at_that_end(box):
    own = box.do(StepSet(3, SNARE, on=True)).pattern
    box.do(PlaceKept("a"), ParameterSet("x", 0.95), PlaceKept("b"))
    assert not box.do(ParameterSet("morph", 0.5)).edited
    view = box.do(ParameterSet("morph", 0.0))
    assert view.edited
    assert view.pattern == own


def test_a_morph_without_two_places_says_what_it_needs(box):
    pattern = box.do().pattern
    assert "A and B" in box.do(ParameterSet("morph", 0.5)).message
    assert box.control.view.pattern == pattern
    assert "a and b" in box.do(PlaceKept("c")).message


# -- corners -----------------------------------------------------------------------------------------


def test_the_corners_of_the_map_are_the_scenes_that_were_set_there(box):
    patterns = []
    for scene, x in enumerate((0.1, 0.4, 0.6, 0.9)):
        patterns.append(box.do(ParameterSet("x", x), ParameterSet("y", 1 - x)).pattern)
        box.do(SceneCommand("save", scene), CornerSet(scene, scene))
    view = box.do(MapChosen("corners"))
    assert view.map_kind == "corners"
    assert view.corners == (0, 1, 2, 3)
    for corner, pattern in enumerate(patterns):
        assert box.do(ParameterSet("x", corner % 2), ParameterSet("y", corner // 2)).pattern == pattern
    middle = box.do(ParameterSet("x", 0.5), ParameterSet("y", 0.5))
    assert latent(box) == pytest.approx(
        np.mean([corner.latent for corner in box.control.moment.state.corners], axis=0), abs=1e-5
    )
    assert middle.pattern not in patterns


def test_an_empty_corner_is_the_learned_maps_and_the_learned_map_comes_back(box):
    box.do(ParameterSet("x", 0.0), ParameterSet("y", 0.0))
    learned = box.do().pattern
    assert box.do(MapChosen("corners")).pattern == learned
    box.do(SceneCommand("save", 0), CornerSet(3, 0))
    assert box.do(ParameterSet("x", 1.0), ParameterSet("y", 1.0)).pattern == learned
    assert box.do(CornerSet(3, None)).pattern != learned
    assert box.do(*shifted("NEW")).pattern == learned  # the corner is there again
    box.do(MapChosen("learned"), ParameterSet("x", 0.0), ParameterSet("y", 0.0))
    assert box.control.view.pattern == learned


@pytest.mark.parametrize(
    ("event", "word"),
    [(CornerSet(4, None), "0..3"), (CornerSet(0, 5), "empty"), (MapChosen("round"), "learned and corners")],
)
def test_a_corner_or_map_that_is_not_there_is_said(box, event, word):
    before = box.do().positions
    assert word in box.do(event).message
    assert box.control.view.positions == before


# -- song --------------------------------------------------------------------------------------------


def test_a_song_plays_each_scene_its_repeats_on_the_bar_and_begins_again(box):
    for scene, density in enumerate((0.2, 0.4, 0.6)):
        box.do(ParameterSet("density", density), SceneCommand("save", scene))
    box.do(SceneCommand("clear", 1))
    box.run(5)
    view = box.do(SongSet(((0, 1), (1, 3), (2, 2))), SongPlayed(True))
    assert view.song == ((0, 1), (1, 3), (2, 2))
    found = []
    while box.engine.place < 32 * 5 + 4:
        box.run(4)
        found.append(
            (int(box.engine.place) // 32, round(box.control.view.positions["density"], 3), box.control.view.song_at)
        )
    # a step before a bar line its scene is there already: look at the beginning of each pattern
    middle = {number: next(entry[1:] for entry in found if entry[0] == number) for number in range(1, 6)}
    assert middle == {1: (0.2, 0), 2: (0.6, 2), 3: (0.6, 2), 4: (0.2, 0), 5: (0.6, 2)}


@pytest.mark.parametrize("touch", [(SceneCommand("recall", 1),), (ButtonPressed("PLAY"),), (SongPlayed(False),)])
def test_a_song_ends_when_a_scene_or_play_is_touched(box, touch):
    box.do(SceneCommand("save", 0), SceneCommand("save", 1), SongSet(((0, 1), (1, 1))), SongPlayed(True))
    box.run(40)
    assert box.control.view.song_at >= 0
    assert box.do(*touch).song_at == -1
    assert "the song ends" in box.control.view.message


def test_a_song_from_a_standstill_begins_at_once(box):
    box.do(ParameterSet("density", 0.3), SceneCommand("save", 0), ParameterSet("density", 0.8), ButtonPressed("PLAY"))
    box.do(ButtonReleased("PLAY"))
    view = box.do(SongSet(((0, 2),)), SongPlayed(True))
    assert view.playing
    assert view.positions["density"] == 0.3
    assert view.song_at == 0


@pytest.mark.parametrize("entries", [((16, 1),), ((0, 0),), ((0, 1000),), ((0, 1),) * 257])
def test_a_song_that_cannot_be_played_is_refused(box, entries):
    box.do(SongSet(((0, 1),)))
    message = box.do(SongSet(entries)).message
    assert message
    assert box.control.view.song == ((0, 1),)
    assert "save scenes" in box.do(SongPlayed(True)).message


# -- controllers -------------------------------------------------------------------------------------


def test_a_controller_moves_its_parameter_in_the_very_next_pass(box):
    view = box.do(CcReceived(10, 23, 127))
    assert view.positions["density"] == 1.0
    assert box.engine._waiting or box.engine._params.density == 1.0
    box.play(np.zeros((256, 2), np.float32))
    assert box.engine._params.density == 1.0


def test_channels_one_to_nine_are_the_voices_of_the_table(box):
    assert box.do(CcReceived(SNARE + 1, 25, 127)).tones[SNARE][0] == 1.0
    other = box.do(CcReceived(16, 25, 0))
    assert other.tones[other.voice][0] == 0.0
    before = box.do().positions
    assert box.do(CcReceived(1, 3, 64)).positions == before


def test_the_next_controller_is_learned_and_told_to_be_kept(box):
    told = []
    box.control._bound = told.append
    assert box.do(CcLearn("tone_y", SNARE)).cc_learn == "tone_y"
    view = box.do(CcReceived(2, 74, 10))
    assert view.cc_learn == ""
    assert told == [CcBinding(74, "tone_y", 2, "snare")]
    assert box.do(CcReceived(2, 74, 127)).tones[SNARE][1] == 1.0
    before = box.do().positions
    assert box.do(CcReceived(3, 74, 0)).positions == before  # another channel
    box.do(CcLearn("x"))
    assert box.do(CcLearn("")).cc_learn == ""
    assert "did you mean" in box.do(CcLearn("tone")).message


def test_a_bound_knob_and_a_bound_button_move_what_the_settings_say(box):
    box.control.settings = Settings(knobs={"play": {"1": "drift"}}, buttons={"VOICE": "drive"})
    view = box.do(KnobTurned(1, 0.0), KnobTurned(1, 1.0), KnobTurned(1, 0.6))
    assert view.knobs[0] == "drift"
    assert view.positions["drift"] == 0.6
    assert view.positions["x"] == 0.5
    assert box.do(*shifted("VOICE")).positions["drive"] == 1.0
    assert box.do(*shifted("VOICE")).positions["drive"] == 0.0


def test_the_view_shows_the_sound_and_the_hands(box):
    view = box.do()
    assert len(view.wave) == 128
    assert max(view.wave) <= 1.0
    assert max(view.wave) > 0.0
    assert box.do().wave_ident == view.wave_ident
    assert box.do(ParameterSet("tone_x", 0.99)).wave_ident != view.wave_ident
    assert view.hands == (None,) * 8
