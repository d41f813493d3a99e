"""From MIDI files to windows: what is played lands on the grid, what cannot be used is said."""

import csv
import http.server
import io
import threading
import zipfile
from functools import partial
from hashlib import sha256

import mido
import numpy as np
import pytest

from device.contract.pattern import LEVEL, OFFSET, VELOCITY
from device.contract.voices import VOICE_INDEX
from device.errors import DataError
from training.patterns import groove as groove_module
from training.patterns.download import download_groove
from training.patterns.groove import cache_folder, find_groove, read_groove
from training.patterns.labels import STYLE_INDEX
from training.patterns.midi import read_drums, two_bar_windows

KICK, SNARE, HAT = (VOICE_INDEX[name] for name in ("kick", "snare", "closed_hat"))


def write_midi(path, hits, *, ticks_per_beat=480, channel=9, tempos=()):
    """Hits are (beat, note, velocity)."""
    track, before = mido.MidiTrack(), 0
    events = [
        (beat, mido.Message("note_on", note=note, velocity=velocity, channel=channel)) for beat, note, velocity in hits
    ]
    events += [(beat, mido.MetaMessage("set_tempo", tempo=tempo)) for beat, tempo in tempos]
    for beat, message in sorted(events, key=lambda event: event[0]):
        tick = round(beat * ticks_per_beat)
        track.append(message.copy(time=tick - before))
        before = tick
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat, tracks=[track]).save(path)
    return path


def beat_of(bars, *, velocity=100):
    return [(4 * bar + beat, 36 if beat % 2 == 0 else 38, velocity) for bar in range(bars) for beat in range(4)]


def test_a_hit_lands_on_its_step_with_its_velocity_and_the_rest_as_offset(tmp_path):
    path = write_midi(tmp_path / "a.mid", [(0.0, 36, 127), (1.0 + 0.05, 38, 64), (2.5 - 0.05, 42, 1)])
    cells = read_drums(path)
    assert cells.shape == (16, 9, 3)
    assert np.argwhere(cells[..., LEVEL]).tolist() == [[0, KICK], [4, SNARE], [10, HAT]]
    assert cells[4, SNARE] == pytest.approx((1.0, 64 / 127, 0.2))
    assert cells[10, HAT] == pytest.approx((1.0, 1 / 127, -0.2))


def test_tempo_does_not_matter_nor_the_resolution_of_the_file(tmp_path):
    plain = read_drums(write_midi(tmp_path / "a.mid", beat_of(2)))
    changing = read_drums(write_midi(tmp_path / "b.mid", beat_of(2), tempos=[(0.0, 400_000), (3.0, 900_000)]))
    coarse = read_drums(write_midi(tmp_path / "c.mid", beat_of(2), ticks_per_beat=96))
    assert np.array_equal(plain, changing)
    assert np.allclose(plain, coarse)


def test_of_several_hits_in_a_cell_the_loudest_stays(tmp_path):
    cells = read_drums(write_midi(tmp_path / "a.mid", [(0.0, 38, 50), (0.05, 40, 90), (0.1, 37, 20)]))
    assert cells[0, SNARE] == pytest.approx((1.0, 90 / 127, 0.2), abs=0.01)
    assert cells[..., LEVEL].sum() == 1


def test_a_hit_just_before_the_next_bar_belongs_to_it(tmp_path):
    cells = read_drums(write_midi(tmp_path / "a.mid", [(0.0, 36, 100), (3.95, 36, 100)]))
    assert len(cells) == 32
    assert cells[16, KICK, OFFSET] == pytest.approx(-0.2, abs=0.01)


def test_offsets_stay_within_half_a_step(tmp_path):
    draw = np.random.default_rng(3)
    hits = [(float(beat), 36, 100) for beat in draw.uniform(0, 64, 500)]
    offsets = read_drums(write_midi(tmp_path / "a.mid", hits))[..., OFFSET]
    assert offsets.min() >= -0.5
    assert offsets.max() < 0.5


@pytest.mark.parametrize(
    ("hits", "channel"),
    [([], 9), ([(0.0, 36, 100)], 0), ([(0.0, 36, 0)], 9), ([(0.0, 90, 100)], 9)],
    ids=["empty", "another channel", "only note-offs", "no voice of ours"],
)
def test_a_file_without_drums_is_said(tmp_path, hits, channel):
    path = write_midi(tmp_path / "a.mid", hits, channel=channel)
    with pytest.raises(DataError, match=r"a\.mid has no drums .*channel 10\): take it out .*, or move its drums to"):
        read_drums(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"MThd", b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk\x00\x00\x10\x00"]
)
def test_a_file_that_is_no_midi_or_torn_is_said_in_one_sentence(tmp_path, content):
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.mid cannot be read as MIDI \(.+\): replace it, or take it out") as error:
        read_drums(path)
    assert "\n" not in str(error.value)


