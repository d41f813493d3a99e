"""What goes wrong is taken back, left out or refused, one thing at a time, and the beat goes on."""

import time

import msgspec
import numpy as np
import pytest

from device.audio.launch import AudioHost
from device.cli import main
from device.control import store
from device.control.control import Control, Spaces
from device.control.files import write_all
from device.control.moves import Move
from device.control.offline import HeardLink, render
from device.control.run import Instrument, health_of
from device.control.view import AudioHealth
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES
from device.errors import LatidoError
from device.models.background import Inline
from device.panel.events import ButtonPressed, ButtonReleased, ParameterSet


def tap(name):
    return ButtonPressed(name), ButtonReleased(name)


def saved_scene(box):
    box.do(ParameterSet("x", 0.3))
    box.do(ButtonPressed("SHIFT"), *tap("SCENE"), ButtonReleased("SHIFT"))
    return box.control.saved()


def switched_on(models, box, saved):
    spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
    return Control(spaces, Inline(models), HeardLink(box.engine), saved)


@pytest.mark.parametrize("change", [{"pattern": b"abc"}, {"pattern": np.full(864, 7, "<f4").tobytes()}])
def test_a_scene_that_cannot_be_used_is_left_out_alone(models, box, change):
    good = saved_scene(box)
    scene = good.scenes[0]
    bad = msgspec.structs.replace(good, scenes=(scene, msgspec.structs.replace(scene, **change), *good.scenes[2:]))
    control = switched_on(models, box, bad)
    assert control.moment.state == good.state
    assert control.moment.scenes[0] == scene
    assert control.moment.scenes[1] is None
    assert "scene 2" in control.left_out
    assert "left out" in control.view.message
    assert "\n" not in control.view.message


def test_a_state_that_cannot_be_used_does_not_take_the_scenes_with_it(models, box):
    good = saved_scene(box)
    state = msgspec.structs.replace(good.state, classes=("bagpipe", *good.state.classes[1:]))
    control = switched_on(models, box, msgspec.structs.replace(good, state=state))
    assert control.moment.scenes[0] == good.scenes[0]
    assert "what was playing" in control.left_out
    assert "bagpipe" in control.left_out


def test_the_file_is_kept_before_it_is_written_without_what_was_left_out(tmp_path):
    (tmp_path / store.FILE_NAME).write_bytes(b"as it was")
    assert store.keep_copy(tmp_path) == "the file as it was is kept as player.json.unreadable-1"
    assert (tmp_path / "player.json.unreadable-1").read_bytes() == b"as it was"
    assert (tmp_path / store.FILE_NAME).exists()


def test_new_places_go_on_after_switching_off(models, box):
    box.do(*tap("NEW"))
    first = box.control.moment.state
    control = switched_on(models, box, box.control.saved())
    control.post(ButtonPressed("NEW", 1))
    control.post(ButtonReleased("NEW", 2))
    control.step(3)
    second = control.moment.state
    assert (second.position("x"), second.position("y")) != (first.position("x"), first.position("y"))


def test_learning_ends_when_its_audio_half_is_gone(box):
    box.run(40)
    box.do(*tap("LEARN"))
    assert box.control.moment.take is not None
    box.engine = Engine(box.sample_rate, np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32))
    box.link = HeardLink(box.engine)
    box.control.attach(box.link, AudioHealth(sample_rate=box.sample_rate))
    box.run(1)
    assert box.control.moment.take is None
    assert "learning stopped" in box.control.view.message


class Broken(Inline):
    """A decoder with a fault that nobody thought of."""

    broken = False

    def ask_pattern(self, wish):
        if self.broken:
            raise KeyError("nobody thought of this")
        super().ask_pattern(wish)


def test_a_fault_in_one_pass_is_taken_back_and_hands_go_on(models, tmp_path, capfd):
    host = AudioHost(tmp_path / "run", "null")
    spaces = Spaces(models.maps, tuple(models.manifest.styles), models.bundle.ident)
    worker = Broken(models)
    control = Control(spaces, worker, host.connect(), health=health_of(host))

    def until(condition):
        end = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    with Instrument(control, host):
        until(lambda: control.view.triggers)
        before = control.moment.state
        worker.broken = True
        control.post(ParameterSet("x", 0.9))
        until(lambda: "taken back" in control.view.message)
        assert control.moment.state == before
        worker.broken = False
        control.post(ParameterSet("density", 0.9))
        until(lambda: control.moment.state.position("density") == 0.9)
    assert capfd.readouterr().err.count("Traceback") == 1


def test_drift_adds_nothing_after_the_last_bar(models):
    for bars in (1, 2):
        take = render(models, bars, moves=(Move(0.0, "drift", 1.0),))
        assert max(hit.step for hit in take.triggers) < 16 * bars


def test_a_moves_file_cannot_stop_the_render(tmp_path, capsys):
    moves = tmp_path / "moves.toml"
    moves.write_text('[[move]]\nat_bar = 0.5\ncontrol = "PLAY"\n')
    assert main(["render", "--moves", str(moves), "--out", str(tmp_path / "x.wav")]) == 1
    assert "leave it out" in capsys.readouterr().err


def test_files_in_each_others_way_are_refused_before_anything_is_rendered(tmp_path, capsys):
    out, folder = tmp_path / "beat.wav", tmp_path / "folder"
    out.write_bytes(b"old")
    folder.mkdir()
    for arguments, said in (
        (["--midi", str(folder)], "it is a folder"),
        (["--midi", str(out)], "a name of its own"),
    ):
        assert main(["render", "--bars", "1", "--out", str(out), *arguments]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
        assert out.read_bytes() == b"old"


def test_a_write_that_fails_half_way_leaves_the_old_files(tmp_path):
    old = tmp_path / "a.wav"
    old.write_bytes(b"old")
    long_name = tmp_path / ("x" * 252)
    with pytest.raises(LatidoError, match="nothing was changed"):
        write_all({old: b"new", long_name: b"new"})
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_one_drag_over_the_map_is_one_step_back(box):
    before = box.control.moment.state
    for step in range(10):
        box.do(ParameterSet("x", 0.5 + step / 50), ParameterSet("y", 0.5 - step / 50))
    assert box.control.view.undo_depth == 1
    box.do(ButtonPressed("SHIFT"), *tap("NEW"), ButtonReleased("SHIFT"))
    assert box.control.moment.state == before


def test_the_scene_that_comes_is_seen_before_it_is_there(box):
    saved_scene(box)
    box.run(3)
    assert box.control.view.next_scene == -1
    assert box.do(*tap("SCENE")).next_scene == 0
    box.run(16)
    assert box.control.view.next_scene == -1
