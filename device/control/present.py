"""From the Moment to what the player sees: positions, values in words, lights, the style's name."""

import math
from typing import Final

import numpy as np

from device.contract.latent import Maps
from device.contract.pattern import STEPS_PER_BAR, STEPS_PER_BEAT, FloatArray
from device.control.delivery import Delivery
from device.control.learn import Take
from device.control.moment import Moment
from device.control.sounds import Sounds
from device.control.state import PlayerState
from device.control.store import Scene
from device.control.view import View
from device.control.wishes import drifted, rhythm_style
from device.engine.records import Report
from device.panel.events import BUTTONS
from device.parameters import PARAMETERS, Parameter
from device.settings import Settings

WAVE_PEAKS: Final = 128
CAUGHT: Final = 0.005  # a hand this near to its value holds it
SHOWN_STYLE_SHARE: Final = 0.05  # a style with less than this is not named


def positions(state: PlayerState) -> dict[str, float | tuple[float, ...]]:
    """Parameter -> knob position 0..1, nine of them if per voice."""
    return {**state.globals, **state.voices}


def texts(state: PlayerState, voice: int, style: str) -> dict[str, str]:
    """Parameter -> value as the player reads it, of the chosen voice."""
    return {entry.name: in_words(entry, state.value(entry.name, voice)) for entry in PARAMETERS} | {"style": style}


def in_words(entry: Parameter, value: float) -> str:
    """A value as the player reads it: with its unit, as a percentage, as left and right."""
    if entry.name == "mute":
        return "muted" if value else "plays"
    if entry.name == "pan":
        share = round(abs(value) * 100)
        return "centre" if share == 0 else f"{share} {'left' if value < 0 else 'right'}"
    if entry.unit == "semitones":
        return f"{value:+.1f} semitones"
    if entry.unit:
        return f"{value:.1f} {entry.unit}" if not entry.whole else f"{value:.0f} {entry.unit}"
    return f"{value * 100:+.0f} %" if entry.low < 0 else f"{value * 100:.0f} %"


def style_name(weights: FloatArray, styles: tuple[str, ...]) -> str:
    """ "funk", or "funk 70 jazz 30" between two."""
    named = [(name, float(weight)) for name, weight in zip(styles, weights, strict=True) if weight >= SHOWN_STYLE_SHARE]
    if len(named) == 1:
        return named[0][0]
    return " ".join(f"{name} {round(weight * 100)}" for name, weight in named)


def wave(layer: FloatArray) -> tuple[float, ...]:
    """A sound's outline: WAVE_PEAKS peaks 0..1 of stretches of equal length."""
    edges = np.linspace(0, len(layer), WAVE_PEAKS + 1).astype(np.intp)[:-1]
    peaks = np.maximum.reduceat(np.abs(layer), np.minimum(edges, len(layer) - 1))
    return tuple(round(float(peak), 3) for peak in peaks)


def learn_words(take: Take | None, place: float) -> str:
    """ "counting 3" (beats left), "recording", or nothing."""
    if take is None:
        return ""
    if not take.counting_in(place):
        return "recording"
    return f"counting {max(math.ceil((take.first_step - place) / STEPS_PER_BEAT), 1)}"


