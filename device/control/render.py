"""``latido render``: a few bars as a WAV file, with stems and MIDI if asked for; the same command, the same file."""

import argparse
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from device.contract.voices import VOICES
from device.control.files import midi_bytes, wav_bytes, write_all
from device.control.moves import read_moves
from device.control.offline import render
from device.errors import SettingError
from device.models.library import find_bundle
from device.models.models import Models

MOST_BARS: Final = 400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``latido render``."""
    parser.add_argument("--bars", type=int, default=8, help=f"how many bars, 1..{MOST_BARS} (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn by chance (default: 1)")
    parser.add_argument("--moves", type=Path, metavar="FILE.toml", help="hands written down: see docs/playing.md")
    parser.add_argument("--out", type=Path, default=Path("beat.wav"), metavar="FILE.wav", help="default: %(default)s")
    parser.add_argument("--stems", type=Path, metavar="DIR", help="also write each voice to DIR/VOICE.wav")
    parser.add_argument("--midi", type=Path, metavar="FILE.mid", help="also write the hits as a standard MIDI file")
    parser.add_argument("--bits", type=int, choices=(16, 24), default=24, help="of the WAV files (default: 24)")
    parser.add_argument("--bundle", type=Path, metavar="FILE.latido", help="models to play (default: the factory's)")


def run(arguments: argparse.Namespace) -> int:
    """Render and write; returns the exit code. Everything is checked before a frame is computed."""
    if not 1 <= arguments.bars <= MOST_BARS:
        raise SettingError(f"--bars must be 1..{MOST_BARS}, got {arguments.bars}")
    if not 0 <= arguments.seed < 2**24:
        raise SettingError(f"--seed must be 0..{2**24 - 1}, got {arguments.seed}")
    moves = read_moves(arguments.moves) if arguments.moves else ()
    models = Models.load(find_bundle(arguments.bundle))
    console = Console(stderr=True)
    columns = (TextColumn("rendering"), BarColumn(), TextColumn("bar {task.completed:.0f} of {task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        line = progress.add_task("rendering", total=arguments.bars)
        take = render(
            models,
            arguments.bars,
            seed=arguments.seed,
            moves=moves,
            stems=arguments.stems is not None,
            told=lambda bar: progress.update(line, completed=bar),
        )
    rate = take.sample_rate
    contents = {arguments.out: wav_bytes(take.audio, rate, arguments.bits)}
    for voice, stem in zip(VOICES, take.stems, strict=False):
        contents[arguments.stems / f"{voice.name}.wav"] = wav_bytes(stem, rate, arguments.bits)
    if arguments.midi:
        beats = [float(beat) for beat in range(len(take.beat_frames))]
        contents[arguments.midi] = midi_bytes(take.triggers, take.beat_frames, beats, rate)
    write_all(contents)
    print(f"{arguments.out}: {arguments.bars} bars, {len(take.triggers)} hits, {len(take.audio) / rate:.1f} s")
    return 0
