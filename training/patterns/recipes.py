"""What our own grooves are made of: one recipe a style, written down as bars of sixteen signs.

    X accent, always    x always    o likely (70 %)    - now and then (25 %)    . never

A voice lists alternative bars, a groove draws one of them for its first bar and mostly keeps it for the
second. ``swing`` delays every second sixteenth by that many steps; ``loose`` is how far a hit strays from
the grid (standard deviation in steps). Written from what these styles are made of everywhere, not taken
from any recording.
"""

from dataclasses import dataclass
from typing import Final

Bars = tuple[str, ...]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One style. ``voices`` maps a voice's name to alternative bars."""

    voices: dict[str, Bars]
    swing: Range = (0.0, 0.0)  # steps
    loose: Range = (0.0, 0.02)  # steps
    late: Range = (0.0, 0.0)  # steps the snare lies behind the beat
    ghosts: float = 0.0  # chance of a soft snare on an empty sixteenth


FOUR: Final = "X...X...X...X..."
BACKBEAT: Final = "....X.......X..."
EIGHTHS: Final = "x.x.x.x.x.x.x.x."
SIXTEENTHS: Final = "xoxoxoxoxoxoxoxo"
OFFBEAT: Final = "..x...x...x...x."
NONE: Final = "................"

RECIPES: Final[dict[str, Recipe]] = {
    "jazz": Recipe(
        {
            "ride": ("x...x..xx...x..x", "x...x..xx...x...", "x..xx..xx..xx..x"),
            "closed_hat": ("....x.......x...",),
            "kick": ("x.......x.......", "-...-...-..-....", "x..-......o....."),
            "snare": ("...-..-....-..--", "......-..-....o.", NONE),
        },
        swing=(0.2, 0.33),
        loose=(0.03, 0.08),
        ghosts=0.05,
    ),
    "latin": Recipe(
        {
            "ride": ("x.xxx.xxx.xxx.xx", "x.x.xxx.x.x.xx.x"),
            "closed_hat": ("....x.......x...", "..x...x...x...x.", SIXTEENTHS),
            "kick": ("x..xx..xx..xx..x", "x..x..x.x..x..x.", "X..x....X..x...."),
            "snare": ("x..x..x...x.x...", "..x.x...x..x..x.", "....x..x....x..x"),
            "low_tom": (NONE, "............x.x."),
            "high_tom": ("......x.......x.", NONE),
        },
        loose=(0.02, 0.06),
    ),
    "afro": Recipe(
        {
            "ride": ("x.x.xx.x.x.xx.x.", "x..x..x..x..x.x.", "x.xx.x.xx.x.xx.x"),
            "closed_hat": ("..x...x...x...x.", "....x.......x..."),
            "kick": ("X...x.....x.x...", "X..x..x...x..x..", "x.....x.X.....x."),
            "snare": ("...x..x....x..x.", "....X..-....X.-.", "..x..x....x..x.."),
            "low_tom": ("......x.......x.", NONE, "..........x.x..."),
            "mid_tom": ("...x.......x....", NONE),
        },
        swing=(0.0, 0.2),
        loose=(0.03, 0.07),
        ghosts=0.04,
    ),
    "reggae": Recipe(
        {
            "kick": ("........X.......", FOUR, "X.......X......."),
            "snare": ("........X.......", "........X.....-.", "...-....X..-...."),
            "closed_hat": (EIGHTHS, "x.xxx.xxx.xxx.xx", "..x...x...x...x."),
            "open_hat": (NONE, "..............x."),
        },
        swing=(0.0, 0.3),
        loose=(0.02, 0.05),
    ),
    "soul": Recipe(
        {
            "kick": ("X.....x.x.......", "X..x..x...x.....", "X.......X.o....."),
            "snare": (BACKBEAT, "X...X...X...X...", "....X..-.-..X..-"),
            "closed_hat": (EIGHTHS, "x.xxx.x.x.xxx.x.", SIXTEENTHS),
            "crash": (NONE, "o..............."),
        },
        swing=(0.0, 0.25),
        loose=(0.02, 0.06),
        ghosts=0.04,
    ),
    "funk": Recipe(
        {
            "kick": ("X..x..x...x..x..", "X.x.......x..x..", "X.....xx..x.....", "X..x......xx..x."),
            "snare": ("....X..x.x..X..x", "....X..-.x.-X...", "....X.....x.x..x"),
            "closed_hat": (SIXTEENTHS, EIGHTHS, "xxxxxxxxxxxxxxxx"),
            "open_hat": (NONE, "......x.........", "..............x."),
        },
        swing=(0.0, 0.15),
        loose=(0.02, 0.05),
        ghosts=0.12,
    ),
    "hiphop": Recipe(
        {
            "kick": ("X......x..x.....", "X.x.......xx....", "X..x...x..x....-", "X.........x..x.."),
            "snare": (BACKBEAT, "....X.......X..-", "....X..-....X..."),
            "closed_hat": (EIGHTHS, "x.xxx.x.x.xxx.x.", "x.x.x.xxx.x.x.x."),
            "open_hat": (NONE, "..........x.....", "......x........."),
        },
        swing=(0.05, 0.3),
        loose=(0.01, 0.04),
        late=(0.0, 0.12),
        ghosts=0.04,
    ),
    "pop": Recipe(
        {
            "kick": ("X.......X.......", "X.......X.x.....", "X.....x.X.......", FOUR),
            "snare": (BACKBEAT,),
            "closed_hat": (EIGHTHS, SIXTEENTHS, "X...X...X...X..."),
            "crash": (NONE, NONE, "X..............."),
        },
        loose=(0.01, 0.04),
    ),
    "rock": Recipe(
        {
            "kick": ("X.......X.x.....", "X.....x.X.......", "X.x.....X.x.....", "X..x....X..x...."),
            "snare": (BACKBEAT, "....X..-....X...", "........X......."),
            "closed_hat": (EIGHTHS, "X...X...X...X...", NONE),
            "ride": (NONE, NONE, EIGHTHS),
            "open_hat": (NONE, "..............x."),
            "crash": (NONE, "X...............", NONE),
        },
        loose=(0.02, 0.05),
        ghosts=0.02,
    ),
    "punk": Recipe(
        {
            "kick": ("X...X...X...X...", "X.....x.X.....x.", "X.x.X.x.X.x.X.x."),
            "snare": ("..X...X...X...X.", BACKBEAT),
            "closed_hat": (EIGHTHS, NONE),
            "crash": (NONE, "X...x...x...x...", "X..............."),
        },
        loose=(0.02, 0.06),
    ),
    "disco": Recipe(
        {
            "kick": (FOUR,),
            "snare": (BACKBEAT, "....X.......X.-x"),
            "closed_hat": ("xx.xxx.xxx.xxx.x", "x...x...x...x...", SIXTEENTHS),
            "open_hat": (OFFBEAT,),
            "crash": (NONE, NONE, "X..............."),
        },
        loose=(0.0, 0.03),
    ),
    "house": Recipe(
        {
            "kick": (FOUR,),
            "snare": (BACKBEAT, "....X..-....X.-.", "....X.......X..x"),
            "closed_hat": ("xoxoxoxoxoxoxoxo", "x.-.x.-.x.-.x.-.", "oxx.oxx.oxx.oxx."),
            "open_hat": (OFFBEAT, OFFBEAT, "..x...x...x..xx."),
            "high_tom": (NONE, NONE, "...x..x....x..x."),
            "ride": (NONE, NONE, NONE, OFFBEAT),
        },
        swing=(0.0, 0.22),
    ),
    "techno": Recipe(
        {
            "kick": (FOUR, FOUR, "X...X...X...X..-", "X...X...X..xX..."),
            "snare": (NONE, BACKBEAT, "..........x.....", "...x......x..x.."),
            "closed_hat": ("..xx..xx..xx..xx", "xxxxxxxxxxxxxxxx", "..x...x...x...x."),
            "open_hat": (OFFBEAT, NONE, "..............x."),
            "low_tom": (NONE, "..x..x..x..x..x.", "...x..x..x..x..."),
            "mid_tom": (NONE, NONE, "......x...x....."),
            "ride": (NONE, NONE, "x.x.x.x.x.x.x.x."),
        },
        swing=(0.0, 0.08),
    ),
    "electro": Recipe(
        {
            "kick": ("X.....x...x.....", "X..x......x..x..", "X.....x...xx....", "X.x...x...x....."),
            "snare": (BACKBEAT, "....X.......X.x."),
            "closed_hat": (EIGHTHS, "xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx"),
            "open_hat": (NONE, "..x.......x.....", "..............x."),
            "high_tom": (NONE, "...x..x.........", ".......x...x...."),
            "low_tom": (NONE, NONE, "...........x.x.."),
        },
        loose=(0.0, 0.01),
    ),
    "breakbeat": Recipe(
        {
            "kick": ("X.x.......xx....", "X.........x.....", "X..x......x.....", "X.x.......x..x.."),
            "snare": ("....X..x.x..X..x", "....X..-....X..-", "....X.....x.X..."),
            "closed_hat": (EIGHTHS, "x.x.x.xxx.x.x.x.", SIXTEENTHS),
            "ride": (NONE, NONE, EIGHTHS),
            "crash": (NONE, NONE, "..........x....."),
        },
        swing=(0.0, 0.15),
        loose=(0.01, 0.04),
        ghosts=0.08,
    ),
    "drum_and_bass": Recipe(
        {
            "kick": ("X.........x.....", "X.........x..x..", "X..x......x.....", "X.....x...x....."),
            "snare": (BACKBEAT, "....X.......X..-", "....X..-.-..X..."),
            "closed_hat": (EIGHTHS, SIXTEENTHS, "x.xxx.xxx.xxx.xx"),
            "ride": (NONE, NONE, "x.x.x.x.x.x.x.x.", OFFBEAT),
            "open_hat": (NONE, "......x.......x."),
            "crash": (NONE, NONE, "X..............."),
        },
        swing=(0.0, 0.08),
        loose=(0.0, 0.03),
        ghosts=0.1,
    ),
    "uk_garage": Recipe(
        {
            "kick": ("X.........x.....", "X......x..x.....", "X..x......x....-", "X.....x...x..x.."),
            "snare": (BACKBEAT, "....X..-....X..x", "....X.....-.X..-"),
            "closed_hat": ("x.xx..xx..xxx.xx", "..xx..xx..xx..xx", "x.x..xx.x.x..xx."),
            "open_hat": (OFFBEAT, "..x.......x.....", NONE),
            "high_tom": (NONE, NONE, ".......x.......x"),
        },
        swing=(0.15, 0.36),
        loose=(0.0, 0.02),
    ),
    "dubstep": Recipe(
        {
            "kick": ("X.....x.........", "X..x............", "X.........x...x.", "X.......-.....x."),
            "snare": ("........X.......", "........X......-"),
            "closed_hat": ("x..x..x...x..x..", "x.x..x.x..x.x..x", "..x...xx..x...x."),
            "open_hat": (NONE, "......x.........", "..............x."),
            "mid_tom": (NONE, NONE, "..........x..x.."),
        },
        swing=(0.0, 0.3),
    ),
    "trap": Recipe(
        {
            "kick": ("X.....x...x.....", "X..x......x..x..", "X.........xx....", "X......x..x...x."),
            "snare": ("........X.......", "........X.....-x", "........X..-...."),
            "closed_hat": (EIGHTHS, "x.x.x.xxx.x.xxxx", "xxx.x.x.xxx.x.x.", "x.xxx.x.x.x.xxxx"),
            "open_hat": (NONE, "......x.........", "..x............."),
            "low_tom": (NONE, NONE, ".............x.x"),
            "crash": (NONE, NONE, "X..............."),
        },
        loose=(0.0, 0.01),
    ),
    "reggaeton": Recipe(
        {
            "kick": (FOUR, FOUR, "X...X...X...X.-."),
            "snare": ("...x..x....x..x.", "...x..x....x..xx", "...X..X.-..X..X."),
            "closed_hat": (EIGHTHS, "x.xxx.xxx.xxx.xx", "..x...x...x...x."),
            "open_hat": (NONE, "..............x."),
            "high_tom": (NONE, NONE, "..............xx"),
            "crash": (NONE, NONE, "X..............."),
        },
        loose=(0.0, 0.02),
    ),
}
