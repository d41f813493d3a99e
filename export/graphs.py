"""The four ONNX graphs of a bundle, from the models of two runs.

PyTorch's exporter writes them; here they get the contract's tensor names, any number of sounds or patterns
at once, and lose what only a debugger reads (source lines and paths of the machine they were made on).
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Final

import onnx
import torch
from onnxscript import ir
from torch import Tensor, nn

from device.errors import ModelError
from training.checkpoint import Run
from training.patterns import model as patterns
from training.patterns.labels import STYLES
from training.sounds import model as sounds
from training.sounds.controls import FRAMES

OPSET: Final = 18  # the oldest that has all we need: devices update slower than workstations
AT_ONCE: Final = 64  # more than this many sounds or patterns in one pass nobody asks for
EXAMPLES: Final = 2  # with one, the exporter would take the batch for fixed


def rhythm_graphs(run: Run) -> dict[str, onnx.ModelProto]:
    """rhythm_encoder and rhythm_decoder of a rhythm run. Raises ModelError when it is a run of another task."""
    if not isinstance(run.model, patterns.RhythmVae):
        raise ModelError(f"{run.folder} is a {run.config.task} run: give the rhythm run first, the sound run second")
    pattern = torch.rand(EXAMPLES, 32, 9, 3)
    style = torch.eye(len(STYLES))[:EXAMPLES]
    latent = torch.randn(EXAMPLES, run.model.config.latent_size)
    return {
        "rhythm_encoder": _graph(
            patterns.EncoderForExport(run.model), {"pattern": pattern, "style": style}, ("mean", "log_var")
        ),
        "rhythm_decoder": _graph(
            patterns.DecoderForExport(run.model), {"latent": latent, "style": style}, ("pattern",)
        ),
    }


def sound_graphs(run: Run) -> dict[str, onnx.ModelProto]:
    """sound_encoder and sound_decoder of a sound run. Raises ModelError when it is a run of another task."""
    if not isinstance(run.model, sounds.SoundVae):
        raise ModelError(f"{run.folder} is a {run.config.task} run: give the rhythm run first, the sound run second")
    sound_class = torch.eye(sounds.CLASSES)[:EXAMPLES]
    latent = torch.randn(EXAMPLES, run.model.config.latent_size)
    decoder_inputs = {
        "latent": latent,
        "sound_class": sound_class,
        "intensity": torch.ones(EXAMPLES, 1),
        "noise": run.model.noise,
    }
    return {
        "sound_encoder": _graph(
            sounds.EncoderForExport(run.model),
            {"audio": torch.randn(EXAMPLES, FRAMES), "sound_class": sound_class},
            ("mean", "log_var"),
        ),
        "sound_decoder": _graph(sounds.DecoderForExport(run.model), decoder_inputs, ("audio",), fixed=("noise",)),
    }


def _graph(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: tuple[str, ...], fixed: tuple[str, ...] = ()
) -> onnx.ModelProto:
    """Export one module; the first axis of every input not ``fixed`` is free."""
    count = torch.export.Dim("n", min=1, max=AT_ONCE)
    shapes = tuple(None if name in fixed else {0: count} for name in inputs)
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise ModelError("PyTorch gave no ONNX graph: is the installed torch the one of the constraints file?")
    graph = ir.serde.serialize_model(program.model)
    _name_weights(graph.graph)
    _strip(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _name_weights(graph: onnx.GraphProto) -> None:
    """Give a layer's weight its name back: the exporter transposes it beforehand and calls the result val_42."""
    bias_of = {
        tensor: other
        for node in graph.node
        if node.op_type == "Add"
        for tensor, other in (node.input, reversed(node.input))
        if other.endswith(".bias")
    }
    names = {
        node.input[1]: bias_of[node.output[0]].removesuffix("bias") + "weight"
        for node in graph.node
        if node.op_type == "MatMul" and node.output[0] in bias_of
    }
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def _strip(graph: onnx.ModelProto) -> None:
    """Remove everything that says where and how the graph was made, but not what it computes."""
    del graph.metadata_props[:], graph.functions[:], graph.graph.value_info[:]
    graph.doc_string = graph.graph.doc_string = ""
    holders = (graph.graph, *graph.graph.node, *graph.graph.initializer, *graph.graph.input, *graph.graph.output)
    for holder in holders:
        holder.ClearField("doc_string")
        holder.ClearField("metadata_props")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says about itself, and nothing else."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")  # misses torchvision, we do not
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
            warnings.filterwarnings("ignore", r".*The axis name: n will not be used", UserWarning)
            yield
    finally:
        registration.setLevel(level)
