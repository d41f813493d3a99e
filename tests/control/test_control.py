"""The whole control loop over real models and the real engine, with time passed in."""

import numpy as np
import pytest

from device.contract.pattern import LEVEL
from device.contract.voices import VOICE_INDEX
from device.control.control import Control, Spaces
from device.control.offline import HeardLink, Offline
from device.control.view import AudioHealth
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES
from device.models.background import Inline
from device.panel.events import ButtonPressed, ButtonReleased, KnobTurned, PadHit, ParameterSet, VoiceChosen

SNARE = VOICE_INDEX["snare"]


def tap(name):
    return ButtonPressed(name), ButtonReleased(name)


def test_a_fresh_box_boots_into_sound(box):
    audio = box.run(16)
    assert box.control.view.playing
    assert np.abs(audio).max() > 0.05
    assert box.link.triggers


def test_play_stops_and_starts_from_the_first_step(box):
    box.run(5)
    assert not box.do(*tap("PLAY")).playing
    box.play(np.zeros((4096, 2), np.float32))
    box.do(*tap("PLAY"))
    box.play(np.zeros((64, 2), np.float32))
    view = box.do()
    assert view.playing
    assert view.step == 0


@pytest.mark.parametrize("name", ["x", "y", "style"])
def test_a_turn_of_a_rhythm_knob_brings_another_pattern_at_the_next_step(box, name):
    box.run(4)
    before = box.control.view
    box.do(ParameterSet(name, 0.9 if before.positions[name] < 0.5 else 0.1))
    after = box.do()
    assert after.pattern != before.pattern
    box.run(1.01)
    assert box.engine.report().pattern == after.pattern_ident


def test_a_turn_of_tone_brings_another_sound_to_the_next_hit(models):
    def snare_after(position):
        box = Offline(models, begin=False)
        box.control.step(box.now_ns)
        box.control.post(VoiceChosen(SNARE))
        box.control.post(ParameterSet("tone_x", position))
        box.control.step(box.now_ns)
        box.control.post(PadHit(SNARE, 1.0))
        out = np.zeros((8192, 2), np.float32)
        box.play(out)
        return out

    one, other = snare_after(0.1), snare_after(0.9)
    assert np.abs(one).max() > 0.01
    assert not np.array_equal(one, other)


def test_every_knob_of_both_pages_moves_its_parameter(box):
    for page in ("play", "shift"):
        for number in range(1, 9):
            before = dict(box.control.view.positions)
            for hand in (0.0, 1.0, 0.37):
                view = box.do(KnobTurned(number, hand))
            assert view.page == page
            changed = [name for name, value in view.positions.items() if before[name] != value]
            assert len(changed) >= 1, (page, number)
        box.do(*tap("SHIFT"))


def test_what_temp_tried_is_gone_to_the_last_bit_when_it_is_released(models):
    def play(*, try_something):
        box = Offline(models)
        out = np.zeros((64, 2), np.float32)
        while box.engine.place < 8:
            box.play(out)
        if try_something:
            for event in (ButtonPressed("TEMP"), ParameterSet("x", 0.9), ParameterSet("tempo", 0.9)):
                box.control.post(event)
            box.control.step(box.now_ns)
            box.control.post(ButtonReleased("TEMP"))
            box.control.step(box.now_ns)
        while box.engine.place < 9:
            box.play(out)
        blocks = []
        while box.engine.place < 16:
            blocks.append(np.zeros((64, 2), np.float32))
            box.play(blocks[-1])
        return np.concatenate(blocks), box.control.moment.state

    touched, state = play(try_something=True)
    untouched, state_before = play(try_something=False)
    assert state == state_before
    assert len(touched) == len(untouched)
    assert np.array_equal(touched, untouched)


def test_undo_goes_back_and_redo_forward(box):
    start = box.control.moment.state
    box.do(ParameterSet("x", 0.9))
    moved = box.control.moment.state
    box.do(ButtonPressed("SHIFT"), *tap("NEW"), ButtonReleased("SHIFT"))
    assert box.control.moment.state == start
    box.do(ButtonPressed("SHIFT"), *tap("FILL"), ButtonReleased("SHIFT"))
    assert box.control.moment.state == moved