class Picture:
    """Makes Views; what is dear and seldom changes is kept from one to the next."""

    def __init__(self, maps: Maps, styles: tuple[str, ...]) -> None:
        self._maps, self._styles = maps, styles
        self._state: PlayerState | None = None
        self._voice, self._style = -1, ""
        self._texts: dict[str, str] = {}
        self._scenes: tuple[Scene | None, ...] = ()
        self._scene_styles: tuple[str, ...] = ()
        self._wave: tuple[float, ...] = ()
        self._wave_of: object = None
        self._wave_ident = 0

    def view(
        self, moment: Moment, delivery: Delivery, sounds: Sounds, report: Report, place: float, settings: Settings
    ) -> View:
        """The View of a Moment, but for what only the loop knows."""
        self._look(moment)
        self._look_at_sound(delivery, moment.voice)
        state = moment.state
        knobs = tuple(settings.knob(moment.page, number + 1).name for number in range(8))
        classes = [wish.sound_class if wish else own for wish, own in zip(sounds.wanted, state.classes, strict=True)]
        return View(
            playing=moment.playing,
            tempo_bpm=report.tempo_bpm or state.value("tempo"),
            step=report.step,
            frame=report.frame,
            page=moment.page,
            voice=moment.voice,
            positions=positions(state),
            texts=self._texts,
            pattern=delivery.pattern,
            pattern_ident=delivery.pattern_ident,
            lights=lights(moment, place=place, playing=moment.playing),
            peaks=report.peaks,
            styles=self._styles,
            style=self._style,
            sound_classes=tuple(classes),
            scene=moment.scene,
            scenes_saved=tuple(scene is not None for scene in moment.scenes),
            next_scene=-1 if moment.pending is None else moment.pending,
            undo_depth=len(moment.history.past),
            place=drifted(state, int(place // STEPS_PER_BAR)),
            map_kind=state.map_kind,
            corners=tuple(None if corner is None else corner.scene for corner in state.corners),
            kept_a=state.a is not None,
            kept_b=state.b is not None,
            knobs=knobs,
            hands=moment.hands,
            taking_over=tuple(
                hand is not None and abs(hand - state.position(name, moment.voice)) > CAUGHT
                for hand, name in zip(moment.hands, knobs, strict=True)
            ),
            wave=self._wave,
            wave_ident=self._wave_ident,
            tones=tuple(zip(state.voices["tone_x"], state.voices["tone_y"], strict=True)),
            own=state.own,
            cursor=-1 if moment.cursor is None else moment.cursor,
            edited=state.kept is not None,
            editing=state.kept is not None and not state.placed,
            song=moment.song,
            song_at=moment.song_at,
            scenes_info=self._scene_styles,
            learn=learn_words(moment.take, place),
            cc_learn="" if moment.cc_learn is None else moment.cc_learn.parameter,
        )

    def _look(self, moment: Moment) -> None:
        if moment.state is not self._state or moment.voice != self._voice:
            self._state, self._voice = moment.state, moment.voice
            self._style = self._style_of(moment.state)
            self._texts = texts(moment.state, moment.voice, self._style)
        if moment.scenes is not self._scenes:
            self._scenes = moment.scenes
            self._scene_styles = tuple("" if s is None else self._style_of(s.state) for s in moment.scenes)

    def _look_at_sound(self, delivery: Delivery, voice: int) -> None:
        said = delivery.sounds[voice]
        layers = None if said is None else said.layers
        if layers is not self._wave_of:
            self._wave_of, self._wave_ident = layers, self._wave_ident + 1
            self._wave = () if layers is None else wave(layers[-1])

    def _style_of(self, state: PlayerState) -> str:
        weights = rhythm_style(state, len(self._styles), state.position("x"), state.position("y"))
        return style_name(weights, self._styles)


def lights(moment: Moment, *, place: float, playing: bool) -> dict[str, str]:
    """Button -> "off", "dim", "on" or "blink"."""
    shown = dict.fromkeys(BUTTONS, "off")
    shown["PLAY"] = "on" if playing else "dim"
    shown["NEW"] = "on" if moment.buttons.is_down("NEW") else "off"
    shown["FILL"] = "on" if moment.filling else "off"
    shown["TEMP"] = "blink" if moment.tried_from is not None else "off"
    shown["VOICE"] = "dim" if moment.state.value("mute", moment.voice) else "on"
    any_scene = any(scene is not None for scene in moment.scenes)
    coming = moment.pending is not None and moment.song_at < 0
    shown["SCENE"] = "blink" if coming else "on" if moment.song_at >= 0 else "dim" if any_scene else "off"
    shown["LEARN"] = _learn_light(moment.take, place)
    shown["SHIFT"] = "on" if moment.page == "shift" else "off"
    return shown


def _learn_light(take: Take | None, place: float) -> str:
    if take is None:
        return "off"
    return "blink" if take.counting_in(place) else "on"
