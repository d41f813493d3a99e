"""How quick the models of the factory bundle are, on one core with one thread.

$LATIDO_RUNS may name the runs the bundle was made from (folders joined by a colon): then PyTorch and the fp32
graphs run beside it, in turns, so that what else the machine does disturbs all of them alike.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.row import Row
from device.contract.voices import SOUND_CLASSES
from device.models.background import SoundWish
from device.models.library import find_bundle
from device.models.models import Models

PATTERN_TARGET_MS, SOUND_TARGET_MS = 1.0, 20.0
NO_RUNS = "PyTorch not beside it: name the two runs by LATIDO_RUNS=RUN_RHYTHM:RUN_SOUND"


@dataclass(slots=True)
class Timed:
    """Milliseconds a call: wall clock and processor time."""

    wall_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)

    def at(self, percent: float, *, per: float = 1.0) -> float:
        return float(np.percentile(self.wall_ms, percent)) / per

    def busy(self, percent: float = 50.0, *, per: float = 1.0) -> float:
        return float(np.percentile(self.busy_ms, percent)) / per


def in_turns(works: dict[str, Callable[[], object]], calls: int, warm_up: int) -> dict[str, Timed]:
    """Call each work ``calls`` times, one after the other, round by round."""
    timed = {name: Timed() for name in works}
    for round_ in range(warm_up + calls):
        for name, work in works.items():
            busy, begun = time.thread_time_ns(), time.perf_counter_ns()
            work()
            if round_ >= warm_up:
                timed[name].wall_ms.append((time.perf_counter_ns() - begun) / 1e6)
                timed[name].busy_ms.append((time.thread_time_ns() - busy) / 1e6)
    return timed


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def given_runs() -> dict[str, Any]:
    """Runs by task ("rhythm", "sound"); empty when none are named."""
    named = os.environ.get("LATIDO_RUNS", "")
    if not named:
        return {}
    from training.checkpoint import load_run

    runs = [load_run(Path(name)) for name in named.split(os.pathsep)]
    return {run.config.task: run for run in runs}


def rows() -> Iterator[Row]:
    runs = given_runs()
    with one_core():
        bundle = find_bundle()
        begun = time.perf_counter()
        models = Models.load(bundle)
        loaded = time.perf_counter() - begun
        yield from pattern_rows(models, runs)
        yield from sound_rows(models, runs)
        begun = time.perf_counter()
        models.verify()
        checked = time.perf_counter() - begun
    size = sum(len(bundle.member(f"{name}.onnx")) for name in bundle.manifest.models)
    yield Row(
        "loading the factory bundle's models, then checking their golden outputs",
        f"{loaded * 1e3:.0f} ms, then {checked * 1e3:.0f} ms",
        beside=f"{size / 1e6:.2f} MB of weights in a bundle of {bundle.size / 1e6:.2f} MB",
    )


def pattern_rows(models: Models, runs: dict[str, Any]) -> Iterator[Row]:
    latent = models.maps.rhythm_nodes[1, 2]
    style = np.eye(len(models.manifest.styles), dtype=np.float32)[3]
    works: dict[str, Callable[[], object]] = {"ours": lambda: models.decode_pattern(latent, style)}
    if "rhythm" in runs:
        import torch

        from export.graphs import rhythm_graphs
        from export.parity import Runner

        torch.set_num_threads(1)
        theirs = torch.from_numpy(latent.copy())[None], torch.from_numpy(style)[None]
        graph = Runner.of("rhythm_decoder", rhythm_graphs(runs["rhythm"])["rhythm_decoder"])
        inputs = {"latent": latent[None], "style": style[None]}
        works["int8 graph alone"] = lambda: models.run("rhythm_decoder", inputs)
        works["fp32 graph alone"] = lambda: graph(inputs)
        works["PyTorch"] = lambda: _no_grad(runs["rhythm"].model.decode, *theirs)
    timed = in_turns(works, calls=2000, warm_up=100)
    ours = timed["ours"]
    yield Row(
        "decode one pattern, p99",
        f"{ours.at(99):.2f} ms (median {ours.at(50):.2f}; processor p99 {ours.busy(99):.2f})",
        f"<= {PATTERN_TARGET_MS:g} ms",
        _beside(
            {
                n: f"{t.at(99):.2f} ms (median {t.at(50):.2f}; processor p99 {t.busy(99):.2f})"
                for n, t in timed.items()
                if n != "ours"
            }
        ),
        ours.at(99) <= PATTERN_TARGET_MS,
    )


def sound_rows(models: Models, runs: dict[str, Any]) -> Iterator[Row]:
    manifest, latent = models.manifest, models.maps.kit_latents[0, 0]
    seconds = manifest.frames / manifest.sample_rate
    wish = SoundWish("kick", tuple(float(value) for value in latent))
    works: dict[str, Callable[[], object]] = {"ours": lambda: models.render_sound(wish)}
    if "sound" in runs:
        import torch

        from export.graphs import sound_graphs
        from export.parity import Runner

        torch.set_num_threads(1)
        sound_class, one = np.eye(len(SOUND_CLASSES), dtype=np.float32)[:1], np.ones((1, 1), np.float32)
        model = runs["sound"].model
        graph = Runner.of("sound_decoder", sound_graphs(runs["sound"])["sound_decoder"])
        inputs = {"latent": latent[None], "sound_class": sound_class, "intensity": one, "noise": model.noise.numpy()}
        theirs = [torch.from_numpy(inputs[name].copy()) for name in ("latent", "sound_class", "intensity")]
        works["int8 graph alone"] = lambda: models.run("sound_decoder", inputs)
        works["fp32 graph alone"] = lambda: graph(inputs)
        works["PyTorch"] = lambda: _no_grad(model.decode, *theirs)
    timed = in_turns(works, calls=60, warm_up=5)
    ours = timed["ours"]
    yield Row(
        "render one second of one voice, median",
        f"{ours.at(50, per=seconds):.1f} ms (p99 {ours.at(99, per=seconds):.1f}, processor {ours.busy(per=seconds):.1f})",
        f"<= {SOUND_TARGET_MS:g} ms",
        _beside(
            {
                n: f"{t.at(50, per=seconds):.1f} ms (processor {t.busy(per=seconds):.1f})"
                for n, t in timed.items()
                if n != "ours"
            }
        ),
        ours.at(50, per=seconds) <= SOUND_TARGET_MS,
    )
    layered = in_turns(
        {"all": lambda: models.render_sound(SoundWish("kick", wish.latent, (0.3, 0.65, 1.0), 3.0))}, 30, 3
    )["all"]
    yield Row(
        "a voice's new sound: three layers of it, tuned and trimmed",
        f"{layered.at(50):.0f} ms (p99 {layered.at(99):.0f})",
        beside=f"one layer of {seconds:.2f} s, not tuned: {ours.at(50):.0f} ms",
    )


def _no_grad(work: Callable[..., object], *inputs: object) -> object:
    import torch

    with torch.no_grad():
        return work(*inputs)


def _beside(timed: dict[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in timed.items()) or NO_RUNS
