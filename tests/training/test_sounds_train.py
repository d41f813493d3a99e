from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console

from device.contract.latent import interpolate
from device.contract.voices import CLASS_INDEX, SOUND_CLASSES, VOICE_INDEX
from device.errors import DataError
from training.checkpoint import load_run
from training.config import RunConfig, override, read_table
from training.runs import run_training
from training.sounds.attributes import brightness_octaves, decay_octaves
from training.sounds.examples import DataConfig, Sampler, load_dataset, synthetic_examples, vary
from training.sounds.kits import KITS, build_kits, kit_of
from training.sounds.layout import SoundMap, self_organise
from training.sounds.task import MAP_FILE, build_task
from training.task import checked_config, task_module

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
BRIEF = (
    "data.synthetic=8",
    "loop.steps=150",
    "loop.evaluate_every=75",
    "loss.envelope_steps=140",
    "loss.audio_batch=4",
)


def configuration(*settings: str) -> RunConfig:
    return checked_config(override(read_table(CONFIGS / "sound-tiny.toml"), (*BRIEF, *settings)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sound"
    assert run_training(configuration(), folder, None, report=False, console=Console(quiet=True))
    return folder


@pytest.fixture(scope="module")
def sound_map(run: Path) -> SoundMap:
    return SoundMap.read(run / MAP_FILE)


def test_a_tiny_training_reconstructs_better_than_none(run: Path) -> None:
    untrained = build_task(configuration(), None)
    before = untrained.evaluate(untrained.model)["audio_db"]
    assert load_run(run).metrics["audio_db"] < before - 0.8


def test_a_run_says_how_it_compares_with_retrieval(run: Path) -> None:
    metrics = load_run(run).metrics
    assert metrics["ratio"] == pytest.approx(metrics["audio_db"] / metrics["retrieval_db"])


def test_a_trained_model_still_never_leaves_its_bounds(run: Path) -> None:
    model = load_run(run).model
    latent = 50.0 * torch.randn(13, model.config.latent_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        audio = model.decode(latent, torch.eye(13), torch.ones(13, 1))
    assert torch.isfinite(audio).all()
    assert audio.abs().max() <= 1.0 + 1e-6


def test_softer_hits_are_quieter_and_darker_in_every_class(run: Path) -> None:
    model = load_run(run).model
    latent = torch.zeros(13, model.config.latent_size)
    with torch.no_grad():
        hard, soft = (model.decode(latent, torch.eye(13), torch.full((13, 1), level)) for level in (1.0, 0.0))
    assert (soft.abs().amax(1) < 0.3 * hard.abs().amax(1)).all()
    assert np.median(brightness_octaves(soft) - brightness_octaves(hard)) < 0.0


@pytest.mark.parametrize("name", ["sound-tiny", "sound-factory"])
def test_every_configuration_reads(name: str) -> None:
    config = checked_config(read_table(CONFIGS / f"{name}.toml"))
    assert 1 <= task_module("sound").build_model(config).config.latent_size <= 32


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to train on"):
        load_dataset(DataConfig(synthetic=0), 1, None)
    with pytest.raises(DataError, match="--data"):
        load_dataset(DataConfig(real=True, synthetic=1), 1, None)
    with pytest.raises(DataError, match="no folder"):
        load_dataset(DataConfig(real=True, synthetic=1), 1, tmp_path)


def test_recordings_that_cannot_be_used_are_told_before_any_sound_is_invented(tmp_path: Path) -> None:
    endless = DataConfig(real=True, synthetic=10**9)  # to invent these would take longer than any test may
    with pytest.raises(DataError, match="name their folder with --data"):
        load_dataset(endless, 1, None)
    with pytest.raises(DataError, match=r"no folder .*sounds"):
        load_dataset(endless, 1, tmp_path)
    sound = tmp_path / "sounds" / "kick" / "deep-1.wav"
    sound.parent.mkdir(parents=True)
    with pytest.raises(DataError, match="no sounds in"):
        load_dataset(endless, 1, tmp_path)
    for value, why in ((0.0, "is silent"), (np.nan, "not numbers"), (0.5, "one group per class")):
        soundfile.write(sound, np.full(1000, value, np.float32), 44100, subtype="FLOAT")
        with pytest.raises(DataError, match=why):
            load_dataset(endless, 1, tmp_path)


def test_recordings_are_varied_for_training_and_left_alone_for_judging(tmp_path: Path) -> None:
    time = np.arange(8820) / 44100
    for name, hz in (("deep-1", 50), ("deep-2", 55), ("high-1", 90)):
        path = tmp_path / "sounds" / "kick" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.sin(2 * np.pi * hz * time) * np.exp(-time / 0.05), 44100)
    dataset = load_dataset(DataConfig(real=True, copies=2, synthetic=1, held_out=0.5), 1, tmp_path)
    assert int(dataset.train.real.sum()) == 3 * len(dataset.recordings)
    assert len(dataset.validation) + len(dataset.recordings) == 3
    assert len({one.group for one in dataset.recordings}) == 1


def test_varied_sounds_stay_sounds() -> None:
    generator = np.random.default_rng(1)
    time = np.arange(65536) / 44100
    sound = (np.sin(2 * np.pi * 200 * time) * np.exp(-time / 0.1)).astype(np.float32)
    for _ in range(12):
        varied = vary(sound, generator)
        assert varied.shape == (65536,)
        assert np.isfinite(varied).all()
        assert np.abs(varied).max() == pytest.approx(1.0)


def test_batches_are_repeatable_and_hold_sounds_of_like_length() -> None:
    examples = synthetic_examples(4, 1)
    sampler = Sampler(examples)
    first, again = (sampler.draw(32, np.random.default_rng(3), bucketed=True) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert int(examples.spans[first[0]].max()) <= first[1]
    everything, _ = sampler.draw(600, np.random.default_rng(3), bucketed=False)
    assert set(examples.classes[everything].tolist()) == set(range(13))


def test_maps_are_smooth_and_come_back_from_disk(sound_map: SoundMap, tmp_path: Path) -> None:
    size = sound_map.pool_latents.shape[1]
    assert sound_map.sound_nodes.shape == (13, 8, 8, size)
    assert sound_map.sound_bright.shape == sound_map.sound_decay.shape == (13, size)
    across = np.linalg.norm(sound_map.sound_nodes[:, :, 0] - sound_map.sound_nodes[:, :, -1], axis=-1).mean()
    step = np.linalg.norm(np.diff(sound_map.sound_nodes, axis=2), axis=-1).mean()
    assert step < 0.6 * across
    sound_map.write(tmp_path / "sound_map.npz")
    assert np.array_equal(SoundMap.read(tmp_path / "sound_map.npz").sound_nodes, sound_map.sound_nodes)
    with pytest.raises(DataError, match="no sound map"):
        SoundMap.read(tmp_path / "other.npz")


def test_bright_makes_brighter_and_decay_longer(run: Path, sound_map: SoundMap) -> None:
    model = load_run(run).model
    middle = torch.from_numpy(sound_map.sound_nodes[:, 3:5, 3:5].mean((1, 2)))

    def turned(direction: np.ndarray, amount: float) -> torch.Tensor:
        with torch.no_grad():
            return model.decode(middle + amount * torch.from_numpy(direction), torch.eye(13), torch.ones(13, 1))

    brighter = brightness_octaves(turned(sound_map.sound_bright, 1.0))
    assert np.mean(brighter - brightness_octaves(turned(sound_map.sound_bright, -1.0))) > 0.1
    longer = decay_octaves(turned(sound_map.sound_decay, 1.0))
    assert np.mean(longer - decay_octaves(turned(sound_map.sound_decay, -1.0))) > 0.1


def test_a_lattice_lies_among_its_points() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (80, 2)) @ np.array([[3.0, 0, 0], [0, 1.0, 0]])
    nodes = self_organise(points, 8)
    assert np.abs(nodes).max() <= np.abs(points).max()
    assert np.ptp(nodes[..., 0]) > 3.0


def test_every_style_gets_a_whole_kit(sound_map: SoundMap) -> None:
    styles = [*KITS, "a style nobody knows", "fill"]
    classes, places, latents = build_kits(sound_map, styles)
    assert classes.shape == (len(styles), 9)
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.isfinite(latents).all()
    trap = styles.index("trap")
    assert classes[trap, VOICE_INDEX["snare"]] == CLASS_INDEX["clap"]
    assert SOUND_CLASSES[classes[-2, VOICE_INDEX["ride"]]] == "ride"
    x, y = places[trap, 0]
    nodes = sound_map.sound_nodes[CLASS_INDEX["kick"]]
    near = np.linalg.norm(interpolate(nodes, x, y) - latents[trap, 0])
    assert near <= np.linalg.norm(interpolate(nodes, 1 - x, 1 - y) - latents[trap, 0])


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Drum and Bass", "drum_and_bass"),
        ("dnb", "drum_and_bass"),
        ("uk-garage", "garage"),
        ("deep house", "house"),
        ("hip-hop", "hiphop"),
    ],
)
def test_styles_are_known_however_they_are_spelt(spelling: str, name: str) -> None:
    assert kit_of(spelling) is KITS[name]