def test_new_jumps_to_a_place_nobody_chose(box):
    before = box.control.view
    view = box.do(*tap("NEW"))
    assert (view.positions["x"], view.positions["y"]) != (before.positions["x"], before.positions["y"])
    assert view.message == "new place"


def test_fill_plays_until_released_and_ends_on_the_bar(box):
    box.run(4)
    groove = box.control.view.pattern
    fill = box.do(ButtonPressed("FILL")).pattern
    assert fill != groove
    box.run(2)
    back = box.do(ButtonReleased("FILL"))
    assert back.pattern == groove
    box.run(2)
    assert box.engine.report().pattern != back.pattern_ident
    box.run(9)
    assert box.engine.report().pattern == back.pattern_ident


def test_a_scene_comes_back_at_the_bar_line_with_everything_in_it(box):
    box.do(ParameterSet("density", 0.9), ParameterSet("x", 0.2))
    saved = box.control.moment.state
    box.do(ButtonPressed("SHIFT"), *tap("SCENE"), ButtonReleased("SHIFT"))
    box.do(ParameterSet("density", 0.1), ParameterSet("x", 0.8))
    box.run(3)
    box.do(*tap("SCENE"))
    assert box.control.moment.state != saved
    box.run(13)
    assert box.control.moment.state == saved


def test_two_bars_played_by_hand_become_the_pattern(box):
    box.run(1)
    box.do(*tap("LEARN"))
    box.run(16)
    for _ in range(4):
        box.do(PadHit(SNARE, 0.8))
        box.run(8)
    box.run(8)
    pattern = box.control.view.pattern
    assert pattern.levels[:, SNARE].astype(bool).sum() == 4
    assert not pattern.cells[:, SNARE + 1 :, LEVEL].any()
    assert "learned" in box.control.view.message
    box.do(ParameterSet("x", 0.9))
    assert box.control.view.pattern != pattern


def test_an_unknown_control_is_said_and_changes_nothing(box):
    before = box.control.moment.state
    assert "did you mean 'density'" in box.do(ParameterSet("densty", 0.5)).message
    assert box.control.moment.state == before
    box.run(1)


def test_a_restarted_control_takes_over_a_beat_that_plays(models, box):
    box.run(20)
    spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
    health = AudioHealth(sample_rate=box.sample_rate)
    before = box.engine.place
    saved = box.control.saved()
    box.control = Control(spaces, Inline(models), HeardLink(box.engine), saved, health=health)
    box.do()
    box.run(2)
    assert box.control.view.playing
    assert box.engine.place >= before + 2
    assert box.control.moment.state == saved.state


def test_a_new_audio_half_is_told_everything_and_plays_on(box):
    box.do(ParameterSet("tempo", 0.5), ParameterSet("density", 0.8))
    box.run(3)
    pattern = box.control.view.pattern
    box.engine = Engine(box.sample_rate, np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32))
    box.link = HeardLink(box.engine)
    box.control.attach(box.link, AudioHealth(sample_rate=box.sample_rate))
    audio = box.run(16)
    assert np.abs(audio).max() > 0.05
    assert box.control.view.pattern == pattern
    assert box.engine.report().tempo_bpm == pytest.approx(160.0)


def test_a_stopped_box_stays_silent_when_its_audio_half_comes_back(box):
    box.run(2)
    box.do(*tap("PLAY"))
    box.engine = Engine(box.sample_rate, np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32))
    box.link = HeardLink(box.engine)
    box.control.attach(box.link, AudioHealth(sample_rate=box.sample_rate))
    out = np.zeros((64, 2), np.float32)
    for _ in range(200):
        box.play(out)
        assert not out.any()


def test_what_was_played_comes_back_after_switching_off(models, box):
    box.do(ParameterSet("x", 0.13), VoiceChosen(4), ParameterSet("tone_y", 0.9))
    saved = box.control.saved()
    spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
    again = Control(spaces, Inline(models), HeardLink(box.engine), saved)
    assert again.moment.state == box.control.moment.state
    assert again.moment.voice == 4
