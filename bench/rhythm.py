"""How faithfully grooves come back: the factory bundle's int8 models on the validation split of Groove MIDI."""

from collections.abc import Iterator

import numpy as np

from bench.dataset import dataset_folder
from bench.row import Row
from device.contract.bundle import Bundle
from device.contract.pattern import FloatArray, PatternGrid
from device.models.library import factory_path
from device.models.models import Models
from training.patterns.evaluation import Fidelity, by_style, fidelity
from training.patterns.groove import read_groove
from training.patterns.windows import Windows

F1_TARGET, VELOCITY_TARGET, OFFSET_TARGET = 0.85, 0.10, 0.08
CHUNK = 256


def reconstruct(models: Models, windows: Windows) -> FloatArray:
    """(n, 32, 9, 3): every window through the encoder's mean and back, as the device would."""
    decoded = [
        models.decode_pattern(models.encode_pattern(PatternGrid(cells), style), style).cells
        for cells, style in zip(windows.cells, windows.style_vectors(), strict=True)
    ]
    return np.stack(decoded)


def nearest(known: Windows, asked: Windows) -> FloatArray:
    """(n, 32, 9, 3): for every window the known one whose hits fit best, as if the model were a library of grooves."""
    shelf = known.hits.reshape(len(known), -1)
    sizes = shelf.sum(1)
    chosen = []
    for i in range(0, len(asked), CHUNK):
        hits = asked.hits[i : i + CHUNK].reshape(-1, shelf.shape[1])
        f1 = 2.0 * (hits @ shelf.T) / (hits.sum(1)[:, None] + sizes[None])
        chosen.append(f1.argmax(1))
    return known.cells[np.concatenate(chosen)]


def rows() -> Iterator[Row]:
    path, data = factory_path(), dataset_folder("groove/info.csv")
    if not path.is_file() or data is None:
        missing = "the factory bundle" if not path.is_file() else "Groove MIDI (latido-train data, or $LATIDO_DATA)"
        yield Row("hit F1, held-out grooves", f"not measured: {missing} is not here", f">= {F1_TARGET}")
        return
    models = Models.load(Bundle.open(path))
    groove = read_groove(data)
    held_out = groove.validation
    decoded = reconstruct(models, held_out)
    ours = fidelity(held_out.cells, decoded)
    library = fidelity(held_out.cells, nearest(groove.train, held_out))
    trained = models.manifest.metrics.get("rhythm", {})
    weights = models.manifest.models["rhythm_decoder"].weights

    def row(what: str, name: str, target: float, digits: int, met: bool) -> Row:
        sign = ">=" if name == "hit_f1" else "<="
        return Row(
            f"{what}, {len(held_out)} held-out grooves ({weights})",
            f"{_value(ours, name):.{digits}f}",
            f"{sign} {target}",
            f"fp32 {trained[name]:.{digits}f}, " * (name in trained)
            + f"nearest training groove {_value(library, name):.{digits}f}",
            met,
        )

    yield row("hit F1", "hit_f1", F1_TARGET, 3, ours.f1 >= F1_TARGET)
    yield row("velocity error", "velocity_mae", VELOCITY_TARGET, 3, ours.velocity_mae <= VELOCITY_TARGET)
    yield row("offset error in steps", "offset_mae", OFFSET_TARGET, 3, ours.offset_mae <= OFFSET_TARGET)
    parts = ", ".join(f"{name} {part.f1:.2f}" for name, part in by_style(held_out, decoded))
    yield Row("hit F1 by style", parts)


def _value(measured: Fidelity, name: str) -> float:
    return {"hit_f1": measured.f1, "velocity_mae": measured.velocity_mae, "offset_mae": measured.offset_mae}[name]
