import io
import os
import stat
import zipfile

import msgspec
import numpy as np
import pytest

from device.contract.archive import pack, pack_arrays, unpack, unpack_arrays
from device.contract.bundle import MAX_BUNDLE_BYTES, Bundle, write_bundle
from device.contract.manifest import CARD, GOLDEN, MANIFEST, MAPS, MEMBERS, decode_manifest, encode_manifest
from device.errors import BundleError


def refused(data, match):
    with pytest.raises(BundleError, match=match) as caught:
        Bundle.read(data)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 400
    return sentence


def test_a_written_bundle_opens_as_what_it_was(tmp_path, manifest, parts):
    path = tmp_path / "small.latido"
    written = write_bundle(path, manifest, parts)
    opened = Bundle.open(path)
    assert opened.manifest == manifest == written.manifest
    assert opened.member("sound_decoder.onnx") == parts["sound_decoder.onnx"]
    assert opened.maps.rhythm_nodes.shape == (2, 2, 2)
    assert opened.golden["rhythm_decoder.pattern"].shape == (2, 32, 9, 3)
    assert opened.card == "# Small\n"
    assert opened.ident == written.ident
    assert len(opened.ident) == 64
    assert not opened.golden["sound_decoder.audio"].flags.writeable


def test_the_same_bundle_is_the_same_bytes_whenever_it_is_written(tmp_path, manifest, parts):
    idents = {write_bundle(tmp_path / f"{name}.latido", manifest, parts).ident for name in "ab"}
    assert len(idents) == 1


def test_any_unzip_tool_and_numpy_can_read_a_bundle(good):
    with zipfile.ZipFile(io.BytesIO(good)) as file:
        assert file.testzip() is None
        assert file.namelist() == [MANIFEST, *MEMBERS]
        maps = np.load(io.BytesIO(file.read(MAPS)), allow_pickle=False)
        assert maps["kit_classes"].dtype == np.int64
        assert maps["sound_bright"].shape == (13, 3)


def test_arrays_come_back_as_they_went():
    arrays = {
        "one": np.arange(5, dtype=np.int64),
        "two": np.ones((2, 3, 4), np.float32),
        "none": np.zeros((0, 2), np.float32),
    }
    again = unpack_arrays(pack_arrays(arrays), "test")
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        assert np.array_equal(again[name], array)


def test_the_manifest_survives_its_own_text(manifest):
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_member_nobody_put_in_is_named(good):
    with pytest.raises(BundleError, match=r"no member 'drums\.wav'"):
        Bundle.read(good).member("drums.wav")


# What a bundle may not be, one sentence each.


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BundleError, match=r"^no bundle file at .*none\.latido: give the path of a \.latido file$"):
        Bundle.open(tmp_path / "none.latido")


def test_a_folder_or_a_pipe_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="no bundle file"):
        Bundle.open(tmp_path)
    os.mkfifo(tmp_path / "pipe.latido")
    with pytest.raises(BundleError, match="no bundle file"):
        Bundle.open(tmp_path / "pipe.latido")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.latido"
    with path.open("wb") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)  # sparse: no disk is filled
    with pytest.raises(BundleError, match="larger than 64 MiB"):
        Bundle.open(path)


@pytest.mark.parametrize("data", [b"", b"P", b"hello, this is no bundle", b"\x89PNG\r\n", b"PK\x03\x04"])
def test_something_that_is_no_zip(data):
    refused(data, "no bundle|cut short")


def test_a_truncated_bundle(good):
    refused(good[: len(good) // 2], "cut short")


def test_something_appended(good):
    refused(good + b"x", "cut short or has something appended")


def test_a_zip_of_something_else():
    refused(
        pack({"readme.txt": b"hello"}), r"^bundle is no bundle \(it has no manifest\.json\): choose a \.latido file$"
    )


def test_an_empty_zip():
    refused(pack({}), "has no manifest.json")


@pytest.mark.parametrize("names", [["README.md"], ["docs/", "docs/a.txt"], [f"{i}.txt" for i in range(100)], ["../x"]])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"made by another tool"])
def test_another_tools_zip_of_something_else_is_not_called_damaged(names, method, comment):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        file.comment = comment
        for name in names:
            file.writestr(name, b"" if name.endswith("/") else b"x" * 99)
    refused(data.getvalue(), r"^bundle is no bundle \(it has no manifest\.json\): choose a \.latido file$")
    refused(data.getvalue()[:-1], "cut short")


