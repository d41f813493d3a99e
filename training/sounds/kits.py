"""A kit for every style: which sound class each voice plays and which of its sounds suits.

A style is a table of wishes (class, how bright, how long, in standard deviations from the class's middle);
the sound that comes nearest to the wish is taken. An unknown style gets a plain acoustic kit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.contract.latent import interpolate
from device.contract.voices import CLASS_INDEX, VOICES
from training.sounds.layout import SoundMap

PLACES = 29  # fineness at which a kit's place on the map is looked for


@dataclass(frozen=True, slots=True)
class Wish:
    """A sound somebody would like: a class, and how bright and long compared with others of it."""

    sound_class: str
    bright: float = 0.0
    decay: float = 0.0
    real: float = 0.0  # above 0 prefers recordings, below 0 our synthesizer


Kit = dict[str, Wish]


def _kit(bright: float, decay: float, real: float, **others: Wish) -> Kit:
    kit = {voice.name: Wish(voice.name, bright, decay, real) for voice in VOICES}
    return kit | others


DEFAULT_KIT = _kit(0.0, 0.0, 1.0)
# looked up by the first name that is part of the style's name
KITS: dict[str, Kit] = {
    "rock": _kit(0.2, 0.3, 1.0),
    "punk": _kit(0.6, 0.2, 1.0),
    "jazz": _kit(-0.3, 0.2, 1.0, kick=Wish("kick", 0.3, -0.5, 1), snare=Wish("snare", -0.3, 0.3, 1)),
    "funk": _kit(0.3, -0.6, 1.0, snare=Wish("snare", 0.6, -0.5, 1)),
    "soul": _kit(-0.2, -0.2, 1.0),
    "gospel": _kit(0.2, 0.4, 1.0),
    "latin": _kit(0.2, -0.2, 0.5, snare=Wish("rim", 0, 0, 1), ride=Wish("cowbell"), high_tom=Wish("perc", 0.5, 0, 1)),
    "afro": _kit(0.0, -0.2, 0.5, snare=Wish("rim"), low_tom=Wish("perc", -1, 0, 1), high_tom=Wish("perc", 0.3, 0, 1)),
    "reggaeton": _kit(0.3, -0.3, 0.0, kick=Wish("kick", 0.2, 0.0), snare=Wish("snare", 0.5, -0.5)),
    "reggae": _kit(-0.3, -0.3, 0.5, snare=Wish("rim", 0, 0, 1)),
    "hiphop": _kit(-0.4, -0.3, 0.5, kick=Wish("kick", -0.2, 0.3)),
    "trap": _kit(0.6, -0.4, -0.5, kick=Wish("kick", -0.8, 1.6), snare=Wish("clap", 0.2, 0.0),
                 closed_hat=Wish("closed_hat", 0.8, -0.8), ride=Wish("cowbell")),
    "house": _kit(0.2, 0.0, -0.3, kick=Wish("kick", 0.0, 0.0), snare=Wish("clap", 0.0, 0.2),
                  open_hat=Wish("open_hat", 0.3, 0.0), high_tom=Wish("perc")),
    "techno": _kit(-0.2, 0.0, -0.8, kick=Wish("kick", -0.3, 0.6), snare=Wish("clap", 0.3, -0.3),
                   closed_hat=Wish("closed_hat", 0.5, -0.5), high_tom=Wish("perc", 0.6, -0.5), low_tom=Wish("rim")),
    "drum_and_bass": _kit(0.6, -0.4, 0.3, kick=Wish("kick", 0.6, -0.4), snare=Wish("snare", 0.8, 0.0)),
    "breakbeat": _kit(0.3, -0.2, 0.8, snare=Wish("snare", 0.4, 0.2, 1)),
    "electro": _kit(0.3, 0.0, -1.0, kick=Wish("kick", -0.4, 0.8), snare=Wish("snare", 0.3, 0.0, -1),
                    ride=Wish("cowbell"), high_tom=Wish("clap")),
    "garage": _kit(0.4, -0.6, 0.0, snare=Wish("rim", 0.2, 0.0), high_tom=Wish("clap", 0.2, -0.3)),
    "disco": _kit(0.3, 0.0, 0.5, open_hat=Wish("open_hat", 0.5, 0.0), high_tom=Wish("clap")),
    "dubstep": _kit(0.4, 0.3, -0.3, kick=Wish("kick", -0.2, 0.8), snare=Wish("snare", 0.6, 0.8)),
    "footwork": _kit(0.2, -0.3, -0.5, kick=Wish("kick", -0.6, 1.0), snare=Wish("rim"), high_tom=Wish("clap")),
}  # fmt: skip
ALIASES = {"dnb": "drum_and_bass", "jungle": "breakbeat", "2step": "garage", "hip_hop": "hiphop", "drum_bass": "drum_and_bass",
           "bossa": "latin", "samba": "latin", "dancehall": "reggaeton", "neworleans": "funk", "blues": "jazz",
           "pop": "rock", "country": "rock", "highlife": "afro", "middleeastern": "afro"}  # fmt: skip


def kit_of(style: str) -> Kit:
    """The kit of a style's name, however it is spelt; unknown names get the default kit."""
    plain = style.lower().replace("-", "_").replace(" ", "_").replace("drum'n'bass", "drum_and_bass")
    squeezed = plain.replace("_", "")
    for name, kit in KITS.items():
        if name.replace("_", "") in squeezed:
            return kit
    for alias, name in ALIASES.items():
        if alias.replace("_", "") in squeezed:
            return KITS[name]
    return DEFAULT_KIT


