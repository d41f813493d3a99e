"""From two trainings to a bundle that plays what PyTorch played."""

import dataclasses

import msgspec
import numpy as np
import onnx
import pytest
import soundfile
import torch

from device.contract.archive import pack
from device.contract.bundle import Bundle, listing
from device.contract.manifest import MANIFEST, MEMBERS, MODELS, Parity, encode_manifest
from device.contract.pattern import LEVEL
from device.contract.voices import SOUND_CLASSES
from device.errors import DataError, ModelError
from device.models.background import SoundWish
from device.models.models import Models
from export.build import _half
from export.card import write_card
from export.cli import main
from export.graphs import rhythm_graphs, sound_graphs
from export.material import sound_material
from export.parity import Runner
from export.quantize import KEPT, weight_layers
from training.checkpoint import load_run
from training.config import override
from training.patterns.labels import STYLES
from training.patterns.layout import RhythmMap
from training.sounds.layout import SoundMap
from training.task import checked_config


@pytest.fixture(scope="session")
def models(bundle: Bundle) -> Models:
    return Models.load(bundle)


@pytest.fixture(scope="session")
def plain(rhythm_run, sound_run):
    """The graphs before quantization."""
    return rhythm_graphs(load_run(rhythm_run)) | sound_graphs(load_run(sound_run))


def parsed(bundle, name):
    return onnx.load_from_string(bundle.member(f"{name}.onnx"))


def reforged(bundle, name, model):
    members = {member: bundle.member(member) for member in MEMBERS} | {f"{name}.onnx": model.SerializeToString()}
    manifest = msgspec.structs.replace(bundle.manifest, members=listing(members))
    return Bundle.read(pack({MANIFEST: encode_manifest(manifest), **members}))


def test_the_manifest_says_what_it_is(bundle):
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.styles) == ("Tiny", 3, STYLES)
    assert set(manifest.metrics) == {"rhythm", "sound"}
    assert {"hit_f1", "velocity_mae", "offset_mae"} <= set(manifest.metrics["rhythm"])
    assert [row.name for row in manifest.parity][:3] == [
        "hit F1 of held-out grooves", "velocity error at hits", "offset error at hits",
    ]  # fmt: skip
    assert "Latido's own generator" in bundle.card
    assert "DrumGizmo" not in bundle.card  # nothing recorded went in


def test_int8_models_lose_next_to_nothing(bundle):
    rows = {row.name: row for row in bundle.manifest.parity}
    assert rows["hit F1 of held-out grooves"].shipped >= rows["hit F1 of held-out grooves"].fp32 - 0.01
    assert rows["hit F1 against the fp32 models"].shipped > 0.95
    distance = rows["active log-mel distance of held-out sounds"]
    assert distance.shipped <= 1.02 * distance.fp32


def test_a_bundle_is_no_larger_than_its_weights_and_golden_outputs(bundle):
    for name in MODELS:
        weights = sum(int(np.prod(tensor.dims)) for tensor in parsed(bundle, name).graph.initializer)
        assert len(bundle.member(f"{name}.onnx")) < 4 * weights + 100_000
        sizes = [int(np.prod(tensor.dims)) for tensor in parsed(bundle, name).graph.initializer]
        assert max(sizes) < 500_000  # the noise is an input, not a constant


def test_fp32_graphs_give_what_pytorch_gives(plain, rhythm_run, sound_run):
    rhythm, sound = load_run(rhythm_run).model, load_run(sound_run).model
    draw = torch.Generator().manual_seed(1)
    for count in (1, 3):  # the exporter saw two at once
        pattern, style = torch.rand(count, 32, 9, 3, generator=draw), torch.eye(len(STYLES))[:count]
        z = torch.randn(count, rhythm.config.latent_size, generator=draw)
        w = torch.randn(count, sound.config.latent_size, generator=draw)
        audio = torch.rand(count, 65536, generator=draw) - 0.5
        sound_class, intensity = torch.eye(len(SOUND_CLASSES))[:count], torch.rand(count, 1, generator=draw)
        with torch.no_grad():
            expected = {
                "rhythm_encoder": ({"pattern": pattern, "style": style}, rhythm.encode(pattern, style)),
                "rhythm_decoder": ({"latent": z, "style": style}, (rhythm.decode(z, style),)),
                "sound_encoder": ({"audio": audio, "sound_class": sound_class}, sound.encode(audio, sound_class)),
                "sound_decoder": (
                    {"latent": w, "sound_class": sound_class, "intensity": intensity, "noise": sound.noise},
                    (sound.decode(w, sound_class, intensity),),
                ),
            }
        for name, (inputs, outputs) in expected.items():
            ours = Runner.of(name, plain[name])({key: tensor.numpy() for key, tensor in inputs.items()})
            for our, their in zip(ours, outputs, strict=True):
                assert our == pytest.approx(their.numpy(), abs=2e-3), name


