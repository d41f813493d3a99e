"""``latido scenes``: the sixteen scenes, the song and their rendered sounds as one file, to keep or to give away.

    latido scenes export mine.scenes        from where the instrument keeps its state
    latido scenes import mine.scenes        into it; its own scenes are replaced

The file is an archive like a bundle's (contract/archive.py), so a flipped bit anywhere is found:

    scenes.json        format, version, the scenes as player.json holds them, the song
    IDENT.kit          nine voices' sounds, for every kit a scene names

An import looks at everything first and then writes kits before scenes, each file whole: a power cut leaves
the scenes that were there, or those of the file.
"""

import argparse
from pathlib import Path
from typing import Final

import msgspec

from device.contract import archive
from device.control import kits, store
from device.control.moment import Moment
from device.control.scenes import set_song
from device.control.state import SCENE_COUNT, fresh_state, mended
from device.errors import BundleError, DataError, LatidoError
from device.panel.events import SongSet

FORMAT: Final = "latido-scenes"
VERSION: Final = 1
INDEX: Final = "scenes.json"
MOST_BYTES: Final = 256 * 2**20


class Exported(msgspec.Struct, frozen=True):
    """What ``scenes.json`` holds."""

    format: str
    version: int
    scenes: tuple[store.Scene | None, ...]
    song: tuple[tuple[int, int], ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``latido scenes``."""
    parser.add_argument("action", choices=("export", "import", "list"), help="what to do")
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the file of scenes")
    parser.add_argument("--state", type=Path, metavar="DIR", help="what is remembered (default: ~/.local/state/latido)")


def run(arguments: argparse.Namespace) -> int:
    """Export, import or list; returns the exit code."""
    folder = arguments.state or store.state_home()
    if arguments.action == "list":
        for index, scene in enumerate(_saved(folder).scenes):
            if scene is not None:
                kept = "with its sounds" if (folder / kits.FOLDER / f"{scene.kit}.kit").exists() else "without sounds"
                print(f"{index + 1:2}  bundle {scene.bundle[:12]}  {kept}")
        return 0
    if arguments.file is None:
        raise DataError(f"latido scenes {arguments.action} needs a FILE")
    if arguments.action == "export":
        count, size = export_scenes(folder, arguments.file)
        print(f"{arguments.file}: {count} scenes, {size / 2**20:.1f} MB")
    else:
        print(f"{import_scenes(folder, arguments.file)} scenes are there now")
    return 0


def export_scenes(folder: Path, file: Path) -> tuple[int, int]:
    """Write all scenes of a state folder into one file; their number and its bytes. Raises LatidoError."""
    saved = _saved(folder)
    there = [scene for scene in saved.scenes if scene is not None]
    if not there:
        raise DataError(f"no scene was saved in {folder}: SHIFT + SCENE saves one")
    members = {INDEX: msgspec.json.encode(Exported(FORMAT, VERSION, saved.scenes, saved.song))}
    try:
        for ident in sorted({scene.kit for scene in there if kits.is_ident(scene.kit)}):
            path = folder / kits.FOLDER / f"{ident}.kit"
            if path.exists():
                members[path.name] = path.read_bytes()
        data = archive.pack(members)
        store.write_whole(file, data)
    except OSError as error:
        raise LatidoError(f"cannot write {file}: {error.strerror}; choose another place") from error
    return len(there), len(data)


def import_scenes(folder: Path, file: Path) -> int:
    """Replace the scenes of a state folder by a file's; how many there are. Raises LatidoError, nothing changed."""
    exported, found = read_file(file)
    there = [scene for scene in exported.scenes if scene is not None]
    before, trouble = store.load(folder)
    if before is None and trouble:
        raise LatidoError(trouble)
    state = there[0].state if before is None else before.state
    saved = store.Saved(state) if before is None else before
    saved = msgspec.structs.replace(saved, scenes=exported.scenes, song=exported.song)
    try:
        for ident, data in found.items():
            if not (path := folder / kits.FOLDER / f"{ident}.kit").exists():
                store.write_whole(path, data)
    except OSError as error:
        raise LatidoError(f"cannot write to {folder}: {error.strerror}; nothing was changed") from error
    store.save(folder, saved)
    return len(there)


def read_file(file: Path) -> tuple[Exported, dict[str, bytes]]:
    """A file of scenes, looked through to the last byte: the scenes, and kits by name. Raises DataError."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"{file} is no file of scenes: it is larger than {MOST_BYTES >> 20} MB")
        members = archive.unpack(file.read_bytes(), str(file))
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error
    except BundleError as error:
        raise DataError(
            str(error).replace("is no bundle", "is no file of scenes").replace(".latido", "scenes")
        ) from error
    if INDEX not in members:
        raise DataError(f"{file} is no file of scenes: latido scenes export writes one")
    try:
        exported = msgspec.json.decode(members.pop(INDEX), type=Exported)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: its scenes cannot be read ({error})") from error
    if (exported.format, exported.version, len(exported.scenes)) != (FORMAT, VERSION, SCENE_COUNT):
        raise DataError(f"{file} is {exported.format} version {exported.version}: this Latido reads version {VERSION}")
    try:
        _check(exported)
        found = {}
        for name, body in members.items():
            ident = name.removesuffix(".kit")
            if not name.endswith(".kit") or not kits.is_ident(ident):
                raise DataError(f"{name} is no kit of sounds")
            kits.unpack(bytes(body))
            found[ident] = bytes(body)
    except LatidoError as error:
        raise DataError(f"{file}: {error}") from error
    return exported, found


def _check(exported: Exported) -> None:
    """Raise LatidoError for a scene or song that could not be played."""
    if not any(exported.scenes):
        raise DataError("it holds no scene")
    for scene in exported.scenes:
        if scene is not None:
            mended(scene.state, styles=SCENE_COUNT, latent_size=len(scene.state.offset))
            mended(msgspec.structs.replace(scene.state, kept=scene.pattern), styles=SCENE_COUNT, latent_size=0)
            if scene.kit and not kits.is_ident(scene.kit):
                raise DataError(f"a scene names {scene.kit!r}, which is no kit of sounds")
    set_song(Moment(fresh_state()), SongSet(exported.song))


def _saved(folder: Path) -> store.Saved:
    saved, trouble = store.load(folder)
    if saved is None:
        raise DataError(trouble or f"nothing was saved in {folder}: name the folder by --state")
    return saved
