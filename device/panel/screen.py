"""The little screen: a View as a picture of 128 x 64 dots, black and white.

    >  120  house        *  3      playing, tempo, style, recording, scene
    ----------------- +-------+
    nine voices x 32  |   o   |    what will be played, playhead; the place on the rhythm map
    ----------------- +-------+    meters
    Snare   ~~wave~~  |  o    |    the voice under the sound knobs, its sound, its place on the sound map
    clap              +-------+    (or what the instrument has to say)

For a moment after a turn the parameter under the hand has the whole screen: ``Glance`` remembers what moved,
``draw`` is a pure function of the View and that. No library is needed: ``png`` writes the picture itself.
"""

import re
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from device.contract.pattern import STEPS, STEPS_PER_BAR, STEPS_PER_BEAT
from device.contract.voices import VOICE_COUNT, VOICES
from device.control.view import View
from device.engine.chance import logits, threshold
from device.panel.font import BODY, SMALL, Bits, Font, set_line
from device.parameters import PARAMETER, Parameter

WIDTH: Final = 128
HEIGHT: Final = 64
TURN_SHOWN_NS: Final = 1_200_000_000
MESSAGE_SHOWN_NS: Final = 4_000_000_000
MOST_MOVED: Final = 1  # more parameters at once were not moved by a hand

GRID_TOP: Final = 11
ROW: Final = 4
COLUMN: Final = 3
GRID_LEFT: Final = 3
SIDE_LEFT: Final = 107  # of the column with the maps
SIDE_WIDTH: Final = 21
FOOT_TOP: Final = 48
WORDS_WIDTH: Final = 103
HEARD: Final = 0.003  # -50 dB: what is softer is not drawn
MAPS: Final = {"x": "x y", "y": "x y", "tone_x": "tone_x tone_y", "tone_y": "tone_x tone_y"}


@dataclass(frozen=True, slots=True)
class Focus:
    """What the screen shows beside the beat: the parameter under the hand ("": none), and the message."""

    parameter: str = ""
    message: bool = True


@dataclass(frozen=True, slots=True)
class Glance:
    """What moved lately, from one View to the next. ``see`` gives the newer one; time is passed in."""

    before: View | None = None
    parameter: str = ""
    turned_ns: int = 0
    said_ns: int = 0
    focus: Focus = field(default_factory=Focus)

    def see(self, view: View, now_ns: int) -> "Glance":
        """With a newer View taken in."""
        glance = self
        if self.before is None:
            glance = replace(glance, said_ns=now_ns)
        else:
            moved = _moved(self.before, view)
            if moved:
                glance = replace(glance, parameter=moved, turned_ns=now_ns)
            if view.message != self.before.message:
                glance = replace(glance, said_ns=now_ns, parameter=moved)
        turned = glance.parameter if now_ns - glance.turned_ns < TURN_SHOWN_NS else ""
        focus = Focus(turned, message=now_ns - glance.said_ns < MESSAGE_SHOWN_NS)
        return replace(glance, before=view, parameter=turned, focus=focus)


def _moved(before: View, view: View) -> str:
    """The one parameter a hand has moved, "" when none or more."""
    if before.positions is view.positions or before.positions == view.positions:
        return ""
    moved = [name for name, position in view.positions.items() if before.positions.get(name) != position]
    known = [name for name in moved if name in PARAMETER]
    whole = [name for name in known if not PARAMETER[name].per_voice]
    if len(whole) > MOST_MOVED:
        return ""
    if whole:
        return whole[0]
    return known[0] if len(known) == 1 and _voices_moved(before, view, known[0]) == 1 else ""


def _voices_moved(before: View, view: View, name: str) -> int:
    was, now = before.positions.get(name, ()), view.positions[name]
    if not isinstance(was, tuple) or not isinstance(now, tuple) or len(was) != len(now):
        return 0
    return sum(one != other for one, other in zip(was, now, strict=True))


# -- drawing ---------------------------------------------------------------------------------------------


def draw(view: View, focus: Focus | None = None) -> Bits:
    """(64, 128) True where a dot is lit. Pure, and never raises, whatever the View says."""
    focus = focus or Focus()
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    if view.learn.startswith("counting"):
        _count_in(canvas, view)
    elif focus.parameter in MAPS:
        _map_page(canvas, view, focus.parameter)
    elif focus.parameter in PARAMETER:
        _value_page(canvas, view, PARAMETER[focus.parameter])
    else:
        _beat_page(canvas, view, focus)
    return canvas


