"""Any sequence of events, over the real models and engine: what must hold, holds."""

from functools import cache, lru_cache

import msgspec
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from device.contract.pattern import GRID_SHAPE
from device.control.offline import Offline
from device.control.state import mended
from device.control.store import Saved
from device.models.library import find_bundle
from device.models.models import Models
from device.panel.events import (
    BUTTONS,
    CORNERS,
    MAP_KINDS,
    SCENE_ACTIONS,
    SIDES,
    ButtonPressed,
    ButtonReleased,
    CcLearn,
    CcReceived,
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

unit = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # few places, so that the models' answers can be remembered
voices, few_scenes = st.integers(0, 8), st.integers(0, 2)
names = st.sampled_from([entry.name for entry in PARAMETERS])

events = st.one_of(
    st.builds(KnobTurned, st.integers(1, 8), unit),
    st.builds(ButtonPressed, st.sampled_from(BUTTONS)),
    st.builds(ButtonReleased, st.sampled_from(BUTTONS)),
    st.builds(ParameterSet, names, unit, st.none() | voices),
    st.builds(VoiceChosen, voices),
    st.builds(PadHit, voices, unit),
    st.builds(StepSet, st.integers(0, 31), voices, st.booleans()),
    st.builds(SceneCommand, st.sampled_from(SCENE_ACTIONS), few_scenes),
    st.builds(CornerSet, st.integers(0, len(CORNERS) - 1), st.none() | few_scenes),
    st.builds(MapChosen, st.sampled_from(MAP_KINDS)),
    st.builds(PlaceKept, st.sampled_from(SIDES)),
    st.builds(SongSet, st.lists(st.tuples(few_scenes, st.integers(1, 2)), max_size=3).map(tuple)),
    st.builds(SongPlayed, st.booleans()),
    st.builds(CcReceived, st.integers(1, 16), st.sampled_from([3, 7, 20, 25, 109]), st.sampled_from([0, 64, 127])),
    st.builds(CcLearn, st.just("") | names),
)


class Remembering(Models):
    """The real models; a question asked before is not computed again."""

    def __init__(self, bundle, sessions):
        super().__init__(bundle, sessions)
        self.render_sound = lru_cache(64)(super().render_sound)


@cache
def models():
    return Remembering.load(find_bundle(None))


class AnyHands(RuleBasedStateMachine):
    """An offline box under random hands."""

    @initialize()
    def switch_on(self):
        self.box = Offline(models())
        self.box.control.step(self.box.now_ns)
        self.first = self.box.control.moment.state

    def do(self, *what):
        for event in what:
            self.box.control.post(event)
        return self.box.control.step(self.box.now_ns)

    @rule(event=events)
    def a_hand_does_something(self, event):
        self.do(event)

    @rule(first=events, second=events, third=events)
    def hands_do_much_at_once(self, first, second, third):
        self.do(first, second, third)

    @rule(steps=st.sampled_from([0.3, 3.0]))
    def music_passes(self, steps):
        frames = int(steps * 6000)
        self.box.play(np.zeros((frames, 2), np.float32))

    @rule(first=events, second=events)
    def something_is_tried(self, first, second):
        """TEMP around two events that are not buttons leaves the state as it was before."""
        if (
            self.box.control.moment.buttons.down
            or isinstance(first, ButtonPressed | ButtonReleased)
            or isinstance(second, ButtonPressed | ButtonReleased)
        ):
            return
        self.do(SongPlayed(False))
        self.settled()
        before = self.box.control.moment
        self.do(ButtonPressed("TEMP"), first, second)
        self.do(ButtonReleased("TEMP"))
        if not {SongPlayed} & {type(first), type(second)}:
            self.settled()
            assert self.box.control.moment.state == before.state
            assert self.box.control.moment.history.past == before.history.past
        assert self.box.control.moment.tried_from is None

    def settled(self):
        self.do()
        self.do()

    @rule()
    def everything_is_undone(self):
        control = self.box.control
        for button in tuple(control.moment.buttons.down):
            self.do(ButtonReleased(button))
        if control.moment.buttons.down or len(control.moment.history.past) >= 1000:
            return
        self.do(SongPlayed(False), ButtonPressed("SHIFT"))
        while control.moment.history.past:
            self.do(ButtonPressed("NEW"), ButtonReleased("NEW"))
        self.do(ButtonReleased("SHIFT"))
        if control.moment.pending is None and control.moment.take is None:
            assert control.moment.state == self.first
            assert control._rhythm.wanted is not None

    @invariant()
    def the_state_is_valid(self):
        moment = self.box.control.moment
        styles, size = self.box.control.maps.node_styles.shape[-1], self.box.control.maps.rhythm_nodes.shape[-1]
        for state in (moment.state, moment.lasting):
            assert mended(state, styles=styles, latent_size=size) == state
        assert moment.tried_from is None or "TEMP" in moment.buttons.down
        assert moment.cursor is None or "VOICE" in moment.buttons.down
        assert -1 <= moment.song_at < max(len(moment.song), 1)

    @invariant()
    def the_view_is_valid_and_what_is_saved_can_be_read(self):
        view = self.box.control.view
        assert view.pattern.cells.shape == GRID_SHAPE
        assert all(0.0 <= place <= 1.0 for place in view.place)
        assert len(view.knobs) == len(view.hands) == len(view.taking_over) == 8
        assert len(view.tones) == len(view.own) == 9
        assert all(0.0 <= peak <= 1.0 for peak in view.wave)
        assert set(view.lights.values()) <= {"off", "dim", "on", "blink"}
        assert "failed" not in view.message
        saved = self.box.control.saved()
        assert msgspec.json.decode(msgspec.json.encode(saved), type=Saved) == saved


TestAnyHands = AnyHands.TestCase
TestAnyHands.settings = settings(max_examples=10, stateful_step_count=25, derandomize=True, deadline=None)
