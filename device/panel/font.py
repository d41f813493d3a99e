"""Two bitmap fonts drawn for the little screen, as pictures one can read here: BODY (8 rows) and SMALL (5 rows, capitals).

Larger sizes are made from BODY by Scale2x and Scale3x (AdvanceMAME's rules by Andrea Mazzoleni), which round
diagonals and corners instead of making steps of them.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.bool_]
SQUARE: Final = "+"  # rounding would make a star of it

_BODY: Final = """
A     B     C     D     E     F     G     H     I   J     K     L     M     N     O     P     Q     R
.###. ####. .###. ####. ##### ##### .###. #...# ### ..### #...# #.... #...# #...# .###. ####. .###. ####.
#...# #...# #...# #...# #.... #.... #...# #...# .#. ...#. #..#. #.... ##.## ##..# #...# #...# #...# #...#
#...# #...# #.... #...# #.... #.... #.... #...# .#. ...#. #.#.. #.... #.#.# #.#.# #...# #...# #...# #...#
##### ####. #.... #...# ####. ####. #.### ##### .#. ...#. ##... #.... #.#.# #..## #...# ####. #...# ####.
#...# #...# #.... #...# #.... #.... #...# #...# .#. ...#. #.#.. #.... #...# #...# #...# #.... #.#.# #.#..
#...# #...# #...# #...# #.... #.... #...# #...# .#. #..#. #..#. #.... #...# #...# #...# #.... #..#. #..#.
#...# ####. .###. ####. ##### #.... .###. #...# ### .##.. #...# ##### #...# #...# .###. #.... .##.# #...#
..... ..... ..... ..... ..... ..... ..... ..... ... ..... ..... ..... ..... ..... ..... ..... ..... .....

S     T     U     V     W     X     Y     Z     0     1     2     3     4     5     6     7     8     9
.#### ##### #...# #...# #...# #...# #...# ##### .###. ..#.. .###. .###. #..#. ##### .###. ##### .###. .###.
#.... ..#.. #...# #...# #...# #...# #...# ....# #...# .##.. #...# #...# #..#. #.... #.... ....# #...# #...#
#.... ..#.. #...# #...# #...# .#.#. .#.#. ...#. #...# ..#.. ....# ....# #..#. ####. #.... ...#. #...# #...#
.###. ..#.. #...# #...# #.#.# ..#.. ..#.. ..#.. #...# ..#.. ...#. ..##. ##### ....# ####. ..#.. .###. .####
....# ..#.. #...# #...# #.#.# .#.#. ..#.. .#... #...# ..#.. ..#.. ....# ...#. ....# #...# ..#.. #...# ....#
....# ..#.. #...# .#.#. ##.## #...# ..#.. #.... #...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ....#
####. ..#.. .###. ..#.. #...# #...# ..#.. ##### .###. .###. ##### .###. ...#. .###. .###. .#... .###. .###.
..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... .....

a    b    c    d    e    f   g    h    i j  k    l  m     n    o    p    q    r    s    t   u    v     w
.... #... .... ...# .... .## .... #... # .# #... #. ..... .... .... .... .... .... .... .#. .... ..... .....
.... #... .... ...# .... #.. .... #... . .. #... #. ..... .... .... .... .... .... .... .#. .... ..... .....
.##. ###. .### .### .##. ### .### ###. # .# #..# #. ####. ###. .##. ###. .### #.## .### ### #..# #...# #...#
...# #..# #... #..# #..# #.. #..# #..# # .# #.#. #. #.#.# #..# #..# #..# #..# ##.. #... .#. #..# #...# #.#.#
.### #..# #... #..# #### #.. #..# #..# # .# ##.. #. #.#.# #..# #..# #..# #..# #... .##. .#. #..# .#.#. #.#.#
#..# #..# #... #..# #... #.. .### #..# # .# #.#. #. #.#.# #..# #..# ###. .### #... ...# .#. #..# .#.#. #.#.#
.### ###. .### .### .### #.. ...# #..# # .# #..# .# #.#.# #..# .##. #... ...# #... ###. .## .### ..#.. .#.#.
.... .... .... .... .... ... .##. .... . #. .... .. ..... .... .... #... ...# .... .... ... .... ..... .....

