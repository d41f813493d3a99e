"""Which sound each voice should have, and how it comes: from memory, from a stored kit, from the model.

    state --> wish of each voice --+--> played before: the same layers again, at once
                                   +--> a stored kit (a scene of another bundle): its layers
                                   +--> else the model is asked; what plays goes on until it answers

The newest sounds are kept by their wish, up to ``CACHE_BYTES``; those that TEMP goes back to are never
dropped. An answer to a wish that is over is remembered, but not played when the wanted sound already is.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from device.contract.latent import Maps
from device.contract.pattern import FloatArray
from device.contract.voices import VOICE_COUNT
from device.control.delivery import Delivery
from device.control.kits import Kit, Kits
from device.control.state import PlayerState
from device.control.wishes import sound_wish
from device.models.background import Rendered, SoundWish

CACHE_BYTES: Final = 16 * 2**20

Layers = tuple[FloatArray, ...]


class SoundCache:
    """The newest sounds by their wish, ``limit_bytes`` of them; ``pinned`` ones stay."""

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._layers: OrderedDict[SoundWish, Layers] = OrderedDict()
        self.bytes = 0
        self.pinned: frozenset[SoundWish] = frozenset()

    def get(self, wish: SoundWish) -> Layers | None:
        """The layers, if they are still there."""
        layers = self._layers.get(wish)
        if layers is not None:
            self._layers.move_to_end(wish)
        return layers

    def put(self, wish: SoundWish, layers: Layers) -> None:
        """Remember them; the longest unused are dropped."""
        if wish not in self._layers:
            self.bytes += _size(layers)
        self._layers[wish] = layers
        self._layers.move_to_end(wish)
        for old in [old for old in self._layers if old not in self.pinned and old != wish]:
            if self.bytes <= self._limit:
                return
            self.bytes -= _size(self._layers.pop(old))


def _size(layers: Layers) -> int:
    return sum(layer.nbytes for layer in layers)


@dataclass(slots=True)
class _Capture:
    """A kit to be kept as soon as its sounds are there."""

    wishes: tuple[SoundWish, ...]
    layers: dict[int, Layers]


class Sounds:
    """The nine voices' wishes, and what was played of them."""

    def __init__(self, maps: Maps, ask: Callable[[int, SoundWish], None], kits: Kits) -> None:
        self._maps, self._ask, self.kits = maps, ask, kits
        self.cache = SoundCache()
        self.wanted: list[SoundWish | None] = [None] * VOICE_COUNT
        self._stored: list[str] = [""] * VOICE_COUNT  # kit the wanted sound comes from
        self._satisfied = [False] * VOICE_COUNT  # the wanted sound was said
        self._captures: dict[str, _Capture] = {}
        self._ahead = ""  # the kit read ahead last

    def arrived(self) -> None:
        """The scene that was read ahead for is there."""
        self._ahead = ""

    def want(self, state: PlayerState, chosen: int, delivery: Delivery) -> None:
        """What the state asks for. The voice under the hand is asked for last: the newest is served first."""
        for voice in sorted(range(VOICE_COUNT), key=lambda voice: (voice == chosen, -voice)):
            wish = sound_wish(state, self._maps, voice)
            stored = state.stored if state.stored_voices[voice] and self.kits.has(state.stored) else ""
            if wish != self.wanted[voice] or stored != self._stored[voice]:
                self.wanted[voice], self._stored[voice], self._satisfied[voice] = wish, stored, False
                if not self._serve(voice, delivery) and not stored:
                    self._ask(voice, wish)

    def pin(self, state: PlayerState | None) -> None:
        """Never forget the sounds of this state (TEMP goes back to it)."""
        wishes = (sound_wish(state, self._maps, voice) for voice in range(VOICE_COUNT)) if state else ()
        self.cache.pinned = frozenset(wishes)

    def rendered(self, answer: Rendered, delivery: Delivery) -> None:
        """The model answered."""
        self.cache.put(answer.wish, answer.layers)
        voice = answer.voice
        if not self._stored[voice] and not self._satisfied[voice]:
            self._satisfied[voice] = answer.wish == self.wanted[voice]
            delivery.sound(answer)

    def follow(self, delivery: Delivery) -> None:
        """Stored kits that have been read meanwhile; kits whose last sound has come."""
        for voice in range(VOICE_COUNT):
            wish, stored = self.wanted[voice], self._stored[voice]
            if not stored or wish is None or self._satisfied[voice] or self._serve(voice, delivery):
                continue
            if not self.kits.has(stored):  # it could not be read: the model's sound is better than another's
                self._stored[voice] = ""
                self._ask(voice, wish)
        for ident, capture in tuple(self._captures.items()):
            if (kit := self._complete(capture)) is not None:
                self.kits.keep(ident, kit)
                del self._captures[ident]

    def capture(self, ident: str, state: PlayerState, delivery: Delivery) -> None:
        """Keep the kit of this state, now or when its sounds have come."""
        if not ident or self.kits.has(ident) or ident in self._captures:
            return
        capture = _Capture(tuple(sound_wish(state, self._maps, voice) for voice in range(VOICE_COUNT)), {})
        for voice in range(VOICE_COUNT):
            said = delivery.sounds[voice]
            if state.stored_voices[voice] and said is not None and self._satisfied[voice]:
                capture.layers[voice] = said.layers
        self._captures[ident] = capture

    def read_ahead(self, ident: str, state: PlayerState, *, own: bool) -> None:
        """Have a kit at hand for the bar line at which its scene comes; ``own``: made by the model that is loaded."""
        if ident == self._ahead:
            return
        kit = self.kits.find(ident) if ident else None
        if kit is None:
            return
        self._ahead = ident
        for voice in range(VOICE_COUNT) if own else ():
            if not state.stored_voices[voice]:
                self.cache.put(sound_wish(state, self._maps, voice), kit[voice])

    def _serve(self, voice: int, delivery: Delivery) -> bool:
        wish, stored = self.wanted[voice], self._stored[voice]
        if wish is None:
            return False
        if stored:
            kit = self.kits.find(stored)
            layers = None if kit is None else kit[voice]
        else:
            layers = self.cache.get(wish)
        if layers is None:
            return False
        self._satisfied[voice] = True
        delivery.sound(Rendered(voice, wish, layers))
        return True

    def _complete(self, capture: _Capture) -> Kit | None:
        for voice, wish in enumerate(capture.wishes):
            if voice not in capture.layers and (layers := self.cache.get(wish)) is not None:
                capture.layers[voice] = layers
        if len(capture.layers) < VOICE_COUNT:
            return None
        return tuple(capture.layers[voice] for voice in range(VOICE_COUNT))
