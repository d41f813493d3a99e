"""What control needs of the models that are loaded: where they run, their maps, their names."""

from dataclasses import dataclass
from typing import Final, Protocol

from device.contract.latent import Maps
from device.contract.pattern import PatternGrid
from device.control.state import PlayerState, fresh_state
from device.models.background import Decoded, Encoded, Failed, PatternWish, Rendered, SoundWish

FIRST_STYLE: Final = "house"  # what a fresh box plays, where the bundle knows it


class Worker(Protocol):
    """Background or Inline: where models run."""

    def ask_pattern(self, wish: PatternWish) -> None:
        """Newest wins."""
        ...

    def ask_sound(self, voice: int, wish: SoundWish) -> None:
        """Newest of each voice wins."""
        ...

    def ask_encode(self, grid: PatternGrid, style: tuple[float, ...]) -> None:
        """Newest wins."""
        ...

    def answers(self) -> list[Decoded | Rendered | Encoded | Failed]:
        """Since the last call."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Spaces:
    """What control needs to know of the loaded bundle."""

    maps: Maps
    styles: tuple[str, ...]  # the last one is "fill"
    bundle: str  # its id


def first_state(spaces: Spaces, seed: int = 1) -> PlayerState:
    """What a box plays that nobody has touched yet."""
    styles = spaces.styles
    index = styles.index(FIRST_STYLE) if FIRST_STYLE in styles else 0
    return fresh_state(seed).moved("style", index / max(len(styles) - 2, 1)).with_kit(spaces.maps, index)
