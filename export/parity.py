"""How much a listener loses by quantization, in the words the models are judged by anyway.

Each half is judged as it is used: encode from data, decode the posterior mean. An int8 model that costs
more than the allowance of its half stays in fp32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import torch

from device.contract.manifest import Parity
from device.contract.pattern import LEVEL, FloatArray
from device.models.models import open_session
from export.material import Grooves, Sounds
from export.quantize import Feed
from training.patterns.evaluation import HIT, fidelity
from training.sounds.distance import distance_db
from training.sounds.render import decoder_noise

F1_LOSS: Final = 0.01
TOUCH_LOSS: Final = 0.005  # velocity, and offset in steps
SOUND_LOSS: Final = 1.02  # factor on the distance
SHAKE: Final = 1e-4
SHAKES: Final = 4
LEAST_TOLERANCE: Final = 1e-5
CHUNK: Final = 256
AUDIO_CHUNK: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Runner:
    """A graph ready to run, in chunks."""

    session: Any
    chunk: int

    @classmethod
    def of(cls, name: str, graph: onnx.ModelProto, *, optimized: bool = True) -> "Runner":
        """Load a graph as the device would."""
        session = open_session(graph.SerializeToString(), name, optimized=optimized)
        return cls(session, AUDIO_CHUNK if name.startswith("sound") else CHUNK)

    def __call__(self, inputs: Feed) -> list[FloatArray]:
        """All outputs for inputs (n, ...); an input with one row serves all."""
        count = max(len(array) for array in inputs.values())
        parts = [
            self.session.run(
                None, {name: a if len(a) != count else a[at : at + self.chunk] for name, a in inputs.items()}
            )
            for at in range(0, count, self.chunk)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


def reconstructed_grooves(encoder: Runner, decoder: Runner, grooves: Grooves) -> FloatArray:
    """Validation grooves as they come back, (n, 32, 9, 3)."""
    styles = grooves.validation.style_vectors()
    mean = encoder({"pattern": grooves.validation.cells, "style": styles})[0]
    return decoder({"latent": mean, "style": styles})[0]


def reconstructed_sounds(encoder: Runner, decoder: Runner, sounds: Sounds) -> FloatArray:
    """Validation sounds as they come back, (n, 65536)."""
    classes = sounds.validation_classes
    mean = encoder({"audio": sounds.validation, "sound_class": classes})[0]
    intensity = np.ones((len(mean), 1), np.float32)
    return decoder({"latent": mean, "sound_class": classes, "intensity": intensity, "noise": decoder_noise().numpy()})[
        0
    ]


def rhythm_parity(grooves: Grooves, fp32: FloatArray, shipped: FloatArray) -> tuple[tuple[Parity, ...], bool]:
    """Rows for the manifest from both reconstructions, and whether the loss is within the allowance."""
    before, after = fidelity(grooves.validation.cells, fp32), fidelity(grooves.validation.cells, shipped)
    hits = [(cells[..., LEVEL] >= HIT) for cells in (fp32, shipped)]
    both = max(int(hits[0].sum()) + int(hits[1].sum()), 1)
    same = 2.0 * int((hits[0] & hits[1]).sum()) / both
    rows = (
        Parity("hit F1 of held-out grooves", "", before.f1, after.f1),
        Parity("velocity error at hits", "", before.velocity_mae, after.velocity_mae),
        Parity("offset error at hits", "steps", before.offset_mae, after.offset_mae),
        Parity("hit F1 against the fp32 models", "", 1.0, same),
    )
    fits = (
        after.f1 >= before.f1 - F1_LOSS
        and after.velocity_mae <= before.velocity_mae + TOUCH_LOSS
        and after.offset_mae <= before.offset_mae + TOUCH_LOSS
    )
    return rows, fits


def sound_parity(sounds: Sounds, fp32: FloatArray, shipped: FloatArray) -> tuple[tuple[Parity, ...], bool]:
    """Rows for the manifest from both reconstructions, and whether the loss is within the allowance."""
    before, after = _distance(fp32, sounds.validation), _distance(shipped, sounds.validation)
    rows = (
        Parity("active log-mel distance of held-out sounds", "dB", before, after),
        Parity("active log-mel distance to the fp32 models", "dB", 0.0, _distance(shipped, fp32)),
    )
    return rows, after <= before * SOUND_LOSS


def _distance(first: FloatArray, second: FloatArray) -> float:
    ours, theirs = torch.from_numpy(first), torch.from_numpy(second)
    chunks = range(0, len(ours), 2 * AUDIO_CHUNK)
    parts = [distance_db(ours[at : at + 2 * AUDIO_CHUNK], theirs[at : at + 2 * AUDIO_CHUNK]) for at in chunks]
    return float(torch.cat(parts).mean())


def tolerances(name: str, graph: onnx.ModelProto, inputs: Feed, golden: Mapping[str, FloatArray]) -> dict[str, float]:
    """How far each output may lie from its golden one, as a mean difference, on another processor.

    Measured: inputs shaken by a ten-thousandth make more activations round to the neighbouring 8-bit step than
    any other order of summation can; and the graph without optimisation runs other kernels. Four times the
    largest difference these make is allowed, and never less than the rounding of sums.
    """
    draw = np.random.Generator(np.random.PCG64(1))
    runner = Runner.of(name, graph)
    others = [Runner.of(name, graph, optimized=False)(inputs)]
    for _ in range(SHAKES):
        shaken = {key: array * (1.0 + SHAKE * draw.standard_normal(array.shape)) for key, array in inputs.items()}
        others.append(runner({key: array.astype(np.float32) for key, array in shaken.items()}))
    return {
        output: max(4.0 * max(float(np.abs(other[index] - array).mean()) for other in others), LEAST_TOLERANCE)
        for index, (output, array) in enumerate(golden.items())
    }