def test_the_device_decodes_what_the_training_decoded(bundle, models, rhythm_run):
    model = load_run(rhythm_run).model
    nodes, style = RhythmMap.read(rhythm_run / "rhythm_map.npz").rhythm_nodes, np.eye(len(STYLES), dtype=np.float32)[4]
    differences = []
    for latent in nodes[::2, ::2].reshape(-1, nodes.shape[-1]):
        with torch.no_grad():
            theirs = model.decode(torch.from_numpy(latent)[None], torch.from_numpy(style)[None])[0].numpy()
        ours = models.decode_pattern(latent, style).cells
        differences.append(np.abs(ours - theirs)[..., LEVEL])
    assert np.mean(differences) < 0.02
    assert bundle.maps.rhythm_nodes.tobytes() == nodes.tobytes()


def test_the_device_renders_what_the_training_rendered(bundle, models, sound_run):
    model = load_run(sound_run).model
    latent = bundle.maps.kit_latents[0, 0]
    with torch.no_grad():
        one_hot = torch.eye(len(SOUND_CLASSES))[:1]
        theirs = model.decode(torch.from_numpy(latent.copy())[None], one_hot, torch.ones(1, 1))[0].numpy()
    (ours,) = models.render_sound(SoundWish("kick", tuple(map(float, latent))))
    size = len(ours) - 256  # before the closing fade
    correlation = np.corrcoef(ours[: min(size, 4096)], theirs[: min(size, 4096)])[0, 1]
    assert correlation > 0.98


def test_golden_outputs_repeat_and_so_does_a_second_instance(bundle, models):
    assert models.verify() == Models.load(bundle).verify()


def test_the_same_export_gives_the_same_models(bundle, plain, rhythm_run, sound_run):
    again = rhythm_graphs(load_run(rhythm_run))
    for name, graph in again.items():
        assert graph.SerializeToString(deterministic=True) == plain[name].SerializeToString(deterministic=True)


def test_int8_layers_carry_int8_weights_and_the_kept_ones_do_not(bundle):
    for name in MODELS:
        graph, spec = parsed(bundle, name), bundle.manifest.models[name]
        small = {tensor.name for tensor in graph.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
        assert spec.weights == "fp32" or small
        kept = set(weight_layers(graph).values())
        for layer in KEPT[name]:
            assert any(layer in weight for weight in kept) or spec.weights == "fp32"


@pytest.mark.parametrize("name", MODELS)
def test_a_flipped_bit_with_its_hash_forged_along_is_refused_by_the_golden_outputs(bundle, name):
    """The scales of int8 layers: a flipped exponent makes a whole layer louder or softer."""
    graph = parsed(bundle, name)
    scales = [t for t in graph.graph.initializer if t.name.endswith("_scale") and t.data_type == onnx.TensorProto.FLOAT]
    refused = 0
    for tensor in scales[:6]:
        values = onnx.numpy_helper.to_array(tensor).copy()
        values.reshape(-1).view(np.uint32)[len(values.reshape(-1)) // 2] ^= 1 << 25  # an exponent bit: times or over 16
        before = tensor.SerializeToString()
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        try:
            Models.load(reforged(bundle, name, graph)).verify()
        except ModelError:
            refused += 1
        tensor.ParseFromString(before)
    assert refused >= 0.5 * len(scales[:6]) > 0


def test_a_layer_of_nan_is_refused_wherever_it_runs(bundle):
    graph = parsed(bundle, "rhythm_decoder")
    (bias,) = [tensor for tensor in graph.graph.initializer if tensor.name == "model.decoder.write.bias"]
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(tuple(bias.dims), np.nan, np.float32), bias.name))
    models = Models.load(reforged(bundle, "rhythm_decoder", graph))
    with pytest.raises(ModelError, match="not numbers"):
        models.decode_pattern((0.0,) * bundle.manifest.rhythm_size, (1.0,) + (0.0,) * (len(STYLES) - 1))