def put(canvas: Bits, picture: Bits, x: int, y: int) -> int:
    """Lay a picture on the canvas, cut at its borders; returns the column after it."""
    height, width = map(int, picture.shape)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + height, HEIGHT), min(x + width, WIDTH)
    if top < bottom and left < right:
        canvas[top:bottom, left:right] |= picture[top - y : bottom - y, left - x : right - x]
    return x + width


def write(canvas: Bits, words: str, x: int, y: int, *, font: Font = BODY, right: bool = False) -> int:
    """Write a line; ``right``: so that it ends before column x. Returns the column after it, or where it begins."""
    picture = font.text(words)
    if right:
        x -= int(picture.shape[1])
        put(canvas, picture, x, y)
        return x
    return put(canvas, picture, x, y)


def frame(canvas: Bits, x: int, y: int, width: int, height: int) -> None:
    """A frame with its corners left out."""
    canvas[y, x + 1 : x + width - 1] = canvas[y + height - 1, x + 1 : x + width - 1] = True
    canvas[y + 1 : y + height - 1, x] = canvas[y + 1 : y + height - 1, x + width - 1] = True


def picture_of(*rows: str) -> Bits:
    """A little drawing."""
    return np.array([[dot == "#" for dot in row] for row in rows])


PLAYING: Final = picture_of("#....", "###..", "####.", "#####", "####.", "###..", "#....")
STOPPED: Final = picture_of(".....", "#####", "#####", "#####", "#####", "#####", ".....")
RECORDING: Final = picture_of(".....", ".###.", "#####", "#####", "#####", ".###.", ".....")
SONG: Final = picture_of("..##.", "..#.#", "..#..", "..#..", "###..", "###..", ".....")
LOCK: Final = picture_of(".##.", "#..#", "#..#", "####", "####", "####", "....")
HAND: Final = picture_of("..#..", ".###.", "#####")
POINTER: Final = picture_of("#.", "##", "#.")


def _beat_page(canvas: Bits, view: View, focus: Focus) -> None:
    _status(canvas, view)
    _grid(canvas, view)
    x, y = view.place
    _map(canvas, SIDE_LEFT, GRID_TOP - 1, SIDE_WIDTH, SIDE_WIDTH, x, y)
    _meters(canvas, view, SIDE_LEFT + 2, FOOT_TOP - 15)
    if focus.message and view.message:
        _message(canvas, view.message)
        return
    if view.learn == "recording":
        _message(canvas, "learning: play two bars")
        return
    voice = view.voice % VOICE_COUNT
    sound = _sound_class(view, voice)
    label = VOICES[voice].label
    write(canvas, BODY.fitting(label, 60), 0, FOOT_TOP)
    under = "muted" if _of_voice(view, "mute", voice) >= 0.5 else "" if sound == VOICES[voice].name else _words(sound)
    end = write(canvas, SMALL.fitting(under, 44), 0, FOOT_TOP + 10, font=SMALL)
    _wave(canvas, view.wave, max(end, BODY.width(label), 34) + 6)
    x, y = view.tones[voice] if voice < len(view.tones) else (0.5, 0.5)
    _map(canvas, SIDE_LEFT, FOOT_TOP, SIDE_WIDTH, 16, x, y)


def _status(canvas: Bits, view: View) -> None:
    put(canvas, PLAYING if view.playing else STOPPED, 0, 0)
    left = write(canvas, tempo_words(view.tempo_bpm), 8, 0)
    right = WIDTH
    if 0 <= view.scene < len(view.scenes_saved) and view.scenes_saved[view.scene]:
        number = BODY.text(f"{view.scene + 1}")[:7]
        right -= number.shape[1] + 4
        canvas[0:9, right:WIDTH] = True
        canvas[[0, 0, 8, 8], [right, WIDTH - 1, right, WIDTH - 1]] = False
        canvas[1:8, right + 2 : right + 2 + number.shape[1]] &= ~number
        right -= 4
    for there, sign in ((view.recording, RECORDING), (view.song_at >= 0, SONG), (view.edited, LOCK)):
        if there:
            right -= sign.shape[1]
            put(canvas, sign, right, 0)
            right -= 3
    if view.page == "shift":
        right = write(canvas, "SHIFT", right, 1, font=SMALL, right=True) - 3
    style = view.style if BODY.width(view.style) <= right - left - 8 else re.sub(r" \d+", "", view.style)
    words = BODY.fitting(style, right - left - 8)
    put(canvas, BODY.text(words), left + 8, 0)


