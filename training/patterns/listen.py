"""Grooves made audible for a report: our own synthesizer's drums, one sound a voice, laid on the grid. Mono."""

from typing import Final

import numpy as np
import torch

from device.contract.pattern import STEPS_PER_BEAT, FloatArray
from device.contract.voices import VOICES
from training.patterns.evaluation import HIT
from training.sounds.controls import SAMPLE_RATE
from training.sounds.render import Renderer, decoder_noise
from training.sounds.synthesizer import synthesize

TEMPO_BPM: Final = 112.0
GAIN: Final = 0.3


class Listener:
    """Holds a kit of nine one-shots; ``render`` plays patterns on it."""

    def __init__(self, seed: int = 3) -> None:
        random = np.random.default_rng(seed)
        renderer, noise = Renderer(), decoder_noise()
        with torch.no_grad():
            self.kit = [
                renderer(synthesize(voice.name, random), noise, torch.ones(1, 1))[0].numpy() for voice in VOICES
            ]

    def render(self, patterns: FloatArray, tempo_bpm: float = TEMPO_BPM) -> FloatArray:
        """Audio (frames,) of patterns (n, 32, 9, 3) one after the other; a level of at least 0.5 sounds."""
        step_frames = 60.0 * SAMPLE_RATE / tempo_bpm / STEPS_PER_BEAT
        steps = patterns.reshape(-1, *patterns.shape[2:])  # (n * 32, voice, 3)
        audio = np.zeros(int(len(steps) * step_frames) + len(self.kit[0]) + SAMPLE_RATE // 2, np.float32)
        choking = [(VOICES[voice].choked_by, voice) for voice in range(len(VOICES))]
        for voice, sound in enumerate(self.kit):
            stops = [name for names, own in choking if own == voice for name in names]
            cutters = [other.index for other in VOICES if other.name in (*stops, VOICES[voice].name)]
            played = np.flatnonzero((steps[:, cutters, 0] >= HIT).any(1))
            for step in np.flatnonzero(steps[:, voice, 0] >= HIT):
                begin = max(int((step + steps[step, voice, 2]) * step_frames), 0)
                following = played[played > step]
                length = int((following[0] - step) * step_frames) if len(following) else len(sound)
                heard = sound[: min(length, len(sound))].copy()
                fade = min(200, len(heard))
                heard[len(heard) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
                audio[begin : begin + len(heard)] += GAIN * steps[step, voice, 1] * heard
        return audio
