"""Nine voices: which sound a hit plays, how hard, and whom it silences.

hit (voice, velocity) -> chokes (closed hat: open hat) -> fades the voice's own last hit
                      -> layers by velocity and FOLLOW -> one stream each (see streams.py)
"""

import math
from typing import Final

import numpy as np

from device.contract.pattern import FloatArray
from device.contract.voices import VOICE_COUNT, VOICES
from device.engine.ramp import Ramp
from device.engine.records import MAX_LAYERS, SLOT_COUNT, SLOT_FRAMES, Params, Sound
from device.engine.streams import HITS_PER_VOICE, Streams
from device.errors import LinkError

SOFTEST: Final = 0.3  # velocity the softest layer stands for; the hardest stands for 1
SHORTEST_T60_SECONDS: Final = 0.04  # DECAY at 0 ...
LONGEST_T60_SECONDS: Final = 4.0  # ... and where it begins to be felt
DECAY_RAMP_SECONDS: Final = 0.02
_CHOKES: Final = tuple(tuple(choked.index for choked in VOICES if voice.name in choked.choked_by) for voice in VOICES)


def decay_rate(decay: float, sample_rate: int) -> float:
    """DECAY 0..1 as added damping in nepers a frame; 0 at 1, where the sound rings as rendered.

    The time to fall by 60 dB grows by the same factor for the same turn, from 40 ms to 4 s.
    """
    t60: float = SHORTEST_T60_SECONDS * (LONGEST_T60_SECONDS / SHORTEST_T60_SECONDS) ** decay
    return math.log(1000.0) / sample_rate * (1.0 / t60 - 1.0 / LONGEST_T60_SECONDS)


def layer_shares(layers: int, velocity: float, follow: float) -> tuple[tuple[int, float], ...]:
    """(layer, share) of the one or two layers a hit sounds. FOLLOW 0: always the hardest."""
    felt = 1.0 - follow * (1.0 - velocity)
    place = min(max((felt - SOFTEST) / (1.0 - SOFTEST), 0.0), 1.0) * (layers - 1)
    lower = min(int(place), max(layers - 2, 0))
    share = place - lower
    if share < 0.01:
        return ((lower, 1.0),)
    return ((lower + 1, 1.0),) if share > 0.99 else ((lower, 1.0 - share), (lower + 1, share))


class Voices:
    """Nine one-shot players. ``out`` (9, QUANTUM) and ``peaks`` (9,): each voice in mono, before level and pan."""

    def __init__(self, slots: FloatArray, sample_rate: int, params: Params) -> None:
        if slots.shape != (SLOT_COUNT, SLOT_FRAMES) or slots.dtype != np.float32 or not slots.flags.c_contiguous:
            raise LinkError(
                f"sound slots are {slots.shape} {slots.dtype}: must be ({SLOT_COUNT}, {SLOT_FRAMES}) float32 in one piece"
            )
        self._sample_rate = sample_rate
        self._sounds: list[Sound | None] = [None] * VOICE_COUNT
        self._hits = 0
        self._follow = params.follow
        self._decay = params.decay
        self._damping = Ramp([decay_rate(d, sample_rate) for d in params.decay], DECAY_RAMP_SECONDS, sample_rate)
        self._streams = Streams(slots.reshape(-1), sample_rate, self._damping)
        self.out, self.peaks = self._streams.out, self._streams.peaks

    def set(self, params: Params) -> None:
        """Take new parameters; decay is ramped, follow counts for the next hit."""
        self._follow = params.follow
        if params.decay != self._decay:
            self._decay = params.decay
            self._damping.aim([decay_rate(decay, self._sample_rate) for decay in params.decay])

    @staticmethod
    def check(sound: Sound) -> None:
        """Raise LinkError for a sound that names slots or frames that are not there."""
        layers = len(sound.slots)
        fits = 0 <= sound.voice < VOICE_COUNT and 1 <= layers <= MAX_LAYERS and layers == len(sound.frames)
        if not fits or not all(0 <= s < SLOT_COUNT for s in sound.slots):
            raise LinkError(f"sound for voice {sound.voice} names slots {sound.slots}: there are {SLOT_COUNT}")
        if not all(0 <= frames <= SLOT_FRAMES for frames in sound.frames):
            raise LinkError(f"sound for voice {sound.voice} is {sound.frames} frames long: a slot holds {SLOT_FRAMES}")

    def announce(self, sound: Sound) -> None:
        """The next hit of the voice plays this (checked) sound."""
        self._sounds[sound.voice] = sound

    def slots_in_use(self) -> int:
        """A bit per slot that is announced or still sounding."""
        bits = 0
        for sound in self._sounds:
            if sound is not None:
                for slot in sound.slots:
                    bits |= 1 << slot
        for slot in self._streams.slots():
            bits |= 1 << slot
        return bits

    def hit(self, voice: int, velocity: float, frame: int, quantum: int) -> None:
        """Strike a voice at this frame of the quantum that begins at frame ``quantum``."""
        for choked in _CHOKES[voice]:
            self._streams.release(choked, frame)
        sound = self._sounds[voice]
        if sound is None or velocity <= 0.0:
            return
        if self._streams.struck(voice) >= HITS_PER_VOICE:  # struck a fourth time within the fade: it is held
            return
        self._streams.release(voice, frame)
        self._hits += 1
        for layer, share in layer_shares(len(sound.slots), velocity, self._follow[voice]):
            if sound.frames[layer] > 0:
                slot, frames, gain = sound.slots[layer], sound.frames[layer], share * velocity
                self._streams.begin(voice, slot, frames, gain, frame, quantum=quantum, hit=self._hits)

    def silence(self, frame: int) -> None:
        """Fade all voices, from this frame on."""
        for voice in range(VOICE_COUNT):
            self._streams.release(voice, frame)

    def render(self, quantum: int) -> None:
        """Fill ``out`` and ``peaks`` for the quantum that begins at this frame."""
        self._streams.render(quantum)