def test_a_compressed_member_is_refused_whatever_it_would_become(parts, manifest):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MANIFEST, encode_manifest(manifest))
        file.writestr("card.md", b"\0" * 50_000_000)
    refused(bomb.getvalue(), "is compressed")


@pytest.mark.parametrize("name", ["../evil.sh", "/etc/passwd", "a\\b.txt", "sub/card.md"])
def test_a_path_outside_the_archive(name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(name, b"x")
        file.writestr(MANIFEST, b"x")
    refused(data.getvalue(), "lies outside the archive|no name of a bundle's member")


def test_the_archives_own_writer_cannot_make_such_a_path():
    with pytest.raises(BundleError, match="cannot be the name"):
        pack({"../evil.sh": b""})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for _ in range(2):
            info = zipfile.ZipInfo("card.md")
            file.writestr(info, b"x")
        file.writestr(zipfile.ZipInfo(MANIFEST), b"x")
    refused(data.getvalue(), "twice|damaged")
    ours = bytearray(pack({"card.md": b"x", "card.me": b"x", MANIFEST: b"x"}).replace(b"card.me", b"card.md"))
    refused(bytes(ours), "twice")


def test_a_foreign_tools_zip_even_with_the_right_content(good):
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as source, zipfile.ZipFile(data, "w") as file:
        for name in source.namelist():
            file.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), source.read(name))
    refused(data.getvalue(), "damaged or was packed by a foreign tool|is damaged")


@pytest.mark.parametrize("gone", MEMBERS)
def test_a_missing_member(manifest, parts, gone):
    members = {name: parts[name] for name in MEMBERS if name != gone}
    refused(pack({MANIFEST: encode_manifest(manifest), **members}), f"lacks {gone}")


def test_an_extra_member(manifest, parts):
    refused(pack({MANIFEST: encode_manifest(manifest), **parts, "extra.bin": b"x"}), "holds extra.bin")


def test_a_member_of_another_content(manifest, parts):
    other = parts | {"sound_decoder.onnx": b"weights of sound_decodes"}
    refused(pack({MANIFEST: encode_manifest(manifest), **other}), "SHA-256 differs")


def test_a_member_of_another_size(manifest, parts):
    other = parts | {CARD: b"# Smaller\n"}
    refused(pack({MANIFEST: encode_manifest(manifest), **other}), "has 10 bytes, not 8")


def test_a_bundle_from_the_future_says_so_first(pack_with):
    refused(pack_with(schema=2, unheard_of="thing"), "schema 2, this device reads 1: update the device")
    refused(pack_with(schema=0), "schema 0, this device reads 1: export")


def test_a_bundle_for_a_newer_device(pack_with):
    refused(pack_with(minimum_device="99.0.0"), r"wants Latido 99\.0\.0, this is .*: update the device")


def test_a_bundle_of_another_grid(pack_with):
    refused(pack_with(steps=16), "16 steps, this device plays 32")
    refused(pack_with(voices=["kick", "snare"]), "voices without closed_hat")
    refused(pack_with(sound_classes=["kick"]), "sound classes without snare")


@pytest.mark.parametrize(
    "said",
    [
        {"name": ""},
        {"version": 0},
        {"sample_rate": -1},
        {"sample_rate": 10**12},
        {"rhythm_size": 10**9},
        {"frames": "many"},
        {"extra": 1},
        {"parity": None},
        {"styles": ["jazz", "jazz", "fill"]},
        {"styles": ["jazz", "fill", "house"]},
        {"styles": []},
        {"noise": {"seed": 1, "bands": 2, "frames": 512}},
        {"members": {}},
        {"models": {}},
        {"metrics": {"rhythm": {"hit_f1": None}}},
    ],
)
def test_a_manifest_that_does_not_say_what_it_must(pack_with, said):
    refused(pack_with(**said), "export it again|schema")


def test_a_manifest_that_is_no_json(parts):
    for text in (b"{", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"schema": 1e999}', b'{"schema": 1}'):
        refused(pack({MANIFEST: text, **parts}), "does not say what a bundle must say")


