"""What page and server say to each other, without a server."""

import base64
import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.contract.pattern import PatternGrid
from device.control.state import fresh_state
from device.control.view import View
from device.engine import chance
from device.engine.records import Trigger
from device.errors import SettingError
from device.panel.events import (
    BUTTONS,
    ButtonPressed,
    ButtonReleased,
    CcLearn,
    CornerSet,
    KnobTurned,
    MapChosen,
    PadHit,
    ParameterSet,
    PlaceKept,
    SceneCommand,
    SongPlayed,
    SongSet,
    StepSet,
    VoiceChosen,
)
from device.parameters import PARAMETERS
from device.simulator import protocol

UNDERSTOOD = {
    '{"type": "knob", "number": 8, "position": 1}': KnobTurned(8, 1.0, 5),
    '{"type": "press", "button": "PLAY"}': ButtonPressed("PLAY", 5),
    '{"type": "release", "button": "SHIFT"}': ButtonReleased("SHIFT", 5),
    '{"type": "set", "name": "density", "position": 0.25}': ParameterSet("density", 0.25, None, 5),
    '{"type": "set", "name": "mute", "position": 1.0, "voice": 8}': ParameterSet("mute", 1.0, 8, 5),
    '{"type": "voice", "voice": 3}': VoiceChosen(3, 5),
    '{"type": "hit", "voice": 0, "velocity": 0.5}': PadHit(0, 0.5, 5),
    '{"type": "hit", "voice": 0}': PadHit(0, 0.9, 5),
    '{"type": "step", "step": 31, "voice": 8, "on": true}': StepSet(31, 8, True, 0.8, 5),
    '{"type": "step", "step": 0, "voice": 0, "on": false, "velocity": 0.25}': StepSet(0, 0, False, 0.25, 5),
    '{"type": "scene", "action": "recall", "scene": 15}': SceneCommand("recall", 15, 5),
    '{"type": "scene", "action": "save", "scene": 0}': SceneCommand("save", 0, 5),
    '{"type": "corner", "corner": 3, "scene": 7}': CornerSet(3, 7, 5),
    '{"type": "corner", "corner": 0, "scene": null}': CornerSet(0, None, 5),
    '{"type": "map", "kind": "corners"}': MapChosen("corners", 5),
    '{"type": "keep", "side": "b"}': PlaceKept("b", 5),
    '{"type": "song", "entries": [[0, 2], [15, 1]]}': SongSet(((0, 2), (15, 1)), 5),
    '{"type": "song", "entries": []}': SongSet((), 5),
    '{"type": "play_song", "on": true}': SongPlayed(True, 5),
    '{"type": "learn_cc", "name": "chaos"}': CcLearn("chaos", None, 5),
    '{"type": "learn_cc", "name": ""}': CcLearn("", None, 5),
}
REFUSED = {
    "": "not understood",
    "PLAY": "not understood",
    "[]": "not understood",
    "{}": "not understood",
    '{"type": "stop"}': "not understood",
    '{"type": "knob", "number": 9, "position": 0}': "not understood",
    '{"type": "knob", "number": 1, "position": 1.01}': "not understood",
    '{"type": "set", "name": "density", "position": NaN}': "not understood",
    '{"type": "set", "name": "density", "position": "0.5"}': "not understood",
    '{"type": "set", "name": "density", "position": 0.5, "more": 1}': "not understood",
    '{"type": "set", "name": "densty", "position": 0.5}': "did you mean 'density'",
    '{"type": "set", "name": "level", "position": 0.5, "voice": 9}': "not understood",
    '{"type": "learn_cc", "name": "densty"}': "did you mean 'density'",
    '{"type": "press", "button": "PAUSE"}': "unknown button 'PAUSE': known are PLAY",
    '{"type": "voice", "voice": -1}': "not understood",
    '{"type": "step", "step": 32, "voice": 0, "on": true}': "not understood",
    '{"type": "step", "step": 0, "voice": 0, "on": 1}': "not understood",
    '{"type": "scene", "action": "burn", "scene": 0}': "not understood",
    '{"type": "scene", "action": "save", "scene": 16}': "not understood",
    '{"type": "corner", "corner": 4, "scene": 0}': "not understood",
    '{"type": "map", "kind": "round"}': "not understood",
    '{"type": "keep", "side": "c"}': "not understood",
    '{"type": "song", "entries": [[0, 0]]}': "not understood",
    '{"type": "song", "entries": [' + ",".join(["[0,1]"] * 65) + "]}": "not understood",
    "[" * 900: "not understood",
    " " * 5000: "at most",
    "\ud800": "not understood",
}


@pytest.mark.parametrize(("message", "event"), UNDERSTOOD.items())
def test_what_a_hand_does_on_the_page_becomes_an_event(message, event):
    assert protocol.understand(message, 5) == event


@pytest.mark.parametrize(("message", "why"), REFUSED.items())
def test_what_makes_no_sense_is_refused_in_one_sentence(message, why):
    with pytest.raises(SettingError, match=why):
        protocol.understand(message, 5)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
kinds = st.sampled_from(
    [
        "knob",
        "press",
        "release",
        "set",
        "voice",
        "hit",
        "step",
        "scene",
        "corner",
        "map",
        "keep",
        "song",
        "play_song",
        "table",
        "",
    ]
)
words = [
    "number",
    "position",
    "button",
    "name",
    "voice",
    "velocity",
    "step",
    "on",
    "action",
    "scene",
    "corner",
    "kind",
    "side",
    "entries",
]
almost = st.fixed_dictionaries({"type": kinds}, optional=dict.fromkeys(words, json_values))


