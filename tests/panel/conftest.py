"""A View as an instrument in the middle of a beat shows it, made by hand: its pictures stay the same for ever."""

from dataclasses import replace

import numpy as np
import pytest

from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import VOICE_COUNT, VOICES
from device.control.present import in_words
from device.control.state import fresh_state
from device.control.view import View
from device.parameters import PARAMETERS

STYLES = ("house", "techno", "funk", "jazz", "fill")


def a_pattern():
    cells = np.zeros(GRID_SHAPE, np.float32)
    for step in range(0, 32, 4):
        cells[step, 0] = 0.95, 1.0, 0.0  # kick
    for step in (4, 12, 20, 28):
        cells[step, 1] = 0.95, 0.8, 0.0  # snare
    for step in range(32):
        cells[step, 2] = 0.9, 0.75 if step % 4 == 2 else 0.5 if step % 2 == 0 else 0.2, 0.0  # closed hat
    cells[30, 3] = cells[14, 3] = 0.9, 0.6, 0.0  # open hat
    cells[31, 4] = cells[29, 6] = 0.7, 0.45, 0.0
    cells[0, 7] = 0.8, 0.9, 0.0
    return PatternGrid(cells)


def make_view(**changes):
    state = fresh_state().moved("x", 0.7).moved("y", 0.3).moved("tone_x", 0.6, 1).moved("tone_y", 0.8, 1)
    decay = np.exp(-np.arange(128) / 18.0) * np.where(np.arange(128) % 9 < 6, 1.0, 0.7)
    view = View(
        playing=True,
        tempo_bpm=120.0,
        step=9,
        voice=1,
        positions={**state.globals, **state.voices},
        texts={**{entry.name: in_words(entry, state.value(entry.name, 1)) for entry in PARAMETERS}, "style": "house"},
        pattern=a_pattern(),
        peaks=(0.9, 0.02, 0.4, 0.1, 0.0, 0.0, 0.0, 0.3, 0.0, 0.5, 0.5),
        styles=STYLES,
        style="house",
        sound_classes=("kick", "clap", *(voice.name for voice in VOICES[2:])),
        scene=2,
        scenes_saved=(True,) * 3 + (False,) * 13,
        place=(0.7, 0.3),
        tones=tuple((state.position("tone_x", voice), state.position("tone_y", voice)) for voice in range(VOICE_COUNT)),
        wave=tuple(map(float, decay)),
    )
    return replace(view, **changes)


@pytest.fixture
def view():
    return make_view()
