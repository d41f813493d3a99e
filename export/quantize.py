"""Int8 weights: static quantization with calibration on real data, of the layers that carry weights.

Quantize-dequantize nodes, unsigned 8-bit activations, signed 7-bit weights per channel. Seven bits, because
processors without VNNI add two 8-bit products in 16 bits and would clip: so every processor computes alike
and golden outputs hold everywhere. Layers whose errors are heard (pitch, the last layer before a hit or a
level) stay in fp32, as do those too small to matter.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from device.contract.pattern import FloatArray
from device.errors import ModelError

Feed = dict[str, FloatArray]
SMALLEST: Final = 2048  # weights of a layer; below, int8 saves less than its scales cost
# Layers of each model that stay in fp32, by the name of their weights.
KEPT: Final = {
    "rhythm_encoder": ("encoder.head",),
    "rhythm_decoder": ("decoder.write",),
    "sound_encoder": ("encoder.head.2",),
    "sound_decoder": ("controller.last", "controller.average", "controller.pitches"),
}
LAYERS: Final = ("Gemm", "MatMul", "Conv")


def quantized(name: str, graph: onnx.ModelProto, feeds: Iterable[Feed]) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """An int8 copy of a graph and the layers left in fp32. ``feeds`` are inputs to calibrate with."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        plain, prepared, result = (Path(folder) / f"{stage}.onnx" for stage in ("plain", "prepared", "int8"))
        onnx.save(graph, plain)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        loaded = onnx.load(prepared)
        layers = weight_layers(loaded)
        two_way = both_ways(loaded)
        chosen = {
            node: weight for node, weight in layers.items() if weight not in two_way and not _kept(name, weight, loaded)
        }
        if not chosen:
            raise ModelError(f"{name} has no layer to quantize: export it with --fp32")
        quantize_static(
            str(prepared),
            str(result),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=list(chosen),
            op_types_to_quantize=list(LAYERS),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        model = onnx.load(result)
    _pack(model.graph, two_way)
    used = {node.domain for node in model.graph.node}
    domains = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(domains)
    onnx.checker.check_model(model)
    kept = tuple(sorted({_layer(weight) for node, weight in layers.items() if node not in chosen}))
    return model, kept


def weight_layers(graph: onnx.ModelProto) -> dict[str, str]:
    """Node name -> weight name of every layer with trained weights (constant tables are none)."""
    weights = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.graph.initializer}
    return {
        node.name: node.input[1]
        for node in graph.graph.node
        if node.op_type in LAYERS and node.input[1] in weights and _is_layer(node.input[1])
    }


def both_ways(graph: onnx.ModelProto) -> frozenset[str]:
    """Weights of layers that also run backwards (the decoder inside an encoder that corrects its own guess).

    Their channels lie along another axis each way, which int8 layers cannot have.
    """
    kinds: dict[str, set[str]] = {}
    for node, weight in weight_layers(graph).items():
        kinds.setdefault(weight, set()).add(next(n.op_type for n in graph.graph.node if n.name == node))
    return frozenset(weight for weight, used in kinds.items() if len(used) > 1)


def _pack(graph: onnx.GraphProto, weights: Iterable[str]) -> None:
    """Keep weights (out, in) as 8 bits and a scale for each row.

    Plain operators on constants unpack them, which onnxruntime does once, when it loads the model.
    """
    for tensor in [tensor for tensor in graph.initializer if tensor.name in set(weights)]:
        name, array = tensor.name, onnx.numpy_helper.to_array(tensor)
        scale = np.maximum(np.abs(array).max(1, keepdims=True), 1e-9).astype(np.float32) / np.float32(127.0)
        packed, whole = np.rint(array / scale).astype(np.int8), f"{name}_whole"
        nodes = (
            onnx.helper.make_node("Cast", [f"{name}_packed"], [whole], f"{name}_cast", to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Mul", [whole, f"{name}_scale"], [name], f"{name}_unpack"),
        )
        graph.initializer.remove(tensor)
        graph.initializer.append(onnx.numpy_helper.from_array(packed, f"{name}_packed"))
        graph.initializer.append(onnx.numpy_helper.from_array(scale, f"{name}_scale"))
        for place, node in enumerate(nodes):
            graph.node.insert(place, node)


def _is_layer(weight: str) -> bool:
    return any(part in weight for part in (".encoder.", ".decoder.", ".controller."))


def _kept(name: str, weight: str, graph: onnx.ModelProto) -> bool:
    size = next(int(np.prod(tensor.dims)) for tensor in graph.graph.initializer if tensor.name == weight)
    return size < SMALLEST or any(f".{layer}." in weight for layer in KEPT[name])


def _layer(weight: str) -> str:
    return weight.removeprefix("model.").removesuffix(".weight")


class _Reader:
    """Hands the calibration inputs out one by one, as onnxruntime asks for them."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's quantizer speaks through the root logger; what matters it raises."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
