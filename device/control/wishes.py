"""From what the player set to what the models are asked for.

A wish is a plain value: the same state asks for the same latent to the last bit, which is what makes
undo, TEMP and scenes exact. The way of a pattern:

    X, Y (+ drift) -> rhythm map, or corners -> latent + offset ┐
    STYLE, corners, morph (+ FILL) -----------> style weights   ┴-> rhythm decoder -> PatternGrid

and of a sound: TONE X, TONE Y -> map of its class (+ what makes the kit's sound that exact sound, fading
as the place leaves it), BRIGHT and the upper part of DECAY along their directions, blended by COUPLE
into the kit that suits this place on the rhythm map.
"""

import math
from typing import Final

import numpy as np

from device.contract.latent import Maps, interpolate
from device.contract.pattern import FloatArray
from device.contract.voices import CLASS_INDEX, SOUND_CLASSES
from device.control.params import longer_decay
from device.control.state import PlayerState
from device.models.background import PatternWish, SoundWish

INTENSITIES: Final = (0.3, 0.65, 1.0)  # velocity layers, soft to hard
STYLE_REST: Final = 0.2  # share of the way between two styles that still is the pure style, at either end
DRIFT_REACH: Final = 0.35  # of the map's side, at full DRIFT
KIT_REACH: Final = 0.25  # of the sound map's side, over which a kit's exact sound gives way to the map


def style_weights(position: float, styles: int) -> FloatArray:
    """(S,) weights of the knob position: pure styles with a resting place each, blends between; "fill" is 0."""
    weights = np.zeros(styles, np.float32)
    place = position * (styles - 2)
    left = min(int(place), max(styles - 3, 0))
    share = min(max((place - left - STYLE_REST) / (1 - 2 * STYLE_REST), 0.0), 1.0)
    weights[left] = 1.0 - share
    weights[min(left + 1, styles - 2)] += share
    return weights


def filled(weights: FloatArray) -> FloatArray:
    """(S,) the same style, asked for a fill."""
    half = (weights * np.float32(0.5)).astype(np.float32)
    half[-1] += np.float32(0.5)
    return half


def nearest_style(position: float, styles: int) -> int:
    """The style that weighs most at this knob position."""
    return int(np.argmax(style_weights(position, styles)))


def drifted(state: PlayerState, bar: int) -> tuple[float, float]:
    """Place on the rhythm map in this bar. Drift is a function of seed and bar alone, and starts from rest.

    Two slow sines per axis whose periods (in bars) have no common multiple a player would notice.
    """
    amount = state.value("drift") * DRIFT_REACH
    x, y = state.position("x"), state.position("y")
    if amount == 0.0:
        return x, y
    phase = (state.seed * 0.618034) % 1.0 * 2 * math.pi

    def walk(turn: float) -> float:
        return 0.6 * math.sin(bar / 2.9 + turn) + 0.4 * math.sin(bar / 7.3 + 2 * turn)

    move_x, move_y = (walk(phase + quarter) for quarter in (0.0, math.pi / 2))
    return _folded(x + amount * move_x), _folded(y + amount * move_y)


def _folded(place: float) -> float:
    """A walk that meets the border of the map turns back."""
    return min(abs(place), 1.0) if place <= 1.0 else max(2.0 - place, 0.0)


