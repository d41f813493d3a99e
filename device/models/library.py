"""Where bundles are: the factory bundle that comes along, or a file the player names."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from device.contract.bundle import Bundle
from device.errors import BundleError

FACTORY: Final = "factory.latido"


def factory_path() -> Path:
    """The bundle every installation has."""
    return Path(str(files("device"))) / "bundles" / FACTORY


def find_bundle(path: Path | None = None) -> Bundle:
    """Open a bundle, the factory's when none is named. Raises BundleError."""
    if path is not None:
        return Bundle.open(path)
    if not factory_path().is_file():
        raise BundleError("this installation came without its factory bundle: install it again, or name a .latido file")
    return Bundle.open(factory_path())
