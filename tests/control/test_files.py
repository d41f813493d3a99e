"""Files of a render: whole or not at all, and an export never overwrites anything."""

import errno
import io
import os
import wave
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.control import files
from device.control.files import midi_bytes, wav_bytes, write_all, write_new
from device.engine.records import Trigger
from device.errors import LatidoError

SET = {Path("beat.wav"): b"sound", Path("beat.mid"): b"notes", Path("beat-stems/kick.wav"): b"kick"}


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_that_belong_together_share_the_next_free_name(tmp_path):
    first, second = write_new(tmp_path, SET), write_new(tmp_path, SET)
    assert [path.read_bytes() for path in first] == list(SET.values())
    assert [path.relative_to(tmp_path).as_posix() for path in second] == [
        "beat-2.wav", "beat-2.mid", "beat-2-stems/kick.wav",
    ]  # fmt: skip
    assert len(names(tmp_path)) == 6


@pytest.mark.parametrize("taken", ["beat.wav", "beat.mid", "beat-stems"])
def test_one_taken_name_moves_the_whole_set_on(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    assert [path.name for path in write_new(tmp_path, SET)] == ["beat-2.wav", "beat-2.mid", "kick.wav"]
    assert (tmp_path / taken).read_text() == "mine"
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("taken", ["beat.wav", "beat.mid", "beat-stems"])
def test_somebody_who_takes_a_name_at_the_last_moment_is_not_overwritten(tmp_path, monkeypatch, taken):
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # looked, and it was free
    (tmp_path / taken).write_text("mine")
    assert [path.name for path in write_new(tmp_path, SET)] == ["beat-2.wav", "beat-2.mid", "kick.wav"]
    assert (tmp_path / taken).read_text() == "mine"
    assert len(names(tmp_path)) == 4


def test_a_file_system_without_links_keeps_files_too(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_new(tmp_path, SET)
    write_new(tmp_path, SET)
    assert names(tmp_path) == [
        "beat-2-stems/kick.wav", "beat-2.mid", "beat-2.wav", "beat-stems/kick.wav", "beat.mid", "beat.wav",
    ]  # fmt: skip


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(path, data):
        if path.suffix == ".mid":
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(files, "_write_through", full)
    with pytest.raises(LatidoError, match="No space left on device; nothing was kept"):
        write_new(tmp_path, SET)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LatidoError, match="cannot write to"):
        write_new(tmp_path / "file", SET)


def test_a_render_that_fails_changes_nothing_that_was_there(tmp_path):
    (tmp_path / "beat.wav").write_text("before")
    with pytest.raises(LatidoError, match="nothing was changed"):
        write_all({tmp_path / "beat.wav": b"after", tmp_path / "beat.wav" / "x.mid": b"notes"})
    assert (tmp_path / "beat.wav").read_text() == "before"
    assert names(tmp_path) == ["beat.wav"]


@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=40), st.sampled_from([16, 24]))
def test_a_wav_file_holds_the_samples_to_its_last_bit(values, bits):
    audio = np.array(values, np.float32).repeat(2).reshape(-1, 2)
    with wave.open(io.BytesIO(wav_bytes(audio, 44100, bits))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getnframes()) == (2, bits // 8, len(audio))
        raw = np.frombuffer(file.readframes(len(audio)), np.uint8).reshape(-1, 2, bits // 8)
    whole = np.zeros((len(audio), 2), np.int64)
    for place in range(bits // 8):
        whole += raw[..., place].astype(np.int64) << (8 * place)
    whole = np.where(whole >= 2 ** (bits - 1), whole - 2**bits, whole)
    steps = 1.5 if bits == 16 else 0.51
    assert np.abs(whole - np.clip(audio, -1, 1) * (2.0 ** (bits - 1) - 1)).max() <= steps + 1.0


def test_a_midi_file_follows_a_tempo_that_changes():
    hits = [Trigger(frame, 0, 0.5, 0) for frame in (0, 44100, 66150)]
    file = mido.MidiFile(file=io.BytesIO(midi_bytes(hits, (0.0, 44100.0, 66150.0), (0.0, 1.0, 2.0), 44100)))
    tempi = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert tempi == [1_000_000, 500_000]
    when, place = [], 0.0
    for message in file:
        place += message.time
        if message.type == "note_on" and message.velocity:
            when.append(place)
    assert when == pytest.approx([0.0, 1.0, 1.5], abs=0.001)