def test_a_manifest_whose_tensors_do_not_fit_its_sizes(pack_with):
    refused(pack_with(rhythm_size=5), "tensors of rhythm_encoder")


def test_a_map_of_another_shape(pack_with, parts):
    for name, shape in (
        ("rhythm_nodes", (2, 3, 2)),
        ("sound_bright", (13, 4)),
        ("kit_places", (3, 9)),
        ("sound_nodes", (2,)),
    ):
        maps = dict(unpack_arrays(parts[MAPS], "maps")) | {name: np.zeros(shape, np.float32)}
        assert name in refused(pack_with({MAPS: pack_arrays(maps)}), "map")


def test_a_map_with_a_value_that_is_no_number(pack_with, parts):
    maps = dict(unpack_arrays(parts[MAPS], "maps"))
    maps["sound_decay"] = np.full((13, 3), np.nan, np.float32)
    refused(pack_with({MAPS: pack_arrays(maps)}), "sound_decay has a value that is not a number")


def test_a_kit_of_a_class_nobody_knows(pack_with, parts):
    maps = dict(unpack_arrays(parts[MAPS], "maps"))
    maps["kit_classes"] = np.full((3, 9), 99, np.int64)
    refused(pack_with({MAPS: pack_arrays(maps)}), "names class 99")


def test_a_map_too_many_or_too_few(pack_with, parts):
    maps = dict(unpack_arrays(parts[MAPS], "maps"))
    refused(pack_with({MAPS: pack_arrays(maps | {"more": maps["sound_decay"]})}), "must hold")
    del maps["sound_decay"]
    refused(pack_with({MAPS: pack_arrays(maps)}), "must hold")


def test_a_golden_array_of_another_shape_or_not_finite(pack_with, parts):
    golden = dict(unpack_arrays(parts[GOLDEN], "golden"))
    name = "sound_decoder.audio"
    for array in (np.zeros((2, 255), np.float32), np.zeros((1, 256), np.float32), np.zeros((2, 256), np.int64)):
        refused(pack_with({GOLDEN: pack_arrays(golden | {name: array})}), "golden sound_decoder")
    broken = np.full((2, 256), np.inf, np.float32)
    refused(pack_with({GOLDEN: pack_arrays(golden | {name: broken})}), "not finite")
    del golden[name]
    refused(pack_with({GOLDEN: pack_arrays(golden)}), "does not hold every input and output")


def test_an_array_that_would_be_unpickled_or_larger_than_its_bytes(pack_with, parts):
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    maps = {f"{name}.npy": bytes(body) for name, body in unpack(parts[MAPS], "maps").items()}
    maps = {name.removesuffix(".npy"): body for name, body in maps.items()}
    refused(pack_with({MAPS: pack(maps | {"sound_decay.npy": pickled.getvalue()})}), "is no array of float32")
    bomb = maps["sound_decay.npy"].replace(b"(13, 3), ", b"(99999999999, 99999999), ")[:200]
    refused(pack_with({MAPS: pack(maps | {"sound_decay.npy": bomb})}), "is no array|as long as its shape")


def test_a_card_that_is_no_text(pack_with):
    refused(pack_with({CARD: b"\xff\xff\xff"}), "card.md of bundle is not text")


# Writing.


def test_a_failed_write_leaves_the_old_bundle(tmp_path, manifest, parts):
    path = tmp_path / "small.latido"
    ident = write_bundle(path, manifest, parts).ident
    with pytest.raises(BundleError, match="SHA-256 differs"):
        write_bundle(path, manifest, parts | {CARD: b"# Other\n"})
    assert Bundle.open(path).ident == ident
    assert [entry.name for entry in tmp_path.iterdir()] == ["small.latido"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(tmp_path, manifest, parts):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(BundleError, match=r"cannot write .*nothing was changed"):
        write_bundle(tmp_path / "small.latido", manifest, parts)


def test_a_folder_that_is_not_there(tmp_path, manifest, parts):
    with pytest.raises(BundleError, match=r"cannot write .*No such file or directory; nothing was changed"):
        write_bundle(tmp_path / "none" / "small.latido", manifest, parts)


def test_a_manifest_is_a_value(manifest):
    with pytest.raises(AttributeError):
        manifest.version = 2
    assert msgspec.structs.replace(manifest, version=2).version == 2
