"""The manifest: what a bundle says of itself, and what this device asks of it.

It names every other member with its size and SHA-256, so whoever trusts the bytes of ``manifest.json``
(a signature over them, for one) trusts the whole bundle.
"""

import itertools
import math
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device import __version__
from device.contract.pattern import GRID_SHAPE, STEPS
from device.contract.voices import SOUND_CLASSES, VOICES
from device.errors import BundleError

SCHEMA: Final = 1
MANIFEST: Final = "manifest.json"
CARD: Final = "card.md"
MAPS: Final = "maps.npz"
GOLDEN: Final = "golden.npz"
MODELS: Final = ("rhythm_encoder", "rhythm_decoder", "sound_encoder", "sound_decoder")
MEMBERS: Final = (*(f"{model}.onnx" for model in MODELS), MAPS, GOLDEN, CARD)  # beside the manifest
FILL: Final = "fill"  # the last style: no style of its own, but the wish for a fill

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=40)]
MemberName = Annotated[str, Meta(pattern=r"^[a-z0-9_.]+$", max_length=40)]
Size = Annotated[int, Meta(ge=1, le=256)]
Rate = Annotated[int, Meta(ge=8000, le=192000)]
Frames = Annotated[int, Meta(ge=256, le=1 << 18)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Numbers = dict[Name, float]


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member of the archive."""

    sha256: Sha256
    size: Annotated[int, Meta(ge=1)]  # bytes


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input or output of a model. Shape entry 0 means: any number (of sounds, of patterns)."""

    name: Name
    shape: tuple[Annotated[int, Meta(ge=0, le=1 << 20)], ...]
    type: Literal["float32"] = "float32"


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ONNX model. ``tolerances`` are how far each output may lie from its golden one, as a mean difference."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: Literal["int8", "fp32"]
    tolerances: dict[Name, Annotated[float, Meta(gt=0.0, le=1.0)]]
    kept_fp32: tuple[Text, ...] = ()  # layers left in fp32 inside an int8 model


class Noise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The noise every sound is shaped from, see device/contract/noise.py."""

    seed: Annotated[int, Meta(ge=0, le=2**32)]
    bands: Annotated[int, Meta(ge=2, le=128)]
    frames: Frames


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One quality before and after quantization; ``shipped`` is of the models in this bundle."""

    name: Text
    unit: str
    fp32: float
    shipped: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All a device needs to know before it loads a bundle. Raises BundleError where it cannot play it."""

    schema: int
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    version: Annotated[int, Meta(ge=1, le=2**31)]
    minimum_device: Annotated[str, Meta(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$")]
    sample_rate: Rate
    frames: Frames  # of a rendered sound
    voices: tuple[Name, ...]
    sound_classes: tuple[Name, ...]
    steps: int
    styles: tuple[Name, ...]
    rhythm_size: Size
    sound_size: Size
    noise: Noise
    models: dict[Name, Model]
    parity: tuple[Parity, ...]
    metrics: dict[Name, Numbers]  # "rhythm" and "sound": what their trainings measured
    members: dict[MemberName, Member]

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise BundleError(f"bundle has schema {self.schema}, this device reads {SCHEMA}: {_newer(self.schema)}")
        if _numbers(self.minimum_device) > _numbers(__version__):
            raise BundleError(f"bundle wants Latido {self.minimum_device}, this is {__version__}: update the device")
        if self.steps != STEPS:
            raise BundleError(f"bundle has {self.steps} steps, this device plays {STEPS}: train for {STEPS}")
        for what, ours, theirs in (
            ("voices", tuple(voice.name for voice in VOICES), self.voices),
            ("sound classes", SOUND_CLASSES, self.sound_classes),
            ("models", MODELS, tuple(self.models)),
            ("members", MEMBERS, tuple(self.members)),
        ):
            if ours != theirs:
                raise BundleError(f"bundle has the {what} {_differ(theirs, ours)}: export it again with this version")
        if len(self.styles) < 3 or len(set(self.styles)) != len(self.styles) or self.styles[-1] != FILL:
            raise BundleError(f"bundle needs two styles or more, no two alike, and {FILL!r} last: export it again")
        if self.noise.frames != self.frames:
            raise BundleError(
                f"bundle has noise of {self.noise.frames} frames and sounds of {self.frames}: export it again"
            )
        sizes = Sizes(len(self.styles), self.rhythm_size, self.sound_size, self.frames, self.noise.bands)
        for name, model in self.models.items():
            wanted = tensors(name, sizes)
            if (model.inputs, model.outputs) != wanted or set(model.tolerances) != {t.name for t in model.outputs}:
                raise BundleError(f"tensors of {name} are not what the bundle's sizes ask for: export it again")
        measured = itertools.chain.from_iterable(
            [*(table.values() for table in self.metrics.values()), *((p.fp32, p.shipped) for p in self.parity)]
        )
        if not all(map(math.isfinite, measured)):
            raise BundleError("bundle reports a quality that is not a number: export it again")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the shapes of all tensors follow from; the other sizes are fixed by the contract."""

    styles: int
    rhythm_size: int
    sound_size: int
    frames: int
    bands: int


def tensors(model: str, sizes: Sizes) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of one of the four models: names and shapes are part of the contract."""
    pattern = Tensor("pattern", (0, *GRID_SHAPE))
    style = Tensor("style", (0, sizes.styles))
    audio = Tensor("audio", (0, sizes.frames))
    sound_class = Tensor("sound_class", (0, len(SOUND_CLASSES)))
    rhythm, sound = sizes.rhythm_size, sizes.sound_size
    return {
        "rhythm_encoder": ((pattern, style), (Tensor("mean", (0, rhythm)), Tensor("log_var", (0, rhythm)))),
        "rhythm_decoder": ((Tensor("latent", (0, rhythm)), style), (pattern,)),
        "sound_encoder": ((audio, sound_class), (Tensor("mean", (0, sound)), Tensor("log_var", (0, sound)))),
        "sound_decoder": (
            (
                Tensor("latent", (0, sound)),
                sound_class,
                Tensor("intensity", (0, 1)),
                Tensor("noise", (1, sizes.bands, sizes.frames)),
            ),
            (audio,),
        ),
    }[model]


class _Schema(msgspec.Struct):
    schema: int


def decode_manifest(data: bytes) -> Manifest:
    """Read manifest.json. Raises BundleError."""
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:  # a newer one may have any shape: say so before its fields confuse us
            raise BundleError(f"bundle has schema {schema}, this device reads {SCHEMA}: {_newer(schema)}")
        return msgspec.json.decode(data, type=Manifest)
    except BundleError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error.__cause__, BundleError):  # msgspec wraps what a __post_init__ raises
            raise error.__cause__ from None
        raise BundleError(f"{MANIFEST} does not say what a bundle must say ({error}): export it again") from error


def encode_manifest(manifest: Manifest) -> bytes:
    """As manifest.json, indented for people."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _newer(schema: int) -> str:
    return "update the device" if schema > SCHEMA else "export the bundle again with this version"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _differ(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    missing, extra = [n for n in ours if n not in theirs], [n for n in theirs if n not in ours]
    parts = [f"without {', '.join(missing)}"] if missing else []
    parts += [f"with {', '.join(extra)[:80]}"] if extra else []
    return " and ".join(parts) or "in another order"
