"""``latido-train``: train a model, write its report again, or fetch the drum grooves.

latido-train CONFIG.toml            train (the word ``run`` may be left out)
latido-train report RUN             write RUN/report again
latido-train data                   download the Groove MIDI Dataset
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from device import __version__
from device.errors import LatidoError, SettingError
from training.data_folder import add_data_argument, data_folder

COMMANDS = ("run", "report", "data")
CONFIGS = Path(__file__).parent / "configs"
EPILOG = """\
CONFIG.toml is a file or the name of one that comes along: {names}.
Runs go to runs/NAME: config.toml, checkpoint.pt, model.pt, metrics.jsonl, report/report.md.
Ctrl-C saves and ends a run; --resume continues it and gives the same losses as without the pause.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    names = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.toml")))
    top = argparse.ArgumentParser(
        prog="latido-train",
        description="Train the models of a bundle.",
        usage="latido-train [--help] [--version] CONFIG.toml [options] | report RUN | data",
        epilog=EPILOG.format(names=names),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"latido {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="train a model and write its report (the default)")
    run.add_argument("config", metavar="CONFIG.toml", help="a configuration file, or the name of one that comes along")
    run.add_argument(
        "--out", type=Path, metavar="DIR", help="where the run goes (default: runs/ and the config's name)"
    )
    add_data_argument(run)
    run.add_argument("--resume", action="store_true", help="continue an interrupted run")
    run.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting, like loop.steps=2000"
    )
    run.add_argument("--no-report", action="store_true", help="leave the report out")

    report = commands.add_parser("report", help="write the report of a run again")
    report.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    add_data_argument(report)

    data = commands.add_parser("data", help="download the Groove MIDI Dataset (3 MB, CC BY 4.0)")
    data.add_argument("--to", type=Path, default=Path("data"), metavar="DIR", help="where to put it (default: data)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. A LatidoError becomes one sentence on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in COMMANDS and not words[0].startswith("-"):
        words.insert(0, "run")
    arguments = parser().parse_args(words)
    try:
        return {"run": _run, "report": _report, "data": _data}[arguments.command](arguments)
    except LatidoError as error:
        print(f"latido-train: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _config_path(name: str) -> Path:
    """A file by its path, or one of ours by its name. Raises SettingError for a name that is neither."""
    from training.config import nearest

    if Path(name).exists() or Path(name).name != name:
        return Path(name)
    ours = CONFIGS / f"{name.removesuffix('.toml')}.toml"
    if not ours.exists():
        known = [path.stem for path in CONFIGS.glob("*.toml")]
        raise SettingError(f"no configuration {name}, here or among ours{nearest(name.removesuffix('.toml'), known)}")
    return ours


def _run(arguments: argparse.Namespace) -> int:
    from training.config import override, read_table
    from training.runs import run_training
    from training.task import checked_config

    path = _config_path(arguments.config)
    config = checked_config(override(read_table(path), arguments.set))
    folder = arguments.out or Path("runs") / path.stem
    done = run_training(
        config, folder, data_folder(arguments.data), resume=arguments.resume, report=not arguments.no_report
    )
    if not done:
        print(
            f"interrupted and saved: latido-train {arguments.config} --out {folder} --resume goes on", file=sys.stderr
        )
        return 130
    print(folder)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from training.runs import write_report

    print(write_report(arguments.run, data_folder(arguments.data)))
    return 0


def _data(arguments: argparse.Namespace) -> int:
    from training.patterns.download import download_groove

    print(download_groove(arguments.to))
    return 0


if __name__ == "__main__":
    sys.exit(main())
