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

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import msgspec

from device.audio.link import Link
from device.contract.pattern import STEPS_PER_BAR
from device.contract.voices import VOICE_COUNT
from device.control import learn, scenes
from device.control.beat import Beat
from device.control.delivery import Delivery
from device.control.instrument import bind_cc, pass_time, respond
from device.control.kits import Kits, MemoryKits
from device.control.moment import Here, Moment, changed
from device.control.own import with_hits
from device.control.params import engine_params
from device.control.present import Picture
from device.control.rhythm import LEAD_STEPS, Rhythm, near_bar
from device.control.sounds import Sounds
from device.control.spaces import Spaces, Worker, first_state
from device.control.state import PlayerState, check_grid, mended, moved_over
from device.control.store import UNDO_KEPT, Saved, Scene
from device.control.view import AudioHealth, View
from device.engine.records import Action, Report, Transport, Trigger
from device.errors import LatidoError
from device.models.background import Decoded, Encoded, Failed, Rendered
from device.panel.events import CcReceived, Event, SongSet
from device.settings import DEFAULTS, CcBinding, Settings

__all__ = ["Control", "Spaces"]

TRIGGERS_SHOWN: Final = 64
FIRST_VOICES: Final = 3  # kick, snare, hat: the first downbeat waits for them ...
LONGEST_SILENCE_NS: Final = 2_000_000_000  # ... but no longer than this
CALM_SECONDS: Final = 0.2  # after a change, until hits say again where the steps lie
SURE_FRAMES: Final = 2  # a scene's parameters come so long before the bar line, so that its first hits have them


