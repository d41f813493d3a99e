"""The control loop: events in, one Moment forward, and whatever the audio half and the models must be told.

    hear      reports: where the music is, which slots are free
    obey      events from panel, page and MIDI, in order, each with its own time
    follow    the bar: scenes come, takes end
    ask       the models for what the state wants and they have not been asked for
    collect   what they answered
    show      the new View

One pass takes well under a millisecond and never waits. Time is passed in, so a render runs the very same
loop with a clock of its own.
"""

import operator
import queue
import threading
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec
import numpy as np

from device.audio.link import Link
from device.contract.latent import Maps, interpolate
from device.contract.pattern import STEPS_PER_BAR, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.control import learn
from device.control.beat import Beat
from device.control.delivery import Delivery
from device.control.instrument import Here, Moment, learned, pass_time, recall, respond
from device.control.params import engine_params
from device.control.present import lights, positions, style_name, texts
from device.control.state import PlayerState, fresh_state, mended
from device.control.store import UNDO_KEPT, Saved
from device.control.view import AudioHealth, View
from device.control.wishes import pattern_wish, sound_wish, style_weights
from device.engine.records import Action, Report, Transport, Trigger, When
from device.errors import LatidoError
from device.models.background import Decoded, Encoded, Failed, PatternWish, Rendered, SoundWish
from device.panel.events import ButtonPressed, Event

LEAD_STEPS: Final = 1.0  # so long before a bar line, what belongs to the bar is prepared
FIRST_STYLE: Final = "house"  # what a fresh box plays, where the bundle knows it
TRIGGERS_SHOWN: Final = 64
FIRST_VOICES: Final = 3  # kick, snare, hat: the first downbeat waits for them ...
LONGEST_SILENCE_NS: Final = 2_000_000_000  # ... but no longer than this


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


