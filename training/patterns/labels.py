"""Style labels: one fixed list, ordered so that neighbours sound alike, and its vectors.

The STYLE knob walks this list and blends neighbours. The last entry, "fill", is no style of its own: a
fill in style k is half k, half "fill".
"""

from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.errors import SettingError

ACOUSTIC: Final = ("jazz", "latin", "afro", "reggae", "soul", "funk", "hiphop", "pop", "rock", "punk", "disco")
ELECTRONIC: Final = (
    "house",
    "techno",
    "electro",
    "breakbeat",
    "drum_and_bass",
    "uk_garage",
    "dubstep",
    "trap",
    "reggaeton",
)
FILL: Final = "fill"
STYLES: Final = (*ACOUSTIC, *ELECTRONIC, FILL)
STYLE_INDEX: Final = {name: index for index, name in enumerate(STYLES)}

# First word of a style in Groove MIDI -> our label. What is rare there joins what it sounds like.
GROOVE_STYLES: Final = {
    "jazz": "jazz",
    "latin": "latin",
    "afrocuban": "afro",
    "afrobeat": "afro",
    "highlife": "afro",
    "middleeastern": "afro",
    "reggae": "reggae",
    "soul": "soul",
    "gospel": "soul",
    "blues": "soul",
    "funk": "funk",
    "neworleans": "funk",
    "hiphop": "hiphop",
    "pop": "pop",
    "country": "pop",
    "rock": "rock",
    "punk": "punk",
    "dance": "disco",
}


def style_vector(name: str, *, fill: bool = False) -> FloatArray:
    """Weights (S,) that sum to 1 for a style, or for a fill in it. Raises SettingError for an unknown name."""
    if name not in STYLE_INDEX or name == FILL:
        raise SettingError(f"unknown style {name!r}: known are {', '.join(STYLES[:-1])}")
    vector = np.zeros(len(STYLES), np.float32)
    vector[STYLE_INDEX[name]] = 0.5 if fill else 1.0
    vector[STYLE_INDEX[FILL]] = 0.5 if fill else 0.0
    return vector


def as_fill(styles: FloatArray) -> FloatArray:
    """Style vectors (n, S), asked for a fill: half what they are, half "fill"; a fill stays one."""
    plain = styles.copy()
    plain[:, -1] = 0.0
    filled = 0.5 * plain / np.maximum(plain.sum(1, keepdims=True), 1e-6)
    filled[:, -1] = 0.5
    return np.asarray(filled, np.float32)
