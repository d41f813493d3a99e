"""Fetching the Groove MIDI Dataset (MIDI only, 3 MB), checked by its published SHA-256."""

from pathlib import Path
from typing import Final

from device.errors import DataError

URL: Final = "https://storage.googleapis.com/magentadata/datasets/groove/groove-v1.0.0-midionly.zip"
SHA256: Final = "651cbc524ffb891be1a3e46d89dc82a1cecb09a57c748c7b45b844c4841dcc1e"
CREDIT: Final = "Groove MIDI Dataset (Gillick, Roberts, Engel, Eck, Bamman, ICML 2019), CC BY 4.0"


def download_groove(folder: Path, url: str = URL, sha256: str = SHA256) -> Path:
    """Download and unpack into FOLDER/groove, which is returned; done already, it does nothing.

    Raises DataError when the network or the checksum fails; then nothing is left behind.
    """
    import pooch
    import requests

    target = folder / "groove"
    if (target / "info.csv").is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname="groove-midionly.zip",
            path=folder,
            processor=pooch.Unzip(extract_dir="."),
            progressbar=False,
        )
    except (OSError, ValueError, requests.RequestException) as error:
        raise DataError(f"cannot download {url}: {error}: fetch it by hand and unpack it into {target}") from error
    if not (target / "info.csv").is_file():
        raise DataError(f"{url} held no groove/info.csv: fetch the dataset by hand and unpack it into {target}")
    return target
