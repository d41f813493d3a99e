"""The whole instrument in one process, faster than real time and repeatable to the bit.

Control, models and engine are the very ones that play live; only time is made up: a block of frames is
rendered, the clock moves on by exactly that much, hands move as the moves say.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.control import kits
from device.control.control import Control, Spaces
from device.control.kits import Kit, Kits, MemoryKits
from device.control.moves import Hands, Move
from device.control.store import Saved
from device.control.takes import HeardLink, Take, record
from device.control.view import AudioHealth
from device.engine.engine import Engine
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Action, Transport
from device.errors import DataError, SettingError
from device.models.background import Inline
from device.models.models import Models
from device.panel.events import SceneCommand

SETTLE_SECONDS: Final = 0.25  # unheard: a scene's tempo and gains come to rest before its first downbeat


class Offline:
    """An instrument whose time is passed in. ``control`` may be given events at any moment."""

    block_frames = 64

    def __init__(
        self,
        models: Models,
        *,
        saved: Saved | None = None,
        kits: Kits | None = None,
        seed: int = 1,
        begin: bool = True,
    ) -> None:
        manifest = models.manifest
        self.sample_rate = manifest.sample_rate
        slots = np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)
        self.engine = Engine(self.sample_rate, slots)
        self.link = HeardLink(self.engine)
        spaces = Spaces(models.maps, tuple(manifest.styles), models.bundle.ident)
        health = AudioHealth(sink="offline", sample_rate=self.sample_rate, alive=True)
        self.control = Control(
            spaces, Inline(models), self.link, saved, health=health, seed=seed, begin=begin, kits=kits
        )

    @property
    def now_ns(self) -> int:
        """The made-up clock; it starts at 1 ns, as 0 means "not stamped" in events."""
        return 1 + self.engine.frame * 1_000_000_000 // self.sample_rate

    def play(self, out: FloatArray, stems: FloatArray | None = None) -> None:
        """One pass of control, then one block (n, 2) of sound."""
        self.control.step(self.now_ns)
        self.engine.render(out, stems)


def render(
    models: Models,
    bars: int,
    *,
    seed: int = 1,
    moves: tuple[Move, ...] = (),
    stems: bool = False,
    told: Callable[[float], None] | None = None,
) -> Take:
    """Play ``bars`` bars from the first downbeat, then let the sounds ring out; ``told`` hears how far it is."""
    return play_bars(Offline(models, seed=seed), bars, moves=moves, stems=stems, told=told)


def play_bars(
    offline: Offline,
    bars: int,
    *,
    moves: tuple[Move, ...] = (),
    stems: bool = False,
    told: Callable[[float], None] | None = None,
) -> Take:
    """The same with an instrument that stands at its first downbeat."""
    hands = Hands(moves)

    def at(bar: float) -> None:
        for event in hands.events(bar, offline.now_ns, _position(offline.control)):
            offline.control.post(event)

    return record(offline, bars, stems=stems, at=at, told=told)


def recalled(models: Models, saved: Saved, scene: int | None = None, folder: Path | None = None) -> Offline:
    """An instrument switched on with what was saved, at its first downbeat; in ``scene`` 0..15, or as it was.

    ``folder`` is where it was saved: the sounds of scenes are read there. Raises SettingError for a scene that is
    not there.
    """
    if scene is not None:
        check_scene(saved, scene)
    offline = Offline(models, saved=saved, kits=None if folder is None else ReadKits(folder), begin=False)
    if scene is not None:
        offline.control.post(SceneCommand("recall", scene))
    for _ in range(round(SETTLE_SECONDS * offline.sample_rate / offline.block_frames)):
        offline.play(np.zeros((offline.block_frames, 2), np.float32))
    offline.link.send(Transport(Action.START))
    return offline


class ReadKits(MemoryKits):
    """The kits of an instrument that may be playing: they are read when they are wanted, and never touched."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder / kits.FOLDER
        self._trouble = ""

    def has(self, ident: str) -> bool:
        """Is it there?"""
        return self.find(ident) is not None

    def find(self, ident: str) -> Kit | None:
        """The kit, at once; None when there is none that can be read."""
        kit = super().find(ident)
        if kit is None and kits.is_ident(ident):
            try:
                kit = kits.unpack((self._folder / f"{ident}.kit").read_bytes())
            except (OSError, DataError) as error:
                self._trouble = f"a scene's sounds cannot be read ({error}): they are rendered again"
                return None
            self.keep(ident, kit)
        return kit

    def forget(self, but: Iterable[str]) -> None:
        """They are not ours."""

    def trouble(self) -> str:
        """What went wrong since the last call."""
        trouble, self._trouble = self._trouble, ""
        return trouble


def check_scene(saved: Saved, scene: int) -> None:
    """Raise SettingError with the way out unless there is a scene 0..15 of this number."""
    there = [index + 1 for index, entry in enumerate(saved.scenes) if entry is not None]
    have = f"saved are {', '.join(map(str, there))}" if there else "none is saved yet, SHIFT + SCENE saves one"
    if not 0 <= scene < len(saved.scenes):
        raise SettingError(f"there is no scene {scene + 1}, only 1..{len(saved.scenes)}: {have}")
    if saved.scenes[scene] is None:
        raise SettingError(f"scene {scene + 1} is empty: {have}")


def _position(control: Control) -> Callable[[str, int | None], float]:
    def read(name: str, voice: int | None) -> float:
        return control.moment.state.position(name, control.moment.voice if voice is None else voice)

    return read
