"""What the models are asked for and what they answer: plain values."""

from dataclasses import dataclass

from device.contract.pattern import FloatArray, PatternGrid


@dataclass(frozen=True, slots=True)
class PatternWish:
    """A place in the space of rhythms: ``latent`` (Z,), ``style`` (S,) weights summing to 1."""

    latent: tuple[float, ...]
    style: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SoundWish:
    """A place in the space of one class of drum sounds, once for every intensity (soft to hard, 0..1)."""

    sound_class: str
    latent: tuple[float, ...]
    intensities: tuple[float, ...] = (1.0,)
    semitones: float = 0.0  # tuned by resampling


@dataclass(frozen=True, slots=True)
class Decoded:
    """The pattern of a wish."""

    wish: PatternWish
    grid: PatternGrid


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A voice's new sound: one (n,) float32 per intensity, soft to hard, within -1..1, n <= SLOT_FRAMES."""

    voice: int
    wish: SoundWish
    layers: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Where in the space of rhythms a played pattern lies: ``latent`` (Z,)."""

    grid: PatternGrid
    latent: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A model could not do it; one sentence that says why."""

    text: str