def test_hundreds_of_damaged_files_are_only_ever_data_errors(tmp_path):
    whole = write_midi(tmp_path / "a.mid", beat_of(2)).read_bytes()
    draw, path = np.random.default_rng(4), tmp_path / "b.mid"
    for _ in range(500):
        damaged = bytearray(whole[: draw.integers(len(whole) + 1)])
        for place in draw.integers(0, max(len(damaged), 1), draw.integers(0, 4)):
            if damaged:
                damaged[place] = draw.integers(256)
        path.write_bytes(damaged)
        try:
            cells = read_drums(path)
        except DataError:
            continue
        assert np.isfinite(cells).all()


def test_time_in_frames_per_second_is_refused(tmp_path):
    path = write_midi(tmp_path / "a.mid", beat_of(1))
    data = bytearray(path.read_bytes())
    data[12:14] = b"\xe7\x28"  # 25 frames a second, 40 ticks a frame
    path.write_bytes(data)
    with pytest.raises(DataError, match="SMPTE frames, not in beats"):
        read_drums(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match=r"none\.mid cannot be read as MIDI \(No such file or directory\): replace it"):
        read_drums(tmp_path / "none.mid")


def bars(*kicks):
    """Bars of which each has its kick on the given step, or nothing for None."""
    cells = np.zeros((len(kicks), 16, 9, 3), np.float32)
    for bar, step in enumerate(kicks):
        if step is not None:
            cells[bar, step, KICK] = (1.0, 0.5, 0.1)
    return cells.reshape(-1, 9, 3)


def kicks(windows):
    return [np.flatnonzero(window[:, KICK, LEVEL]).tolist() for window in windows]


def test_windows_are_two_bars_long_at_a_stride_of_one():
    assert kicks(two_bar_windows(bars(0, 1, 2))) == [[0, 17], [1, 18]]


def test_a_single_bar_is_played_twice():
    assert kicks(two_bar_windows(bars(3))) == [[3, 19]]


def test_a_pause_is_no_window_and_silence_at_the_end_is_left_out():
    assert kicks(two_bar_windows(bars(0, None, 2, 3))) == [[2, 19]]
    assert kicks(two_bar_windows(bars(3, None, None))) == [[3, 19]]
    assert two_bar_windows(bars(0, None, 2)).shape == (0, 32, 9, 3)


FIELDS = ("style", "beat_type", "time_signature", "midi_filename", "split")
ROWS = [
    ("funk/groove1", "beat", "4-4", "drummer1/a.mid", "train"),
    ("rock", "fill", "4-4", "drummer1/b.mid", "train"),
    ("jazz", "beat", "3-4", "drummer1/waltz.mid", "train"),
    ("soul", "fill", "4-4", "drummer7/149_soul_105_fill_4-4.mid", "train"),
    ("klezmer", "beat", "4-4", "drummer1/unknown_style.mid", "train"),
    ("latin/brazilian", "beat", "4-4", "drummer2/c.mid", "validation"),
    ("pop", "beat", "4-4", "drummer2/never_read.mid", "test"),
]


@pytest.fixture
def small(tmp_path):
    """A dataset of three readable files, and rows that must not be read: their files do not exist."""
    folder = tmp_path / "data" / "groove"
    write_midi(folder / "drummer1/a.mid", beat_of(4))
    write_midi(folder / "drummer1/b.mid", beat_of(1))
    write_midi(folder / "drummer2/c.mid", beat_of(3))
    with (folder / "info.csv").open("w", newline="") as file:
        csv.writer(file).writerows([FIELDS, *ROWS])
    return folder


def test_the_official_split_is_kept_and_only_4_4_of_a_known_style_is_read(small, tmp_path):
    found = read_groove(small.parent, tmp_path / "cache")
    assert found.train.style.tolist() == [STYLE_INDEX["funk"]] * 3 + [STYLE_INDEX["rock"]]
    assert found.train.fill.tolist() == [False] * 3 + [True]
    assert found.validation.style.tolist() == [STYLE_INDEX["latin"]] * 2
    assert found.train.cells.shape == (4, 32, 9, 3)
    assert np.array_equal(found.train.cells[..., VELOCITY] > 0, found.train.cells[..., LEVEL] > 0)


def test_the_dataset_is_found_by_its_own_folder_too(small, tmp_path):
    assert find_groove(small) == find_groove(small.parent) == small
    assert len(read_groove(small, tmp_path / "cache").train) == 4


