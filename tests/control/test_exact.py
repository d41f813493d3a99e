"""What TEMP, undo and scenes bring back is what was there, to the last bit of the render."""

import numpy as np
import pytest

from device.contract.voices import VOICE_INDEX
from device.control.control import Control, Spaces
from device.control.kits import DiskKits
from device.control.offline import HeardLink, Offline
from device.control.view import AudioHealth
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES
from device.models.background import Inline
from device.panel.events import (
    ButtonPressed,
    ButtonReleased,
    KnobTurned,
    ParameterSet,
    PlaceKept,
    SceneCommand,
    StepSet,
    VoiceChosen,
)

SNARE, KICK = VOICE_INDEX["snare"], VOICE_INDEX["kick"]

# Everything but TEMPO (which moves the bar lines themselves).
TRIED = (
    VoiceChosen(SNARE),
    ParameterSet("tone_x", 0.9, SNARE),
    ParameterSet("tone_y", 0.1, KICK),
    ParameterSet("bright", 1.0, SNARE),
    ParameterSet("tune", 0.9, KICK),
    ParameterSet("couple", 1.0),
    ParameterSet("x", 0.95),
    ParameterSet("style", 1.0),
    ParameterSet("density", 0.9),
    ParameterSet("drive", 0.9),
    StepSet(5, SNARE, on=True),
    ParameterSet("swing", 0.8),
    PlaceKept("a"),
)


def shifted(name):
    return ButtonPressed("SHIFT"), ButtonPressed(name), ButtonReleased(name), ButtonReleased("SHIFT")


def heard(models, story, bars=6):
    """Stems of the last two of ``bars`` bars: each voice before drive and limiter, whose memory is long. Also the state."""
    box, stems = Offline(models), []
    done = 0
    while box.engine.place < bars * 16:
        while done < len(story) and story[done][0] <= box.engine.place:
            for event in story[done][1]:
                box.control.post(event)
            done += 1
        part = np.zeros((9, 64, 2), np.float32)
        box.play(np.zeros((64, 2), np.float32), part)
        if box.engine.place >= (bars - 2) * 16:
            stems.append(part)
    return np.concatenate(stems, axis=1), box


def test_after_temp_the_render_is_as_if_nothing_had_happened_sounds_included(models):
    plain, untouched = heard(models, ())
    tried, touched = heard(models, ((8, (ButtonPressed("TEMP"), *TRIED)), (24, (ButtonReleased("TEMP"),))))
    assert touched.control.moment.state == untouched.control.moment.state
    assert np.array_equal(tried, plain)


def test_after_undo_the_render_is_as_if_nothing_had_happened_sounds_included(models):
    plain, untouched = heard(models, ())
    back = tuple(event for _ in TRIED for event in shifted("NEW"))
    undone, touched = heard(models, ((8, TRIED), (24, back)))
    assert touched.control.moment.state == untouched.control.moment.state
    assert np.array_equal(undone, plain)


def test_a_scene_comes_back_to_the_last_bit_of_its_render(models):
    plain, _ = heard(models, ((1, (ParameterSet("tone_x", 0.3, SNARE),)),))
    story = (
        (1, (ParameterSet("tone_x", 0.3, SNARE),)),
        (2, (SceneCommand("save", 4),)),
        (8, TRIED),
        (24, (SceneCommand("recall", 4),)),
    )
    recalled, touched = heard(models, story)
    assert touched.control.view.scene == 4
    assert np.array_equal(recalled, plain)


def test_going_back_needs_no_model(models):
    """The sounds and the pattern that TEMP goes back to are at hand: they are said in the very pass of the release."""
    box = Offline(models)
    box.control.step(box.now_ns)
    asked = []

    class Slow(Inline):
        def ask_sound(self, voice, wish):
            asked.append(voice)

        def ask_pattern(self, wish):
            asked.append("pattern")

    before = [said.layers for said in box.control._delivery.sounds]
    pattern = box.control.view.pattern
    for event in (ButtonPressed("TEMP"), *TRIED):
        box.control.post(event)
    box.control.step(box.now_ns)
    assert box.control._delivery.sounds[SNARE].layers is not before[SNARE]
    slow = Slow(models)
    box.control._sounds._ask, box.control._rhythm._ask = slow.ask_sound, slow.ask_pattern
    box.control.post(ButtonReleased("TEMP"))
    assert box.control.step(box.now_ns).pattern == pattern
    assert all(said.layers is layers for said, layers in zip(box.control._delivery.sounds, before, strict=True))
    assert asked == []


