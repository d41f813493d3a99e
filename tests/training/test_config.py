"""Configurations: what is written is what is trained; what nobody knows is refused in one sentence."""

from dataclasses import dataclass, fields

import pytest

from device.errors import SettingError
from training.cli import CONFIGS
from training.config import (
    FREE_ON_RESUME,
    LoopConfig,
    first_difference,
    override,
    parse_config,
    parse_section,
    read_table,
)
from training.task import TASKS, checked_config, task_module


@dataclass(frozen=True, slots=True)
class Kitchen:
    """One of each type."""

    heat: float
    pots: int = 2
    gas: bool = True
    cook: str = "Ana"
    spoons: tuple[int, ...] = ()


def refusal(function, *arguments):
    with pytest.raises(SettingError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_table_becomes_a_dataclass_and_a_whole_number_may_be_a_fraction():
    assert parse_section(Kitchen, {"heat": 3, "spoons": [1, 2]}, "kitchen") == Kitchen(3.0, spoons=(1, 2))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"heat": 1.0, "pot": 3}, "unknown setting kitchen.pot: did you mean 'pots'?"),
        ({"heat": 1.0, "zzzz": 3}, "unknown setting kitchen.zzzz: known are cook, gas, heat, pots, spoons"),
        ({}, "setting kitchen.heat is missing: the configuration must give it"),
        ({"heat": "hot"}, "kitchen.heat must be of type float, got 'hot'"),
        ({"heat": True}, "kitchen.heat must be of type float, got True"),
        ({"heat": 1.0, "pots": 2.5}, "kitchen.pots must be of type int, got 2.5"),
        ({"heat": 1.0, "pots": True}, "kitchen.pots must be of type int, got True"),
        ({"heat": 1.0, "gas": 1}, "kitchen.gas must be of type bool, got 1"),
        ({"heat": 1.0, "cook": 7}, "kitchen.cook must be of type str, got 7"),
        ({"heat": 1.0, "spoons": 3}, "kitchen.spoons must be a list, got 3"),
        ({"heat": 1.0, "spoons": [1, "2"]}, "kitchen.spoons must be of type int, got '2'"),
        (7, "kitchen must be a table, got 7: write it as [kitchen]"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_the_way_out(table, said):
    assert refusal(parse_section, Kitchen, table, "kitchen") == said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"task": "toy", "lop": {}}, "unknown setting 'lop': did you mean 'loop'?"),
        ({"task": "toy", "seed": -1}, "seed must be a whole number from 0, got -1"),
        ({"task": "toy", "seed": 1.5}, "seed must be a whole number from 0, got 1.5"),
        ({"task": "toy", "seed": True}, "seed must be a whole number from 0, got True"),
        ({"task": "toy", "kitchen": {"heat": 1.0}}, "setting loop.steps is missing: the configuration must give it"),
        ({"task": "toy", "kitchen": [], "loop": {"steps": 1}}, "kitchen must be a table, got []: write it as [kitchen]"),
    ],
)  # fmt: skip
def test_a_mistake_at_the_top_is_said_too(table, said):
    assert refusal(parse_config, table, {"kitchen": Kitchen}) == said


@pytest.mark.parametrize(
    "name", ["steps", "batch_size", "log_every", "evaluate_every", "save_every", "devices", "nodes"]
)
def test_a_count_in_the_loop_is_at_least_one(name):
    assert (
        refusal(parse_section, LoopConfig, {"steps": 5} | {name: 0}, "loop") == f"loop.{name} must be at least 1, got 0"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rate", 0.0, "loop.learning_rate must be above 0, got 0.0"),
        ("average_decay", 1.0, "loop.average_decay must be from 0 to below 1, got 1.0"),
    ],
)
def test_a_rate_out_of_range_is_refused(name, value, said):
    assert refusal(parse_section, LoopConfig, {"steps": 5, name: value}, "loop") == said


def test_the_task_is_named_first_and_known():
    known = ", ".join(sorted(TASKS))
    assert refusal(checked_config, {}) == f"the configuration names no task: begin it with task = one of {known}"
    assert refusal(checked_config, {"task": "rythm"}) == "unknown task 'rythm': did you mean 'rhythm'?"


def test_a_section_is_handed_out_as_its_own_kind(toy):
    config = toy(model={"width": 3})
    module = task_module("toy")
    assert config.section("model", module.ModelConfig) == module.ModelConfig(width=3)
    with pytest.raises(SettingError, match="is a ModelConfig, not a DataConfig"):
        config.section("model", module.DataConfig)


def test_a_file_is_read_and_a_file_that_is_not_there_or_not_toml_is_said(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('task = "rhythm"\n[loop]\nsteps = 3\n')
    assert read_table(path) == {"task": "rhythm", "loop": {"steps": 3}}
    assert refusal(read_table, tmp_path / "none.toml").startswith("cannot read configuration")
    path.write_text("task = \n")
    assert "is not TOML" in refusal(read_table, path)
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in refusal(read_table, path)


def test_settings_on_the_command_line_go_over_the_file_and_leave_it_as_it_was():
    table = {"task": "rhythm", "loop": {"steps": 3}}
    changed = override(
        table, ["loop.steps=7", "seed=4", "data.real=true", 'data.styles=["funk"]', "loop.precision=bf16"]
    )
    assert changed == {
        "task": "rhythm",
        "seed": 4,
        "loop": {"steps": 7, "precision": "bf16"},
        "data": {"real": True, "styles": ["funk"]},
    }
    assert table == {"task": "rhythm", "loop": {"steps": 3}}


@pytest.mark.parametrize("setting", ["loop.steps", "=3", "task.name=3"])
def test_a_setting_that_says_nothing_is_refused(setting):
    assert "--set" in refusal(override, {"task": "rhythm"}, [setting])


def test_a_resumed_run_may_change_where_and_how_long_but_not_what():
    old = {"task": "toy", "seed": 1, "loop": {"steps": 3, "batch_size": 4}, "model": {"width": 3}}
    assert first_difference(old, old) is None
    for name in FREE_ON_RESUME:
        assert first_difference(old, {**old, "loop": {**old["loop"], name: 9}}) is None
    assert first_difference(old, {**old, "seed": 2}) == "seed was 1, now 2"
    assert first_difference(old, {**old, "loop": {"steps": 3, "batch_size": 5}}) == "loop.batch_size was 4, now 5"
    assert first_difference(old, {**old, "model": {}}) == "model.width was 3, now None"
    assert first_difference(old, {**old, "data": {}}) == "data was None, now {}"


def test_what_may_change_on_resume_is_a_setting_of_the_loop():
    assert set(FREE_ON_RESUME) <= {field.name for field in fields(LoopConfig)}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_that_comes_along_is_valid(path):
    config = checked_config(read_table(path))
    assert path.stem.startswith(config.task)
