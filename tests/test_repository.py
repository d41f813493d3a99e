"""The checkout as a newcomer meets it: what the README says works, what the docs say is so."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from device import __version__
from device.cli import COMMANDS
from device.panel.events import BUTTONS
from device.parameters import PARAMETERS

CHECKOUT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
MEGABYTE = 1 << 20


def text(name):
    return (CHECKOUT / name).read_text(encoding="utf-8")


def run(*words, **environment):
    return subprocess.run(
        words,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def tracked():
    listed = run("git", "ls-files", "-z")
    if listed.returncode:
        pytest.fail("the tests read the list of files from git: run them in a checkout")
    return [CHECKOUT / name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def make(*words, **environment):
    """make, without what an outer make hands down."""
    plain = dict.fromkeys(("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"), "")
    return run("make", *words, **plain | environment)


def loaded_by(*argv):
    """Modules in memory after a command line has run to its end."""
    code = (
        "import sys\n"
        f"sys.argv = {list(argv)!r}\n"
        "module = __import__(sys.argv.pop(0), fromlist=['main'])\n"
        "try:\n    module.main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *sorted(sys.modules))\n"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    shown, _, modules = done.stdout.rpartition("LOADED")
    return shown, set(modules.split())


def test_the_readme_lets_a_reader_hear_a_beat_within_its_first_screen():
    first_screen = "\n".join(text("README.md").splitlines()[:40])
    assert "make play" in first_screen
    assert "make test" in text("README.md")


@pytest.mark.parametrize("script", PROJECT["scripts"])
def test_every_console_script_is_installed_and_explains_itself(script):
    path = Path(sys.executable).with_name(script)
    shown = run(str(path), "--help")
    assert shown.returncode == 0, shown.stderr
    assert "usage" in shown.stdout.lower()
    ask = "--version-info" if script == "latido-export" else "--version"  # export's --version is the bundle's
    assert run(str(path), ask).stdout.strip() == f"latido {__version__}"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_latido_starts_without_torch_training_or_export(command):
    shown, modules = loaded_by("device.cli", "latido", *([command] if command else []), "--help")
    assert "usage: latido" in shown
    assert {"torch", "training", "export", "matplotlib"}.isdisjoint(modules)
    assert command or {"numpy", "onnxruntime"}.isdisjoint(modules)


def test_help_names_every_command():
    shown, _ = loaded_by("device.cli", "latido", "--help")
    assert all(f"\n    {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("words", [["polka"], []])
def test_a_command_nobody_knows_ends_with_2_and_no_traceback(words):
    done = run(sys.executable, "-m", "device.cli", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_version_is_written_down_once():
    assert "version" in PROJECT["dynamic"]
    assert version("latido") == __version__
    assert f"\n## [{__version__}]" in text("CHANGELOG.md")
    written = [path for path in tracked() if path.suffix == ".py" and "__version__ =" in path.read_text()]
    assert [path.relative_to(CHECKOUT).as_posix() for path in written if path != Path(__file__)] == [
        "device/__init__.py"
    ]


def test_no_file_is_heavy():
    limits = {"factory.latido": 8 * MEGABYTE}
    heavy = [
        f"{path.name} {path.stat().st_size}"
        for path in tracked()
        if path.stat().st_size > limits.get(path.name, 3 * MEGABYTE)
    ]
    assert heavy == []


@pytest.mark.parametrize(
    "credit",
    [
        "Gillick", "Roberts", "Engel", "Eck", "Bamman", "ICML 2019", "Groove MIDI Dataset", "CC BY 4.0",
        "Drum samples provided by DrumGizmo.org", "CC0", "Apache License",
    ],
)  # fmt: skip
def test_the_notice_names_whom_to_thank(credit):
    assert credit in text("NOTICE")


def test_the_licence_is_apache_and_shipped():
    assert "Apache License" in text("LICENSE")
    assert set(PROJECT["license-files"]) == {"LICENSE", "NOTICE"}


def test_the_player_guide_knows_every_parameter_button_and_command():
    guide = text("docs/playing.md")
    assert [
        entry.name for entry in PARAMETERS if f"| {entry.label} | `{entry.name}` | {entry.help} |" not in guide
    ] == []
    assert [name for name in BUTTONS if f"\n| {name} |" not in guide] == []
    assert [name for name in COMMANDS if f"`latido {name}" not in guide] == []


def test_tables_of_the_docs_are_in_step_with_the_code():
    done = run(sys.executable, "docs/tables.py", "--check")
    assert done.returncode == 0, done.stdout


def anchors(page):
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}"


def test_the_moves_file_of_the_guide_can_be_played(tmp_path):
    from device.control.moves import read_moves

    examples = re.findall(r"```toml\n(.*?)```", text("docs/playing.md"), re.DOTALL)
    (example,) = [example for example in examples if "[[move]]" in example]
    path = tmp_path / "moves.toml"
    path.write_text(example)
    assert len(read_moves(path)) == 4


def required(*extras):
    """Names of the packages an extra asks for, with what it includes."""
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    for line in lines:
        name = re.match(r"[\w.-]+", line)[0].lower()
        inner = re.match(r"latido\[([\w,]+)\]", line)
        yield from required(*inner[1].split(",")) if inner else (name,)


def test_every_requirement_has_an_exact_version_in_the_constraints():
    lines = [line.split("#")[0].strip() for line in text("constraints.txt").splitlines()]
    pinned = {re.match(r"[\w.-]+", line)[0].lower() for line in lines if "==" in line}
    assert set(required(*PROJECT["optional-dependencies"])) - pinned <= {"gpiod"}


def test_the_device_asks_for_no_torch():
    assert "torch" not in set(required("desktop")) | set(required("pi"))
    assert "torch" in set(required("test"))


@pytest.fixture
def bare():
    """Skips nothing: make is what this repository starts with."""
    assert shutil.which("make"), "install make"


@pytest.mark.usefixtures("bare")
class TestMake:
    def test_alone_it_lists_its_targets(self):
        shown = make().stdout
        for target in ("help", "play", "test", "lint", "bench", "train", "bundle", "clean"):
            assert re.search(rf"^  {target}\s+\S", shown, re.MULTILINE), target
        assert make("help").stdout == shown

    def test_play_installs_the_desktop_and_nothing_of_training(self, tmp_path):
        plan = make("--dry-run", "play", f"VENV={tmp_path}/venv").stdout
        assert "'.[desktop]'" in plan
        assert ".[test]" not in plan
        assert "latido sim" in plan
        assert "--constraint constraints.txt" in plan

    def test_test_installs_what_tests_need(self, tmp_path):
        plan = make("--dry-run", "test", f"VENV={tmp_path}/venv").stdout
        assert "'.[test]'" in plan
        assert "-m pytest" in plan

    def test_what_was_installed_is_not_installed_again(self, tmp_path):
        venv = tmp_path / "venv"
        venv.mkdir()
        for name in ("venv", "play", "test", "alsa"):
            (venv / f".stamp-{name}").touch()
        for target in ("play", "test"):
            assert "pip install" not in make("--dry-run", target, f"VENV={venv}").stdout
        os.utime(venv / ".stamp-play", (0, 0))  # older than constraints.txt
        assert "pip install" in make("--dry-run", "play", f"VENV={venv}").stdout

    def sentence(self, tmp_path, python):
        done = make("--silent", "play", f"VENV={tmp_path}/venv", f"PYTHON={python}")
        assert done.returncode != 0
        assert not (tmp_path / "venv" / ".stamp-venv").exists()
        return done.stdout.strip()

    def fake(self, tmp_path, *refused):
        """A python that fails when one of these words is in what it is asked to run."""
        script = tmp_path / "python3"
        tests = "\n".join(f'case "$*" in *"{word}"*) exit 1;; esac' for word in refused)
        script.write_text(f'#!/bin/sh\n{tests}\nexec {sys.executable} "$@"\n')
        script.chmod(0o755)
        return script

    def test_a_python_too_old_is_said_in_one_sentence(self, tmp_path):
        said = self.sentence(tmp_path, self.fake(tmp_path, "version_info"))
        assert said.startswith("Latido needs a 64-bit Python 3.11, 3.12 or 3.13")
        assert "\n" not in said

    def test_a_python_without_venv_is_said_with_what_to_install(self, tmp_path):
        said = self.sentence(tmp_path, self.fake(tmp_path, "ensurepip"))
        assert "sudo apt install python3-venv" in said
        assert "\n" not in said

    def test_no_python_at_all_is_said(self, tmp_path):
        assert "none was found: name one" in self.sentence(tmp_path, "")


SKIPPED = """\
import pytest

