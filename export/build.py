"""A bundle from two runs: graphs, int8 where it serves, maps, kits, golden outputs, card; written whole or not at all."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import onnx
import onnxruntime
import torch

from device import __version__
from device.contract.archive import AnyArray, pack_arrays
from device.contract.bundle import Bundle, bundle_bytes, listing, write_bundle
from device.contract.manifest import (
    CARD,
    GOLDEN,
    MAPS,
    MEMBERS,
    MODELS,
    SCHEMA,
    Manifest,
    Member,
    Model,
    Noise,
    Parity,
    Tensor,
)
from device.contract.pattern import STEPS
from device.contract.voices import SOUND_CLASSES, VOICES
from device.errors import DataError
from device.models.models import Models
from export.card import metrics_line, write_card
from export.graphs import rhythm_graphs, sound_graphs
from export.material import Grooves, Sounds, golden_inputs, groove_feeds, rhythm_material, sound_feeds, sound_material
from export.parity import (
    Runner,
    reconstructed_grooves,
    reconstructed_sounds,
    rhythm_parity,
    sound_parity,
    tolerances,
)
from export.quantize import Feed, quantized
from training.checkpoint import Run, load_run
from training.patterns.labels import STYLES
from training.patterns.layout import MAP_FILE as RHYTHM_MAP
from training.patterns.layout import RhythmMap
from training.sounds.controls import BANDS, FRAMES, NOISE_SEED, SAMPLE_RATE
from training.sounds.kits import build_kits
from training.sounds.layout import SoundMap
from training.sounds.task import MAP_FILE as SOUND_MAP

Say = Callable[[str], None]
MINIMUM_DEVICE: Final = "0.1.0"


def _silent(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """The two models of a half as they ship, with what quantization changed."""

    graphs: dict[str, onnx.ModelProto]
    weights: dict[str, str]  # "int8" or "fp32"
    kept: dict[str, tuple[str, ...]]
    parity: tuple[Parity, ...]


def export_bundle(
    rhythm_run: Path,
    sound_run: Path,
    out: Path,
    data: Path | None,
    *,
    name: str,
    version: int = 1,
    int8: bool = True,
    say: Say = _silent,
) -> Bundle:
    """Export two runs into one file. Raises DataError, ModelError or BundleError; then nothing was written."""
    if not out.parent.is_dir():
        raise DataError(f"no folder {out.parent} to write {out.name} into: make it first")
    rhythm, sound = load_run(rhythm_run), load_run(sound_run)
    graphs = rhythm_graphs(rhythm) | sound_graphs(sound)
    say(f"exported {rhythm.folder.name} and {sound.folder.name} to ONNX")
    grooves = rhythm_material(rhythm, RhythmMap.read(rhythm_run / RHYTHM_MAP), data)
    sounds = sound_material(sound, SoundMap.read(sound_run / SOUND_MAP), data)
    say(f"judging by {len(grooves.validation)} grooves and {len(sounds.validation)} sounds")
    halves = (_rhythm_half(graphs, grooves, int8=int8, say=say), _sound_half(graphs, sounds, int8=int8, say=say))
    shipped = {model: half.graphs[model] for half in halves for model in half.graphs}
    kits = build_kits(sounds.map, STYLES)
    golden, allowed = _golden(shipped, grooves, sounds, kits[2][0])
    manifest = Manifest(
        schema=SCHEMA,
        name=name,
        version=version,
        minimum_device=MINIMUM_DEVICE,
        sample_rate=SAMPLE_RATE,
        frames=FRAMES,
        voices=tuple(voice.name for voice in VOICES),
        sound_classes=SOUND_CLASSES,
        steps=STEPS,
        styles=STYLES,
        rhythm_size=grooves.map.rhythm_nodes.shape[-1],
        sound_size=sounds.map.sound_nodes.shape[-1],
        noise=Noise(NOISE_SEED, BANDS, FRAMES),
        models=_model_specs(shipped, halves, allowed),
        parity=(*halves[0].parity, *halves[1].parity),
        metrics={"rhythm": metrics_line(rhythm.metrics), "sound": metrics_line(sound.metrics)},
        members=dict.fromkeys(MEMBERS, Member("0" * 64, 1)),  # filled in below, when their bytes are known
    )
    card = write_card(manifest, real_grooves=grooves.real, real_sounds=sounds.real, made=_made(rhythm, sound))
    members = {f"{model}.onnx": shipped[model].SerializeToString(deterministic=True) for model in MODELS}
    members |= {MAPS: _maps(grooves, sounds, kits), GOLDEN: pack_arrays(golden), CARD: card.encode()}
    manifest = msgspec.structs.replace(manifest, members=listing(members))
    Models.load(Bundle.read(bundle_bytes(manifest, members))).verify()  # before anything is overwritten
    bundle = write_bundle(out, manifest, members)
    say(f"wrote {out}, {out.stat().st_size / 1e6:.2f} MB, golden outputs repeat")
    return bundle


def _rhythm_half(graphs: Mapping[str, onnx.ModelProto], grooves: Grooves, *, int8: bool, say: Say) -> Half:
    names = ("rhythm_encoder", "rhythm_decoder")
    runners = [Runner.of(name, graphs[name]) for name in names]
    before = reconstructed_grooves(runners[0], runners[1], grooves)
    windows = grooves.calibration
    means = runners[0]({"pattern": windows.cells, "style": windows.style_vectors()})[0]

    def judge(encoder: Runner, decoder: Runner) -> tuple[tuple[Parity, ...], bool]:
        return rhythm_parity(grooves, before, reconstructed_grooves(encoder, decoder, grooves))

    return _half(names, graphs, groove_feeds(grooves, means) if int8 else {}, judge, say)


def _sound_half(graphs: Mapping[str, onnx.ModelProto], sounds: Sounds, *, int8: bool, say: Say) -> Half:
    names = ("sound_encoder", "sound_decoder")
    runners = [Runner.of(name, graphs[name]) for name in names]
    before = reconstructed_sounds(runners[0], runners[1], sounds)
    means = runners[0]({"audio": sounds.calibration, "sound_class": sounds.calibration_classes})[0]

    def judge(encoder: Runner, decoder: Runner) -> tuple[tuple[Parity, ...], bool]:
        return sound_parity(sounds, before, reconstructed_sounds(encoder, decoder, sounds))

    return _half(names, graphs, sound_feeds(sounds, means) if int8 else {}, judge, say)


def _half(
    names: tuple[str, str],
    graphs: Mapping[str, onnx.ModelProto],
    feeds: Mapping[str, list[Feed]],
    judge: Callable[[Runner, Runner], tuple[tuple[Parity, ...], bool]],
    say: Say,
) -> Half:
    """Int8 for both models if that stays within the allowance, else for one, else for none."""
    plain = {name: graphs[name] for name in names}
    small = {name: quantized(name, graphs[name], feeds[name]) for name in feeds}
    ways = ((True, True), (False, True), (True, False), (False, False)) if small else ((False, False),)
    for way in ways:
        chosen = {name: small[name][0] if int8 else plain[name] for name, int8 in zip(names, way, strict=True)}
        rows, fits = judge(*(Runner.of(name, chosen[name]) for name in names))
        weights = {name: "int8" if int8 else "fp32" for name, int8 in zip(names, way, strict=True)}
        said = ", ".join(f"{name} {kind}" for name, kind in weights.items())
        say(
            f"{said}: "
            + ", ".join(f"{row.name} {row.fp32:.4g} -> {row.shipped:.4g} {row.unit}".strip() for row in rows)
        )
        if fits:
            break
        say("  that costs more than it gives")
    kept = {name: small[name][1] if int8 else () for name, int8 in zip(names, way, strict=True)}
    return Half(chosen, weights, kept, rows)


def _golden(
    graphs: Mapping[str, onnx.ModelProto], grooves: Grooves, sounds: Sounds, kit_latents: AnyArray
) -> tuple[dict[str, AnyArray], dict[str, dict[str, float]]]:
    """Golden arrays named MODEL.TENSOR, and each output's tolerance."""
    arrays: dict[str, AnyArray] = {}
    allowed = {}
    for model, inputs in golden_inputs(grooves, sounds, np.asarray(kit_latents, np.float32)).items():
        names = [output.name for output in graphs[model].graph.output]
        outputs = dict(zip(names, Runner.of(model, graphs[model])(inputs), strict=True))
        allowed[model] = tolerances(model, graphs[model], inputs, outputs)
        arrays |= {f"{model}.{key}": value for key, value in (inputs | outputs).items() if key != "noise"}
    return arrays, allowed


