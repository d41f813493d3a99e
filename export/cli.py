"""``latido-export``: two finished trainings become one bundle.

latido-export RUN_RHYTHM RUN_SOUND --out FILE.latido
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from device import __version__
from device.errors import DataError, LatidoError, SettingError

SUFFIX = ".latido"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="latido-export", description="Export a rhythm and a sound training into one bundle."
    )
    top.add_argument("--version-info", action="version", version=f"latido {__version__}")
    top.add_argument("rhythm", type=Path, metavar="RUN_RHYTHM", help="folder of a rhythm training")
    top.add_argument("sound", type=Path, metavar="RUN_SOUND", help="folder of a sound training")
    top.add_argument("--out", type=Path, required=True, metavar="FILE.latido", help="the bundle to write")
    top.add_argument("--name", metavar="NAME", help="what players read (default: the file's name)")
    top.add_argument("--version", type=int, default=1, metavar="N", help="of the bundle, counting up (default: 1)")
    top.add_argument("--fp32", action="store_true", help="leave all weights in fp32")
    top.add_argument(
        "--data", type=Path, metavar="DIR", help="dataset folder (default: $LATIDO_DATA, else data if there is one)"
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Export; returns the exit code. A LatidoError becomes one sentence on standard error."""
    arguments = parser().parse_args(argv)
    try:
        _export(arguments)
    except LatidoError as error:
        print(f"latido-export: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _export(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    if out.suffix != SUFFIX:
        raise SettingError(f"a bundle's name ends in {SUFFIX}, got {out.name}: write --out {out.stem}{SUFFIX}")
    if arguments.version < 1:
        raise SettingError(f"--version counts from 1, got {arguments.version}")
    data = _data_folder(arguments.data)
    from export.build import export_bundle  # brings PyTorch: not before the command line is understood

    start = time.monotonic()
    export_bundle(
        arguments.rhythm,
        arguments.sound,
        out,
        data,
        name=arguments.name or out.stem,
        version=arguments.version,
        int8=not arguments.fp32,
        say=lambda line: print(f"{time.monotonic() - start:6.1f} s  {line}", flush=True),
    )


def _data_folder(asked: Path | None) -> Path | None:
    """The folder of datasets; None when nobody named one and there is none."""
    named = asked or (Path(os.environ["LATIDO_DATA"]) if os.environ.get("LATIDO_DATA") else None)
    if named is None:
        return Path("data") if Path("data").is_dir() else None
    if not named.is_dir():
        raise DataError(f"dataset folder {named} is not there: name one with --data")
    return named


if __name__ == "__main__":
    sys.exit(main())
