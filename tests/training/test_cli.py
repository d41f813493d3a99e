"""``latido-train`` as people use it: a process of its own, exit codes, one sentence on a mistake."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.checkpoint import CHECKPOINT, read_checked
from training.cli import CONFIGS, main
from training.loop import METRICS, read_metrics

HERE = Path(__file__).resolve().parent
CONFIG = """\
task = "toy"
[loop]
steps = 8
batch_size = 8
log_every = 1
evaluate_every = 4
save_every = 100
[data]
step_seconds = {pause}
"""


@pytest.fixture
def config(tmp_path, monkeypatch, toy):
    """A configuration file of the toy task, in an empty folder that is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LATIDO_DATA", raising=False)
    path = tmp_path / "line.toml"
    path.write_text(CONFIG.format(pause=0.0))
    return path


def said(capsys):
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, err


def numbers(folder):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_metrics(folder / METRICS)]


def test_a_run_goes_to_runs_and_the_configurations_name(config, capsys):
    assert main(["line.toml"]) == 0
    assert said(capsys)[0].splitlines()[-1] == "runs/line"
    assert (config.parent / "runs" / "line" / "report" / "report.md").is_file()


def test_settings_and_folder_can_be_given_and_the_report_left_out(config, capsys):
    assert main(["run", "line.toml", "--out", "there", "--set", "loop.steps=3", "--no-report"]) == 0
    assert read_checked(Path("there") / CHECKPOINT)["step"] == 3
    assert not Path("there", "report").exists()
    assert main(["report", "there"]) == 0
    assert said(capsys)[0].splitlines()[-1] == "there/report/report.md"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["there/none.toml"], "cannot read configuration there/none.toml: No such file or directory"),
        (["rhythm-tny"], "no configuration rhythm-tny, here or among ours: did you mean 'rhythm-tiny'?"),
        (["lines.toml"], "no configuration lines.toml, here or among ours: known are {ours}"),
        (["line.toml", "--set", "loop.stepz=3"], "unknown setting loop.stepz: did you mean 'steps'?"),
        (["line.toml", "--set", "loop.steps=many"], "loop.steps must be of type int, got 'many'"),
        (["line.toml", "--data", "nowhere"], "dataset folder nowhere is not there: name one with --data, or run latido-train data"),
        (["line.toml", "--resume"], "runs/line holds no checkpoint.pt to resume: start without --resume"),
        (["report", "nowhere"], "nowhere holds no model.pt: is it the folder of a training?"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_exit_code_1(config, capsys, words, sentence):
    assert main(words) == 1
    ours = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.toml")))
    assert said(capsys) == ("", f"latido-train: {sentence.replace('{ours}', ours)}\n")
    assert not Path("runs").exists()


def test_a_folder_with_a_training_is_not_written_over(config, capsys):
    assert main(["line.toml", "--no-report"]) == 0
    before = (Path("runs/line") / CHECKPOINT).read_bytes()
    said(capsys)
    assert main(["line.toml"]) == 1
    assert "already holds a training: --resume continues it" in said(capsys)[1]
    assert (Path("runs/line") / CHECKPOINT).read_bytes() == before


def test_a_dataset_folder_named_by_the_environment_must_be_there(config, capsys, monkeypatch):
    monkeypatch.setenv("LATIDO_DATA", "/nowhere")
    assert main(["line.toml"]) == 1
    assert "dataset folder /nowhere is not there" in said(capsys)[1]


def test_the_help_names_what_comes_along(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = said(capsys)[0]
    assert all(path.stem in text for path in CONFIGS.glob("*.toml"))


def test_a_shipped_configuration_is_found_by_its_name_alone(config, capsys):
    name = sorted(path.stem for path in CONFIGS.glob("*.toml"))[0]
    assert main([name, "--set", "loop.steps=0"]) == 1
    assert "loop.steps must be at least 1" in said(capsys)[1]


def start(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    environment.pop("LATIDO_DATA", None)
    return subprocess.Popen(
        [sys.executable, str(HERE / "toy.py"), *words],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def when_step_was_logged(folder, process):
    while not read_metrics(folder / METRICS):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_ends_with_130_and_resume_repeats_the_whole(config, kind):
    folder = config.parent
    config.write_text(CONFIG.format(pause=0.2))
    process = start(folder, "line.toml", "--no-report")
    when_step_was_logged(folder / "runs" / "line", process)
    process.send_signal(kind)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted and saved: latido-train line.toml --out runs/line --resume goes on"
    assert 0 < read_checked(folder / "runs" / "line" / CHECKPOINT)["step"] < 8

    assert main(["line.toml", "--resume", "--no-report"]) == 0
    assert main(["line.toml", "--out", "whole", "--no-report"]) == 0
    assert numbers(folder / "runs" / "line") == numbers(folder / "whole")
