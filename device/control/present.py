"""From the Moment to what the player sees: positions, values in words, lights, the style's name."""

from typing import Final

from device.contract.pattern import FloatArray
from device.control.instrument import Moment
from device.control.learn import Take
from device.control.state import PlayerState
from device.control.wishes import style_weights
from device.panel.events import BUTTONS
from device.parameters import PARAMETERS, Parameter

SHOWN_STYLE_SHARE: Final = 0.05  # a style with less than this is not named


def positions(state: PlayerState) -> dict[str, float | tuple[float, ...]]:
    """Parameter -> knob position 0..1, nine of them if per voice."""
    return {**state.globals, **state.voices}


def texts(state: PlayerState, voice: int, styles: tuple[str, ...]) -> dict[str, str]:
    """Parameter -> value as the player reads it, of the chosen voice."""
    words = {entry.name: in_words(entry, state.value(entry.name, voice)) for entry in PARAMETERS}
    words["style"] = style_name(style_weights(state.position("style"), len(styles)), styles)
    return words


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


def lights(moment: Moment, *, place: float, playing: bool) -> dict[str, str]:
    """Button -> "off", "dim", "on" or "blink"."""
    shown = dict.fromkeys(BUTTONS, "off")
    shown["PLAY"] = "on" if playing else "dim"
    shown["NEW"] = "on" if moment.buttons.is_down("NEW") else "off"
    shown["FILL"] = "on" if moment.filling else "off"
    shown["TEMP"] = "blink" if moment.tried_from is not None else "off"
    shown["VOICE"] = "dim" if moment.state.value("mute", moment.voice) else "on"
    any_scene = any(scene is not None for scene in moment.scenes)
    shown["SCENE"] = "blink" if moment.pending is not None else "dim" if any_scene else "off"
    shown["LEARN"] = _learn_light(moment.take, place)
    shown["SHIFT"] = "on" if moment.page == "shift" else "off"
    return shown


def _learn_light(take: Take | None, place: float) -> str:
    if take is None:
        return "off"
    return "blink" if take.counting_in(place) else "on"