x     y    z    . , : ; ! ? ( ) [ ] ' " + - / % & = < > _ * #
..... .... .... . .. . .. # .###. .# #. ## ## # #.# ..... ... ....# ##..# .##.. .... ...# #... .... ..... .#.#.
..... .... .... . .. . .. # #...# #. .# #. .# # #.# ..... ... ....# ##..# #..#. .... ..#. .#.. .... #.#.# .#.#.
#...# #..# #### . .. # .# # ....# #. .# #. .# . ... ..#.. ... ...#. ...#. #.#.. #### .#.. ..#. .... .###. #####
.#.#. #..# ...# . .. . .. # ...#. #. .# #. .# . ... ..#.. ### ..#.. ..#.. .#... .... #... ...# .... ##### .#.#.
..#.. #..# .##. . .. . .. # ..#.. #. .# #. .# . ... ##### ... .#... .#... #.#.# #### .#.. ..#. .... .###. #####
.#.#. .### #... . .. # .# . ..... #. .# #. .# . ... ..#.. ... #.... #..## #..#. .... ..#. .#.. .... #.#.# .#.#.
#...# ...# #### # .# . #. # ..#.. .# #. ## ## . ... ..#.. ... #.... #..## .##.# .... ...# #... #### ..... .#.#.
..... .##. .... . #. . .. . ..... .. .. .. .. . ... ..... ... ..... ..... ..... .... .... .... .... ..... .....
"""

_SMALL: Final = """
A   B   C   D   E   F   G   H   I J   K   L   M     N    O   P   Q   R   S   T   U   V   W     X   Y   Z
.#. ##. .## ##. ### ### .## #.# # ..# #.# #.. #...# #..# ### ##. ### ##. .## ### #.# #.# #...# #.# #.# ###
#.# #.# #.. #.# #.. #.. #.. #.# # ..# #.# #.. ##.## ##.# #.# #.# #.# #.# #.. .#. #.# #.# #...# #.# #.# ..#
### ##. #.. #.# ##. ##. #.# ### # ..# ##. #.. #.#.# #.## #.# ##. #.# ##. .#. .#. #.# #.# #.#.# .#. .#. .#.
#.# #.# #.. #.# #.. #.. #.# #.# # #.# #.# #.. #...# #..# #.# #.. ### #.# ..# .#. #.# #.# ##.## #.# .#. #..
#.# ##. .## ##. ### #.. .## #.# # .#. #.# ### #...# #..# ### #.. ..# #.# ##. .#. ### .#. #...# #.# .#. ###

