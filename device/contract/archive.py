"""The zip inside a bundle: stored members, one way to write it, everything else refused.

    [local header, name, data] ... [central header, name] ... [end record]

Any unzip tool reads it. Ours is stricter than a tool needs to be: what it reads must be, byte for byte,
what ``pack`` would write, so that no bit of a bundle is without meaning and none can be changed unseen.
The format is PKWARE's APPNOTE 6.3, the parts without compression, encryption and zip64.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from device.errors import BundleError

AGAIN: Final = "export or copy it again"
MAX_MEMBERS: Final = 32
MAX_NAME_BYTES: Final = 64

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_LONGEST_COMMENT: Final = 0xFFFF
_NEEDS: Final = 20  # version a reader needs
_DATE: Final = 33  # 1 January 1980: a bundle's bytes do not depend on when it was written
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_]*(\.[a-z0-9_]+)+")

AnyArray = npt.NDArray[np.float32] | npt.NDArray[np.int64]
_HEADER: Final = re.compile(rb"\{'descr': '(<f4|<i8)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n")
_MAGIC: Final = b"\x93NUMPY\x01\x00"
_TYPES: Final = {b"<f4": np.float32, b"<i8": np.int64}


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of these members, in their order. Raises BundleError for a name no bundle may hold."""
    locals_, centrals, at = [], [], 0
    for name, data in members.items():
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME_BYTES:
            raise BundleError(f"{name!r} cannot be the name of a member: use lower case letters, digits, _ and one dot")
        local, central = _headers(name.encode("ascii"), zlib.crc32(data), len(data), at)
        locals_ += [local, data]
        centrals.append(central)
        at += len(local) + len(data)
    return b"".join([*locals_, *centrals, _end(len(centrals), sum(map(len, centrals)), at)])


def _headers(name: bytes, crc: int, size: int, at: int) -> tuple[bytes, bytes]:
    """A member's local and central header, each with the name behind it."""
    common = (_NEEDS, 0, 0, 0, _DATE, crc, size, size, len(name), 0)
    local = _LOCAL.pack(b"PK\x03\x04", *common) + name
    central = _CENTRAL.pack(b"PK\x01\x02", _NEEDS, *common, 0, 0, 0, 0, at) + name
    return local, central


def _end(count: int, size: int, at: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, size, at, 0)


def unpack(data: bytes | memoryview, what: str) -> dict[str, memoryview]:
    """Members by name, as views into ``data``. Raises BundleError; allocates nothing that grows with the data.

    ``what`` names the archive in error sentences.
    """
    view = memoryview(data)
    if bytes(view[:4]) not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise BundleError(f"{what} is no bundle (not a zip archive): choose a .latido file")
    if len(view) < _END.size or bytes(view[-_END.size :][:4]) != b"PK\x05\x06":
        raise BundleError(f"{what} is cut short or has something appended: {AGAIN}")
    _, _, _, _, count, size, at, _ = _END.unpack(view[-_END.size :])
    if count > MAX_MEMBERS or at + size + _END.size != len(view) or count * _CENTRAL.size > size:
        raise BundleError(f"{what} has a broken table of contents: {AGAIN}")
    members: dict[str, memoryview] = {}
    expected = 0  # where the next local header must begin
    centrals = []
    for _ in range(count):
        name, start, length, central = _entry(view, at, what)
        if name in members:
            raise BundleError(f"{what} holds {name} twice: {AGAIN}")
        body = view[start + _LOCAL.size + len(name) :][:length]
        local, rebuilt = _headers(name.encode("ascii"), zlib.crc32(body), length, expected)
        if start != expected or bytes(view[start:][: len(local)]) != local or len(body) != length:
            raise BundleError(f"{name} in {what} is damaged: {AGAIN}")
        if bytes(central) != rebuilt:
            raise BundleError(f"{name} in {what} is damaged or was packed by a foreign tool: {AGAIN}")
        members[name] = body
        expected += len(local) + length
        at += len(central)
        centrals.append(len(central))
    if expected + sum(centrals) + _END.size != len(view) or bytes(view[-_END.size :]) != _end(count, size, expected):
        raise BundleError(f"{what} has bytes that belong to no member: {AGAIN}")
    return members


