"""Both tiny trainings, from scratch, once for all tests of the exporter; and the bundle of them."""

from pathlib import Path

import pytest
from rich.console import Console

from device.contract.bundle import Bundle
from export.build import export_bundle
from training.config import override, read_table
from training.runs import run_training
from training.task import checked_config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
BRIEF = {  # shorter still than tiny: an exporter's test needs trained weights, not good ones
    "rhythm-tiny": ("data.made=24", "loop.steps=120", "loop.evaluate_every=60"),
    "sound-tiny": ("data.synthetic=8", "loop.steps=150", "loop.evaluate_every=75", "loss.envelope_steps=140"),
}


def trained(name: str, folder: Path) -> Path:
    config = checked_config(override(read_table(CONFIGS / f"{name}.toml"), BRIEF[name]))
    assert run_training(config, folder, None, report=False, console=Console(quiet=True))
    return folder


@pytest.fixture(scope="session")
def rhythm_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("rhythm-tiny", tmp_path_factory.mktemp("export") / "rhythm")


@pytest.fixture(scope="session")
def sound_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("sound-tiny", tmp_path_factory.mktemp("export") / "sound")


@pytest.fixture(scope="session")
def said() -> list[str]:
    """What the exporter printed while it made ``bundle``."""
    return []


@pytest.fixture(scope="session")
def bundle(rhythm_run: Path, sound_run: Path, tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Bundle:
    out = tmp_path_factory.mktemp("bundles") / "tiny.latido"
    return export_bundle(rhythm_run, sound_run, out, None, name="Tiny", version=3, say=said.append)
