"""What the audio half has been told, and what it still has to be told.

Control says what should be; this says it over the link once, and again to a new audio process. So the
rest of control never asks whether something was sent: a state is wanted, or it is not.

A scene comes at a bar line that is still ahead: ``hold_until`` its frame, and parameters and sounds said
meanwhile take effect there, in their order; none overtakes another.
"""

from device.audio.link import Link
from device.audio.slots import SlotPool
from device.contract.pattern import PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.records import Command, Params, Pattern, Report, Sound, When
from device.models.background import Rendered


class Delivery:
    """One link's worth of sent things; make a new one for a new link with ``moved_to``."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._pool = SlotPool(link.slots)
        self._params: Params | None = None
        self._waiting: dict[int, Rendered] = {}  # voice -> sound that found no free slots yet
        self._frame = 0  # of the newest report
        self._hold = 0  # nothing said takes effect before this frame
        self.pattern: PatternGrid = PatternGrid.empty()
        self.pattern_ident = 0
        self.sounds: list[Rendered | None] = [None] * VOICE_COUNT
        self.sound_ident = 0  # changes with every sound

    def moved_to(self, link: Link) -> "Delivery":
        """The same things, to be said again to another audio process."""
        fresh = Delivery(link)
        fresh.pattern_ident, fresh.sound_ident = self.pattern_ident, self.sound_ident
        if self._params is not None:
            fresh.params(self._params)
        if self.pattern_ident:
            fresh.play(self.pattern)
        for rendered in self.sounds:
            if rendered is not None:
                fresh.sound(rendered)
        return fresh

    def hear(self) -> list[Report]:
        """Reports since the last call, oldest first; slots they hand back are free from here on."""
        reports = self.link.pump()
        for report in reports:
            self._pool.heard(report)
            self._frame = report.frame
        return reports

    def hold_until(self, frame: int) -> None:
        """Parameters and sounds said from now on take effect at this frame, until it is there."""
        self._hold = frame

    @property
    def _when(self) -> int:
        return self._hold if self._hold > self._frame else 0

    def params(self, wanted: Params) -> None:
        """Say all parameters, unless they were said."""
        if wanted != self._params:
            self._params = wanted
            self.link.send(wanted, self._when)

    def play(self, grid: PatternGrid, when: When = When.NEXT_STEP) -> None:
        """Say a pattern."""
        self.pattern = grid
        self.pattern_ident = self.pattern_ident % 0xFFFFFFFF + 1
        self.link.send(Pattern(grid, when, self.pattern_ident))

    def sound(self, rendered: Rendered) -> None:
        """Say a voice's new sound, now or as soon as slots are free."""
        self.sounds[rendered.voice] = rendered
        self.sound_ident += 1
        self._waiting[rendered.voice] = rendered
        self.retry()

    def retry(self) -> None:
        """Say the sounds that still wait for slots, as far as they fit."""
        for voice, rendered in tuple(self._waiting.items()):
            written = self._pool.write(rendered.layers)
            if written is None:
                return
            slots, frames = written
            self._pool.announced(slots, self.link.send(Sound(voice, slots, frames), self._when))
            del self._waiting[voice]

    def say(self, commands: tuple[Command, ...]) -> None:
        """Say what must happen once: start, stop, a hit."""
        for command in commands:
            self.link.send(command)

    @property
    def waiting(self) -> bool:
        """Whether a sound still waits for slots."""
        return bool(self._waiting)
