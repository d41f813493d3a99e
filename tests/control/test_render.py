"""A render is the instrument: onsets on the grid, no clipping, no DC, no clicks, and the same file each time."""

import datetime
import io
import wave
from dataclasses import replace
from itertools import pairwise

import mido
import msgspec
import numpy as np
import pytest

from device.cli import main
from device.contract.pattern import STEPS_PER_BAR, STEPS_PER_BEAT, PatternGrid
from device.contract.voices import VOICES
from device.control import kits, store
from device.control.moves import Move
from device.control.offline import Offline, play_bars, recalled, render
from device.control.takes import dated_name, export_playing, playing_now, take_of
from device.errors import SettingError
from device.panel.events import ButtonPressed, ButtonReleased, ParameterSet

STRAIGHT = (Move(0.0, "humanize", 0.0), Move(0.0, "swing", 0.0))


@pytest.fixture(scope="module")
def take(models):
    return render(models, 4, seed=3, moves=STRAIGHT, stems=True)


def test_every_hit_of_a_machine_beat_lies_on_the_grid_to_the_frame(take):
    step = take.sample_rate * 60 / 110 / STEPS_PER_BEAT
    assert len(take.triggers) > 20
    for hit in take.triggers:
        assert abs(hit.frame - hit.step * step) <= 1.0


def test_sound_begins_where_the_hits_are(take):
    """Each stem is quiet up to its first hit, and has risen 10 ms after it."""
    for voice in VOICES:
        hits = [hit.frame for hit in take.triggers if hit.voice == voice.index]
        stem = np.abs(take.stems[voice.index]).max(1)
        if not hits:
            assert stem.max() == 0.0
            continue
        assert stem[: hits[0]].max(initial=0.0) == 0.0
        for hit in hits:
            assert stem[hit : hit + 441].max() > 1e-3


def test_nothing_clips_nothing_is_dc_and_nothing_is_not_a_number(take):
    assert np.isfinite(take.audio).all()
    assert 0.05 < np.abs(take.audio).max() <= 1.0
    assert np.abs(take.audio.mean(0)).max() < 2e-3


