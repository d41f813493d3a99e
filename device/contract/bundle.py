"""A bundle: one file with everything an instrument plays from, checked to the last byte before it is believed.

    manifest.json        what it is (manifest.py): sizes, hashes, tensors, qualities
    rhythm_encoder.onnx  rhythm_decoder.onnx  sound_encoder.onnx  sound_decoder.onnx
    maps.npz             where the knobs lead (latent.py)
    golden.npz           inputs and outputs of each model, named MODEL.TENSOR: a loaded model must repeat them
    card.md              what it was trained on, licences, credits, measured quality

``Bundle.open`` finds every fault that can be found without running a model; device/models finds the rest.
"""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.contract.archive import AGAIN, AnyArray, is_foreign, pack, unpack, unpack_arrays
from device.contract.latent import Maps
from device.contract.manifest import (
    CARD,
    GOLDEN,
    MANIFEST,
    MAPS,
    MEMBERS,
    Manifest,
    Member,
    decode_manifest,
    encode_manifest,
)
from device.contract.pattern import FloatArray
from device.errors import BundleError, ContractError

MAX_BUNDLE_BYTES: Final = 64 << 20
MAX_MANIFEST_BYTES: Final = 1 << 18
MAX_CARD_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """An opened bundle: immutable, wholly in memory, its file no longer needed."""

    manifest: Manifest
    maps: Maps
    golden: dict[str, FloatArray]  # "MODEL.TENSOR" -> (n, ...)
    card: str
    ident: str  # SHA-256 of the file, hex
    source: str  # file name, for messages
    _members: Mapping[str, memoryview]

    def member(self, name: str) -> bytes:
        """Bytes of one member, the manifest included. Raises BundleError for an unknown name."""
        if name not in self._members:
            raise BundleError(f"a bundle has no member {name!r}: it holds {', '.join(self._members)}")
        return bytes(self._members[name])

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(len(view) for view in self._members.values())

    def __repr__(self) -> str:
        return f"Bundle({self.manifest.name!r} version {self.manifest.version}, {self.ident[:12]})"

    @classmethod
    def open(cls, path: Path) -> "Bundle":
        """Read and check a file. Raises BundleError, one sentence that says what is wrong and the way out."""
        return cls.read(_read(path), path.name)

    @classmethod
    def read(cls, data: bytes, source: str = "bundle") -> "Bundle":
        """Check the bytes of a bundle; ``source`` names it in messages. Raises BundleError."""
        if len(data) > MAX_BUNDLE_BYTES:
            raise _too_large(source)
        if is_foreign(data, MANIFEST):
            raise BundleError(f"{source} is no bundle (it has no {MANIFEST}): choose a .latido file")
        members = unpack(data, source)
        manifest = _manifest(members, source)
        _check_members(manifest, members, source)
        maps = _maps(manifest, unpack_arrays(members[MAPS], f"{MAPS} of {source}"), source)
        golden = _golden(manifest, unpack_arrays(members[GOLDEN], f"{GOLDEN} of {source}"), source)
        try:
            card = bytes(members[CARD]).decode()
        except UnicodeDecodeError as error:
            raise BundleError(f"{CARD} of {source} is not text: export the bundle again") from error
        return cls(manifest, maps, golden, card, hashlib.sha256(data).hexdigest(), source, members)


def _too_large(source: str) -> BundleError:
    limit = MAX_BUNDLE_BYTES >> 20
    return BundleError(f"{source} is larger than {limit} MiB, no bundle may be: is it another file?")


def _read(path: Path) -> bytes:
    """The file's bytes, never more than the limit."""
    try:
        if not path.is_file():  # a pipe or device would never end
            raise BundleError(f"no bundle file at {path}: give the path of a .latido file")
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except BundleError:  # which is a ValueError
        raise
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BUNDLE_BYTES:
        raise _too_large(path.name)
    return data


def _manifest(members: Mapping[str, memoryview], source: str) -> Manifest:
    if len(members[MANIFEST]) > MAX_MANIFEST_BYTES or len(members.get(CARD, b"")) > MAX_CARD_BYTES:
        raise BundleError(f"{MANIFEST} or {CARD} of {source} is larger than {MAX_MANIFEST_BYTES >> 10} KiB: {AGAIN}")
    return decode_manifest(bytes(members[MANIFEST]))


