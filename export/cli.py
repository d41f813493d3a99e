"""``latido-export``: two finished trainings become one bundle.

latido-export RUN_RHYTHM RUN_SOUND --out FILE.latido
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from device import __version__
from device.errors import LatidoError, SettingError
from training.data_folder import add_data_argument, data_folder

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
    add_data_argument(top)
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
    data = data_folder(arguments.data)
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


if __name__ == "__main__":
    sys.exit(main())
