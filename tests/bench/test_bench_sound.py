"""The sound benchmark on a small folder of recordings, with the factory's real models."""

import re

import numpy as np
import pytest
import soundfile

from bench import sound


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Three groups of kicks, two sounds each."""
    monkeypatch.setenv("LATIDO_DATA", str(tmp_path))
    time = np.arange(8820) / 44100
    for group, hz in (("deep", 50), ("middle", 70), ("high", 90)):
        for number in (1, 2):
            path = tmp_path / "sounds" / "kick" / f"{group}-{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.sin(2 * np.pi * hz * time) * np.exp(-time / (0.05 * number)), 44100)
    return tmp_path / "sounds"


def test_held_out_sounds_are_judged_beside_retrieval(recordings):
    whole, by_class = sound.rows()
    assert "2 sounds of 1 groups" in whole.what
    ours, share = map(float, re.fullmatch(r"([\d.]+) dB, ([\d.]+) of retrieval's", whole.measured).groups())
    theirs = float(re.search(r"nearest of 4 training sounds ([\d.]+) dB", whole.beside)[1])
    assert ours / theirs == pytest.approx(share, rel=0.02)
    assert whole.met == (share <= sound.RATIO_TARGET)
    assert by_class.measured.startswith("kick ")
    assert by_class.measured.endswith(" (2)")


def test_recordings_of_one_group_hold_nothing_out(recordings):
    for path in recordings.rglob("*.wav"):
        if "deep" not in path.name:
            path.unlink()
    (row,) = sound.rows()
    assert "one group per class" in row.measured


def test_without_recordings_it_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("LATIDO_DATA", str(tmp_path))
    (row,) = sound.rows()
    assert row.measured == "not measured: a folder sounds of one-shots ($LATIDO_DATA) is not here"
    assert row.met is None