def test_an_int8_model_that_costs_too_much_stays_in_fp32(bundle, plain):
    golden = {name: {t.name: bundle.golden[f"{name}.{t.name}"] for t in bundle.manifest.models[name].inputs}
              for name in ("rhythm_encoder", "rhythm_decoder")}  # fmt: skip
    feeds = {name: [inputs] for name, inputs in golden.items()}
    said, judged = [], []

    def only_without(encoder, decoder):
        judged.append((encoder, decoder))
        return (Parity("hit F1", "", 0.9, 0.5),), len(judged) == 4

    half = _half(("rhythm_encoder", "rhythm_decoder"), plain, feeds, only_without, said.append)
    assert half.weights == {"rhythm_encoder": "fp32", "rhythm_decoder": "fp32"}
    assert half.graphs["rhythm_encoder"] is plain["rhythm_encoder"]
    assert sum("costs more than it gives" in line for line in said) == 3
    assert any("rhythm_encoder fp32, rhythm_decoder int8" in line for line in said)


def test_a_run_with_recordings_is_judged_by_those_held_out(sound_run, tmp_path):
    draw = np.random.default_rng(1)
    for name in SOUND_CLASSES:
        for group in ("one", "two"):
            path = tmp_path / "sounds" / name / f"{group}-1.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, draw.standard_normal(2000) * np.exp(-np.arange(2000) / 300), 44100)
    run = load_run(sound_run)
    config = checked_config(override(run.config.table, ["data.real=true", "data.held_out=0.5"]))
    sound_map = SoundMap.read(sound_run / "sound_map.npz")
    sounds = sound_material(dataclasses.replace(run, config=config), sound_map, tmp_path)
    assert sounds.real
    assert sounds.validation.shape == (len(SOUND_CLASSES), 65536)
    assert sounds.calibration.shape == sounds.validation.shape
    with pytest.raises(DataError, match="name their folder with --data"):
        sound_material(dataclasses.replace(run, config=config), sound_map, None)


def test_the_card_credits_what_went_in(bundle):
    card = write_card(bundle.manifest, real_grooves=True, real_sounds=True, made=["Latido"])
    for credit in ("Groove MIDI Dataset", "ICML 2019", "CC BY 4.0", "Drum samples provided by DrumGizmo.org", "CC0"):
        assert credit in card


# The command.


def test_the_exporter_says_what_it_does(bundle, said):
    assert any("exported rhythm and sound to ONNX" in line for line in said)
    assert any("rhythm_encoder int8, rhythm_decoder int8" in line for line in said)
    assert "golden outputs repeat" in said[-1]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["none", "{sound}", "--out", "{tmp}/a.latido"], "holds no model.pt"),
        (["{rhythm}", "none", "--out", "{tmp}/a.latido"], "holds no model.pt"),
        (["{sound}", "{rhythm}", "--out", "{tmp}/a.latido"], "give the rhythm run first"),
        (["{rhythm}", "{sound}", "--out", "{tmp}/a.zip"], "ends in .latido"),
        (["{rhythm}", "{sound}", "--out", "{tmp}/none/a.latido"], "no folder"),
        (["{rhythm}", "{sound}", "--out", "{tmp}/a.latido", "--version", "0"], "counts from 1"),
        (["{rhythm}", "{sound}", "--out", "{tmp}/a.latido", "--data", "{tmp}/none"], "is not there"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_nothing_is_written(
    words, match, rhythm_run, sound_run, tmp_path, capsys
):
    places = {"rhythm": rhythm_run, "sound": sound_run, "tmp": tmp_path}
    assert main([word.format(**places) for word in words]) == 1
    error = capsys.readouterr().err
    assert match in error
    assert error.startswith("latido-export: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