def test_what_was_read_is_kept_outside_the_dataset_and_read_from_there(small, tmp_path, monkeypatch):
    first = read_groove(small, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npz"]
    assert not list(small.rglob("*.npz"))
    monkeypatch.setattr(groove_module, "read_drums", lambda _: pytest.fail("the files were read again"))
    again = read_groove(small, tmp_path / "cache")
    for split in ("train", "validation"):
        for name in ("cells", "style", "fill"):
            assert np.array_equal(getattr(getattr(first, split), name), getattr(getattr(again, split), name))


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:100], lambda data: data[: len(data) // 2], lambda data: b"hello"])  # fmt: skip
def test_a_torn_cache_is_only_a_cache(small, tmp_path, damage):
    first = read_groove(small, tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    again = read_groove(small, tmp_path / "cache")
    assert np.array_equal(first.train.cells, again.train.cells)
    assert len(read_groove(small, tmp_path / "cache").train) == 4


def test_another_index_is_another_cache(small, tmp_path):
    read_groove(small, tmp_path / "cache")
    with (small / "info.csv").open("a", newline="") as file:
        csv.writer(file).writerow(("jazz", "beat", "4-4", "drummer1/a.mid", "train"))
    assert len(read_groove(small, tmp_path / "cache").train) == 7


def test_a_cache_folder_that_cannot_be_written_only_costs_time(small, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert len(read_groove(small, blocked).train) == 4


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "latido"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ana")
    assert str(cache_folder()) == "/home/ana/.cache/latido"


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text("x"), lambda path: None])
def test_a_folder_that_holds_no_dataset_is_said(tmp_path, make):
    make(tmp_path / "data")
    with pytest.raises(DataError, match=r"holds no Groove MIDI dataset \(info\.csv\): run latido-train data, or name"):
        read_groove(tmp_path / "data", tmp_path / "cache")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no column style, beat_type, time_signature, midi_filename, split"),
        (b"a,b,c\n1,2,3\n", "has no column style, "),
        (b"style,beat_type,time_signature,split\nfunk,beat,4-4,train\n", "has no column midi_filename"),
        (",".join(FIELDS).encode() + b"\nfunk,beat,4-4\n", "has no midi_filename, split"),
        (bytes(range(256)), "is no CSV text in UTF-8"),
    ],
)
def test_an_index_that_is_not_the_datasets_own_is_said(small, tmp_path, content, why):
    (small / "info.csv").write_bytes(content)
    with pytest.raises(
        DataError, match=rf"info\.csv {why}.*: put back the info\.csv that came with the dataset$"
    ) as error:
        read_groove(small, tmp_path / "cache")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_an_index_without_grooves_is_said(small, tmp_path):
    (small / "info.csv").write_text(",".join(FIELDS) + "\n")
    with pytest.raises(DataError, match=r"no 4/4 grooves in its train split: is info\.csv complete\?"):
        read_groove(small, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_file_named_in_the_index_but_not_there_is_said(small, tmp_path):
    (small / "drummer1/a.mid").unlink()
    with pytest.raises(DataError, match=r"a\.mid cannot be read as MIDI"):
        read_groove(small, tmp_path / "cache")


@pytest.mark.dataset
def test_the_real_dataset_has_thousands_of_windows_of_every_acoustic_style(dataset):
    found = read_groove(dataset)
    assert len(found.train) > 10_000
    assert len(found.validation) > 1_000
    assert len(np.unique(found.train.style)) == 11
    for windows in (found.train, found.validation):
        assert windows.fill.any()
        assert 0.5 < np.abs(windows.cells[..., OFFSET]).max() + 0.01 <= 0.51


@pytest.fixture
def server(tmp_path):
    """An HTTP server on loopback over a folder; gives (folder, address)."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=served.serve_forever, args=(0.05,))
    thread.start()
    yield folder, f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    thread.join()
    served.server_close()


def publish(folder, names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, ",".join(FIELDS))
    (folder / "groove.zip").write_bytes(buffer.getvalue())
    return sha256(buffer.getvalue()).hexdigest()


def test_a_download_is_checked_unpacked_and_not_repeated(server, tmp_path):
    folder, address = server
    digest = publish(folder, ["groove/info.csv"])
    target = download_groove(tmp_path / "data", f"{address}/groove.zip", digest)
    assert target == tmp_path / "data" / "groove"
    assert find_groove(tmp_path / "data") == target
    (folder / "groove.zip").unlink()
    assert download_groove(tmp_path / "data", f"{address}/groove.zip", digest) == target


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(server, tmp_path):
    folder, address = server
    publish(folder, ["groove/info.csv"])
    with pytest.raises(DataError, match=r"cannot download .*fetch it by hand and unpack it into"):
        download_groove(tmp_path / "data", f"{address}/groove.zip", "0" * 64)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_download_of_something_else_is_said(server, tmp_path):
    folder, address = server
    digest = publish(folder, ["readme.txt"])
    with pytest.raises(DataError, match=r"held no groove/info\.csv"):
        download_groove(tmp_path / "data", f"{address}/groove.zip", digest)


def test_no_network_or_no_such_file_is_said(server, tmp_path):
    _, address = server
    for url in (f"{address}/none.zip", "http://127.0.0.1:9/groove.zip"):
        with pytest.raises(DataError, match=r"cannot download .*by hand") as error:
            download_groove(tmp_path / "data", url, "0" * 64)
        assert "\n" not in str(error.value)
