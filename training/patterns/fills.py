"""What FILL should make of a groove: its first bar as it was, then a fill that suits the place.

Real fills are few and each stands alone, so a condition learned from them alone knows only their average:
a thin beat with a ghost of every tom. Instead a *book* of good fills is kept, and every groove is given one
page of it: which one is a fixed function of the groove, so that the decoder can learn it and neighbours on
the map mostly share a fill.
"""

from typing import Final

import numpy as np

from device.contract.pattern import LEVEL, OFFSET, STEPS, STEPS_PER_BAR, STEPS_PER_BEAT, FloatArray
from device.contract.voices import VOICE_COUNT, VOICE_INDEX
from training.patterns.augment import feel
from training.patterns.windows import BoolArray, IntArray, Windows

PAGES: Final = 48
SEED: Final = 7  # of the rule that gives a groove its page
TRAITS: Final = 12
ROLLING: Final = [VOICE_INDEX[name] for name in ("snare", "low_tom", "mid_tom", "high_tom")]
FEWEST_ROLLED, FEWEST_TOMS, MOST_HITS = 7, 2, 28  # of a bar worth a page


class FillBook:
    """Fills from the windows that are labelled so, and the rule which groove gets which."""

    def __init__(self, windows: Windows) -> None:
        bars = windows.cells[windows.fill, STEPS_PER_BAR:]
        good = np.flatnonzero(worth_a_page(bars))
        self.pages = bars[good[np.linspace(0, len(good) - 1, min(len(good), PAGES)).astype(np.int64)]]
        # a page is a bar long, or only the second half of one
        self.starts = STEPS_PER_BAR + np.where(np.arange(len(self.pages)) % 3 == 2, 2 * STEPS_PER_BEAT, 0)
        random = np.random.default_rng(SEED)
        self.traits = random.normal(size=(STEPS * VOICE_COUNT, TRAITS)).astype(np.float32)
        self.anchors = random.normal(size=(TRAITS, len(self.pages))).astype(np.float32)
        self.usual = windows.hits.reshape(len(windows), -1).mean(0)

    def __len__(self) -> int:
        return len(self.pages)

    def page_of(self, cells: FloatArray) -> IntArray:
        """(n,) the page that belongs to each groove (n, 32, 9, 3)."""
        hits = cells[..., LEVEL].reshape(len(cells), -1)
        return np.asarray((((hits - self.usual) @ self.traits) @ self.anchors).argmax(1), np.int64)

    def filled(self, cells: FloatArray) -> FloatArray:
        """(n, 32, 9, 3) the grooves with their fills at the end, played in the grooves' own time."""
        pages = self.page_of(cells)
        fills = np.concatenate([cells[:, :STEPS_PER_BAR], self.pages[pages]], 1)
        shift = (feel(cells) - feel(fills))[:, :, None]
        fills[..., OFFSET] = np.clip(fills[..., OFFSET] + shift, -0.5, 0.499) * fills[..., LEVEL]
        begun = np.arange(STEPS)[None] >= self.starts[pages][:, None]
        return np.where(begun[:, :, None, None], fills, cells)


def worth_a_page(bars: FloatArray) -> BoolArray:
    """(n,) whether a bar (n, 16, 9, 3) rolls over snare and toms and leaves room."""
    hits = bars[..., LEVEL] > 0.0
    rolled, toms = hits[:, :, ROLLING].sum((1, 2)), hits[:, :, ROLLING[1:]].sum((1, 2))
    return np.asarray((rolled >= FEWEST_ROLLED) & (toms >= FEWEST_TOMS) & (hits.sum((1, 2)) <= MOST_HITS))
