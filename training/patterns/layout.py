"""The rhythm map: where the knobs X and Y lead, laid out after training.

Every node is a groove somebody played (or our recipes wrote), so every place of the map is worth hearing.
Four grooves that differ most become the corners; a self-organising lattice (Kohonen, 1982) is stretched
between them over what grooves sound like; each of its nodes then takes the nearest groove that also gets on
with its neighbours. Between nodes the latent is interpolated and decoded.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from device.contract.pattern import LEVEL, OFFSET, STEPS_PER_BAR, VELOCITY, FloatArray
from device.contract.voices import VOICE_INDEX
from device.errors import DataError
from training.patterns.evaluation import HIT, decode, encode
from training.patterns.labels import STYLES
from training.patterns.model import RhythmVae
from training.patterns.windows import BoolArray, IntArray, Windows

SIDE: Final = 8
POOL_PER_STYLE: Final = 48
ROUNDS: Final = 40  # of the lattice
SETTLING: Final = 6  # rounds of each node looking for a groove that fits its neighbours better
NEAREST: Final = 24  # grooves that say what style a place has
FEWEST_HITS, MOST_HITS = 8, 96  # of 288 cells: neither silence nor a wall
MOST_CHANGED: Final = 16  # cells from bar to bar: a groove, no solo
FEATURES: Final = 24
# How much of a groove's character a voice carries, in VOICES order.
WEIGHTS: Final = np.array([1.4, 1.4, 0.8, 0.8, 0.8, 0.8, 0.8, 0.6, 0.8], np.float32)
MAP_FILE: Final = "rhythm_map.npz"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RhythmMap:
    """The lattice, and the m encoded grooves it was laid out from."""

    rhythm_nodes: FloatArray  # (G, G, Z); axes y, x
    node_styles: FloatArray  # (G, G, S) affinity of a place to each style; rows sum to 1, "fill" is 0
    node_pool: IntArray  # (G, G) which groove of the pool a node is
    pool_latents: FloatArray  # (m, Z)
    pool_styles: IntArray  # (m,) index into STYLES

    def write(self, path: Path) -> None:
        """Save as one npz file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> "RhythmMap":
        """Load a run's rhythm_map.npz; DataError when it is missing or another file."""
        try:
            with np.load(path) as file:
                return cls(**{field.name: file[field.name] for field in fields(cls)})
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path} is no rhythm map: train the rhythm model again") from error

    def own_styles(self) -> FloatArray:
        """(G, G, S) style vector under which each node's groove was encoded."""
        return np.eye(len(STYLES), dtype=np.float32)[self.pool_styles[self.node_pool]]


def lay_out(model: RhythmVae, windows: Windows, side: int = SIDE) -> RhythmMap:
    """A map of the grooves in ``windows``; DataError when too few are worth a place."""
    pool = windows[_balanced(windows)]
    _check(len(pool), side)
    latents = encode(model, pool)
    decoded = decode(model, latents, pool.style_vectors())
    good = worth_hearing(decoded)
    _check(int(good.sum()), side)
    pool, latents, decoded = pool[good], latents[good], decoded[good]
    places = sound_features(decoded)
    node_pool = _settle(stretch(places, corners(places), side), places, corners(places))
    nodes = latents[node_pool]
    return RhythmMap(nodes, _affinity(nodes, latents, pool.style), node_pool, latents, pool.style)


def _check(grooves: int, side: int) -> None:
    if grooves < side * side:
        raise DataError(f"a map of {side} x {side} grooves needs {side * side} worth hearing, there are {grooves}")


def worth_hearing(decoded: FloatArray) -> BoolArray:
    """(n,) whether a pattern has neither too few hits nor too many, something low, and two bars that are alike."""
    hits = decoded[..., LEVEL] >= HIT
    count = hits.sum((1, 2))
    low = hits[:, :, : VOICE_INDEX["snare"] + 1].any((1, 2))
    first, second = hits[:, :STEPS_PER_BAR], hits[:, STEPS_PER_BAR:]
    both = first.any((1, 2)) & second.any((1, 2)) & ((first != second).sum((1, 2)) <= MOST_CHANGED)
    return np.asarray((count >= FEWEST_HITS) & (count <= MOST_HITS) & low & both)


def _balanced(windows: Windows) -> IntArray:
    """As many grooves of every style, evenly spread over what there is; no fills."""
    chosen = []
    for style in range(len(STYLES) - 1):
        of_style = np.flatnonzero((windows.style == style) & ~windows.fill)
        count = min(len(of_style), POOL_PER_STYLE)
        chosen.append(of_style[np.linspace(0, len(of_style) - 1, count).astype(np.int64)] if count else of_style)
    return np.concatenate(chosen)


def sound_features(decoded: FloatArray) -> Floats:
    """(n, 24) main directions of how patterns sound: what is heard when, loudness counted, a little blurred in time."""
    heard = decoded[..., LEVEL] * (0.4 + 0.6 * decoded[..., VELOCITY]) * WEIGHTS
    heard = 0.7 * heard + 0.15 * (np.roll(heard, 1, 1) + np.roll(heard, -1, 1))
    swing = (decoded[..., LEVEL] * decoded[..., OFFSET]).sum(2)
    flat = np.concatenate([heard.reshape(len(heard), -1), swing], 1).astype(np.float64)
    flat = flat - flat.mean(0)
    _, _, directions = np.linalg.svd(flat, full_matrices=False)
    return np.asarray(flat @ directions[:FEATURES].T)