def is_foreign(data: bytes | memoryview, wanted: str) -> bool:
    """Is this a whole zip archive, by whatever tool, in which nothing is called ``wanted``?

    Somebody chose the wrong file then, and no word about damage would help. Allocates nothing that grows.
    """
    view = memoryview(data)
    tail = bytes(view[-_END.size - _LONGEST_COMMENT :])
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) - found < _END.size:
        return False
    _, _, _, _, count, size, at, comment = _END.unpack_from(tail, found)
    end = len(view) - len(tail) + found
    if at + size != end or end + _END.size + comment != len(view):
        return False
    for _ in range(count):
        if end - at < _CENTRAL.size or bytes(view[at:][:4]) != b"PK\x01\x02":
            return False
        *_, name_size, extra, remark, _, _, _, start = _CENTRAL.unpack_from(view, at)
        name = bytes(view[at + _CENTRAL.size :][:name_size])
        local = start + _LOCAL.size
        if bytes(view[start:][:4]) != b"PK\x03\x04" or bytes(view[local:][:name_size]) != name:
            return False
        if name == wanted.encode():
            return False
        at += _CENTRAL.size + name_size + extra + remark
    return bool(at == end)


def _entry(view: memoryview, at: int, what: str) -> tuple[str, int, int, memoryview]:
    """Name, place of the local header, size, and the raw header of the entry at ``at``."""
    head = view[at : at + _CENTRAL.size]
    if len(head) != _CENTRAL.size or bytes(head[:4]) != b"PK\x01\x02":
        raise BundleError(f"{what} has a broken table of contents: {AGAIN}")
    _, _, _, flags, method, _, _, _, packed, size, name_size, extra, comment, _, _, _, start = _CENTRAL.unpack(head)
    raw = bytes(view[at + _CENTRAL.size :][:name_size])
    shown = raw[:MAX_NAME_BYTES].decode("ascii", "replace")
    if ".." in shown or "/" in shown or "\\" in shown:
        raise BundleError(f"{what} names {shown!r}, which lies outside the archive: do not trust where it came from")
    if not _NAME.fullmatch(shown) or len(raw) > MAX_NAME_BYTES:
        raise BundleError(f"{what} holds {shown!r}, which is no name of a bundle's member: {AGAIN}")
    if method != 0 or packed != size:
        raise BundleError(f"{shown} in {what} is compressed, a bundle's members are stored as they are: {AGAIN}")
    if flags & 1:
        raise BundleError(f"{shown} in {what} is encrypted: {AGAIN}")
    return shown, start, size, view[at : at + _CENTRAL.size + name_size + extra + comment]


def pack_arrays(arrays: Mapping[str, AnyArray]) -> bytes:
    """An npz (stored, readable by ``numpy.load``) of float32 and int64 arrays."""
    return pack({f"{name}.npy": _npy(name, array) for name, array in arrays.items()})


def _npy(name: str, array: AnyArray) -> bytes:
    descr = {value: key for key, value in _TYPES.items()}.get(array.dtype.type)
    if descr is None:
        raise BundleError(f"array {name} is {array.dtype}: a bundle holds float32 and int64 only")
    shape = "(" + "".join(f"{side}, " for side in array.shape).rstrip(" " if array.ndim == 1 else ", ") + ")"
    text = f"{{'descr': '{descr.decode()}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = text + b" " * (-(len(_MAGIC) + 2 + len(text) + 1) % 64) + b"\n"
    return _MAGIC + struct.pack("<H", len(header)) + header + np.ascontiguousarray(array).tobytes()


def unpack_arrays(data: bytes | memoryview, what: str) -> dict[str, AnyArray]:
    """Arrays by name, read-only views into ``data``; nothing is unpickled. Raises BundleError."""
    return {
        name.removesuffix(".npy"): _array(body, f"{name.removesuffix('.npy')} in {what}")
        for name, body in unpack(data, what).items()
    }


def _array(body: memoryview, what: str) -> AnyArray:
    size = int.from_bytes(body[8:10], "little")
    found = _HEADER.fullmatch(bytes(body[10:][:size])) if bytes(body[:8]) == _MAGIC and size <= 256 else None
    if found is None:
        raise BundleError(f"{what} is no array of float32 or int64: {AGAIN}")
    dtype = np.dtype(_TYPES[found[1]])
    shape = tuple(int(side) for side in found[2].split(b",") if side.strip())
    count = 1
    for side in shape:
        count *= side
    if len(shape) > 8 or count * dtype.itemsize != len(body) - 10 - size:
        raise BundleError(f"{what} is not as long as its shape {shape} says: {AGAIN}")
    return np.frombuffer(body, dtype, offset=10 + size).reshape(shape)
