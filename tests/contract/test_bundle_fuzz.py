"""Damage of every kind: a bundle opens as it was or is refused with a BundleError, in bounded memory."""

import contextlib
import random
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.contract.archive import unpack, unpack_arrays
from device.contract.bundle import Bundle
from device.contract.manifest import MANIFEST, decode_manifest
from device.errors import BundleError
from device.models.library import find_bundle


def is_refused(data):
    try:
        Bundle.read(data)
    except BundleError as error:
        return bool(str(error))
    return False


def test_a_bundle_cut_anywhere_is_refused(good):
    lengths = {*range(64), *range(len(good) - 700, len(good)), *random.Random(1).sample(range(len(good)), 300)}
    assert all(is_refused(good[:length]) for length in lengths)


def test_one_flipped_bit_anywhere_is_refused(good):
    # every bit of all headers, of the manifest's neighbourhood and the table of contents; a sample of the rest
    places = [(at, bit) for at in (*range(600), *range(len(good) - 700, len(good))) for bit in range(8)]
    chosen = random.Random(2)
    places += [(chosen.randrange(len(good)), chosen.randrange(8)) for _ in range(1500)]
    for at, bit in places:
        damaged = bytearray(good)
        damaged[at] ^= 1 << bit
        assert is_refused(bytes(damaged)), f"bit {bit} of byte {at}"


def test_bytes_taken_out_put_in_or_moved_are_refused(good):
    draw = random.Random(3)
    for _ in range(300):
        at, size = draw.randrange(len(good)), draw.randrange(1, 64)
        other = draw.randrange(len(good))
        for damaged in (
            good[:at] + good[at + size :],
            good[:at] + draw.randbytes(size) + good[at:],
            good[:at] + good[other : other + size] + good[at + size :],
        ):
            assert damaged == good or is_refused(damaged)


def test_a_forged_table_of_contents_takes_no_memory(good):
    draw = random.Random(4)
    tracemalloc.start()
    for _ in range(200):
        damaged = bytearray(good)
        for at in draw.sample(range(len(good) - 700, len(good)), 8):
            damaged[at] = draw.choice((0, 0x7F, 0xFF))
        assert is_refused(bytes(damaged))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(good) + 2_000_000


@given(st.binary(max_size=400))
def test_garbage_is_refused(data):
    assert is_refused(data)
    assert is_refused(b"PK\x03\x04" + data)


@given(st.binary(max_size=200), st.binary(min_size=18, max_size=18))
def test_garbage_between_zip_marks_is_refused(data, end):
    assert is_refused(b"PK\x03\x04" + data + b"PK\x05\x06" + end)


@given(st.binary(max_size=300))
def test_garbage_is_no_manifest(data):
    with pytest.raises(BundleError):
        decode_manifest(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_a_manifest_with_any_one_value_replaced_opens_or_is_refused(data):
    text = msgspec.json.decode(find_bundle().member(MANIFEST))
    holder, key = text, data.draw(st.sampled_from(sorted(text)))
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    holder[key] = data.draw(JSON)
    with contextlib.suppress(BundleError):
        decode_manifest(msgspec.json.encode(text))


@given(st.binary(max_size=200))
def test_garbage_is_no_array(data):
    for reader in (unpack, unpack_arrays):
        with pytest.raises(BundleError):
            reader(b"PK\x03\x04" + data, "garbage")