def corners(places: Floats) -> IntArray:
    """(4,) grooves that differ most from each other, hermits left out; neighbours in a row are the nearer pairs."""
    gaps = _gaps(places)
    lonely = np.sort(gaps, 1)[:, min(8, len(gaps) - 1)]
    social = np.flatnonzero(lonely <= np.quantile(lonely, 0.8))
    gaps = gaps[np.ix_(social, social)]
    chosen = [int(index) for index in np.unravel_index(int(gaps.argmax()), gaps.shape)]
    while len(chosen) < 4:
        chosen.append(int(gaps[:, chosen].min(1).argmax()))
    for _ in range(8):  # each corner moves to where the nearest other corner is furthest
        for turn in range(4):
            others = chosen[:turn] + chosen[turn + 1 :]
            chosen[turn] = int(gaps[:, others].min(1).argmax())
    first, rest = chosen[0], chosen[1:]
    across = max(rest, key=lambda corner: float(gaps[first, corner]))  # the most different pair lies on a diagonal
    right, below = (corner for corner in rest if corner != across)
    return np.asarray(social[np.array([first, right, below, across])], np.int64)


def stretch(places: Floats, corner: IntArray, side: int) -> Floats:
    """A lattice (side, side, d) over the places (n, d), its corners held: neighbours alike, nodes where grooves are."""
    ramp = np.linspace(0.0, 1.0, side)
    y, x = (axis[..., None] for axis in np.meshgrid(ramp, ramp, indexing="ij"))
    held = places[corner]
    flat = (1 - y) * ((1 - x) * held[0] + x * held[1]) + y * ((1 - x) * held[2] + x * held[3])
    nodes = flat.reshape(side * side, -1)
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    gaps = ((cells[:, None] - cells[None]) ** 2).sum(-1)
    at_corner = np.array([0, side - 1, side * (side - 1), side * side - 1])
    for turn in range(ROUNDS):
        reach = side / 3.0 * (0.8 / (side / 3.0)) ** (turn / (ROUNDS - 1))
        winners = _cross_gaps(places, nodes).argmin(1)
        pull = np.exp(-0.5 * gaps[:, winners] / reach**2)  # (nodes, n)
        nodes = (pull @ places) / np.maximum(pull.sum(1, keepdims=True), 1e-9)
        nodes[at_corner] = held
    return np.asarray(nodes.reshape(side, side, -1))


def _settle(lattice: Floats, places: Floats, corner: IntArray) -> IntArray:
    """(side, side) one groove for each node, no groove twice: near its node and near its neighbours' grooves."""
    side = len(lattice)
    wanted = _cross_gaps(lattice.reshape(side * side, -1), places) ** 2  # (nodes, n)
    at_corner = np.array([0, side - 1, side * (side - 1), side * side - 1])
    wanted[at_corner, corner] = -1e6
    _, columns = linear_sum_assignment(wanted)
    chosen = columns.reshape(side, side)
    gaps = _gaps(places) ** 2
    for _ in range(SETTLING):
        for node in range(side * side):
            if node in at_corner:
                continue
            row, column = divmod(node, side)
            around = [chosen[r, c] for r, c in _around(row, column, side)]
            cost = 0.5 * wanted[node] + gaps[:, around].mean(1)
            taken = np.delete(chosen.ravel(), node)
            cost[taken] = np.inf
            chosen[row, column] = int(cost.argmin())
    return np.asarray(chosen, np.int64)


def _around(row: int, column: int, side: int) -> list[tuple[int, int]]:
    near = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
    return [(r, c) for r, c in near if 0 <= r < side and 0 <= c < side]


def _affinity(nodes: FloatArray, latents: FloatArray, styles: IntArray) -> FloatArray:
    """(G, G, S) how much each style lives near a node: its share of the nearest grooves, the nearer the more."""
    flat = nodes.reshape(-1, nodes.shape[-1]).astype(np.float64)
    gaps = _cross_gaps(flat, latents.astype(np.float64))
    nearest = gaps.argsort(1)[:, :NEAREST]
    rows = np.arange(len(flat))[:, None]
    reach = gaps[rows, nearest].mean(1, keepdims=True)
    share = np.exp(-2.0 * (gaps[rows, nearest] / np.maximum(reach, 1e-9)) ** 2)
    weights = np.zeros((len(flat), len(STYLES)))
    np.add.at(weights, (rows, styles[nearest]), share)
    shares = weights / weights.sum(1, keepdims=True)
    return np.asarray(shares.reshape(*nodes.shape[:2], -1), np.float32)


def _gaps(places: Floats) -> Floats:
    return _cross_gaps(places, places)


def _cross_gaps(one: Floats, other: Floats) -> Floats:
    """(n, m) distances."""
    squared = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2.0 * one @ other.T
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


@dataclass(frozen=True, slots=True)
class Smoothness:
    """How a map moves: mean number of cells (of 288) that change."""

    neighbour_cells: float
    corner_cells: float
    any_cells: float  # between any two nodes
    fewest_hits: int
    most_hits: int


def smoothness(decoded: FloatArray) -> Smoothness:
    """Of a decoded map (G, G, 32, 9, 3)."""
    hits = decoded[..., LEVEL] >= HIT
    side = len(hits)
    steps = [(hits[1:] != hits[:-1]).sum((-1, -2)).ravel(), (hits[:, 1:] != hits[:, :-1]).sum((-1, -2)).ravel()]
    flat = hits.reshape(side * side, -1)
    pairs = (flat[:, None] != flat[None]).sum(-1)
    at_corner = np.array([0, side - 1, side * (side - 1), side * side - 1])
    between = pairs[np.ix_(at_corner, at_corner)][np.triu_indices(4, 1)]
    return Smoothness(
        float(np.concatenate(steps).mean()),
        float(between.mean()),
        float(pairs[np.triu_indices(side * side, 1)].mean()),
        int(flat.sum(1).min()),
        int(flat.sum(1).max()),
    )
