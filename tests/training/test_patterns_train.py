"""One short training on our own grooves, and what it must already be able to do."""

import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from device.contract.latent import interpolate
from device.contract.pattern import LEVEL, OFFSET, STEPS_PER_BAR
from device.contract.voices import VOICE_INDEX
from device.errors import DataError, SettingError
from training.checkpoint import load_run
from training.config import RunConfig, override, read_table
from training.patterns.augment import AugmentConfig, Recombiner, feel
from training.patterns.data import DataConfig, load_dataset
from training.patterns.evaluation import decode, encode, fidelity, reconstruct
from training.patterns.labels import STYLES, style_vector
from training.patterns.layout import FEWEST_HITS, MAP_FILE, MOST_HITS, RhythmMap, lay_out, smoothness
from training.patterns.listen import Listener
from training.patterns.model import RhythmVae
from training.patterns.report import style_numbers
from training.patterns.styles import all_styles, make_groove, make_windows
from training.patterns.task import build_task
from training.patterns.windows import Windows
from training.runs import run_training
from training.task import checked_config, task_module

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
BRIEF = ("data.made=60", "loop.steps=240", "loop.evaluate_every=120", "loop.save_every=240")


def configuration(*settings: str) -> RunConfig:
    return checked_config(override(read_table(CONFIGS / "rhythm-tiny.toml"), (*BRIEF, *settings)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "rhythm"
    assert run_training(configuration(), folder, None, console=Console(quiet=True))
    return folder


@pytest.fixture(scope="module")
def model(run: Path) -> RhythmVae:
    loaded = load_run(run).model
    assert isinstance(loaded, RhythmVae)
    return loaded


@pytest.fixture(scope="module")
def rhythm_map(run: Path) -> RhythmMap:
    return RhythmMap.read(run / MAP_FILE)


def nodes(rhythm_map: RhythmMap) -> np.ndarray:
    return rhythm_map.rhythm_nodes.reshape(-1, rhythm_map.rhythm_nodes.shape[-1])


def everywhere(model: RhythmVae, rhythm_map: RhythmMap, style: str, *, fill: bool = False) -> np.ndarray:
    return decode(model, nodes(rhythm_map), style_vector(style, fill=fill))


def test_new_grooves_come_back_better_than_their_style_s_average(model: RhythmVae) -> None:
    known, new = make_windows(40, all_styles(), 5), make_windows(10, all_styles(), 6)
    average = np.stack([known.cells[known.style == style].mean(0) for style in new.style])
    ours, theirs = fidelity(new.cells, reconstruct(model, new)), fidelity(new.cells, average)
    assert ours.f1 > theirs.f1 + 0.05
    assert ours.velocity_mae < theirs.velocity_mae
    assert ours.f1 > 0.75


def test_a_run_says_how_well_it_does(run: Path) -> None:
    metrics = load_run(run).metrics
    assert 0.75 < metrics["hit_f1"] < 1.0
    assert metrics["velocity_mae"] < 0.12
    assert metrics["offset_mae"] < 0.06


def test_every_place_on_the_map_is_a_groove(model: RhythmVae, rhythm_map: RhythmMap) -> None:
    own = decode(model, nodes(rhythm_map), rhythm_map.own_styles().reshape(-1, len(STYLES)))
    hits = (own[..., LEVEL] >= 0.5).sum((1, 2))
    assert hits.min() >= FEWEST_HITS
    assert hits.max() <= MOST_HITS


def test_between_nodes_and_in_any_style_nothing_is_silent(model: RhythmVae, rhythm_map: RhythmMap) -> None:
    between = [interpolate(rhythm_map.rhythm_nodes, x, y) for x in np.linspace(0, 1, 9) for y in np.linspace(0, 1, 9)]
    for style in STYLES[:-1]:
        hits = (decode(model, np.stack(between), style_vector(style))[..., LEVEL] >= 0.5).sum((1, 2))
        assert hits.min() >= 3
        assert hits.max() <= 140


def test_neighbours_sound_alike_and_corners_differ(model: RhythmVae, rhythm_map: RhythmMap) -> None:
    side = len(rhythm_map.rhythm_nodes)
    own = decode(model, nodes(rhythm_map), rhythm_map.own_styles().reshape(-1, len(STYLES)))
    moves = smoothness(own.reshape(side, side, 32, 9, 3))
    assert moves.neighbour_cells < 0.7 * moves.any_cells
    assert moves.corner_cells > 1.2 * moves.any_cells


def test_places_know_their_styles(rhythm_map: RhythmMap) -> None:
    assert np.allclose(rhythm_map.node_styles.sum(-1), 1.0, atol=1e-5)
    assert (rhythm_map.node_styles >= 0.0).all()
    assert (rhythm_map.node_styles[..., STYLES.index("fill")] == 0.0).all()
    own = np.take_along_axis(rhythm_map.node_styles, rhythm_map.own_styles().argmax(-1)[..., None], -1)
    assert np.median(own) > 0.1  # a chance of one in twenty would be 0.05


def test_a_map_comes_back_from_disk(rhythm_map: RhythmMap, tmp_path: Path) -> None:
    rhythm_map.write(tmp_path / MAP_FILE)
    again = RhythmMap.read(tmp_path / MAP_FILE)
    assert np.array_equal(again.rhythm_nodes, rhythm_map.rhythm_nodes)
    assert np.array_equal(again.node_styles, rhythm_map.node_styles)
    with pytest.raises(DataError, match="no rhythm map"):
        RhythmMap.read(tmp_path / "other.npz")


def test_too_few_grooves_make_no_map(model: RhythmVae) -> None:
    with pytest.raises(DataError, match="needs 64"):
        lay_out(model, make_windows(1, ["house"], 1))


def test_house_puts_more_kicks_on_the_beat_than_jazz_or_trap(model: RhythmVae, rhythm_map: RhythmMap) -> None:
    house, jazz, trap = (style_numbers(everywhere(model, rhythm_map, name))[1] for name in ("house", "jazz", "trap"))
    assert house > jazz + 1.0
    assert house > trap + 1.0


def test_a_fill_keeps_the_first_bar_and_rolls_over_the_toms_at_the_end(model: RhythmVae, rhythm_map: RhythmMap) -> None:
    toms = [VOICE_INDEX[name] for name in ("low_tom", "mid_tom", "high_tom")]
    for style in ("rock", "house", "pop"):
        plain, fill = (everywhere(model, rhythm_map, style, fill=asked)[..., LEVEL] for asked in (False, True))
        assert fill[:, STEPS_PER_BAR:, toms].sum() > 1.25 * plain[:, STEPS_PER_BAR:, toms].sum()
        changed = np.abs(plain - fill).sum((0, 2))
        assert changed[STEPS_PER_BAR:].sum() > 1.8 * changed[:STEPS_PER_BAR].sum()


def test_half_way_between_two_grooves_lies_between_them(model: RhythmVae) -> None:
    pair = make_windows(1, ["house", "techno"], 11)
    latents = encode(model, pair)
    style = style_vector("house")
    one, half, other = (
        decode(model, at[None], style)[0, ..., LEVEL] for at in (latents[0], latents.mean(0), latents[1])
    )
    assert np.abs(half - one).sum() < np.abs(other - one).sum()
    assert np.abs(half - other).sum() < np.abs(other - one).sum()


def test_levels_are_a_field_that_density_can_sweep(model: RhythmVae, rhythm_map: RhythmMap) -> None:
    levels = everywhere(model, rhythm_map, "funk")[..., LEVEL]
    counts = [(levels >= at).sum((1, 2)).mean() for at in (0.98, 0.9, 0.7, 0.5, 0.3, 0.1, 0.02)]
    assert counts[0] < 0.5 * counts[3]
    assert counts[-1] > 1.5 * counts[3]


def test_the_report_shows_everything(run: Path) -> None:
    page = (run / "report" / "report.md").read_text()
    for name in ("curves.png", "latent.png", "grids.png", "map.png", "styles.png", "walk-diagonal.wav", "pairs.wav"):
        assert name in page
        assert (run / "report" / name).stat().st_size > 1000


def test_grooves_are_heard_where_they_are_written() -> None:
    pattern = np.zeros((1, 32, 9, 3), np.float32)
    pattern[0, 8, 0] = (1.0, 1.0, 0.0)
    audio = np.abs(Listener().render(pattern, tempo_bpm=120.0))
    begin = int(8 * 44100 * 0.125)
    assert audio[:begin].max() == 0.0
    assert audio[begin : begin + 2000].max() > 0.05


def test_same_seed_same_batches() -> None:
    task = build_task(configuration(), None)
    first, again = (task.train_batch(0, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_recombined_grooves_keep_to_the_grid() -> None:
    windows = make_windows(20, all_styles(), 1)
    cells, styles = Recombiner(windows, AugmentConfig()).batch(256, np.random.default_rng(1))
    assert set(np.unique(cells[..., LEVEL])) == {0.0, 1.0}
    assert (cells[cells[..., LEVEL] == 0] == 0.0).all()
    assert np.abs(cells[..., 2]).max() <= 0.5
    assert np.allclose(styles.sum(1), 1.0)


def test_who_sits_in_plays_in_the_time_of_the_band() -> None:
    straight, swung = (make_windows(30, ["house"], seed) for seed in (1, 2))
    swung.cells[:, 1::2, :, OFFSET] = 0.3 * swung.cells[:, 1::2, :, LEVEL]
    windows = Windows.join([straight, swung])
    still = {"bar_share": 0.0, "turn_share": 0.0, "touch_share": 0.0, "fill_share": 0.0}
    mixing = AugmentConfig(voice_share=1.0, part_share=0.5, strangers=1.0, retimed_share=1.0, **still)
    cells, _ = Recombiner(windows, mixing).batch(200, np.random.default_rng(1))
    hits = cells[:, 1::2, :, LEVEL] > 0
    late = (cells[:, 1::2, :, OFFSET] * hits).sum((1, 2)) / np.maximum(hits.sum((1, 2)), 1)
    spread = [np.ptp(one[at]) for one, at in zip(cells[:, 1::2, :, OFFSET], hits, strict=True) if at.sum() > 3]
    assert late.max() > 0.25
    assert np.median(spread) < 0.1  # a groove is straight or swung, hardly ever both


def test_a_feel_is_the_common_timing_of_a_step() -> None:
    cells = np.zeros((1, 32, 9, 3), np.float32)
    cells[0, 4, 0], cells[0, 4, 2], cells[0, 9, 2] = (1.0, 0.8, 0.1), (1.0, 0.8, 0.3), (1.0, 0.8, -0.2)
    common = feel(cells)[0]
    assert common[4] == pytest.approx(0.2)
    assert common[8] == pytest.approx(0.2)  # nothing is played there: as on the other beats
    assert common[1] == common[9] == pytest.approx(-0.2)
    assert common[2] == 0.0


def test_training_tuning_and_validation_share_no_groove() -> None:
    dataset = load_dataset(DataConfig(made=30, aside=0.1), 1, None)
    parts = [{cells.tobytes() for cells in part.cells} for part in (dataset.train, dataset.tuning, dataset.validation)]
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="nothing to train on"):
        DataConfig(made=0)
    with pytest.raises(DataError, match="latido-train data"):
        load_dataset(DataConfig(groove=True), 1, None)
    with pytest.raises(DataError, match="latido-train data"):
        load_dataset(DataConfig(groove=True), 1, tmp_path)


@pytest.mark.parametrize("style", all_styles())
@pytest.mark.parametrize("fill", [False, True])
def test_recipes_write_playable_grooves(style: str, fill: bool) -> None:
    cells = np.stack([make_groove(style, np.random.default_rng(seed), fill=fill) for seed in range(8)])
    hits = cells[..., LEVEL] == 1.0
    assert hits.sum((1, 2)).min() >= 4
    assert (cells[hits][:, 1] > 0.0).all()
    assert (cells[~hits] == 0.0).all()


@pytest.mark.parametrize("name", ["rhythm-tiny", "rhythm-factory"])
def test_every_configuration_reads(name: str) -> None:
    config = checked_config(read_table(CONFIGS / f"{name}.toml"))
    assert 1 <= task_module("rhythm").build_model(config).config.latent_size <= 32


def real_data() -> Path | None:
    named = os.environ.get("LATIDO_DATA")
    places = [Path(named)] if named else [CONFIGS.parents[2] / "shared" / "data"]
    return next((place for place in places if (place / "groove" / "info.csv").is_file()), None)


@pytest.mark.dataset
@pytest.mark.skipif(real_data() is None, reason="no Groove MIDI beside the checkout and no $LATIDO_DATA")
def test_real_grooves_split_without_overlap_and_recombine() -> None:
    dataset = load_dataset(DataConfig(groove=True, made=2), 1, real_data())
    assert dataset.real
    assert len(dataset.validation) > 1500
    assert 0.03 * len(dataset.train) < len(dataset.tuning) < 0.06 * len(dataset.train)
    cells, _ = Recombiner(dataset.train, AugmentConfig()).batch(64, np.random.default_rng(1))
    assert 10 < cells[..., LEVEL].sum((1, 2)).mean() < 80
    assert isinstance(dataset.validation, Windows)