def _check_members(manifest: Manifest, members: Mapping[str, memoryview], source: str) -> None:
    known = {MANIFEST, *MEMBERS}
    if missing := [name for name in MEMBERS if name not in members]:
        raise BundleError(f"{source} lacks {', '.join(missing)}: {AGAIN}")
    if extra := [name for name in members if name not in known]:
        raise BundleError(f"{source} holds {', '.join(extra)}, which no bundle has: {AGAIN}")
    for name, said in manifest.members.items():
        if len(members[name]) != said.size:
            raise BundleError(f"{name} of {source} has {len(members[name])} bytes, not {said.size}: {AGAIN}")
        if hashlib.sha256(members[name]).hexdigest() != said.sha256:
            raise BundleError(f"{name} of {source} is not what its manifest says (SHA-256 differs): {AGAIN}")


def _maps(manifest: Manifest, arrays: Mapping[str, AnyArray], source: str) -> Maps:
    names = {field.name for field in fields(Maps)}
    if set(arrays) != names:
        raise BundleError(f"{MAPS} of {source} must hold {', '.join(sorted(names))}: export the bundle again")
    for name, array in arrays.items():
        if array.ndim < 2 or 0 in array.shape or (array.dtype == np.int64) != (name == "kit_classes"):
            raise BundleError(f"map {name} of {source} is {array.dtype} {array.shape}: export the bundle again")
    try:
        maps = Maps(**dict[str, Any](arrays))
        maps.check(
            styles=len(manifest.styles),
            classes=len(manifest.sound_classes),
            voices=len(manifest.voices),
            rhythm_size=manifest.rhythm_size,
            sound_size=manifest.sound_size,
        )
    except BundleError:
        raise
    except ContractError as error:
        raise BundleError(f"{source}: {error}") from error
    return maps


def golden_names(manifest: Manifest) -> list[str]:
    """Names of all golden arrays: every input and output but the noise, which a seed gives."""
    return [
        f"{name}.{tensor.name}"
        for name, model in manifest.models.items()
        for tensor in (*model.inputs, *model.outputs)
        if tensor.name != "noise"
    ]


def _golden(manifest: Manifest, arrays: Mapping[str, AnyArray], source: str) -> dict[str, FloatArray]:
    if set(arrays) != set(golden_names(manifest)):
        raise BundleError(f"{GOLDEN} of {source} does not hold every input and output of its models: export it again")
    golden: dict[str, FloatArray] = {}
    for name, model in manifest.models.items():
        rows = len(arrays[f"{name}.{model.outputs[0].name}"]) if arrays[f"{name}.{model.outputs[0].name}"].ndim else 0
        for tensor in (*model.inputs, *model.outputs):
            if tensor.name == "noise":
                continue
            array = arrays[f"{name}.{tensor.name}"]
            if array.dtype != np.float32 or array.shape != (rows, *tensor.shape[1:]) or rows < 1:
                raise BundleError(f"golden {name}.{tensor.name} of {source} is {array.shape}: export the bundle again")
            if not np.isfinite(array).all():
                raise BundleError(f"golden {name}.{tensor.name} of {source} is not finite: export the bundle again")
            golden[f"{name}.{tensor.name}"] = np.asarray(array, np.float32)
    return golden


def listing(members: Mapping[str, bytes]) -> dict[str, Member]:
    """What the manifest says of the other members. Raises BundleError when one is missing or there are others."""
    if set(members) != set(MEMBERS):
        raise BundleError(f"a bundle holds {', '.join(MEMBERS)}, not {', '.join(sorted(members))}")
    return {name: Member(hashlib.sha256(members[name]).hexdigest(), len(members[name])) for name in MEMBERS}


def bundle_bytes(manifest: Manifest, members: Mapping[str, bytes]) -> bytes:
    """The file of a bundle; ``manifest.members`` is ``listing(members)``."""
    return pack({MANIFEST: encode_manifest(manifest), **{name: members[name] for name in MEMBERS}})


def write_bundle(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> Bundle:
    """Write a bundle whole or not at all, and return it opened. Raises BundleError; then ``path`` is as it was.

    ``manifest.members`` is ``listing(members)``.
    """
    data = bundle_bytes(manifest, members)
    bundle = Bundle.read(data, path.name)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return bundle
