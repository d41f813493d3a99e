"""Wishes and answers: what the models are asked for while the beat goes on, and what comes back.

A knob turns faster than a model runs, so only the newest wish counts, per kind and per voice:

    patterns  >  a pattern to encode  >  sounds, the voice touched last first

A voice that is being turned all the time shares the thread with those that wait: after it comes the one
that has waited longest. Answers are values, a failure too (``Failed``).
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from device.contract.pattern import FloatArray, PatternGrid
from device.errors import LatidoError

if TYPE_CHECKING:
    from device.models.models import Models


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


@dataclass(frozen=True, slots=True)
class _SoundTask:
    voice: int
    wish: SoundWish


@dataclass(frozen=True, slots=True)
class _EncodeTask:
    grid: PatternGrid
    style: tuple[float, ...]


Answer = Decoded | Rendered | Encoded | Failed


def _answer(models: "Models", wish: PatternWish | _SoundTask | _EncodeTask) -> Answer:
    """Run one wish. Never raises: a thread that dies would leave the player with silence."""
    try:
        match wish:
            case PatternWish():
                return Decoded(wish, models.decode_pattern(wish.latent, wish.style))
            case _EncodeTask(grid, style):
                return Encoded(grid, tuple(float(value) for value in models.encode_pattern(grid, style)))
            case _SoundTask(voice, sound):
                return Rendered(voice, sound, models.render_sound(sound))
    except LatidoError as error:
        return Failed(str(error))
    except Exception as error:  # also what nobody foresaw must reach the player as words
        return Failed(f"a model failed ({type(error).__name__}: {error}): load another bundle")


class Inline:
    """Answers at once, in the caller's thread: for renders and tests."""

    def __init__(self, models: "Models") -> None:
        self._models = models
        self._answers: list[Answer] = []

    def ask_pattern(self, wish: PatternWish) -> None:
        """Decode a pattern now."""
        self._answers.append(_answer(self._models, wish))

    def ask_sound(self, voice: int, wish: SoundWish) -> None:
        """Render a voice's sound now."""
        self._answers.append(_answer(self._models, _SoundTask(voice, wish)))

    def ask_encode(self, grid: PatternGrid, style: tuple[float, ...]) -> None:
        """Encode a played pattern now."""
        self._answers.append(_answer(self._models, _EncodeTask(grid, style)))

    def answers(self) -> list[Answer]:
        """All answers since the last call, oldest first."""
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """Nothing to end."""


class Background:
    """One thread that answers the newest wishes. ``close`` ends it; also usable in a ``with``."""

    def __init__(self, models: "Models") -> None:
        self._models = models
        self._change = threading.Condition()
        self._pattern: PatternWish | None = None
        self._encode: _EncodeTask | None = None
        self._sounds: dict[int, SoundWish] = {}  # in the order their voices were touched
        self._last_voice = -1
        self._answers: list[Answer] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self._thread.start()

    def ask_pattern(self, wish: PatternWish) -> None:
        """Decode this pattern; an older wish not yet begun is forgotten."""
        with self._change:
            self._pattern = wish
            self._change.notify()

    def ask_sound(self, voice: int, wish: SoundWish) -> None:
        """Render this voice's sound; an older wish of the same voice not yet begun is forgotten."""
        with self._change:
            self._sounds.pop(voice, None)
            self._sounds[voice] = wish
            self._change.notify()

    def ask_encode(self, grid: PatternGrid, style: tuple[float, ...]) -> None:
        """Encode this pattern; an older one not yet begun is forgotten."""
        with self._change:
            self._encode = _EncodeTask(grid, style)
            self._change.notify()

    def answers(self) -> list[Answer]:
        """All answers since the last call, oldest first. Never waits for a model."""
        with self._change:
            answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """Forget what is still wished, finish what is being computed, end the thread. May be called twice."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closing or self._waiting())
                if self._closing:
                    return
                wish = self._next()
            answer = _answer(self._models, wish)
            with self._change:
                self._answers.append(answer)

    def _waiting(self) -> bool:
        return self._pattern is not None or self._encode is not None or bool(self._sounds)

    def _next(self) -> PatternWish | _EncodeTask | _SoundTask:
        """The wish to answer now; called with the lock held and something waiting."""
        if self._pattern is not None:
            wish, self._pattern = self._pattern, None
            return wish
        if self._encode is not None:
            task, self._encode = self._encode, None
            return task
        voices = list(self._sounds)
        voice = voices[0] if voices[-1] == self._last_voice else voices[-1]
        self._last_voice = voice
        return _SoundTask(voice, self._sounds.pop(voice))
