"""While it plays the engine makes no arrays and its memory does not grow."""

import gc
import tracemalloc

import numpy as np
from engine_kit import every, grid, new_player

BUSY = grid(every(1, "closed_hat") + every(2, "kick") + every(4, "crash") + every(4, "open_hat", 2), velocity=0.6)


def test_rendering_makes_no_arrays_and_memory_does_not_grow():
    player = new_player()
    player.start(BUSY, tempo_bpm=300.0, drive=0.5, chaos=0.5, decay=(0.7,) * 9)
    engine, out = player.engine, np.zeros((128, 2), np.float32)
    for _ in range(2_000):
        engine.render(out)
    engine.report()
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(200):
            engine.render(out)
        engine.report()
        gc.collect()  # also empties the free lists, which tracemalloc counts
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(20):
            for _ in range(100):
                engine.render(out)
            engine.report()
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        kept = tracemalloc.take_snapshot().filter_traces([arrays])
    finally:
        tracemalloc.stop()
        gc.enable()
    assert sum(trace.size for trace in kept.traces) < 128 * 4  # not one buffer of one voice
    assert after - before < 2_000
    assert peak - before < 100_000  # triggers of a report, small numbers, buffers inside ufuncs