@pytest.mark.{mark}
def test_it():
    pytest.skip("not here")
"""
MODULE_SKIPPED = """\
import pytest

pytest.skip("not here", allow_module_level=True)
"""


@pytest.fixture
def suite(tmp_path):
    """Runs a test file under this repository's conftest, with or without CI set."""

    def pytest_of(source, ci):
        shutil.copy(CHECKOUT / "tests" / "conftest.py", tmp_path)
        shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
        (tmp_path / "test_it.py").write_text(source)
        words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_it.py"))
        done = run(*words, f"--rootdir={tmp_path}", f"--config-file={tmp_path}/pyproject.toml", CI="true" if ci else "")
        return done.returncode, done.stdout

    return pytest_of


@pytest.mark.parametrize("mark", ["browser", "alsa"])
def test_ci_fails_when_a_test_that_must_run_is_skipped(suite, mark):
    code, shown = suite(SKIPPED.format(mark=mark), ci=True)
    assert code == 1
    assert f"is marked {mark}: it must run in CI, but was skipped: Skipped: not here" in shown
    assert suite(SKIPPED.format(mark=mark), ci=False)[0] == 0


def test_ci_fails_when_a_whole_file_skips_itself(suite):
    code, shown = suite(MODULE_SKIPPED, ci=True)
    assert code != 0
    assert "skipped itself as a whole in CI" in shown


def test_ci_lets_tests_of_the_dataset_be_skipped(suite):
    assert suite(SKIPPED.format(mark="dataset"), ci=True)[0] == 0


def test_the_ci_script_runs_make_test_and_installs_what_it_may_not_skip():
    path = CHECKOUT / ".ci" / "run"
    script = path.read_text()
    assert os.access(path, os.X_OK)
    assert run("bash", "-n", str(path)).returncode == 0
    for word in ("CI=true", "make test", "make lint", "chromium", "libasound2-dev"):
        assert word in script
