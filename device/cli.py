"""``latido``: one command, a table of subcommands, each in its own module and imported only when asked for.

A module brings ``add_arguments(parser)`` and ``run(arguments) -> exit code``. Every LatidoError becomes
one sentence on standard error.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from device import __version__
from device.errors import LatidoError

COMMANDS = {
    "sim": ("device.simulator.command", "play on this computer, with the panel as a web page"),
    "render": ("device.control.render", "render to a WAV file, offline and repeatable"),
    "scenes": ("device.control.scenes_command", "export or import all scenes as one file"),
    "bundle": ("device.models.command", "show or verify a model bundle"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="latido", description="A drum instrument in a box.")
    parser.add_argument("--version", action="version", version=f"latido {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, (module_name, help_line) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=help_line, description=help_line)
        if name == asked:  # --help for one command does not import the others
            importlib.import_module(module_name).add_arguments(subparser)
    arguments = parser.parse_args(words)
    module = importlib.import_module(COMMANDS[arguments.command][0])
    try:
        return int(module.run(arguments))
    except LatidoError as error:
        print(f"latido {arguments.command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
