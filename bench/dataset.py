"""Where the datasets to measure on are: $LATIDO_DATA, else data in or beside the checkout."""

import os
from pathlib import Path


def dataset_folder(holds: str) -> Path | None:
    """The first of these folders that holds this file or folder, or None."""
    named = os.environ.get("LATIDO_DATA")
    places = [Path(named)] if named else [Path(__file__).parents[1] / "data", Path(__file__).parents[2] / "shared/data"]
    return next((place for place in places if (place / holds).exists()), None)