def tempo_words(tempo_bpm: float) -> str:
    """ "110", or "110.5" where it matters."""
    if not np.isfinite(tempo_bpm):
        return "-"
    rounded = round(min(max(tempo_bpm, 0.0), 9999.0), 1)
    return f"{rounded:.0f}" if rounded == int(rounded) else f"{rounded:.1f}"


def column_left(step: int) -> int:
    """Where a step's column begins: beats stand apart, bars further."""
    return GRID_LEFT + step * COLUMN + step // STEPS_PER_BEAT + step // STEPS_PER_BAR


def _grid(canvas: Bits, view: View) -> None:
    length = min(max(round(_whole(view, "length")), 1), STEPS)
    wanted = logits(view.pattern.levels)
    for voice in range(VOICE_COUNT):
        top = GRID_TOP + voice * ROW
        at_least = threshold(_global(view, "density"), _of_voice(view, "voice_density", voice))
        last = min(length, max(round(_whole(view, "voice_length", voice)), 1))
        for step in range(last):
            if wanted[step][voice] >= at_least:
                _hit(canvas, column_left(step), top, float(view.pattern.velocities[step, voice]))
        if _of_voice(view, "mute", voice) >= 0.5:  # a ghost of it
            canvas[top : top + 3 : 2, GRID_LEFT:SIDE_LEFT:2] = canvas[top + 1, GRID_LEFT + 1 : SIDE_LEFT : 2] = False
        for step in range(STEPS_PER_BEAT, length, STEPS_PER_BEAT):
            canvas[top + 3, column_left(step) - 1] = True  # between the hits, and below them
        if voice == view.voice % VOICE_COUNT:
            put(canvas, POINTER, 0, top)
    for beat in range(0, length, STEPS_PER_BEAT):
        canvas[GRID_TOP - 2, column_left(beat) : column_left(beat) + (2 if beat % STEPS_PER_BAR else 5)] = True
    if length < STEPS:
        canvas[GRID_TOP - 1 : GRID_TOP + VOICE_COUNT * ROW : 2, column_left(length - 1) + COLUMN] = True
    if view.playing:
        left = column_left(view.step % length)
        canvas[GRID_TOP - 1 : GRID_TOP + VOICE_COUNT * ROW, left : left + 2] ^= True


def _hit(canvas: Bits, left: int, top: int, velocity: float) -> None:
    height = 3 if velocity >= 0.7 else 2 if velocity >= 0.4 else 1
    canvas[top + 3 - height : top + 3, left : left + 2] = True