Piece = TypeVar("Piece")


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
        settings: Settings = DEFAULTS,
        kits: Kits | None = None,
        bound: Callable[[CcBinding], None] = lambda _: None,
    ) -> None:
        """``begin``: start to play at once when the audio half is silent, as a box does that boots into sound.

        ``kits`` keeps the sounds of scenes (default: in memory); ``bound`` is told every learned controller.
        """
        self.maps, self.styles, self.bundle = spaces.maps, spaces.styles, spaces.bundle
        self.settings, self._bound = settings, bound
        self.recording = ""  # file being recorded, for the View; whoever records sets it
        self._worker = worker
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._woken = threading.Event()
        self.moment = Moment(first_state(spaces, seed))
        self._sounds = Sounds(self.maps, worker.ask_sound, kits or MemoryKits())
        self._rhythm = Rhythm(self.maps, worker.ask_pattern, worker.ask_encode)
        self._picture = Picture(self.maps, self.styles)
        # what was saved and cannot be used; the caller keeps a copy of the file
        self.left_out = self._recall_saved(saved) if saved is not None else ""
        message = f"left out, as it cannot be used: {self.left_out}" if self.left_out else ""
        self._begin = begin if saved is None else begin and saved.playing
        self._message = message
        self._report: Report | None = None
        self._attached_before = False
        self._starts_by: int | None = None  # a start that waits for its sounds
        self._told: PlayerState | None = None  # the state audio was told of
        self._calm: tuple[PlayerState | None, int] = (None, 0)  # state and pattern that have not changed
        self._calm_from = 0  # ... for so long that every hit from this frame on is theirs
        self._scenes = self.moment.scenes  # whose kits are kept
        self.health = health or AudioHealth()
        self._attach(Delivery(link))
        self.view = self._shown(0)

    @property
    def sounds(self) -> tuple[Rendered | None, ...]:
        """What each of the nine voices was last given to play; from any thread."""
        return tuple(self._delivery.sounds)

    # -- links ---------------------------------------------------------------------------------------

    def attach(self, link: Link, health: AudioHealth) -> None:
        """Go on with another audio process: it is told everything again."""
        self._attached_before = self._report is not None
        self._delivery.link.close()
        self._attach(self._delivery.moved_to(link))
        self.health = health

    def close(self) -> None:
        """Let go of the audio half, which plays on; finish keeping kits."""
        self._delivery.link.close()
        self._sounds.kits.close()

    def _attach(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._beat = Beat(self.health.sample_rate)
        self._triggers: tuple[Trigger, ...] = ()
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
        self._follow(now_ns)
        self._ask(now_ns)
        self._collect(now_ns)
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
            bundle=self.bundle,
            song=moment.song,
            draws=moment.draws,
        )

    def _recall_saved(self, saved: Saved) -> str:
        styles, size = self.maps.node_styles.shape[-1], self.maps.rhythm_nodes.shape[-1]

        def fit(state: PlayerState) -> PlayerState:
            return mended(state, styles=styles, latent_size=size)

        left_out: list[str] = []

        def ours(state: PlayerState) -> PlayerState:
            return fit(state if saved.bundle in ("", self.bundle) else moved_over(state))

        def attempt(name: str, make: Callable[[], Piece], otherwise: Piece) -> Piece:
            try:
                return make()
            except LatidoError as error:
                left_out.append(f"{name} ({error})")
                return otherwise

        def fit_scene(scene: Scene | None) -> Scene | None:
            if scene is None:
                return None
            check_grid(scene.pattern)
            return msgspec.structs.replace(scene, state=fit(scene.state))

        kept: list[Scene | None] = []
        for number, scene in enumerate(saved.scenes, 1):
            kept.append(attempt(f"scene {number}", partial(fit_scene, scene), None))
        moment = replace(
            self.moment,
            state=attempt("what was playing", lambda: ours(saved.state), self.moment.state),
            voice=saved.voice % VOICE_COUNT,
            scenes=tuple(kept),
            scene=saved.scene % len(kept),
            history=replace(
                self.moment.history,
                past=attempt("undo", lambda: tuple(map(ours, saved.undo)), self.moment.history.past),
            ),
            draws=saved.draws,
        )
        self.moment = attempt("the song", lambda: scenes.set_song(moment, SongSet(saved.song)), moment)
        return ", ".join(left_out)

    def _hear(self, now_ns: int) -> None:
        reports = self._delivery.hear()
        for report in reports:
            self._beat = self._beat.heard(report).struck(self._step_frames(report))
            self._triggers = (*self._triggers, *report.triggers)[-TRIGGERS_SHOWN:]
        if not reports:
            return
        peaks = tuple(map(max, zip(*(report.peaks for report in reports), strict=True)))
        self._report = replace(reports[-1], peaks=peaks)
        if self._fresh_link:
            self._fresh_link = False
            self._meet(reports[-1], now_ns)

    def _step_frames(self, report: Report) -> list[float]:
        """Where step 0 lies, as each hit of the pattern has it."""
        told = (self._told, self._delivery.pattern_ident)
        if told[0] is not self._calm[0] or told[1] != self._calm[1]:
            self._calm, self._calm_from = told, report.frame + int(CALM_SECONDS * self.health.sample_rate)
        if not report.triggers or report.frame < self._calm_from:
            return []
        state, offsets, frames_per_step = self.moment.state, self._delivery.pattern.offsets, self._beat.frames_per_step
        swing, humanize, length = state.value("swing") / 2, state.value("humanize"), state.value("length")
        found = []
        for hit in report.triggers:
            if hit.step >= 0:
                cell = hit.step % int(min(length, state.value("voice_length", hit.voice)))
                place = hit.step + (swing if hit.step & 1 else 0.0) + humanize * float(offsets[cell, hit.voice])
                found.append(hit.frame - place * frames_per_step)
        return found

    def _meet(self, report: Report, now_ns: int) -> None:
        """The first report of a link: an audio half that plays is taken over as it is, a silent one is started."""
        wanted = self.moment.playing if self._attached_before else report.playing or self._begin
        self._starts_by = None if report.playing or not wanted else now_ns + LONGEST_SILENCE_NS
        take = self.moment.take if report.playing else None  # steps count from 0 again: it would never end
        if take is not self.moment.take:
            self._message = "learning stopped: the audio process was started again"
        self.moment = replace(self.moment, playing=wanted, take=take)

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
        return Here(self.maps, self.bundle, self._delivery.pattern, self._beat.place_at(heard_ns), self.settings)

    def _obey(self, now_ns: int) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            event = replace(event, at_ns=event.at_ns or now_ns)
            before = self.moment
            try:
                if isinstance(event, CcReceived) and before.cc_learn is not None:
                    self._bind(event)
                else:
                    self.moment, commands = respond(before, event, self._here(event.at_ns))
                    self._delivery.say(commands)
            except LatidoError as error:
                self._message = str(error)
            self._after(before)
        before = self.moment
        self.moment, commands = pass_time(before, now_ns, self._here(now_ns))
        self._delivery.say(commands)
        self._after(before)

    def _after(self, before: Moment) -> None:
        """What an event leaves to be done beside the state."""
        if self.moment is before:
            return
        if self.moment.message:
            self._message, self.moment = self.moment.message, replace(self.moment, message="")
        if self.moment.tried_from is not before.tried_from:
            self._sounds.pin(self.moment.tried_from)
        if self.moment.scenes is not self._scenes:
            self._keep_kits(self._scenes)
            self._scenes = self.moment.scenes

    def _bind(self, event: CcReceived) -> None:
        self.moment, binding = bind_cc(self.moment, event)
        self.settings = self.settings.with_cc(binding)
        self._bound(binding)

    def _keep_kits(self, before: tuple[Scene | None, ...]) -> None:
        """A scene was saved or cleared: its sounds are kept, those of no scene forgotten."""
        for old, scene in zip(before, self.moment.scenes, strict=True):
            if scene is not None and scene is not old:
                self._ask_sounds()
                self._sounds.capture(scene.kit, scene.state, self._delivery)
        states = (self.moment.state, self.moment.lasting, *self.moment.history.past, *self.moment.history.future)
        named = {scene.kit for scene in self.moment.scenes if scene is not None}
        self._sounds.kits.forget(named | {state.stored for state in states})

    def _follow(self, now_ns: int) -> None:
        """What belongs to a bar line: a take ends, a scene comes, a song goes on."""
        place = self._beat.place_at(now_ns)
        take = self.moment.take
        if take is not None and self._beat.playing and take.finished(place):
            self._finish_take(take, now_ns)
        self.moment = scenes.follow_song(self.moment)
        pending = self.moment.pending
        if pending is None:
            return
        scene = self.moment.scenes[pending]
        if scene is not None:
            self._sounds.read_ahead(scene.kit, scene.state, own=scene.bundle == self.bundle)
        if not self._beat.playing:
            if not self.moment.playing:
                self._recall(now_ns)
            return
        step = self.moment.pending_step
        if step is None and near_bar(place):
            step = (int(place) // STEPS_PER_BAR + 1) * STEPS_PER_BAR
        if step is None or place < step - LEAD_STEPS:
            return
        self._delivery.hold_until(round(self._beat.frame_of(step)) - SURE_FRAMES)
        in_song = self.moment.song_at >= 0
        self._recall(now_ns)
        if in_song:
            self.moment = scenes.entered(self.moment, step)

    def _recall(self, now_ns: int) -> None:
        before = self.moment
        self.moment = scenes.recall(before, self.bundle, now_ns)
        scene = None if before.pending is None else self.moment.scenes[before.pending]
        if scene is not None and scene.bundle == self.bundle:
            self._sounds.capture(scene.kit, scene.state, self._delivery)
        self._sounds.arrived()
        self._after(before)

    def _finish_take(self, take: learn.Take, now_ns: int) -> None:
        self.moment = replace(self.moment, take=None)
        if not take.hits:
            self._message = "nothing was played: the beat goes on as before"
            return
        state = with_hits(self.moment.state, learn.grid_of(take))
        self.moment = replace(changed(self.moment, state, self.maps, "", now_ns), message="")
        self._message = "learned: X, Y and STYLE go on from here"

    # -- models --------------------------------------------------------------------------------------

    def _ask(self, now_ns: int) -> None:
        self._rhythm.want(self.moment, self._beat.place_at(now_ns), self._delivery)
        if self.moment.state is not self._told:
            self._told = self.moment.state
            self._ask_sounds()
            self._delivery.params(engine_params(self._told))

    def _ask_sounds(self) -> None:
        self._sounds.want(self.moment.state, self.moment.voice, self._delivery)

    def _collect(self, now_ns: int) -> None:
        for answer in self._worker.answers():
            match answer:
                case Decoded():
                    self._rhythm.decoded(answer, self._beat.place_at(now_ns), self._delivery)
                case Rendered():
                    self._sounds.rendered(answer, self._delivery)
                case Encoded():
                    self.moment = replace(self.moment, state=self._rhythm.encoded(answer, self.moment.state))
                case Failed():
                    self._message = answer.text
        self._sounds.follow(self._delivery)
        self._message = self._sounds.kits.trouble() or self._message

    # -- what is seen --------------------------------------------------------------------------------

    def _shown(self, now_ns: int) -> View:
        report = self._report or Report()
        health = replace(
            self.health,
            late_blocks=report.late_blocks,
            underruns=report.underruns,
            load=report.load,
            alive=self._delivery.link.alive,
        )
        place = self._beat.place_at(now_ns)
        view = self._picture.view(self.moment, self._delivery, self._sounds, report, place, self.settings)
        return replace(
            view,
            triggers=self._triggers,
            message=self._message,
            bundle=self.bundle,
            recording=self.recording,
            audio=health,
        )