@given(st.text() | st.binary() | json_values.map(json.dumps) | almost.map(json.dumps))
def test_any_message_is_an_event_or_one_sentence(message):
    with contextlib.suppress(SettingError):
        assert protocol.understand(message, 1).at_ns == 1


def test_the_page_is_told_every_parameter_and_button():
    told = json.loads(protocol.table(("house", "fill")))
    assert [entry["name"] for entry in told["parameters"]] == [entry.name for entry in PARAMETERS]
    assert [button["name"] for button in told["buttons"]] == list(BUTTONS)
    assert all(entry["help"].endswith(".") for entry in told["parameters"])
    assert len({button["key"] for button in told["buttons"]}) == len(BUTTONS)
    assert told["styles"] == ["house", "fill"]


def test_the_page_is_told_the_maps_in_colours_it_can_mix(models):
    told = json.loads(protocol.table(tuple(models.manifest.styles), models.maps))
    maps, side = models.maps, told["map"]["side"]
    styles = np.frombuffer(base64.b64decode(told["map"]["styles"]), np.uint8).reshape(side, side, -1)
    assert np.abs(styles / 255 - maps.node_styles).max() <= 0.5 / 255 + 1e-6
    far = told["sound_maps"]["side"]
    for name in ("bright", "decay"):
        places = np.frombuffer(base64.b64decode(told["sound_maps"][name]), np.uint8).reshape(-1, far, far)
        assert (places.min((1, 2)) == 0).all()
        assert (places.max((1, 2)) == 255).all()
    assert np.abs(np.array(told["kits"]["places"]) - maps.kit_places).max() <= 0.001
    assert told["kits"]["classes"] == maps.kit_classes.tolist()
    assert len(protocol.table(tuple(models.manifest.styles), models.maps)) < 60_000


def test_the_longest_song_fits_into_a_message():
    entries = [[15, 64]] * protocol.LONGEST_SONG
    message = json.dumps({"type": "song", "entries": entries})
    assert protocol.understand(message, 5) == SongSet(tuple(map(tuple, entries)), 5)


def view_of(draw_position, voice, step):
    state = fresh_state()
    for entry in PARAMETERS:
        state = state.moved(entry.name, draw_position, voice)
    cells = np.zeros((32, 9, 3), np.float32)
    cells[step % 32, voice] = (draw_position, 1.0, draw_position - 0.5)
    return View(
        playing=step % 2 == 0,
        step=step,
        voice=voice,
        frame=step * 1000,
        positions={**state.globals, **state.voices},
        texts={"x": f"{draw_position:.2f}"},
        pattern=PatternGrid(cells),
        pattern_ident=hash((draw_position, voice, step)),
        lights={"PLAY": "on" if step % 2 else "dim"},
        message="" if step % 3 else "hello",
    )


@given(st.lists(st.builds(view_of, st.floats(0, 1), st.integers(0, 8), st.integers(0, 99)), min_size=2, max_size=6))
def test_a_page_that_hears_every_change_sees_everything(views):
    page, before = {}, {}
    for view in views:
        now = protocol.shown(view)
        for name, value in protocol.changes(before, now, view.pattern).items():
            page[name] = {**page.get(name, {}), **value} if name in ("positions", "texts", "lights") else value
        before = now
    everything = protocol.changes({}, protocol.shown(views[-1]), views[-1].pattern)
    assert page == everything


@given(st.builds(view_of, st.floats(0, 1), st.integers(0, 8), st.integers(0, 99)), st.integers(0, 10**9))
def test_nothing_is_told_when_nothing_but_time_has_changed(view, frame):
    later = replace(view, frame=frame, positions=dict(view.positions))
    assert protocol.changes(protocol.shown(view), protocol.shown(later), later.pattern) == {}


def test_one_turned_knob_is_all_that_is_told():
    view = view_of(0.5, 2, 1)
    turned = replace(view, positions={**view.positions, "chaos": 0.75})
    told = protocol.changes(protocol.shown(view), protocol.shown(turned), turned.pattern)
    assert told == {"positions": {"chaos": 0.75}}


def test_a_pattern_keeps_levels_velocities_and_timing():
    cells = np.random.default_rng(5).random((32, 9, 3)).astype(np.float32) - np.float32([0, 0, 0.5])
    told = np.frombuffer(base64.b64decode(protocol.pattern_text(PatternGrid(cells))), np.uint8).reshape(32, 9, 3)
    assert np.abs(told[..., :2] / 255 - cells[..., :2]).max() <= 0.5 / 255 + 1e-6
    assert np.abs(told[..., 2].view(np.int8) / 254 - cells[..., 2]).max() <= 0.5 / 254 + 1e-6


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.02, 0.98))
def test_the_page_draws_the_hits_that_the_engine_plays(density, own, level):
    positions = {**fresh_state().globals, **fresh_state().voices, "density": density, "voice_density": (own,) * 9}
    (played_from, *_) = protocol.plays_from(View(positions=positions))
    at_least = chance.threshold(density, own)
    if abs(level - played_from) > 1e-3:
        logit = chance.logits(np.full((32, 9), level, np.float32))[0][0]
        assert (level >= played_from) == chance.plays(logit, at_least, 0.0, 1, 0, 0)


def test_hits_are_told_with_voice_velocity_step_and_frame():
    told = json.loads(protocol.state({}, 1000, [Trigger(900, 3, 0.456, 17)]))
    assert told == {"type": "state", "frame": 1000, "hits": [[3, 0.46, 17, 900]]}