class Control:
    """The instrument's mind at work. ``post`` may be called from any thread, everything else from one."""

    def __init__(
        self,
        spaces: Spaces,
        worker: Worker,
        link: Link,
        saved: Saved | None = None,
        *,
        health: AudioHealth | None = None,
        seed: int = 1,
        begin: bool = True,
    ) -> None:
        """``begin``: start to play at once when the audio half is silent, as a box does that boots into sound."""
        self._maps, self._styles, self._bundle, self._worker = spaces.maps, spaces.styles, spaces.bundle, worker
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._woken = threading.Event()
        self.moment = Moment(first_state(spaces, seed))
        message = self._recall_saved(saved) if saved is not None else ""
        self._begin = begin if saved is None else begin and saved.playing
        self._message = message
        self._pattern_wanted: PatternWish | PatternGrid | None = None
        self._was_filling = False
        self._sounds_wanted: list[SoundWish | None] = [None] * VOICE_COUNT
        self._learning: PatternGrid | None = None
        self._triggers: tuple[Trigger, ...] = ()
        self._report: Report | None = None
        self._attached_before = False
        self._when = When.NEXT_STEP
        self._starts_by: int | None = None  # a start that waits for its sounds
        self._asked: tuple[object, ...] = ()
        self._told: PlayerState | None = None  # the state audio was told the parameters of
        self._words: tuple[PlayerState | None, int, dict[str, str]] = (None, 0, {})
        self.health = health or AudioHealth()
        self._attach(Delivery(link))
        self.view = self._shown(0)

    # -- links ---------------------------------------------------------------------------------------

    def attach(self, link: Link, health: AudioHealth) -> None:
        """Go on with another audio process: it is told everything again."""
        self._attached_before = self._report is not None
        self._delivery.link.close()
        self._attach(self._delivery.moved_to(link))
        self.health = health

    def close(self) -> None:
        """Let go of the audio half, which plays on."""
        self._delivery.link.close()

    def _attach(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._beat = Beat(self.health.sample_rate)
        self._fresh_link = True

    # -- hands ---------------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Hand over what a hand did; it is obeyed in the next pass."""
        self._events.put(event)
        self._woken.set()

    def wait(self, timeout_seconds: float) -> None:
        """Sleep until something is posted, at most this long."""
        self._woken.wait(timeout_seconds)
        self._woken.clear()

    def tell(self, message: str) -> None:
        """Show the player one plain line; from the loop's own thread."""
        self._message = message

    # -- one pass ------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> View:
        """One pass of the loop; returns the View it publishes."""
        self._hear(now_ns)
        self._obey(now_ns)
        bar_frame = self._follow(now_ns)
        self._ask(now_ns)
        self._collect(now_ns)
        if self.moment.state is not self._told:
            self._told = self.moment.state
            self._delivery.params(engine_params(self._told), bar_frame)
        self._delivery.retry()
        self._start_when_ready(now_ns)
        self.view = self._shown(now_ns)
        return self.view

    def saved(self) -> Saved:
        """What should survive switching off."""
        moment = self.moment
        return Saved(
            moment.lasting,
            voice=moment.voice,
            playing=moment.playing,
            scene=moment.scene,
            scenes=moment.scenes,
            undo=moment.history.past[-UNDO_KEPT:],
            bundle=self._bundle,
        )

    def _recall_saved(self, saved: Saved) -> str:
        styles, size = self._maps.node_styles.shape[-1], self._maps.rhythm_nodes.shape[-1]

        def fit(state: PlayerState) -> PlayerState:
            return mended(state, styles=styles, latent_size=size)

        try:
            scenes = tuple(
                None if scene is None else msgspec.structs.replace(scene, state=fit(scene.state))
                for scene in saved.scenes
            )
            history = replace(self.moment.history, past=tuple(map(fit, saved.undo)))
            self.moment = replace(
                self.moment,
                state=fit(saved.state),
                voice=saved.voice % VOICE_COUNT,
                scenes=scenes,
                scene=saved.scene % len(scenes),
                history=history,
            )
        except LatidoError as error:
            return f"{error}; starting from defaults"
        return ""

    def _hear(self, now_ns: int) -> None:
        reports = self._delivery.hear()
        for report in reports:
            self._beat = self._beat.heard(report)
            self._triggers = (*self._triggers, *report.triggers)[-TRIGGERS_SHOWN:]
        if not reports:
            return
        peaks = tuple(map(max, zip(*(report.peaks for report in reports), strict=True)))
        self._report = replace(reports[-1], peaks=peaks)
        if self._fresh_link:
            self._fresh_link = False
            self._meet(reports[-1], now_ns)

    def _meet(self, report: Report, now_ns: int) -> None:
        """The first report of a link: an audio half that plays is taken over as it is, a silent one is started."""
        wanted = self.moment.playing if self._attached_before else report.playing or self._begin
        self._starts_by = None if report.playing or not wanted else now_ns + LONGEST_SILENCE_NS
        self.moment = replace(self.moment, playing=wanted)

    def _start_when_ready(self, now_ns: int) -> None:
        """The first downbeat waits for its pattern and for kick, snare and hat, but not for ever."""
        if self._starts_by is None or not self.moment.playing:
            self._starts_by = None
            return
        ready = self._delivery.pattern_ident and None not in self._delivery.sounds[:FIRST_VOICES]
        if (ready and not self._delivery.waiting) or now_ns >= self._starts_by:
            self._starts_by = None
            self._delivery.say((Transport(Action.START),))

    def _here(self, at_ns: int) -> Here:
        heard_ns = at_ns - int(self.health.latency_ms * 1e6) if at_ns else 0
        return Here(self._maps, self._bundle, self._delivery.pattern, self._beat.place_at(heard_ns))

    def _obey(self, now_ns: int) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            at_ns = event.at_ns or now_ns
            event = replace(event, at_ns=at_ns)
            if event == ButtonPressed("LEARN", at_ns) and self.moment.buttons.is_down("SHIFT"):
                self._encode(self._delivery.pattern)
            try:
                self.moment, commands = respond(self.moment, event, self._here(at_ns))
            except LatidoError as error:
                self._message = str(error)
            else:
                self._delivery.say(commands)
                self._message = self.moment.message or self._message
                self.moment = replace(self.moment, message="")
        self.moment, commands = pass_time(self.moment, now_ns, self._here(now_ns))
        self._delivery.say(commands)

    def _follow(self, now_ns: int) -> int:
        """What belongs to a bar line; returns the frame parameters should change at (0: at once)."""
        place = self._beat.place_at(now_ns)
        take = self.moment.take
        if take is not None and self._beat.playing and take.finished(place):
            self._finish_take(take)
        if self.moment.pending is None:
            return 0
        if not self._beat.playing:
            self.moment = recall(self.moment, self._bundle, now_ns)
            return 0
        if not self._near_bar(place):
            return 0
        self.moment = recall(self.moment, self._bundle, now_ns)
        return self._beat.frame + int(self._beat.frames_to_bar())

    def _near_bar(self, place: float) -> bool:
        return place % STEPS_PER_BAR >= STEPS_PER_BAR - LEAD_STEPS

    # -- learning ------------------------------------------------------------------------------------

    def _finish_take(self, take: learn.Take) -> None:
        self.moment = replace(self.moment, take=None)
        if not take.hits:
            self._message = "nothing was played: the beat goes on as before"
            return
        self._encode(learn.grid_of(take))

    def _encode(self, grid: PatternGrid) -> None:
        self._learning = grid
        self._worker.ask_encode(grid, tuple(map(float, self._style())))

    def _style(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return style_weights(self.moment.state.position("style"), len(self._styles))

    # -- models --------------------------------------------------------------------------------------

    def _wanted_pattern(self, bar: int) -> PatternWish | PatternGrid:
        moment = self.moment
        if moment.take is not None:
            return learn.click()
        if self._learning is not None:
            return self._learning
        kept = None if moment.filling else moment.state.kept_grid()
        return kept or pattern_wish(moment.state, self._maps, fill=moment.filling, bar=bar)

    def _ask(self, now_ns: int) -> None:
        place = self._beat.place_at(now_ns)
        state = self.moment.state
        bar = int((place + LEAD_STEPS) // STEPS_PER_BAR)
        asked = (state, self.moment.filling, self.moment.take is None, self._learning, bar)
        if (
            len(asked) == len(self._asked)
            and all(map(operator.is_, asked[:-1], self._asked))
            and bar == self._asked[-1]
        ):
            return  # nothing a wish is made of has changed
        self._asked = asked
        self._ask_pattern(place, bar)
        for voice in sorted(range(VOICE_COUNT), key=lambda voice: (voice == self.moment.voice, -voice)):
            wish = sound_wish(
                state, self._maps, voice
            )  # the voice under the hand comes last: the newest is served first
            if wish != self._sounds_wanted[voice]:
                self._sounds_wanted[voice] = wish
                self._worker.ask_sound(voice, wish)

    def _ask_pattern(self, place: float, bar: int) -> None:
        wanted = self._wanted_pattern(bar)
        if wanted != self._pattern_wanted:
            self._pattern_wanted = wanted
            fill_ends = self._was_filling and not self.moment.filling
            self._was_filling = self.moment.filling
            self._when = When.NEXT_BAR if fill_ends or self._near_bar(place) else When.NEXT_STEP
            if isinstance(wanted, PatternGrid):
                self._delivery.play(wanted, self._when)
            else:
                self._worker.ask_pattern(wanted)

    def _collect(self, now_ns: int) -> None:
        for answer in self._worker.answers():
            match answer:
                case Decoded() if isinstance(self._pattern_wanted, PatternWish):
                    self._delivery.play(answer.grid, self._when)
                case Rendered():
                    self._delivery.sound(answer)
                case Encoded():
                    self._learned(answer, now_ns)
                case Failed():
                    self._learning = None
                    self._message = answer.text

    def _learned(self, answer: Encoded, now_ns: int) -> None:
        state = self.moment.state
        base = interpolate(self._maps.rhythm_nodes, state.position("x"), state.position("y"))
        offset = tuple(float(value) for value in np.asarray(answer.latent, np.float32) - base)
        self.moment = learned(self.moment, answer.grid, offset, now_ns)
        self._learning = None
        self._message, self.moment = self.moment.message, replace(self.moment, message="")

    # -- what is seen --------------------------------------------------------------------------------

    def _texts(self) -> dict[str, str]:
        state, voice = self.moment.state, self.moment.voice
        if state is not self._words[0] or voice != self._words[1]:
            self._words = (state, voice, texts(state, voice, self._styles))
        return self._words[2]

    def _shown(self, now_ns: int) -> View:
        moment, state, report = self.moment, self.moment.state, self._report or Report()
        classes = [
            wish.sound_class if wish else name for wish, name in zip(self._sounds_wanted, state.classes, strict=True)
        ]
        return View(
            playing=moment.playing,
            tempo_bpm=report.tempo_bpm or state.value("tempo"),
            step=report.step,
            frame=report.frame,
            page=moment.page,
            voice=moment.voice,
            positions=positions(state),
            texts=self._texts(),
            pattern=self._delivery.pattern,
            pattern_ident=self._delivery.pattern_ident,
            lights=lights(moment, place=self._beat.place_at(now_ns), playing=moment.playing),
            peaks=report.peaks,
            triggers=self._triggers,
            styles=self._styles,
            style=style_name(self._style(), self._styles),
            sound_classes=tuple(classes),
            scene=moment.scene,
            scenes_saved=tuple(scene is not None for scene in moment.scenes),
            undo_depth=len(moment.history.past),
            message=self._message,
            bundle=self._bundle,
            audio=replace(
                self.health,
                late_blocks=report.late_blocks,
                underruns=report.underruns,
                load=report.load,
                alive=self._delivery.link.alive,
            ),
        )
