"""Hits land on the grid to the frame, at any tempo, and a moving tempo never jumps in phase."""

import numpy as np
import pytest
from engine_kit import RATE, every, grid, new_player
from hypothesis import given, settings
from hypothesis import strategies as st

from device.engine.records import Action, Params, Transport
from device.engine.transport import Transport as Beat


def frames_per_step(tempo_bpm):
    return RATE * 15.0 / tempo_bpm


@pytest.mark.parametrize("tempo_bpm", [20.0, 97.3, 120.0, 300.0])
def test_every_step_begins_on_its_frame(player, tempo_bpm):
    player.start(grid(every(1, "closed_hat")), tempo_bpm=tempo_bpm)
    player.play(RATE * 4)
    frames = [hit.frame for hit in player.triggers]
    assert len(frames) == int(RATE * 4 / frames_per_step(tempo_bpm)) + 1
    assert all(abs(frame - step * frames_per_step(tempo_bpm)) <= 0.5 for step, frame in enumerate(frames))


def test_the_sound_of_a_hit_begins_at_its_very_frame(player):
    player.start(grid([(0, "kick")]), frame=1_003, humanize=0.0)
    out = player.play(4_000)
    assert not out[:1_004].any()  # the kit's sounds start from zero
    assert out[1_004].all()


def test_start_begins_at_step_zero_and_at_the_stamped_frame(player):
    player.start(grid(every(4, "kick")), frame=777)
    player.play(30_000)
    player.tell(Transport(Action.START), 31_001)
    player.until(40_000)
    assert (player.triggers[0].frame, player.triggers[0].step) == (777, 0)
    assert (31_001, 0) in [(hit.frame, hit.step) for hit in player.triggers]


def test_stop_ends_the_hits_and_lets_the_sounds_ring_out(player):
    player.start(grid(every(2, "crash")), tempo_bpm=120.0)
    player.play(12_800)
    player.tell(Transport(Action.STOP))
    ringing = player.play(10_000)
    count = len(player.triggers)
    assert np.abs(ringing[:2_000]).max() > 0.1
    player.play(40_000)
    assert len(player.triggers) == count
    assert not player.play(1_000).any()


def test_continue_goes_on_where_it_was_stopped(player):
    player.start(grid(every(1, "closed_hat")), tempo_bpm=120.0)
    player.tell(Transport(Action.STOP), 20_000)
    player.tell(Transport(Action.CONTINUE), 50_000)
    player.play(100_000)
    frames = [hit.frame for hit in player.triggers]
    assert player.steps("closed_hat") == list(range(len(frames)))
    expected = [step * 5512.5 if step < 4 else step * 5512.5 + 30_000 for step in range(len(frames))]
    assert np.abs(np.subtract(frames, expected)).max() <= 0.5


def test_panic_silences_everything_within_five_milliseconds(player):
    player.start(grid(every(1, "crash") + every(2, "kick")))
    player.play(20_000)
    player.tell(Transport(Action.PANIC), player.engine.frame + 131)
    player.play(131 + 220)
    assert not player.stems(20_000).any()
    assert np.abs(player.sound[-1]).max() < 0.02  # what the DC blocker remembers fades below hearing
    assert not player.play(20_000).any()
    assert not player.engine.report().playing


def test_report_says_the_step_that_is_being_heard(player):
    player.start(grid(), tempo_bpm=300.0)
    for _ in range(400):
        player.engine.render(np.zeros((37, 2), np.float32))
        report = player.engine.report()
        assert report.step == int((report.frame + 0.5) // 2205)
        assert report.frame == player.engine.frame
        assert player.engine.place == pytest.approx(report.frame / 2205)


def test_a_change_of_tempo_is_complete_within_a_tenth_of_a_second(player):
    player.start(grid(), tempo_bpm=60.0)
    player.play(10_000)
    player.tell(Params(tempo_bpm=240.0))
    tempos = []
    for _ in range(40):
        player.engine.render(np.zeros((128, 2), np.float32))
        tempos.append(player.engine.report().tempo_bpm)
    assert tempos == sorted(tempos)
    assert len(set(tempos)) > 10
    assert tempos[-1] == 240.0


def test_tempo_set_while_stopped_counts_from_the_first_step(player):
    player.play(1_000)
    player.start(grid(every(1, "kick")), tempo_bpm=300.0, frame=1_500)
    player.play(20_000)
    frames = [hit.frame for hit in player.triggers]
    assert [frame - 1_500 for frame in frames] == [2_205 * step for step in range(len(frames))]


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(20.0, 300.0)), min_size=1, max_size=30))
def test_place_never_jumps_whatever_the_tempo_does(changes):
    beat = Beat(RATE, 120.0)
    beat.start(0)
    frame, before = 0, 0.0
    fastest = 1.001 / frames_per_step(300.0)
    for quanta, tempo_bpm in changes:
        beat.aim(tempo_bpm)
        for _ in range(quanta):
            beat.advance(frame)
            assert beat.place(frame) == pytest.approx(before, abs=1e-9)
            frame += 128
            moved = beat.place(frame) - before
            assert 0.0 < moved <= 128 * fastest
            before = beat.place(frame)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(100, 9_000), st.floats(20.0, 300.0)), min_size=1, max_size=12))
def test_a_moving_tempo_neither_skips_nor_doubles_a_step(changes):
    player = new_player()
    player.start(grid(every(1, "closed_hat")))
    for frames, tempo_bpm in changes:
        player.play(frames)
        player.tell(Params(tempo_bpm=tempo_bpm))
    player.play(20_000)
    steps = player.steps("closed_hat")
    assert steps == list(range(len(steps)))
    frames = [hit.frame for hit in player.triggers]
    assert min(np.diff(frames), default=9_999) >= 2_205 - 1
