import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import DataError
from training.sounds.controls import FRAMES, SAMPLE_RATE
from training.sounds.one_shots import OneShot, read_audio, read_folder, split_by_group

DATA = Path(os.environ.get("LATIDO_DATA", Path(__file__).parents[2] / "../shared/data")) / "sounds"


def tick(rate: int = SAMPLE_RATE, wait_seconds: float = 0.1, seconds: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    sound = 0.3 * np.cos(2 * np.pi * 220 * time) * np.exp(-time / 0.05)
    return np.concatenate([np.zeros(int(wait_seconds * rate)), sound]).astype(np.float32)


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_any_rate_and_format_comes_aligned_with_peak_one(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"kick.{suffix}"
    soundfile.write(path, tick(rate), rate)
    audio = read_audio(path)
    assert audio.shape == (FRAMES,)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() == pytest.approx(1.0)
    assert np.argmax(np.abs(audio) > 0.5) < 64  # the onset is at the start
    spectrum = np.abs(np.fft.rfft(audio))
    assert np.argmax(spectrum) * SAMPLE_RATE / FRAMES == pytest.approx(220, abs=3)


def test_channels_that_cancel_still_sound(tmp_path: Path) -> None:
    mono = tick()
    soundfile.write(tmp_path / "wide.wav", np.stack([mono, -mono], 1), SAMPLE_RATE)
    assert np.abs(read_audio(tmp_path / "wide.wav")).max() == pytest.approx(1.0)


def test_silence_is_refused_in_one_sentence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zeros.wav", np.zeros(1000, np.float32), SAMPLE_RATE)
    with pytest.raises(DataError, match=r"zeros\.wav is silent: take it out"):
        read_audio(tmp_path / "zeros.wav")


def test_not_a_number_is_refused_in_one_sentence(tmp_path: Path) -> None:
    audio = tick()
    audio[50] = np.nan
    soundfile.write(tmp_path / "nan.wav", audio, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(DataError, match="not numbers"):
        read_audio(tmp_path / "nan.wav")


def test_an_empty_sound_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), SAMPLE_RATE)
    with pytest.raises(DataError, match="silent"):
        read_audio(tmp_path / "none.wav")


def test_a_text_file_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "kick.wav").write_text("boom")
    with pytest.raises(DataError, match=r"cannot read .*kick\.wav as a sound file"):
        read_audio(tmp_path / "kick.wav")


def test_a_missing_or_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no sounds in"):
        read_folder(tmp_path)


def test_a_folder_per_class_is_read_with_groups_from_names(tmp_path: Path) -> None:
    for name in ("kick/deep-1.wav", "kick/deep-2.wav", "rim/dry_1.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, tick(), SAMPLE_RATE)
    (tmp_path / "kick" / "notes.txt").write_text("not a sound")
    sounds = read_folder(tmp_path)
    assert [(sound.sound_class, sound.group) for sound in sounds] == [
        ("kick", "deep"),
        ("kick", "deep"),
        ("rim", "dry"),
    ]


def test_a_manifest_rules(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tick(), SAMPLE_RATE)
    (tmp_path / "manifest.csv").write_text("file,class,group\na.wav,snare,mine\n")
    assert [(sound.sound_class, sound.group) for sound in read_folder(tmp_path)] == [("snare", "mine")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,class\na.wav,snare\n", "no column group"),
        ("file,class,group\na.wav,gong,mine\n", "known classes"),
        ("file,class,group\n../a.wav,snare,mine\n", "outside the folder"),
        ("file,class,group\n", "no sounds in"),
        ("file,class,group\nmissing.wav,snare,mine\n", "cannot read"),
        (
            "file,class,group\na.wav,snare\n",
            r"line 2 of .*manifest\.csv has no group: save it as CSV with columns file, ",
        ),
        ("", "has no column file, class, group: save it as CSV"),
    ],
)
def test_a_wrong_manifest_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_folder(tmp_path)


@pytest.mark.parametrize("data", [bytes(range(256)), b"file,class,group\n" + b"x" * 200_000 + b",snare,mine\n"])
def test_a_manifest_that_is_no_table_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(data)
    with pytest.raises(DataError, match=r"manifest\.csv is no CSV text in UTF-8: save it as CSV"):
        read_folder(tmp_path)


def test_a_manifest_that_may_not_be_read_as_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").mkdir()
    with pytest.raises(DataError, match="no sounds in"):
        read_folder(tmp_path)


def test_a_manifest_from_a_spreadsheet_begins_with_a_mark(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tick(), SAMPLE_RATE)
    (tmp_path / "manifest.csv").write_text("file,class,group\r\na.wav,snare,mine\r\n", encoding="utf-8-sig")
    assert [sound.group for sound in read_folder(tmp_path)] == ["mine"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["kick", "snare", "rim"]), st.integers(0, 9)), min_size=1, max_size=60),
    st.floats(0.05, 0.5),
    st.integers(0, 99),
)
def test_no_group_is_on_both_sides_and_no_class_is_untrained(
    names: list[tuple[str, int]], held_out: float, seed: int
) -> None:
    sounds = [OneShot("", kind, str(group), np.zeros(1, np.float32)) for kind, group in names]
    train, validation = split_by_group(sounds, held_out, seed)
    assert len(train) + len(validation) == len(sounds)
    assert not {sound.group for sound in train} & {sound.group for sound in validation}
    assert {sound.sound_class for sound in train} == {sound.sound_class for sound in sounds}
    assert split_by_group(sounds, held_out, seed) == (train, validation)


@pytest.mark.dataset
def test_the_real_data_reads() -> None:
    if not DATA.is_dir():
        pytest.skip("no real data beside the checkout")
    audio = read_audio(next(iter(sorted((DATA / "kick").glob("*.wav")))))
    assert np.abs(audio).max() == pytest.approx(1.0)