def test_a_render_has_no_clicks_beside_its_onsets(take):
    """Away from onsets no step from sample to sample stands out of its surroundings, as a click would."""
    step = np.abs(np.diff(take.audio.mean(1)))
    windows = step[: len(step) // 441 * 441].reshape(-1, 441)
    struck = np.zeros(len(windows) + 2, bool)
    for hit in take.triggers:
        struck[(hit.frame - 1) // 441 : hit.frame // 441 + 2] = True
    rms = np.sqrt((windows**2).mean(1))
    calm = ~struck[: len(windows)] & (rms > 1e-5)
    assert calm.sum() > 50
    assert (windows[calm].max(1) / rms[calm]).max() < 8.0


def test_a_render_starts_and_ends_in_silence(take):
    assert np.abs(take.audio[-1]).max() < 1e-3
    assert take.triggers[0].frame < len(take.audio) / 8


def test_the_same_seed_gives_the_same_render_and_another_seed_another(models):
    chaos = (Move(0.0, "chaos", 0.8),)
    one, same, other = (render(models, 2, seed=seed, moves=chaos) for seed in (1, 1, 2))
    assert np.array_equal(one.audio, same.audio)
    assert one.triggers == same.triggers
    assert [(hit.frame, hit.voice) for hit in one.triggers] != [(hit.frame, hit.voice) for hit in other.triggers]


def test_a_tempo_move_is_heard_where_it_was_written(models):
    take = render(models, 3, moves=(*STRAIGHT, Move(1.0, "tempo", 220.0)))
    gaps = [after - before for before, after in pairwise(take.beat_frames)]
    assert gaps[1] == pytest.approx(take.sample_rate * 60 / 110, rel=0.01)
    assert gaps[-1] == pytest.approx(take.sample_rate * 60 / 220, rel=0.01)


def test_nothing_of_the_bar_after_the_last_is_played(take):
    assert max(hit.step for hit in take.triggers) < 64


def test_the_command_writes_wav_stems_and_midi_that_agree(tmp_path, capsys):
    out, midi = tmp_path / "beat.wav", tmp_path / "beat.mid"
    code = main(["render", "--bars", "2", "--out", str(out), "--stems", str(tmp_path / "stems"), "--midi", str(midi)])
    assert code == 0
    with wave.open(io.BytesIO(out.read_bytes())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 3, 44100)
    assert sorted(path.stem for path in (tmp_path / "stems").iterdir()) == sorted(voice.name for voice in VOICES)
    notes = [message for message in mido.MidiFile(midi) if message.type == "note_on" and message.velocity]
    assert f"{len(notes)} hits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bars", "0"], "--bars must be 1..400"),
        (["--seed", "-1"], "--seed must be"),
        (["--bundle", "none.latido"], "none.latido"),
        (["--moves", "none.toml"], "cannot read moves file"),
        (["--out", "/proc/none/beat.wav", "--bars", "1"], "nothing was changed"),
    ],
)
def test_bad_input_gets_one_sentence_and_writes_nothing(tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["render", *arguments]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_moves_file_with_an_unknown_control_names_the_nearest(tmp_path, capsys):
    moves = tmp_path / "moves.toml"
    moves.write_text('[[move]]\nat_bar = 1.0\ncontrol = "densty"\nvalue = 1.0\n')
    assert main(["render", "--moves", str(moves), "--out", str(tmp_path / "x.wav")]) == 1
    assert "did you mean 'density'" in capsys.readouterr().err
    assert not (tmp_path / "x.wav").exists()


# -- scenes ----------------------------------------------------------------------------------------------


def played(models):
    """An instrument after a player has made a beat of their own and saved it as scene 1, then gone on."""
    offline = Offline(models, seed=5)

    def do(*events):
        for event in events:
            offline.control.post(event)
        offline.play(np.zeros((64, 2), np.float32))

    do(ParameterSet("x", 0.9), ParameterSet("tempo", 0.4), ParameterSet("density", 0.7), ParameterSet("tone_x", 0.1, 1))
    do(ButtonPressed("SHIFT"), ButtonPressed("SCENE"), ButtonReleased("SCENE"), ButtonReleased("SHIFT"))
    return offline, do


@pytest.fixture(scope="module")
def state_folder(models, tmp_path_factory):
    """A folder with scene 1 saved, and something else that plays."""
    folder = tmp_path_factory.mktemp("state")
    offline, do = played(models)
    do(ParameterSet("x", 0.1), ParameterSet("tempo", 0.1))
    store.save(folder, offline.control.saved())
    return folder


def samples(path):
    with wave.open(str(path)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, 2, 3)
    return (raw.astype(np.int32) << np.array([8, 16, 24], np.int32)).sum(-1).astype(np.int32) >> 8


def test_a_scene_is_rendered_as_it_was_saved_and_twice_the_same(models, state_folder, tmp_path, capsys):
    for name in ("one", "two"):
        words = ["--scene", "1", "--state", str(state_folder), "--bars", "2", "--out", str(tmp_path / f"{name}.wav")]
        assert main(["render", *words]) == 0
    assert "2 bars" in capsys.readouterr().out
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
    heard = samples(tmp_path / "one.wav")
    offline, _ = played(models)
    expected = take_of(playing_now(offline.control), 2)
    assert len(heard) > 2 * 4 * 60 / 132 * 44100
    shared = min(len(heard), len(expected.audio))
    np.testing.assert_allclose(heard[:shared] / 2**23, expected.audio[:shared], atol=2e-6)


def test_what_played_when_it_was_saved_is_rendered_too_and_is_not_the_scene(state_folder, tmp_path):
    state = ["--state", str(state_folder), "--bars", "1"]
    assert main(["render", "--playing", *state, "--out", str(tmp_path / "now.wav")]) == 0
    assert main(["render", "--scene", "1", *state, "--out", str(tmp_path / "scene.wav")]) == 0
    now, scene = samples(tmp_path / "now.wav"), samples(tmp_path / "scene.wav")
    assert len(now) > len(scene)  # 48 beats a minute, and 132


def test_a_scene_renders_with_stems_midi_and_moves(state_folder, tmp_path):
    moves, midi = tmp_path / "moves.toml", tmp_path / "beat.mid"
    moves.write_text('[[move]]\nat_bar = 0.5\ncontrol = "density"\nvalue = 0.0\n')
    words = ["--scene", "1", "--state", str(state_folder), "--bars", "2", "--moves", str(moves), "--midi", str(midi)]
    assert main(["render", *words, "--out", str(tmp_path / "a.wav"), "--stems", str(tmp_path / "stems")]) == 0
    file = mido.MidiFile(midi)
    tempo = next(message.tempo for message in file.tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo) == pytest.approx(132.0, abs=0.01)  # from the first beat on
    ticks = np.cumsum([message.time for message in file.tracks[0]])
    notes = [tick for tick, m in zip(ticks, file.tracks[0], strict=True) if m.type == "note_on" and m.velocity]
    assert notes
    assert max(notes) <= 0.56 * 4 * file.ticks_per_beat  # nothing after the hand went down
    assert len(list((tmp_path / "stems").iterdir())) == len(VOICES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scene", "2"], "scene 2 is empty: saved are 1"),
        (["--scene", "17"], "there is no scene 17, only 1..16: saved are 1"),
        (["--scene", "0"], "there is no scene 0, only 1..16"),
        (["--scene", "1", "--state", "none"], "nothing was saved in none"),
        (["--playing", "--state", "none"], "nothing was saved in none"),
        (["--scene", "1", "--folder", "out", "--midi", "x.mid"], "--folder names every file itself"),
    ],
)
def test_a_scene_that_is_not_there_gets_one_sentence(state_folder, tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["render", "--state", str(state_folder), *arguments]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_seed_draws_the_chaos_of_a_scene_anew(models, tmp_path):
    offline, do = played(models)
    do(ParameterSet("chaos", 0.8))
    do(ButtonPressed("SHIFT"), ButtonPressed("SCENE"), ButtonReleased("SCENE"), ButtonReleased("SHIFT"))
    store.save(tmp_path, offline.control.saved())
    heard = {}
    for seed in (None, 5, 6):
        words = ["--scene", "2", "--state", str(tmp_path), "--bars", "2", "--out", str(tmp_path / f"{seed}.wav")]
        assert main(["render", *words, *([] if seed is None else ["--seed", str(seed)])]) == 0
        heard[seed] = (tmp_path / f"{seed}.wav").read_bytes()
    assert heard[None] == heard[5] != heard[6]  # it was saved with seed 5


def test_a_scene_of_another_bundle_is_rendered_with_the_sounds_and_the_pattern_it_was_saved_with(models, tmp_path):
    """Stored beside the state, not asked of the model that is loaded; a running instrument's files are left alone."""
    offline, _ = played(models)
    saved = offline.control.saved()
    scene = saved.scenes[0]
    loud = playing_now(offline.control)
    kit = tuple((np.full(2000, 0.01 * (voice + 1), np.float32),) for voice in range(len(VOICES)))
    (tmp_path / kits.FOLDER).mkdir()
    (tmp_path / kits.FOLDER / f"{scene.kit}.kit").write_bytes(kits.pack(kit))
    foreign = msgspec.structs.replace(scene, bundle="another")
    saved = msgspec.structs.replace(saved, scenes=(foreign, *saved.scenes[1:]))
    store.save(tmp_path, saved)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    deck = recalled(models, saved, 0, tmp_path)
    heard = playing_now(deck.control)
    assert heard.pattern == loud.pattern
    assert [layers[0][0] for layers in heard.sounds] == [layers[0][0] for layers in kit]
    take = play_bars(deck, 1)
    assert 0.0 < np.abs(take.audio).max() < 0.5
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_kit_that_is_damaged_is_rendered_again_by_the_model(models, tmp_path):
    offline, _ = played(models)
    saved = offline.control.saved()
    (tmp_path / kits.FOLDER).mkdir()
    (tmp_path / kits.FOLDER / f"{saved.scenes[0].kit}.kit").write_bytes(b"damaged")
    foreign = msgspec.structs.replace(saved.scenes[0], bundle="another")
    saved = msgspec.structs.replace(saved, scenes=(foreign, *saved.scenes[1:]))
    heard = playing_now(recalled(models, saved, 0, tmp_path).control)
    assert all(len(layers) for layers in heard.sounds)


def test_a_state_that_cannot_be_read_is_said_and_nothing_rendered(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / store.FILE_NAME).write_text("{")
    assert main(["render", "--scene", "1", "--state", str(tmp_path)]) == 1
    assert "saved state cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "beat.wav").exists()


# -- what plays right now --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def playing(models):
    """What a straight beat was told the engine."""
    offline = Offline(models, seed=3)
    offline.control.post(ParameterSet("humanize", 0.0))
    offline.play(np.zeros((64, 2), np.float32))
    return playing_now(offline.control)


def test_a_take_of_what_plays_is_what_plays_to_the_bit(models):
    """Beside control, models and engine at work: the same hits at the same frames, the same samples."""
    offline, _ = played(models)
    live = play_bars(recalled(models, offline.control.saved()), 2, stems=True)
    alone = take_of(playing_now(offline.control), 2, stems=True)
    assert alone.triggers == live.triggers
    assert alone.beat_frames == pytest.approx(live.beat_frames, abs=1e-3)
    shared = min(len(alone.audio), len(live.audio))
    assert shared > 44100 * 3
    assert np.array_equal(alone.audio[:shared], live.audio[:shared])
    np.testing.assert_allclose(alone.stems[:, :shared], live.stems[:, :shared], rtol=0, atol=1e-12)


def test_a_take_is_pure_and_leaves_no_mark_on_what_it_was_taken_from(playing):
    before = [layer.copy() for layers in playing.sounds for layer in layers]
    one, two = take_of(playing, 1, stems=True), take_of(playing, 1, stems=True)
    assert np.array_equal(one.audio, two.audio)
    assert np.array_equal(one.stems, two.stems)
    assert one.beat_frames == pytest.approx([beat * 44100 * 60 / 110 for beat in range(5)], abs=1e-3)
    after = [layer for layers in playing.sounds for layer in layers]
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_stems_add_up_to_the_beat_before_the_master(playing):
    clean = replace(playing, params=replace(playing.params, drive=0.0, master=0.4))
    take = take_of(clean, 1, stems=True)
    likeness = np.corrcoef(take.audio.ravel(), take.stems.sum(0).ravel())[0, 1]
    assert likeness > 0.98  # the limiter bends the loudest


def test_an_export_is_wav_stems_and_midi_under_one_dated_name(playing, tmp_path):
    when = datetime.datetime(2026, 11, 24, 21, 37)
    paths = export_playing(playing, 1, tmp_path / "new", when=when)
    names = {path.relative_to(tmp_path / "new").as_posix() for path in paths}
    stem = f"latido-2026-11-24-2137-{playing.style}"
    assert playing.style == "house"
    assert names == {f"{stem}.wav", f"{stem}.mid", *(f"{stem}-stems/{voice.name}.wav" for voice in VOICES)}
    assert all(path.stat().st_size for path in paths)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"{stem}.wav", f"{stem}.mid", f"{stem}-stems"}
    notes = [message for message in mido.MidiFile(paths[-1]) if message.type == "note_on" and message.velocity]
    assert len(notes) == len(take_of(playing, 1).triggers)
    with wave.open(str(paths[0])) as wav, wave.open(str(paths[1])) as part:
        assert wav.getnframes() == part.getnframes() > STEPS_PER_BAR * 44100 * 60 / 110 / STEPS_PER_BEAT


