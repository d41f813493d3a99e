"""From controls to waveform, with matrix products only, so that it trains, exports to ONNX and is quick.

Inside a span everything is linear in time, so a span's audio is (levels at its two ends) @ (noise or
sines), crossfaded. A sine's phase is a quadratic inside the span; phases at knots are kept modulo one
cycle, so float32 stays precise to the last frame.
"""

import math

import torch
from torch import Tensor, nn

from device.contract.noise import noise_bands
from training.sounds.controls import (
    ATTACK_FRAMES,
    BANDS,
    BODY_LOW_HZ,
    CLICK_FRAMES,
    COARSE_HOP,
    COARSE_SPANS,
    FINE_HOP,
    FINE_SPANS,
    FRAMES,
    KNOTS,
    NOISE_SEED,
    SAMPLE_RATE,
    SILENCE_DB,
    SLOTS,
    Controls,
    slot_centres_hz,
)

FADE_KNOTS = 4  # the last 70 ms fade out: a cymbal cut by the end of the buffer must not click
QUIETEST_PEAK = 0.02
SOFTEST_DB = -12.0  # loudness of intensity 0


def decoder_noise() -> Tensor:
    """The noise every sound is trained with, (1, 40, 65536)."""
    return torch.from_numpy(noise_bands(NOISE_SEED, BANDS, FRAMES, SAMPLE_RATE))


class Renderer(nn.Module):
    """Controls and noise to audio. Holds only constant tables; no weights."""

    fade: Tensor
    slot_hz: Tensor
    hops: Tensor
    click_window: Tensor

    def __init__(self) -> None:
        super().__init__()
        fade = torch.ones(KNOTS)
        fade[-FADE_KNOTS:] = torch.linspace(1.0, 0.0, FADE_KNOTS)
        self.register_buffer("fade", fade, persistent=False)
        self.register_buffer("slot_hz", torch.tensor(slot_centres_hz(), dtype=torch.float32), persistent=False)
        hops = torch.cat([torch.full((FINE_SPANS,), float(FINE_HOP)), torch.full((COARSE_SPANS,), float(COARSE_HOP))])
        self.register_buffer("hops", hops, persistent=False)
        window = torch.cos(0.5 * math.pi * torch.linspace(0.0, 1.0, CLICK_FRAMES)) ** 2
        self.register_buffer("click_window", window, persistent=False)
        for name, hop in (("fine", FINE_HOP), ("coarse", COARSE_HOP)):
            time = torch.arange(hop, dtype=torch.float32)
            self.register_buffer(f"{name}_powers", torch.stack([torch.ones(hop), time, time**2]), persistent=False)
            self.register_buffer(f"{name}_cross", torch.stack([1.0 - time / hop, time / hop]), persistent=False)

    def forward(self, controls: Controls, noise: Tensor, intensity: Tensor, coarse_spans: int = COARSE_SPANS) -> Tensor:
        """Audio (n, 2048 + 1024 * coarse_spans), peak 1 at intensity 1 and 12 dB less at intensity 0.

        ``noise`` is (1, 40, 65536), ``intensity`` (n, 1). Fewer spans render only a sound's beginning.
        """
        audio = self.mix(controls, noise, coarse_spans)
        peak = audio.abs().amax(1, keepdim=True).clamp(min=QUIETEST_PEAK)
        gain: Tensor = torch.exp((1.0 - intensity) * (SOFTEST_DB * math.log(10.0) / 20.0))
        return audio / peak * gain

    def mix(self, controls: Controls, noise: Tensor, coarse_spans: int = COARSE_SPANS) -> Tensor:
        """The sum of body, partials, noise and click as the controls say, before its peak is set."""
        noise_level = self._amplitude(controls.noise_db)  # (n, 40, 95)
        body = controls.body_db.unsqueeze(1)
        sine_level = self._amplitude(torch.cat([body, controls.partial_db], 1))  # (n, 24, 95)
        start_phase, cycles = self._phases(controls)
        parts = []
        for name, first, spans, hop, at in (
            ("fine", 0, FINE_SPANS, FINE_HOP, 0),
            ("coarse", FINE_SPANS, coarse_spans, COARSE_HOP, ATTACK_FRAMES),
        ):
            last = first + spans
            powers, cross = getattr(self, f"{name}_powers"), getattr(self, f"{name}_cross")
            grain = noise[:, :, at : at + spans * hop].reshape(1, BANDS, spans, hop).transpose(1, 2)
            mix = _ends(noise_level, first, last) @ grain  # (n, spans, 2, hop)
            slope = (cycles[:, :, first + 1 : last + 1] - cycles[:, :, first:last]) / (2.0 * hop)
            quadratic = torch.stack([start_phase[:, :, first:last], cycles[:, :, first:last], slope], -1)
            sines = torch.sin(2.0 * math.pi * (quadratic.transpose(1, 2) @ powers))  # (n, spans, 24, hop)
            mix = mix + _ends(sine_level, first, last) @ sines
            parts.append((mix * cross).sum(2).flatten(1))
        click = controls.click * self.click_window
        head = parts[0]
        head = torch.cat([head[:, :CLICK_FRAMES] + click, head[:, CLICK_FRAMES:]], 1)
        return torch.cat([head, parts[1]], 1)

    def _amplitude(self, level_db: Tensor) -> Tensor:
        floor = 10.0 ** (SILENCE_DB / 20.0)
        level: Tensor = (torch.exp(level_db * (math.log(10.0) / 20.0)) - floor) * self.fade
        return level

    def _phases(self, controls: Controls) -> tuple[Tensor, Tensor]:
        """Phase in cycles at the start of each span (n, 24, 94) and cycles per frame at each knot (n, 24, 95)."""
        body_hz = BODY_LOW_HZ * torch.exp(controls.body_octave * math.log(2.0)).unsqueeze(1)
        slot_hz = self.slot_hz * torch.exp(controls.partial_octave * math.log(2.0))
        cycles = torch.cat([body_hz, slot_hz.unsqueeze(2).expand(-1, SLOTS, KNOTS)], 1) / SAMPLE_RATE
        steps = self.hops * 0.5 * (cycles[:, :, :-1] + cycles[:, :, 1:])
        steps = steps - torch.floor(steps)
        total = torch.cumsum(steps, 2) - steps
        return total - torch.floor(total), cycles


def _ends(level: Tensor, first: int, last: int) -> Tensor:
    """Levels at both ends of each span: (n, part, knots) -> (n, spans, 2, part)."""
    both = torch.stack([level[:, :, first:last], level[:, :, first + 1 : last + 1]], 3)
    return both.permute(0, 2, 3, 1)