0   1  2   3   4   5   6   7   8   9   . , : ! ? ( ) ' + - / % & = < > _ * # " ; [ ]
### .# ##. ##. #.# ### .## ### ### ### . .. . # ##. .# #. # ... ... ..# #.# .#. ... ..# #.. ... ... #.# #.# .. ## ##
#.# ## ..# ..# #.# #.. #.. ..# #.# #.# . .. # # ..# #. .# # .#. ... ..# ..# #.# ### .#. .#. ... #.# ### #.# .# #. .#
#.# .# .#. .#. ### ##. ### .#. ### ### . .. . # .#. #. .# . ### ### .#. .#. .#. ... #.. ..# ... .#. #.# ... .. #. .#
#.# .# #.. ..# ..# ..# #.# .#. #.# ..# . .# # . ... #. .# . .#. ... #.. #.. #.# ### .#. .#. ... #.# ### ... .# #. .#
### .# ### ##. ..# ##. ### .#. ### ##. # #. . # .#. .# #. . ... ... #.. #.# .## ... ..# #.. ### ... #.# ... #. ## ##
"""


class Font:
    """Glyphs of one height; ``text`` sets a line of them."""

    def __init__(self, drawn: str, space: int) -> None:
        self.glyphs: dict[str, Bits] = {}
        for group in drawn.strip().split("\n\n"):
            names, *rows = (line.split() for line in group.splitlines())
            for name, picture in zip(names, zip(*rows, strict=True), strict=True):
                self.glyphs[name] = np.array([[dot == "#" for dot in row] for row in picture])
        self.rows = len(next(iter(self.glyphs.values())))
        self.glyphs[" "] = np.zeros((self.rows, space), bool)
        if "a" not in self.glyphs:
            self.glyphs |= {name.lower(): glyph for name, glyph in self.glyphs.items()}

    def text(self, words: str) -> Bits:
        """A line of text (rows, width), with one column between letters; what cannot be written is a "?"."""
        parts: list[Bits] = []
        gap = np.zeros((self.rows, 1), bool)
        for letter in words:
            parts += [self.glyphs.get(letter, self.glyphs["?"]), gap]
        return np.concatenate(parts[:-1], axis=1) if parts else np.zeros((self.rows, 0), bool)

    def width(self, words: str) -> int:
        """Columns of a line of text."""
        return int(self.text(words).shape[1])

    def fitting(self, words: str, width: int) -> str:
        """The words, cut with ".." when they are wider than ``width``."""
        if self.width(words) <= width:
            return words
        while words and self.width(words + "..") > width:
            words = words[:-1].rstrip()
        return words + ".." if words else ""

    def lines(self, words: str, width: int, most: int) -> list[str]:
        """The words broken into at most ``most`` lines."""
        lines: list[str] = []
        for word in words.split():
            if lines and self.width(f"{lines[-1]} {word}") <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        if len(lines) > most:
            lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
        return [self.fitting(line, width) for line in lines]


BODY: Final = Font(_BODY, 3)
SMALL: Final = Font(_SMALL, 2)


def twice(picture: Bits) -> Bits:
    """(h, w) -> (2h, 2w) by Scale2x."""
    e, (b, d, f, h) = picture, _neighbours(picture)
    out = np.zeros((2 * e.shape[0], 2 * e.shape[1]), bool)
    edge = (b != h) & (d != f)
    out[0::2, 0::2] = np.where(edge & (d == b), d, e)
    out[0::2, 1::2] = np.where(edge & (b == f), f, e)
    out[1::2, 0::2] = np.where(edge & (d == h), d, e)
    out[1::2, 1::2] = np.where(edge & (h == f), f, e)
    return out


def thrice(picture: Bits) -> Bits:
    """(h, w) -> (3h, 3w) by Scale3x."""
    padded = np.pad(picture, 1)
    a, c, g, i = padded[:-2, :-2], padded[:-2, 2:], padded[2:, :-2], padded[2:, 2:]
    e, (b, d, f, h) = picture, _neighbours(picture)
    out = np.repeat(np.repeat(e, 3, 0), 3, 1)
    edge = (b != h) & (d != f)
    out[0::3, 0::3] = np.where(edge & (d == b), d, e)
    out[0::3, 1::3] = np.where(edge & (((d == b) & (e != c)) | ((b == f) & (e != a))), b, e)
    out[0::3, 2::3] = np.where(edge & (b == f), f, e)
    out[1::3, 0::3] = np.where(edge & (((d == b) & (e != g)) | ((d == h) & (e != a))), d, e)
    out[1::3, 2::3] = np.where(edge & (((b == f) & (e != i)) | ((h == f) & (e != c))), f, e)
    out[2::3, 0::3] = np.where(edge & (d == h), d, e)
    out[2::3, 1::3] = np.where(edge & (((d == h) & (e != i)) | ((h == f) & (e != g))), h, e)
    out[2::3, 2::3] = np.where(edge & (h == f), f, e)
    return out


def _neighbours(picture: Bits) -> tuple[Bits, Bits, Bits, Bits]:
    """What is above, left, right and below of each dot."""
    padded = np.pad(picture, 1)
    return padded[:-2, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:], padded[2:, 1:-1]


@lru_cache(512)
def set_line(words: str, size: int) -> Bits:
    """A line of BODY text in size 1, 2 or 3, without the rows under the line when they are empty. Do not write to it."""
    line = BODY.text(words)
    if size > 1:
        grow = twice if size == 2 else thrice
        parts = [
            np.kron(p, np.ones((size, size), bool)) if letter in SQUARE else grow(p) for letter, p in _parts(words)
        ]
        big = np.concatenate(parts, axis=1) if parts else np.zeros((8 * size, 0), bool)
    else:
        big = line
    return big[: 7 * size] if not line[7:].any() else big


def _parts(words: str) -> list[tuple[str, Bits]]:
    """Each letter with the column after it."""
    found = [(letter, np.pad(BODY.text(letter), ((0, 0), (0, 1)))) for letter in words]
    return [*found[:-1], (found[-1][0], found[-1][1][:, :-1])] if found else []
