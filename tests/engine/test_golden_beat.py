"""One beat, kept: the same commands give the same hits to the frame and the same sound as ever.

Hits are compared exactly, sound by its loudness in spans of 1024 frames, so that another processor or another
numpy passes. After a wanted change: ``python tests/engine/test_golden_beat.py`` and listen before committing.
"""

import json
import sys
from itertools import repeat
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_kit import RATE, render

from device.contract.pattern import PatternGrid
from device.contract.voices import VOICE_INDEX
from device.engine.records import Action, Hit, Params, Pattern, Stamped, Transport, When

GOLDEN = Path(__file__).with_name("golden_beat.json")
SPAN_FRAMES = 1024
FRAMES = 192 * SPAN_FRAMES


def groove():
    """Two bars with ghost notes, late snares, pushed kicks and a tom fill, from the likely to the faint."""
    cells = np.zeros((32, 9, 3), np.float32)
    for name, steps, level, velocity, offset in (
        ("kick", (0, 7, 10, 16, 23, 26, 27), 0.97, 0.9, -0.04),
        ("snare", (4, 12, 20, 28), 0.99, 0.85, 0.06),
        ("snare", (9, 15, 25), 0.4, 0.25, 0.1),
        ("closed_hat", range(0, 32, 2), 0.9, 0.6, 0.0),
        ("closed_hat", range(1, 32, 4), 0.3, 0.35, 0.12),
        ("open_hat", (14, 30), 0.7, 0.7, 0.02),
        ("crash", (0,), 0.55, 0.9, 0.0),
        ("high_tom", (29,), 0.5, 0.7, 0.0),
        ("low_tom", (31,), 0.45, 0.8, 0.05),
    ):
        cells[list(steps), VOICE_INDEX[name]] = (level, velocity, offset)
    return PatternGrid(cells)


def beat():
    """(n, 2) output and triggers of the groove with everything moving a little."""
    player = Params(tempo_bpm=112.0, swing=0.2, humanize=0.8, density=0.6, chaos=0.3, drive=0.2, seed=11.0)
    wild = Params(
        tempo_bpm=140.0, swing=0.0, density=0.8, chaos=0.8, drive=0.5, decay=(0.6,) * 9, voice_length=(12.0,) * 9
    )
    commands = [
        Stamped(player),
        Stamped(Pattern(groove(), ident=1)),
        Stamped(Transport(Action.START), frame=500),
        Stamped(Hit(8, 0.8), frame=30_001),
        Stamped(wild, frame=100_000),
        Stamped(Pattern(groove(), When.NEXT_BAR, 2), frame=110_000),
        Stamped(Transport(Action.STOP), frame=180_000),
    ]
    out, _, triggers = render(commands, FRAMES, repeat(128))
    return out, triggers


def loudness(out):
    """(spans, 2) root mean square."""
    return np.sqrt(np.square(out.astype(np.float64)).reshape(-1, SPAN_FRAMES, 2).mean(1))


def test_the_golden_beat_is_played_as_ever():
    golden = json.loads(GOLDEN.read_text())
    out, triggers = beat()
    assert [[hit.frame, hit.voice, hit.step] for hit in triggers] == golden["hits"]
    assert np.allclose([hit.velocity for hit in triggers], golden["velocities"], atol=1e-4)
    assert np.allclose(loudness(out), golden["loudness"], atol=2e-4)


def write_golden():
    out, triggers = beat()
    golden = {
        "rate": RATE,
        "hits": [[hit.frame, hit.voice, hit.step] for hit in triggers],
        "velocities": [round(hit.velocity, 5) for hit in triggers],
        "loudness": [[round(float(value), 5) for value in span] for span in loudness(out)],
    }
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    write_golden()