def build_kits(
    sound_map: SoundMap, styles: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Kits of all styles: classes (S, V), places (S, V, 2) as x, y in 0..1, latents (S, V, W)."""
    shape = (len(styles), len(VOICES))
    classes = np.zeros(shape, np.int64)
    places = np.zeros((*shape, 2), np.float32)
    latents = np.zeros((*shape, sound_map.pool_latents.shape[1]), np.float32)
    for row, style in enumerate(styles):
        kit = kit_of(style)
        for voice in VOICES:
            wish = kit[voice.name]
            classes[row, voice.index] = CLASS_INDEX[wish.sound_class]
            latent = _grant(sound_map, wish)
            latents[row, voice.index] = latent
            places[row, voice.index] = place_of(sound_map.sound_nodes[CLASS_INDEX[wish.sound_class]], latent)
    return classes, places, latents


def _grant(sound_map: SoundMap, wish: Wish) -> npt.NDArray[np.float32]:
    """The latent (W,) of the sound nearest to a wish; oddities far from all others count as further away."""
    chosen = np.flatnonzero(sound_map.pool_classes == CLASS_INDEX[wish.sound_class])
    latents = sound_map.pool_latents[chosen]
    score = np.zeros(len(chosen))
    for values, target in ((sound_map.pool_bright[chosen], wish.bright), (sound_map.pool_decay[chosen], wish.decay)):
        score += ((values - np.median(values)) / max(float(values.std()), 1e-6) - target) ** 2
    score -= wish.real * np.where(sound_map.pool_real[chosen], 0.5, -0.5)
    oddity = ((latents - latents.mean(0)) ** 2).sum(1) / max(float(latents.var(0).sum()), 1e-6)
    return np.asarray(latents[int((score + 0.3 * oddity).argmin())])


def place_of(nodes: npt.NDArray[np.float32], latent: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The place (x, y) in 0..1 on a map (H, H, W) whose latent comes nearest."""
    steps = np.linspace(0.0, 1.0, PLACES)
    gaps = [(float(((interpolate(nodes, x, y) - latent) ** 2).sum()), x, y) for y in steps for x in steps]
    _, x, y = min(gaps)
    return float(x), float(y)