def test_a_second_export_in_the_same_minute_takes_the_next_name(playing, tmp_path):
    when = datetime.datetime(2026, 11, 24, 21, 37)
    first, second, third = (export_playing(playing, 1, tmp_path, when=when, stems=False)[0] for _ in range(3))
    assert [path.stem for path in (second, third)] == [f"{first.stem}-2", f"{first.stem}-3"]
    assert first.read_bytes() == second.read_bytes()


def test_an_export_that_would_not_fit_a_box_is_refused(playing, tmp_path):
    with pytest.raises(SettingError, match="at most 60 s are exported"):
        export_playing(playing, 100, tmp_path)
    with pytest.raises(SettingError, match=r"bars must be 1\.\.400"):
        export_playing(playing, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_voice_that_has_no_sound_yet_is_silent_in_a_take(playing):
    silent = replace(playing, sounds=((),) * len(VOICES))
    take = take_of(silent, 1)
    assert not take.audio.any()
    assert take_of(replace(silent, pattern=PatternGrid.empty()), 1).triggers == ()


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("house", "latido-2026-01-02-0304-house"),
        ("funk 70 jazz 30", "latido-2026-01-02-0304-funk-jazz"),
        ("drum'n'bass/../x", "latido-2026-01-02-0304-drum-n"),
        ("", "latido-2026-01-02-0304"),
    ],
)
def test_a_dated_name_is_safe_on_every_file_system(style, name):
    assert dated_name(style, datetime.datetime(2026, 1, 2, 3, 4)) == name


def test_the_folder_option_names_every_file_itself(state_folder, tmp_path, capsys):
    words = ["--scene", "1", "--state", str(state_folder), "--bars", "1", "--folder", str(tmp_path / "out")]
    assert main(["render", *words]) == 0
    (wav,) = (tmp_path / "out").glob("*.wav")
    assert wav.name.startswith("latido-20")
    assert str(wav) in capsys.readouterr().out
    assert len(list((tmp_path / "out").iterdir())) == 3