def _model_specs(
    graphs: Mapping[str, onnx.ModelProto], halves: tuple[Half, ...], allowed: Mapping[str, dict[str, float]]
) -> dict[str, Model]:
    """What the manifest says of each model: the tensors as they stand in the graph."""
    specs = {}
    for half in halves:
        for name in half.graphs:
            graph = graphs[name].graph
            specs[name] = Model(
                tuple(map(_tensor, graph.input)),
                tuple(map(_tensor, graph.output)),
                "int8" if half.weights[name] == "int8" else "fp32",
                allowed[name],
                half.kept[name],
            )
    return specs


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    return Tensor(value.name, tuple(int(side.dim_value) for side in value.type.tensor_type.shape.dim))


def _maps(grooves: Grooves, sounds: Sounds, kits: tuple[AnyArray, AnyArray, AnyArray]) -> bytes:
    return pack_arrays(
        {
            "rhythm_nodes": np.asarray(grooves.map.rhythm_nodes, np.float32),
            "node_styles": np.asarray(grooves.map.node_styles, np.float32),
            "sound_nodes": np.asarray(sounds.map.sound_nodes, np.float32),
            "sound_bright": np.asarray(sounds.map.sound_bright, np.float32),
            "sound_decay": np.asarray(sounds.map.sound_decay, np.float32),
            "kit_classes": np.asarray(kits[0], np.int64),
            "kit_places": np.asarray(kits[1], np.float32),
            "kit_latents": np.asarray(kits[2], np.float32),
        }
    )


def _made(rhythm: Run, sound: Run) -> list[str]:
    return [
        f"Latido {__version__}, PyTorch {torch.__version__.split('+')[0]}, ONNX {onnx.__version__}, "
        f"onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}",
        f"rhythm: run {rhythm.folder.name}, seed {rhythm.config.seed}, {rhythm.step} steps",
        f"sound: run {sound.folder.name}, seed {sound.config.seed}, {sound.step} steps",
    ]
