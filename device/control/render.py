"""``latido render``: a few bars as a WAV file, with stems and MIDI if asked for; the same command, the same file.

(nothing)     a fresh box, played by --moves
--scene N     a scene the player has saved
--playing     what the player's box plays, as it was saved last
"""

import argparse
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from device.contract.voices import VOICES
from device.control import store
from device.control.files import check_targets, write_all
from device.control.moves import read_moves
from device.control.offline import Offline, check_scene, play_bars, recalled
from device.control.store import Saved
from device.control.takes import MOST_BARS, dated_name, keep
from device.errors import LatidoError, SettingError
from device.models.library import find_bundle
from device.models.models import Models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``latido render``."""
    parser.add_argument("--bars", type=int, default=8, help=f"how many bars, 1..{MOST_BARS} (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of everything that is drawn by chance (default: 1, or as saved)")
    parser.add_argument("--moves", type=Path, metavar="FILE.toml", help="hands written down: see docs/playing.md")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--scene", type=int, metavar="N", help="play this saved scene, 1..16")
    what.add_argument("--playing", action="store_true", help="play what the instrument plays, as it was saved last")
    parser.add_argument("--state", type=Path, metavar="DIR", help="where it was saved (default: ~/.local/state/latido)")
    parser.add_argument("--out", type=Path, metavar="FILE.wav", help="default: beat.wav")
    parser.add_argument("--stems", type=Path, metavar="DIR", help="also write each voice to DIR/VOICE.wav")
    parser.add_argument("--midi", type=Path, metavar="FILE.mid", help="also write the hits as a standard MIDI file")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="instead: WAV, stems and MIDI under a dated name that is free"
    )
    parser.add_argument("--bits", type=int, choices=(16, 24), default=24, help="of the WAV files (default: 24)")
    parser.add_argument("--bundle", type=Path, metavar="FILE.latido", help="models to play (default: the factory's)")


def run(arguments: argparse.Namespace) -> int:
    """Render and write; returns the exit code. Everything is checked before a frame is computed."""
    if not 1 <= arguments.bars <= MOST_BARS:
        raise SettingError(f"--bars must be 1..{MOST_BARS}, got {arguments.bars}")
    if arguments.seed is not None and not 0 <= arguments.seed < 2**24:
        raise SettingError(f"--seed must be 0..{2**24 - 1}, got {arguments.seed}")
    if arguments.folder is not None and (arguments.out, arguments.stems, arguments.midi) != (None, None, None):
        raise SettingError("--folder names every file itself: leave --out, --stems and --midi out")
    out, stems, midi = arguments.out or Path("beat.wav"), arguments.stems, arguments.midi
    if arguments.folder is None:
        voices = [] if stems is None else [stems / f"{voice.name}.wav" for voice in VOICES]
        check_targets([out, *voices, *([] if midi is None else [midi])])
    moves = read_moves(arguments.moves) if arguments.moves else ()
    scene = None if arguments.scene is None else arguments.scene - 1
    folder = arguments.state or store.state_home()
    saved = _saved(folder, scene) if arguments.playing or scene is not None else None
    models = Models.load(find_bundle(arguments.bundle))
    if saved is None:
        offline = Offline(models, seed=1 if arguments.seed is None else arguments.seed)
    else:
        saved = saved if arguments.seed is None else _reseeded(saved, arguments.seed)
        offline = recalled(models, saved, scene, folder)
    console = Console(stderr=True)
    columns = (TextColumn("rendering"), BarColumn(), TextColumn("bar {task.completed:.0f} of {task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        line = progress.add_task("rendering", total=arguments.bars)
        take = play_bars(
            offline,
            arguments.bars,
            moves=moves,
            stems=stems is not None or arguments.folder is not None,
            told=lambda bar: progress.update(line, completed=bar),
        )
    if arguments.folder is not None:
        out = keep(take, arguments.folder, dated_name(offline.control.view.style), bits=arguments.bits)[0]
    else:
        write_all(take.files(out, stems=stems, midi=midi, bits=arguments.bits))
    seconds = len(take.audio) / take.sample_rate
    print(f"{out}: {arguments.bars} bars, {len(take.triggers)} hits, {seconds:.1f} s")
    if take.stem_gain < 1.0:
        print(f"stems are {20 * np.log10(take.stem_gain):.1f} dB: a voice alone would have been louder than full scale")
    return 0


def _saved(folder: Path, scene: int | None) -> Saved:
    """What was saved there. Raises SettingError when it is not there, LatidoError when it cannot be read."""
    saved, trouble = store.load(folder)
    if trouble:
        raise LatidoError(trouble.removesuffix("; starting from defaults").removesuffix(", starting from defaults"))
    if saved is None:
        raise SettingError(
            f"nothing was saved in {folder}: name the folder the instrument keeps its state in by --state"
        )
    if scene is not None:
        check_scene(saved, scene)
    return saved


def _reseeded(saved: Saved, seed: int) -> Saved:
    """The same with other chance."""
    scenes = tuple(
        None if scene is None else replace(scene, state=replace(scene.state, seed=seed)) for scene in saved.scenes
    )
    return replace(saved, state=replace(saved.state, seed=seed), scenes=scenes)
