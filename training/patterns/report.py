"""The rhythm task's part of a run's report: numbers by voice and style, grids, the whole map, sounds."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from device.contract.latent import interpolate
from device.contract.pattern import LEVEL, OFFSET, STEPS, STEPS_PER_BAR, STEPS_PER_BEAT, VELOCITY, FloatArray
from device.contract.voices import VOICE_COUNT, VOICE_INDEX, VOICES
from training.patterns.data import Dataset
from training.patterns.evaluation import HIT, by_style, by_voice, decode, fidelity, reconstruct
from training.patterns.labels import STYLES, style_vector
from training.patterns.layout import RhythmMap, smoothness
from training.patterns.listen import Listener
from training.patterns.model import RhythmVae
from training.patterns.windows import Windows
from training.report import COLOURS, Report, panels, scatter
from training.sounds.controls import SAMPLE_RATE

PAIRS: Final = 12
WALK: Final = 8
EDGES: Final = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)  # of the level histogram
LISTENED: Final = ("jazz", "funk", "rock", "house", "drum_and_bass", "trap")


def fill_report(report: Report, model: RhythmVae, dataset: Dataset, rhythm_map: RhythmMap) -> None:
    """Add everything about a trained rhythm model."""
    validation = dataset.validation
    decoded = reconstruct(model, validation)
    _fidelity(report, dataset, decoded)
    report.heading("Latent space")
    names = [STYLES[index] for index in rhythm_map.pool_styles]
    report.picture("latent", scatter(rhythm_map.pool_latents, names, "posterior means"), "Posterior means by style.")
    report.heading("Originals and reconstructions")
    report.picture(
        "grids", _pairs(validation, decoded), "Held-out grooves and how they come back: size is velocity, place timing."
    )
    _map(report, model, rhythm_map)
    _styles(report, model, rhythm_map)
    _sounds(report, model, rhythm_map, validation, decoded)


def _fidelity(report: Report, dataset: Dataset, decoded: FloatArray) -> None:
    validation = dataset.validation
    report.heading("Held-out grooves")
    report.text(
        f"{len(validation)} windows of {'Groove MIDI, its validation split' if dataset.real else 'our own recipes'}, "
        "from the posterior mean. F1 over all cells; errors where the original has a hit, offsets in steps. "
        "Nothing was fitted to them: thresholds and the best weights come from windows kept aside from training. "
        "The curves above show the encoder's first guess; here, as in a bundle, it is corrected by ear (correct.py) "
        "and thresholds are set."
    )
    header = ["", "windows", "hit F1", "velocity MAE", "offset MAE"]
    whole = fidelity(validation.cells, decoded)
    rows = [("all", whole), *by_style(validation, decoded)]
    report.table(header, [(name, f.windows, f.f1, f.velocity_mae, f.offset_mae) for name, f in rows])
    header[1] = "hits"
    report.table(
        header,
        [(name, hits, f.f1, f.velocity_mae, f.offset_mae) for name, hits, f in by_voice(validation, decoded)],
    )


def draw_grid(axis: Axes, pattern: FloatArray, *, small: bool = False) -> None:
    """One pattern (32, 9, 3): a dot for every level of at least 0.1, bigger when louder, paler when less likely."""
    levels = pattern[..., LEVEL]
    step, voice = np.nonzero(levels >= 0.1)
    likely = np.where(levels[step, voice] >= HIT, 1.0, 0.6 * levels[step, voice])
    colours = [to_rgba(COLOURS[index], float(alpha)) for index, alpha in zip(voice, likely, strict=True)]
    size = (9.0 if small else 26.0) * (0.15 + pattern[step, voice, VELOCITY]) ** 1.5
    axis.scatter(step + pattern[step, voice, OFFSET], voice, s=size, c=colours, linewidths=0)
    for line in range(0, STEPS + 1, STEPS_PER_BEAT):
        bar = line % STEPS_PER_BAR == 0
        axis.axvline(line - 0.5, color="#888888" if bar else "#dddddd", linewidth=0.6 if bar else 0.4, zorder=0)
    axis.set_xlim(-0.9, STEPS - 0.1)
    axis.set_ylim(-0.7, VOICE_COUNT - 0.3)
    axis.set_xticks([])
    axis.set_yticks([] if small else range(VOICE_COUNT), [] if small else [voice.label for voice in VOICES], fontsize=5)


def _pairs(windows: Windows, decoded: FloatArray) -> Figure:
    """Grooves spread over the validation set, each above its reconstruction."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, PAIRS).astype(np.int64))
    figure, axes = panels(2 * len(chosen), columns=4, size=(4.2, 1.7))
    for place, index in enumerate(chosen):
        row, column = divmod(place, 4)
        above, below = axes[8 * row + column], axes[min(8 * row + 4 + column, len(axes) - 1)]
        draw_grid(above, windows.cells[index])
        draw_grid(below, decoded[index])
        score = fidelity(windows.cells[index : index + 1], decoded[index : index + 1])
        kind = " fill" if windows.fill[index] else ""
        above.set_title(f"{STYLES[windows.style[index]]}{kind}", fontsize=8)
        below.set_title(f"reconstruction, F1 {score.f1:.2f}", fontsize=8)
    return figure