def test_a_scene_changes_all_parameters_at_the_bar_line_to_the_frame(models):
    box = Offline(models)
    sent = []
    send = box.link.send

    def noted(command, frame=0):
        sent.append((type(command).__name__, frame))
        return send(command, frame)

    box.link.send = noted
    box.control.post(SceneCommand("save", 0))
    box.control.post(ParameterSet("density", 0.9))
    box.control.post(ParameterSet("tone_x", 0.9, SNARE))
    out = np.zeros((64, 2), np.float32)
    while box.engine.place < 20:
        box.play(out)
    sent.clear()
    box.control.post(SceneCommand("recall", 0))
    while box.engine.place < 31.9:
        box.play(out)
    bar_frame = box.engine._transport.frame_of(32)
    frames = {frame for name, frame in sent if name in ("Params", "Sound")}
    assert {name for name, _ in sent} == {"Params", "Sound"}
    assert len(frames) == 1
    assert 0 <= bar_frame - frames.pop() <= 3


def restarted(models, box, bundle):
    """The same box after a model swap: another bundle's name over the same maps, a fresh engine."""
    engine = Engine(box.sample_rate, np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32))
    spaces = Spaces(models.maps, tuple(models.manifest.styles), bundle)
    kits = box.control._sounds.kits
    saved = box.control.saved()
    box.engine, box.link = engine, HeardLink(engine)
    health = AudioHealth(sample_rate=box.sample_rate)
    box.control = Control(spaces, Swapped(models), box.link, saved, health=health, kits=kits)


class Swapped(Inline):
    """Another model: it renders every sound at half the loudness and decodes another pattern."""

    def answers(self):
        found = super().answers()
        for number, answer in enumerate(found):
            if hasattr(answer, "layers"):
                found[number] = type(answer)(answer.voice, answer.wish, tuple(layer * 0.5 for layer in answer.layers))
            elif hasattr(answer, "wish"):
                cells = np.roll(answer.grid.cells, 1, axis=0)
                found[number] = type(answer)(answer.wish, type(answer.grid)(cells))
        return found


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_scene_sounds_the_same_after_a_model_swap_until_it_is_touched(models, box, tmp_path, where):
    if where == "disk":
        box.control._sounds.kits = DiskKits(tmp_path)
    box.do(ParameterSet("tone_x", 0.8, SNARE))
    box.do(SceneCommand("save", 2))
    sounds = [said.layers for said in box.control._delivery.sounds]
    pattern = box.do().pattern
    if where == "disk":  # switched off, and on again with another model
        box.control._sounds.kits.close()
        box.control._sounds.kits = DiskKits(tmp_path)
    restarted(models, box, "another")
    box.run(2)
    assert box.control.view.pattern != pattern
    box.do(SceneCommand("recall", 2))
    if where == "disk":
        box.control._sounds.kits._thread.submit(int).result()  # the kit is read before the bar line is there
    box.run(16)
    assert box.do().pattern == pattern
    for said, layers in zip(box.control._delivery.sounds, sounds, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(said.layers, layers, strict=True))
    box.do(ParameterSet("tone_x", 0.2, SNARE))
    touched = [
        any(not np.array_equal(one, other) for one, other in zip(said.layers, layers, strict=True))
        for said, layers in zip(box.control._delivery.sounds, sounds, strict=True)
    ]
    assert touched == [voice == SNARE for voice in range(9)]
    assert box.control.view.pattern == pattern
    assert box.do(ParameterSet("x", 0.9)).pattern != pattern
    box.control.close()


def test_a_scene_remembers_what_the_hand_on_a_knob_did(box):
    box.do(KnobTurned(4, 0.5), KnobTurned(4, 0.8))
    density = box.control.view.positions["density"]
    box.do(SceneCommand("save", 0), ParameterSet("density", 0.1), SceneCommand("recall", 0))
    box.run(17)
    assert box.control.view.positions["density"] == density
    box.do(KnobTurned(4, 0.3))
    assert box.control.view.hands[3] == 0.3
    assert box.control.view.taking_over[3] == (abs(box.control.view.positions["density"] - 0.3) > 0.005)


@pytest.mark.parametrize(("event", "word"), [(SceneCommand("erase", 0), "can"), (SceneCommand("save", 16), "0..15")])
def test_a_scene_command_that_is_not_there_is_said(box, event, word):
    before = box.control.moment.scenes
    assert word in box.do(event).message
    assert box.control.moment.scenes == before


def test_a_scene_that_is_cleared_is_empty_and_its_kit_is_forgotten(box):
    box.do(SceneCommand("save", 3))
    kit = box.control.moment.scenes[3].kit
    assert box.control._sounds.kits.has(kit)
    assert box.control.view.scenes_info[3]
    view = box.do(SceneCommand("clear", 3))
    assert not view.scenes_saved[3]
    assert view.scenes_info[3] == ""
    assert not box.control._sounds.kits.has(kit)
    assert "empty" in box.do(SceneCommand("recall", 3)).message
