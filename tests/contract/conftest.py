"""A bundle small enough to be damaged thousands of times: true shapes and hashes, models of a few bytes."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from device.contract.archive import pack, pack_arrays
from device.contract.bundle import listing
from device.contract.manifest import (
    CARD,
    GOLDEN,
    MANIFEST,
    MAPS,
    MEMBERS,
    MODELS,
    Manifest,
    Member,
    Model,
    Noise,
    Parity,
    Sizes,
    encode_manifest,
    tensors,
)
from device.contract.pattern import STEPS
from device.contract.voices import SOUND_CLASSES, VOICE_COUNT, VOICES

STYLES, RHYTHM, SOUND, FRAMES, BANDS, SIDE = ("jazz", "house", "fill"), 2, 3, 256, 2, 2
SIZES = Sizes(len(STYLES), RHYTHM, SOUND, FRAMES, BANDS)


def small_maps():
    draw, classes = np.random.default_rng(1), len(SOUND_CLASSES)
    shapes = {
        "rhythm_nodes": (SIDE, SIDE, RHYTHM),
        "node_styles": (SIDE, SIDE, len(STYLES)),
        "sound_nodes": (classes, SIDE, SIDE, SOUND),
        "sound_bright": (classes, SOUND),
        "sound_decay": (classes, SOUND),
        "kit_places": (len(STYLES), VOICE_COUNT, 2),
        "kit_latents": (len(STYLES), VOICE_COUNT, SOUND),
    }
    maps = {name: draw.random(shape, np.float32) for name, shape in shapes.items()}
    return maps | {"kit_classes": np.zeros((len(STYLES), VOICE_COUNT), np.int64)}


def small_golden():
    return {
        f"{name}.{tensor.name}": np.zeros((2, *tensor.shape[1:]), np.float32)
        for name in MODELS
        for side in tensors(name, SIZES)
        for tensor in side
        if tensor.name != "noise"
    }


@pytest.fixture
def parts() -> dict[str, bytes]:
    """Members of a good bundle, without the manifest."""
    models = {f"{name}.onnx": f"weights of {name}".encode() for name in MODELS}
    return models | {MAPS: pack_arrays(small_maps()), GOLDEN: pack_arrays(small_golden()), CARD: b"# Small\n"}


@pytest.fixture
def manifest(parts: dict[str, bytes]) -> Manifest:
    """What a good bundle says of itself."""
    models = {}
    for name in MODELS:
        inputs, outputs = tensors(name, SIZES)
        models[name] = Model(inputs, outputs, "int8", {tensor.name: 0.01 for tensor in outputs})
    return Manifest(
        schema=1,
        name="small",
        version=1,
        minimum_device="0.1.0",
        sample_rate=44100,
        frames=FRAMES,
        voices=tuple(voice.name for voice in VOICES),
        sound_classes=SOUND_CLASSES,
        steps=STEPS,
        styles=STYLES,
        rhythm_size=RHYTHM,
        sound_size=SOUND,
        noise=Noise(1, BANDS, FRAMES),
        models=models,
        parity=(Parity("hit F1", "", 0.9, 0.9),),
        metrics={"rhythm": {"hit_f1": 0.9}, "sound": {}},
        members=listing(parts),
    )


@pytest.fixture
def pack_with(manifest: Manifest, parts: dict[str, bytes]) -> Callable[..., bytes]:
    """Bytes of a bundle with changed members whose hashes are right again, and a changed manifest."""

    def build(changed: dict[str, bytes] | None = None, **said: object) -> bytes:
        members = parts | (changed or {})
        listed = {name: manifest.members[name] for name in MEMBERS}
        for name, data in (changed or {}).items():
            listed[name] = Member(listing(parts | {name: data})[name].sha256, len(data))
        text = msgspec.to_builtins(manifest) | {"members": msgspec.to_builtins(listed)} | said
        return pack({MANIFEST: msgspec.json.encode(text), **{name: members[name] for name in MEMBERS}})

    return build


@pytest.fixture
def good(manifest: Manifest, parts: dict[str, bytes]) -> bytes:
    """A bundle that opens."""
    return pack({MANIFEST: encode_manifest(manifest), **{name: parts[name] for name in MEMBERS}})