def rhythm_base(state: PlayerState, maps: Maps, x: float, y: float) -> FloatArray:
    """(Z,) the latent of a place on the map that is up: the learned one, or the square between four scenes."""
    if state.map_kind == "learned":
        return interpolate(maps.rhythm_nodes, x, y)
    nodes = maps.rhythm_nodes[:: max(len(maps.rhythm_nodes) - 1, 1), :: max(maps.rhythm_nodes.shape[1] - 1, 1)]
    square = np.array(nodes)  # (2, 2, Z): an empty corner is the learned map's
    for index, corner in enumerate(state.corners):
        if corner is not None:
            square[index // 2, index % 2] = corner.latent
    return interpolate(square, x, y)


def rhythm_style(state: PlayerState, styles: int, x: float, y: float) -> FloatArray:
    """(S,) the style weights at a place: STYLE's, the scenes' in the corners, or what the morph left."""
    if state.mix:
        return np.asarray(state.mix, np.float32)
    weights = style_weights(state.position("style"), styles)
    if state.map_kind == "learned" or not any(state.corners):
        return weights
    square = np.broadcast_to(weights, (2, 2, styles)).copy()
    for index, corner in enumerate(state.corners):
        if corner is not None:
            square[index // 2, index % 2] = corner.style
    return interpolate(square, x, y)


def rhythm_place(state: PlayerState, maps: Maps, x: float, y: float) -> tuple[FloatArray, FloatArray]:
    """Latent (Z,), the player's offset included, and style weights (S,) at a place."""
    latent = rhythm_base(state, maps, x, y)
    if state.offset:
        latent = latent + np.asarray(state.offset, np.float32)
    return latent, rhythm_style(state, maps.node_styles.shape[-1], x, y)


def pattern_wish(state: PlayerState, maps: Maps, *, fill: bool = False, bar: int = 0) -> PatternWish:
    """What the rhythm decoder is asked for."""
    latent, weights = rhythm_place(state, maps, *drifted(state, bar))
    return PatternWish(latent=values_of(latent), style=values_of(filled(weights) if fill else weights))


def map_kit(maps: Maps, x: float, y: float, voice: int) -> tuple[str, FloatArray]:
    """Sound class and latent (W,) of the kit that suits this place on the rhythm map."""
    weights = interpolate(maps.node_styles, x, y)
    classes = maps.kit_classes[:, voice]
    totals = np.bincount(classes, weights=weights, minlength=len(SOUND_CLASSES))
    chosen = int(np.argmax(totals))
    share = np.where(classes == chosen, weights, np.float32(0.0)).astype(np.float32)
    latent = share @ maps.kit_latents[:, voice] / max(float(share.sum()), 1e-6)
    return SOUND_CLASSES[chosen], np.asarray(latent, np.float32)


def own_latent(state: PlayerState, maps: Maps, voice: int) -> FloatArray:
    """(W,) the latent of the player's sound: the map at TONE X, TONE Y, exact where the kit's sound lies."""
    sound_class = CLASS_INDEX[state.classes[voice]]
    nodes = maps.sound_nodes[sound_class]
    x, y = state.position("tone_x", voice), state.position("tone_y", voice)
    latent = interpolate(nodes, x, y)
    if int(maps.kit_classes[state.kit, voice]) != sound_class:
        return latent
    kit_x, kit_y = (float(place) for place in maps.kit_places[state.kit, voice])
    near = max(0.0, 1.0 - math.hypot(x - kit_x, y - kit_y) / KIT_REACH)
    exact = maps.kit_latents[state.kit, voice] - interpolate(nodes, kit_x, kit_y)
    return np.asarray(latent + np.float32(near) * exact, np.float32)


def sound_wish(state: PlayerState, maps: Maps, voice: int) -> SoundWish:
    """What the sound decoder is asked for, for one voice."""
    name, latent = state.classes[voice], own_latent(state, maps, voice)
    couple = state.value("couple")
    if couple > 0.0:
        map_name, map_latent = map_kit(maps, state.position("x"), state.position("y"), voice)
        if map_name == name:
            latent = latent + np.float32(couple) * (map_latent - latent)
        elif couple >= 0.5:  # two classes do not share a latent space: half way, the other sound takes over
            name, latent = map_name, map_latent
    index = CLASS_INDEX[name]
    latent = latent + np.float32(state.value("bright", voice)) * maps.sound_bright[index]
    latent = latent + np.float32(longer_decay(state.position("decay", voice))) * maps.sound_decay[index]
    return SoundWish(
        sound_class=name,
        latent=values_of(latent),
        intensities=INTENSITIES,
        semitones=state.value("tune", voice),
    )


def values_of(array: FloatArray) -> tuple[float, ...]:
    """An array as a value that can be compared and kept."""
    return tuple(float(value) for value in array)
