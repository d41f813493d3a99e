"""The four models of a bundle, loaded and run: the only place that knows onnxruntime.

onnxruntime is imported when a bundle is loaded, not before: it takes a second, and the first sound must
not wait for it. One thread per model and no spinning, because the audio process needs the other cores.
Its errors leave this file as ModelError.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np

from device.contract.bundle import Bundle
from device.contract.latent import Maps
from device.contract.manifest import Manifest, Model, Tensor
from device.contract.noise import noise_bands
from device.contract.pattern import GRID_SHAPE, OFFSET, FloatArray, PatternGrid
from device.errors import ContractError, ModelError
from device.models.background import SoundWish
from device.models.tune import finished

OTHER: Final = "choose another bundle or export this one again"
MOST_SEMITONES: Final = 48.0
CLIP_ROOM: Final = 1e-3  # what rounding may add to a range


class Models:
    """Rhythm and sound models ready to run; every method is deterministic and may be called from any thread."""

    def __init__(self, bundle: Bundle, sessions: Mapping[str, Any]) -> None:
        self.bundle = bundle
        self.manifest: Manifest = bundle.manifest
        self.maps: Maps = bundle.maps
        self._sessions = sessions
        self._classes = {name: index for index, name in enumerate(self.manifest.sound_classes)}
        noise = self.manifest.noise
        self._noise = noise_bands(noise.seed, noise.bands, noise.frames, self.manifest.sample_rate)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        """Load all four models and compare their tensors with the manifest. Raises ModelError."""
        sessions = {
            name: open_session(bundle.member(f"{name}.onnx"), f"{name} of {bundle.source}")
            for name in bundle.manifest.models
        }
        for name, session in sessions.items():
            _check_tensors(name, session, bundle.manifest.models[name])
        return cls(bundle, sessions)

    def decode_pattern(
        self, latent: tuple[float, ...] | FloatArray, style: tuple[float, ...] | FloatArray
    ) -> PatternGrid:
        """The pattern at a latent (Z,) in a style (S,). Raises ModelError."""
        (cells,) = self.run("rhythm_decoder", {"latent": _row(latent), "style": _row(style)})
        low = np.where(np.arange(GRID_SHAPE[-1]) == OFFSET, np.float32(-0.5), np.float32(0.0))
        high = np.where(np.arange(GRID_SHAPE[-1]) == OFFSET, np.float32(0.5), np.float32(1.0))
        if (cells < low - CLIP_ROOM).any() or (cells > high + CLIP_ROOM).any():
            raise ModelError(f"rhythm_decoder gives levels, velocities or offsets out of range: {OTHER}")
        try:
            return PatternGrid(np.clip(cells[0], low, high))
        except ContractError as error:
            raise ModelError(f"rhythm_decoder gives no pattern ({error}): {OTHER}") from error

    def encode_pattern(self, grid: PatternGrid, style: tuple[float, ...] | FloatArray) -> FloatArray:
        """Where a pattern lies, the posterior mean (Z,). Raises ModelError."""
        mean, _ = self.run("rhythm_encoder", {"pattern": grid.cells[None], "style": _row(style)})
        return np.asarray(mean[0])

    def render_sound(self, wish: SoundWish) -> tuple[FloatArray, ...]:
        """One layer for every intensity, each (n,) within -1..1, n <= SLOT_FRAMES, ending in silence.

        Raises ModelError for an unknown class, a latent of another size, or a model gone wrong.
        """
        if not wish.intensities or not abs(wish.semitones) <= MOST_SEMITONES:
            raise ModelError(
                f"a sound needs an intensity and at most {MOST_SEMITONES:g} semitones up or down, "
                f"got {len(wish.intensities)} and {wish.semitones}"
            )
        latent, sound_class = _row(wish.latent), self._one_hot(wish.sound_class)
        layers = []
        for intensity in wish.intensities:  # one by one: a batch is no quicker and takes its multiple of memory
            hit = np.full((1, 1), min(max(intensity, 0.0), 1.0), np.float32)
            inputs = {"latent": latent, "sound_class": sound_class, "intensity": hit, "noise": self._noise}
            layers.append(self.run("sound_decoder", inputs)[0])
        audio = np.concatenate(layers)
        if np.abs(audio).max() > 1.0 + CLIP_ROOM:
            raise ModelError(f"sound_decoder gives samples of {np.abs(audio).max():.3g}, louder than 1: {OTHER}")
        return finished(audio, wish.semitones)

    def encode_sound(self, audio: FloatArray, sound_class: str) -> FloatArray:
        """Where a sound (n,) lies, the posterior mean (W,). Onset at frame 0; its peak is brought to 1, its end
        cut or padded. Raises ModelError."""
        sound = np.zeros((1, self.manifest.frames), np.float32)
        kept = np.asarray(audio, np.float32)[: self.manifest.frames]
        sound[0, : len(kept)] = kept
        if not np.isfinite(sound).all() or np.abs(sound).max() == 0.0:
            raise ModelError("a sound of silence, or with values that are not numbers, cannot be encoded")
        sound /= np.abs(sound).max()
        mean, _ = self.run("sound_encoder", {"audio": sound, "sound_class": self._one_hot(sound_class)})
        return np.asarray(mean[0])

    def verify(self) -> dict[str, float]:
        """Repeat the golden outputs; mean distance of each. Raises ModelError when one is too far from what it was.

        A flipped bit in a weight loads and runs without complaint; this is where it shows.
        """
        distances: dict[str, float] = {}
        for name, model in self.manifest.models.items():
            golden = {tensor.name: self.bundle.golden.get(f"{name}.{tensor.name}") for tensor in model.inputs}
            inputs = {key: self._noise if array is None else array for key, array in golden.items()}
            for tensor, output in zip(model.outputs, self.run(name, inputs), strict=True):
                expected = self.bundle.golden[f"{name}.{tensor.name}"]
                distance = float(np.abs(output - expected).mean()) if output.shape == expected.shape else float("inf")
                distances[f"{name}.{tensor.name}"] = distance
                if not distance <= model.tolerances[tensor.name]:
                    raise ModelError(
                        f"{name} of {self.bundle.source} does not repeat its golden {tensor.name} (off by "
                        f"{distance:.2g}, allowed {model.tolerances[tensor.name]:.2g}): it is damaged, {OTHER}"
                    )
        return distances

    def run(self, name: str, inputs: Mapping[str, FloatArray]) -> tuple[FloatArray, ...]:
        """One pass of a model: arrays by tensor name to its outputs in order, all finite. Raises ModelError."""
        model = self.manifest.models[name]
        for tensor in model.inputs:
            _check_input(name, tensor, inputs[tensor.name])
        try:
            outputs = self._sessions[name].run([tensor.name for tensor in model.outputs], dict(inputs))
        except Exception as error:  # onnxruntime has no common error of its own
            raise ModelError(f"{name} cannot run ({_first_line(error)}): {OTHER}") from error
        if not all(np.isfinite(output).all() for output in outputs):
            raise ModelError(f"{name} gives values that are not numbers: {OTHER}")
        return tuple(outputs)

    def _one_hot(self, sound_class: str) -> FloatArray:
        if sound_class not in self._classes:
            raise ModelError(f"no sound class {sound_class!r}: the bundle has {', '.join(self._classes)}")
        row = np.zeros((1, len(self._classes)), np.float32)
        row[0, self._classes[sound_class]] = 1.0
        return row


def _row(values: tuple[float, ...] | FloatArray) -> FloatArray:
    return np.asarray(values, np.float32)[None]


def _check_input(name: str, tensor: Tensor, array: FloatArray) -> None:
    shape = tuple(have if want == 0 else want for want, have in zip(tensor.shape, array.shape, strict=False))
    if array.ndim != len(tensor.shape) or shape != array.shape or not np.isfinite(array).all():
        wanted = " x ".join(str(side or "n") for side in tensor.shape)
        raise ModelError(f"{name} wants {tensor.name} as {wanted} finite numbers, got {array.shape}")


def open_session(model: bytes, what: str, *, optimized: bool = True) -> Any:
    """An onnxruntime session as the device runs it; ``what`` names the model in errors. Raises ModelError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(f"onnxruntime cannot be loaded ({_first_line(error)}): install latido again") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters comes back as an exception
    options.enable_cpu_mem_arena = False  # give memory back between sounds: a Pi Zero has 512 MB
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # not set_denormal_as_zero: it switches the calling thread's arithmetic for good, far beyond the models
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common error of its own
        raise ModelError(f"{what} cannot be loaded ({_first_line(error)}): {OTHER}") from error


def _check_tensors(name: str, session: Any, model: Model) -> None:
    """Names, types and shapes of a session's tensors must be the manifest's."""
    for what, ours, theirs in (
        ("inputs", model.inputs, session.get_inputs()),
        ("outputs", model.outputs, session.get_outputs()),
    ):
        found = [(t.name, [s if isinstance(s, int) else 0 for s in t.shape], t.type) for t in theirs]
        wanted = [(t.name, list(t.shape), "tensor(float)") for t in ours]
        if found != wanted:
            raise ModelError(f"{name} has {what} {found}, its manifest says {wanted}: {OTHER}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
