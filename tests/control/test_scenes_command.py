"""Scenes and their sounds on disk, and as one file to keep or to give away."""

import numpy as np
import pytest

from device.cli import main
from device.contract import archive
from device.control import kits, store
from device.control.kits import DiskKits, pack, unpack
from device.errors import DataError
from device.panel.events import ParameterSet, SceneCommand, SongSet

DRAW = np.random.default_rng(5)
KIT = tuple(
    tuple((DRAW.uniform(-1, 1, 100 + 10 * voice + layer) * 0.9).astype(np.float32) for layer in range(3))
    for voice in range(9)
)
IDENT = "0123456789abcdef" * 2


def same(one, other):
    return all(
        np.array_equal(layer, twin)
        for layers, twins in zip(one, other, strict=True)
        for layer, twin in zip(layers, twins, strict=True)
    )


def found(disk, ident=IDENT):
    disk.find(ident)
    disk._thread.submit(int).result()
    return disk.find(ident)


def test_a_kit_comes_back_to_the_last_bit():
    assert same(unpack(pack(KIT)), KIT)


def test_a_real_kit_comes_back_to_the_last_bit_and_is_not_larger_than_it_was(box):
    box.do()
    kit = tuple(said.layers for said in box.control._delivery.sounds)
    data = pack(kit)
    assert same(unpack(data), kit)
    assert len(data) < sum(layer.nbytes for layers in kit for layer in layers)


@pytest.mark.parametrize(
    "change", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b"x" + d[1:], lambda d: d[:12], lambda d: b""]
)
def test_a_damaged_kit_is_refused(change):
    with pytest.raises(DataError):
        unpack(change(pack(KIT)))


def test_every_flipped_byte_of_a_kit_is_refused_or_without_effect():
    data = pack(KIT)
    for place in range(0, len(data), 211):
        damaged = bytearray(data)
        damaged[place] ^= 0x40
        try:
            assert same(unpack(bytes(damaged)), KIT)
        except DataError:
            continue


def test_kits_outlive_the_instrument_and_are_forgotten_with_their_scene(tmp_path):
    disk = DiskKits(tmp_path)
    assert not disk.has(IDENT)
    disk.keep(IDENT, KIT)
    assert disk.has(IDENT)
    disk.close()
    disk.close()
    again = DiskKits(tmp_path)
    assert again.has(IDENT)
    assert same(found(again), KIT)
    again.forget({"another"})
    again.close()
    assert not list((tmp_path / kits.FOLDER).iterdir())


def test_few_kits_are_in_memory_and_the_disk_has_a_quota(tmp_path):
    disk = DiskKits(tmp_path, quota_bytes=3 * len(pack(KIT)) + 10)
    names = [f"{number:032x}" for number in range(4)]
    for name in names:
        disk.keep(name, KIT)
        found(disk, name)
    assert len(disk._memory) == kits.KEPT_IN_MEMORY
    assert "clear a scene" in disk.trouble()
    assert disk.trouble() == ""
    assert not disk.has(names[3])
    disk.close()


def test_a_damaged_file_is_said_and_the_kit_is_not_there(tmp_path):
    disk = DiskKits(tmp_path)
    disk.keep(IDENT, KIT)
    disk.close()
    (tmp_path / kits.FOLDER / f"{IDENT}.kit").write_bytes(b"LATIDOKT\x01nonsense")
    again = DiskKits(tmp_path)
    assert found(again) is None
    assert "damaged" in again.trouble()
    assert not again.has(IDENT)
    again.close()


# -- one file ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(box, tmp_path):
    """A state folder with two scenes, a song and the scenes' sounds."""
    folder = tmp_path / "state"
    disk = DiskKits(folder)
    box.control._sounds.kits = disk
    box.do(SceneCommand("save", 0), ParameterSet("tone_x", 0.9), SceneCommand("save", 5), SongSet(((0, 2), (5, 1))))
    box.do()
    box.do()
    store.save(folder, box.control.saved())
    disk.close()
    return folder


def test_all_scenes_travel_in_one_file_with_their_sounds(folder, tmp_path, capsys):
    file, other = tmp_path / "mine.scenes", tmp_path / "other"
    assert main(["scenes", "export", str(file), "--state", str(folder)]) == 0
    assert "2 scenes" in capsys.readouterr().out
    assert main(["scenes", "import", str(file), "--state", str(other)]) == 0
    before, after = store.load(folder)[0], store.load(other)[0]
    assert after.scenes == before.scenes
    assert after.song == before.song
    for path in (folder / kits.FOLDER).iterdir():
        assert (other / kits.FOLDER / path.name).read_bytes() == path.read_bytes()
    assert len(list((other / kits.FOLDER).iterdir())) == 2
    assert main(["scenes", "list", "--state", str(other)]) == 0
    assert capsys.readouterr().out.count("with its sounds") == 2


def test_an_import_keeps_what_plays_and_replaces_the_scenes(folder, tmp_path, box):
    file, other = tmp_path / "mine.scenes", tmp_path / "other"
    main(["scenes", "export", str(file), "--state", str(folder)])
    store.save(other, store.Saved(box.control.moment.state.moved("density", 0.123), voice=7))
    main(["scenes", "import", str(file), "--state", str(other)])
    after = store.load(other)[0]
    assert after.state.position("density") == 0.123
    assert after.voice == 7
    assert after.scenes[5] is not None


@pytest.mark.parametrize("what", ["cut", "flipped", "text", "none", "bundle", "index", "kit", "song"])
def test_a_bad_file_is_refused_in_one_sentence_and_nothing_is_changed(folder, tmp_path, capsys, what):
    file, other = tmp_path / "mine.scenes", tmp_path / "other"
    main(["scenes", "export", str(file), "--state", str(folder)])
    data = file.read_bytes()
    members = {name: bytes(body) for name, body in archive.unpack(data, "file").items()}
    index = members["scenes.json"]
    kit = next(name for name in members if name.endswith(".kit"))
    file.unlink()
    bad = {
        "cut": data[:-1000],
        "flipped": data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
        "text": b"hello",
        "bundle": archive.pack({"manifest.json": b"{}"}),
        "index": archive.pack({**members, "scenes.json": index[:-5]}),
        "kit": archive.pack({**members, kit: b"LATIDOKT\x01"}),
        "song": archive.pack({**members, "scenes.json": index.replace(b'"song":[[0,2]', b'"song":[[99,2]')}),
    }
    if what in bad:
        file.write_bytes(bad[what])
    capsys.readouterr()
    assert main(["scenes", "import", str(file), "--state", str(other)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(file) in said
    assert not other.exists()


def test_nothing_to_export_is_said(tmp_path, capsys):
    assert main(["scenes", "export", str(tmp_path / "a"), "--state", str(tmp_path)]) == 1
    assert "nothing was saved" in capsys.readouterr().err
    assert main(["scenes", "export", "--state", str(tmp_path)]) == 1