def _map(canvas: Bits, left: int, top: int, width: int, height: int, x: float, y: float) -> None:
    """A map with its frame, a dotted lattice, and the place on it; y upwards."""
    frame(canvas, left, top, width, height)
    first_row, first_column = ((side - 1 - (side - 8) // 4 * 4) // 2 for side in (height, width))
    canvas[top + first_row : top + height - 2 : 4, left + first_column : left + width - 2 : 4] = True
    column = left + 3 + round(_unit(x) * (width - 7))
    row = top + height - 4 - round(_unit(y) * (height - 7))
    canvas[row - 2 : row + 3, column - 2 : column + 3] = False
    canvas[row - 1 : row + 2, column - 1 : column + 2] = True


def _meters(canvas: Bits, view: View, left: int, top: int) -> None:
    for voice, peak in enumerate(view.peaks[:VOICE_COUNT]):
        height = 1 + round(_loudness(peak) * 11)
        canvas[top + 12 - height : top + 12, left + 2 * voice] = True


def _loudness(peak: float) -> float:
    """0..1 over 48 dB."""
    return _unit(1.0 + 20.0 * float(np.log10(max(peak, 1e-9))) / 48.0) if peak > 0.0 else 0.0


def _wave(canvas: Bits, wave: tuple[float, ...], left: int) -> None:
    width = WORDS_WIDTH - left
    if not wave or width < 8:
        return
    middle = FOOT_TOP + 8
    peaks = np.nan_to_num(np.asarray(wave, np.float64)).clip(0.0, 1.0)
    heard = np.flatnonzero(peaks > HEARD)
    peaks = np.sqrt(peaks[: heard[-1] + 1 if len(heard) else 1])  # quiet parts can be seen too
    loudest = np.maximum.reduceat(peaks, np.arange(width) * len(peaks) // width)
    for column, reach in enumerate(np.rint(loudest * 7).astype(int).tolist(), left):
        canvas[middle - reach : middle + reach + 1, column] = True


def _message(canvas: Bits, message: str) -> None:
    lines = BODY.lines(message, WIDTH, 2)
    if not any(line.endswith("..") for line in lines):
        top = FOOT_TOP + (4 if len(lines) == 1 else 0)
        for number, line in enumerate(lines):
            write(canvas, line, 0, top + 8 * number)
        return
    lines = SMALL.lines(message, WIDTH, 3)
    canvas[FOOT_TOP - 2 :] = False  # room for three
    for number, line in enumerate(lines):
        write(
            canvas,
            line,
            0,
            FOOT_TOP + (-1 if len(lines) == 3 else 2) + (6 if len(lines) == 3 else 8) * number,
            font=SMALL,
        )


def _value_page(canvas: Bits, view: View, entry: Parameter) -> None:
    """The parameter under the hand: its name, its value as large as fits, where value and hand stand."""
    write(canvas, entry.label.upper(), 0, 0)
    voice = view.voice % VOICE_COUNT
    if entry.per_voice:
        write(canvas, VOICES[voice].label, WIDTH, 0, right=True)
    _large(canvas, view.texts.get(entry.name, ""), 13)
    position = _of_voice(view, entry.name, voice) if entry.per_voice else _global(view, entry.name)
    top, height = 49, 8
    frame(canvas, 0, top, WIDTH, height)
    span = WIDTH - 4
    middle = round(_unit(entry.position(0.0)) * span) if entry.low < 0.0 else 0
    place = round(position * span)
    canvas[top + 2 : top + height - 2, 2 + min(middle, place) : 2 + max(middle, place)] = True
    canvas[top + 1 : top + height - 1, max(2 + place - 1, 1) : min(2 + place + 1, WIDTH - 1)] = True
    if entry.name == "morph":  # its ends are places the player has kept
        for side, x, there in (("A", 0, view.kept_a), ("B", WIDTH - 5, view.kept_b)):
            put(canvas, BODY.text(side if there else "-")[:7], x, 41)
    hand = _hand(view, entry)
    if hand is not None:
        put(canvas, HAND, 2 + round(hand * span) - 2, top + height + 2)


def _hand(view: View, entry: Parameter) -> float | None:
    """Where the knob of this parameter stands while it has not caught the value."""
    index = entry.knob - 1
    if entry.page != view.page or not 0 <= index < min(len(view.hands), len(view.taking_over)):
        return None
    hand = view.hands[index]
    return _unit(hand) if view.taking_over[index] and hand is not None else None


def _large(canvas: Bits, words: str, top: int) -> None:
    """A number as large as fits with its unit beside it, or words on one or two lines."""
    found = re.match(r"([+-]?[\d.]+)\s*(%?)\s*(.*)", words)
    if found:
        number, sign, unit = found.groups()
        big = set_line(number + sign, 3)
        end = put(canvas, big, 0, top + 4)
        write(canvas, SMALL.fitting(unit, WIDTH - end - 5), end + 5, top + 20, font=SMALL)
        return
    if set_line(words, 3).shape[1] <= WIDTH:
        put(canvas, set_line(words, 3), 0, top + 4)
        return
    parts = re.findall(r"\D+?(?: \d+)?(?= |$)", words) if re.search(r" \d", words) else words.split()
    lines = [part.strip() for part in parts][:2]
    for number, line in enumerate(lines):
        size = 2 if set_line(line, 2).shape[1] <= WIDTH else 1
        put(canvas, set_line(BODY.fitting(line, WIDTH) if size == 1 else line, size), 0, top + 17 * number)


def _map_page(canvas: Bits, view: View, name: str) -> None:
    """The map under the hand, as large as the screen is high."""
    voice = view.voice % VOICE_COUNT
    sound = name.startswith("tone")
    (x, y), title, under = view.place, "Corners" if view.map_kind == "corners" else "Rhythm", view.style
    if sound:
        x, y = view.tones[voice] if voice < len(view.tones) else (0.5, 0.5)
        title, under = VOICES[voice].label, _sound_class(view, voice)
        under = "sound map" if under == VOICES[voice].name else under
    write(canvas, BODY.fitting(title, 58), 0, 0)
    for number, line in enumerate(SMALL.lines(re.sub(r" (\d+)", r" \1%", _words(under)), 58, 2)):
        write(canvas, line, 0, 10 + 7 * number, font=SMALL)
    for label, axis, top in (("X", MAPS[name].split()[0], 28), ("Y", MAPS[name].split()[1], 48)):
        words = view.texts.get(axis, "").removesuffix("%").strip()
        if axis == name:  # under the hand
            canvas[top + 1 : top + 14, 0:9] = True
            canvas[[top + 1, top + 1, top + 13, top + 13], [0, 8, 0, 8]] = False
        canvas[top + 4 : top + 11, 2:7] ^= BODY.text(label)[:7]
        put(canvas, set_line(words[:4], 2), 13, top)
    left, size = WIDTH - HEIGHT, HEIGHT
    frame(canvas, left, 0, size, size)
    canvas[7 : size - 2 : 8, left + 7 : left + size - 2 : 8] = True
    column = left + 4 + round(_unit(x) * (size - 9))
    row = size - 5 - round(_unit(y) * (size - 9))
    canvas[row, left + 2 : left + size - 2 : 2] = True
    canvas[2 : size - 2 : 2, column] = True
    if not sound and view.map_kind == "corners":
        _corners(canvas, view, left, size)
    canvas[row - 4 : row + 5, column - 4 : column + 5] = False
    put(canvas, DOT, column - 3, row - 3)
    frame(canvas, left, 0, size, size)


def _corners(canvas: Bits, view: View, left: int, size: int) -> None:
    """Which scene lies in which corner (see CORNERS in events.py); none: the learned map's place."""
    for corner, scene in enumerate(view.corners[:4]):
        if scene is not None:
            number = SMALL.text(str(scene + 1))
            x = left + 4 if corner % 2 == 0 else left + size - 4 - number.shape[1]
            y = size - 9 if corner < 2 else 4
            canvas[y - 1 : y + 6, x - 1 : x + number.shape[1] + 1] = True
            canvas[y : y + 5, x : x + number.shape[1]] = ~number


DOT: Final = picture_of("..###..", ".#####.", "#######", "#######", "#######", ".#####.", "..###..")


def _count_in(canvas: Bits, view: View) -> None:
    """The beats until a take begins."""
    beats = view.learn.removeprefix("counting").strip()[:2]
    write(canvas, "LEARN", 0, 0)
    write(canvas, tempo_words(view.tempo_bpm), WIDTH, 0, right=True)
    number = set_line(beats or "-", 3)
    put(canvas, number, (WIDTH - number.shape[1]) // 2, 18)
    write(canvas, "then play two bars", (WIDTH - BODY.width("then play two bars")) // 2, 54)


# -- reading a View --------------------------------------------------------------------------------------


def _unit(value: float) -> float:
    return min(max(float(value), 0.0), 1.0) if np.isfinite(value) else 0.0


def _global(view: View, name: str) -> float:
    position = view.positions.get(name)
    entry = PARAMETER[name]
    return _unit(position) if isinstance(position, float | int) else entry.position(entry.default)


def _of_voice(view: View, name: str, voice: int) -> float:
    nine = view.positions.get(name)
    entry = PARAMETER[name]
    return _unit(nine[voice]) if isinstance(nine, tuple) and voice < len(nine) else entry.position(entry.default)


def _whole(view: View, name: str, voice: int | None = None) -> float:
    return PARAMETER[name].value(_global(view, name) if voice is None else _of_voice(view, name, voice))


def _sound_class(view: View, voice: int) -> str:
    return view.sound_classes[voice] if voice < len(view.sound_classes) else VOICES[voice].name


def _words(name: str) -> str:
    return name.replace("_", " ")


# -- as a file -------------------------------------------------------------------------------------------


def png(canvas: Bits, scale: int = 1) -> bytes:
    """A picture as a PNG file of one bit a dot, each dot ``scale`` times as large."""
    large = np.kron(canvas, np.ones((scale, scale), bool)) if scale > 1 else canvas
    height, width = large.shape
    rows = np.packbits(large, axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def screen_png(view: View, focus: Focus | None = None, scale: int = 1) -> bytes:
    """The little screen as a PNG file, for the page."""
    return png(draw(view, focus), scale)