def _map(report: Report, model: RhythmVae, rhythm_map: RhythmMap) -> None:
    side, size = len(rhythm_map.rhythm_nodes), rhythm_map.rhythm_nodes.shape[-1]
    own = decode(model, rhythm_map.rhythm_nodes.reshape(-1, size), rhythm_map.own_styles().reshape(side * side, -1))
    decoded = own.reshape(side, side, *own.shape[1:])
    report.heading("The rhythm map")
    figure, axes = panels(side * side, columns=side, size=(2.0, 1.15))
    for node, axis in enumerate(axes):
        draw_grid(axis, own[node], small=True)
        axis.set_title(STYLES[rhythm_map.pool_styles[rhythm_map.node_pool.ravel()[node]]], fontsize=6, pad=2)
    report.picture("map", figure, "Every node under its own style; x to the right, y downwards.")
    moves = smoothness(decoded)
    report.table(
        ["the map", "of 288 cells"],
        [
            ("cells that change between neighbours, mean", moves.neighbour_cells),
            ("between any two nodes, mean", moves.any_cells),
            ("between corners, mean", moves.corner_cells),
            ("fewest hits of a node", moves.fewest_hits),
            ("most hits of a node", moves.most_hits),
        ],
    )
    shares = level_shares(own)
    report.text("How graded the field is: share of the nodes' cells by level.")
    report.table([name for name, _ in shares], [[f"{100 * share:.1f} %" for _, share in shares]])
    report.text(
        "Hits of a node by DENSITY's threshold: "
        + ", ".join(
            f"level >= {at}: {(own[..., LEVEL] >= at).sum((1, 2)).mean():.1f}"
            for at in (0.98, *EDGES[5:2:-1], 0.1, 0.02)
        )
    )


def level_shares(decoded: FloatArray) -> list[tuple[str, float]]:
    """Share of cells between the edges of the level histogram."""
    edges = np.array([0.0, *EDGES, 1.0 + 1e-9])
    counts, _ = np.histogram(decoded[..., LEVEL], edges)
    return [
        (f"{low:g}-{min(high, 1.0):g}", float(count / counts.sum()))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def _styles(report: Report, model: RhythmVae, rhythm_map: RhythmMap) -> None:
    """What STYLE and FILL do to the same places of the map."""
    side = len(rhythm_map.rhythm_nodes)
    places = [(side // 4, side // 4), (side // 4, 3 * side // 4), (3 * side // 4, side // 4), (3 * side // 4,) * 2]
    latents = np.stack([rhythm_map.rhythm_nodes[place] for place in places])
    columns = [*LISTENED, "rock fill", "house fill"]
    vectors = [style_vector(name.split()[0], fill=name.endswith("fill")) for name in columns]
    figure, axes = panels(len(latents) * len(columns), columns=len(columns), size=(2.6, 1.4))
    for column, (name, vector) in enumerate(zip(columns, vectors, strict=True)):
        for row, pattern in enumerate(decode(model, latents, vector)):
            draw_grid(axes[row * len(columns) + column], pattern, small=True)
            axes[row * len(columns) + column].set_title(name, fontsize=7, pad=2)
    report.heading("Styles and fills")
    report.picture("styles", figure, "Four places of the map (rows) under several styles, and asked for a fill.")
    nodes = rhythm_map.rhythm_nodes.reshape(side * side, -1)
    report.table(["all nodes under", "hits", "kicks on the beat", "toms in bar 2", "snares in bar 2"], [
        (name, *style_numbers(decode(model, nodes, style_vector(name.split()[0], fill=name.endswith("fill")))))
        for name in [f"{style}{kind}" for style in STYLES[:-1] for kind in ("", " fill")]
    ])  # fmt: skip


def style_numbers(decoded: FloatArray) -> tuple[float, float, float, float]:
    """Means of patterns (n, 32, 9, 3): hits, kicks on the eight beats, toms and snares in bar 2."""
    hits = decoded[..., LEVEL] >= HIT
    toms = [VOICE_INDEX[name] for name in ("low_tom", "mid_tom", "high_tom")]
    return (
        float(hits.sum((1, 2)).mean()),
        float(hits[:, ::STEPS_PER_BEAT, VOICE_INDEX["kick"]].sum(1).mean()),
        float(hits[:, STEPS_PER_BAR:, toms].sum((1, 2)).mean()),
        float(hits[:, STEPS_PER_BAR:, VOICE_INDEX["snare"]].sum(1).mean()),
    )


def _sounds(report: Report, model: RhythmVae, rhythm_map: RhythmMap, validation: Windows, decoded: FloatArray) -> None:
    listener = Listener()
    report.heading("Sounds")
    chosen = np.linspace(0, len(validation) - 1, 3).astype(np.int64)
    pairs = np.concatenate([np.stack([validation.cells[index], decoded[index]]) for index in chosen])
    report.sound("pairs", listener.render(pairs), SAMPLE_RATE, "three held-out grooves, each before its reconstruction")
    ramp = np.linspace(0.0, 1.0, WALK)
    for name, style in (("diagonal", "rock"), ("diagonal-house", "house")):
        latents = np.stack([interpolate(rhythm_map.rhythm_nodes, at, at) for at in ramp])
        walk = decode(model, latents, style_vector(style))
        report.sound(f"walk-{name}", listener.render(walk), SAMPLE_RATE, f"over the map's diagonal, as {style}")
    middle = interpolate(rhythm_map.rhythm_nodes, 0.4, 0.6)[None]
    tour = np.concatenate([decode(model, middle, style_vector(name)) for name in LISTENED])
    report.sound("styles", listener.render(tour), SAMPLE_RATE, f"one place as {', '.join(LISTENED)}")
    fills = np.concatenate([decode(model, middle, style_vector("rock", fill=fill)) for fill in (False, True)])
    report.sound("fill", listener.render(fills), SAMPLE_RATE, "one place as rock, then as a fill")
