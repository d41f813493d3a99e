"""A render is the instrument: onsets on the grid, no clipping, no DC, no clicks, and the same file each time."""

import io
import wave
from itertools import pairwise

import mido
import numpy as np
import pytest

from device.cli import main
from device.contract.pattern import STEPS_PER_BEAT
from device.contract.voices import VOICES
from device.control.moves import Move
from device.control.offline import render

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
