"""The little screen in hardware: an SSD1306 or SH1106 with 128 x 64 dots on the I2C bus, through luma.oled.

luma knows the chips: how they are woken, dimmed and put to sleep. The picture we send ourselves, as bytes and
only the strips of eight rows that changed: luma walks through 8192 dots one by one for every picture, which
takes a Pi longer than the wire.

    look() --View--> Glance, draw --canvas--> the same as before? nothing : the strips that changed

A screen that is missing or pulled out is one line (``trouble``) and is sought again; nothing else notices.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from device.control.view import View
from device.errors import LatidoError, SettingError
from device.panel.font import Bits
from device.panel.screen import HEIGHT, WIDTH, Focus, Glance, draw

CHIPS: Final = ("ssd1306", "sh1106")
FRAMES_PER_SECOND: Final = 15
SEEK_SECONDS: Final = 5.0  # between attempts to find a missing screen
STRIPS: Final = HEIGHT // 8
SH1106_FIRST_COLUMN: Final = 2  # its memory is 132 dots wide
COLUMN_WINDOW, STRIP_WINDOW, STRIP = 0x21, 0x22, 0xB0  # SSD1306 and SH1106 data sheets


class Screen(Protocol):
    """Something that shows pictures. Raises LatidoError when it is gone."""

    def show(self, canvas: Bits) -> None:
        """Show (64, 128)."""

    def close(self) -> None:
        """Dark, and let go; idempotent."""


class Oled:
    """A luma device of one of CHIPS, already woken up."""

    def __init__(self, device: Any, chip: str, *, where: str = "", upside_down: bool = False) -> None:
        if chip not in CHIPS:
            raise SettingError(f"no screen chip {chip!r}: use {' or '.join(CHIPS)}")
        self._device, self._chip, self._where, self._upside_down = device, chip, where, upside_down
        self._shown: npt.NDArray[np.uint8] | None = None
        self.bytes_sent = 0

    def show(self, canvas: Bits) -> None:
        """Send the strips that changed."""
        wanted = strips(np.rot90(canvas, 2) if self._upside_down else canvas)
        changed = range(STRIPS) if self._shown is None else np.flatnonzero((wanted != self._shown).any(1)).tolist()
        try:
            for strip in changed:
                if self._chip == "ssd1306":
                    self._device.command(COLUMN_WINDOW, 0, WIDTH - 1, STRIP_WINDOW, strip, strip)
                else:
                    self._device.command(STRIP + strip, SH1106_FIRST_COLUMN & 0xF, 0x10 | SH1106_FIRST_COLUMN >> 4)
                self._device.data(wanted[strip].tolist())
                self.bytes_sent += WIDTH
        except Exception as error:  # luma's errors have no common base with those of the bus
            self._shown = None
            raise LatidoError(_missing(self._where, error)) from error
        self._shown = wanted

    def close(self) -> None:
        """Dark, and let go; idempotent."""
        device, self._device = self._device, None
        if device is not None:
            try:
                device.cleanup()
            except Exception:  # it is gone: dark enough
                self._shown = None


def strips(canvas: Bits) -> npt.NDArray[np.uint8]:
    """(64, 128) dots as the chips hold them: (8, 128) bytes, each eight rows of a column, the topmost lowest."""
    return np.packbits(canvas.reshape(STRIPS, 8, WIDTH), axis=1, bitorder="little")[:, 0]


def open_oled(chip: str = "ssd1306", bus: int = 1, address: int = 0x3C, *, upside_down: bool = False) -> Oled:
    """Wake the screen up. Raises SettingError for an unknown chip, LatidoError when it is not there."""
    if chip not in CHIPS:
        raise SettingError(f"no screen chip {chip!r}: use {' or '.join(CHIPS)}")
    where = f"at {address:#04x} on i2c-{bus}"
    try:
        from luma.core.interface.serial import i2c
        from luma.oled import device
    except ImportError as error:
        raise LatidoError("the little screen needs luma.oled: install with pip install 'latido[screen]'") from error
    try:
        return Oled(getattr(device, chip)(i2c(port=bus, address=address)), chip, where=where, upside_down=upside_down)
    except Exception as error:  # luma's errors have no common base with those of the bus
        raise LatidoError(_missing(where, error)) from error


def _missing(where: str, error: Exception) -> str:
    place = f" {where}" if where else ""
    return (
        f"no little screen answers{place} ({str(error) or type(error).__name__}): check its wires; it is sought again"
    )


def image(canvas: Bits) -> Any:
    """A picture as a PIL image of mode "1", for luma's other devices and emulators."""
    from PIL import Image

    return Image.frombytes("1", (WIDTH, HEIGHT), np.packbits(canvas, axis=1).tobytes())


class AnyDevice:
    """A Screen out of whatever luma can drive: its emulators and dummies, other displays."""

    def __init__(self, device: Any) -> None:
        self._device = device

    def show(self, canvas: Bits) -> None:
        """Hand the picture over whole."""
        self._device.display(image(canvas).convert(self._device.mode))

    def close(self) -> None:
        """Let go; idempotent."""
        self._device.cleanup()


class LittleScreen:
    """Shows what ``look`` returns until closed: changed pictures only, at most 15 a second, in a thread of its own.

    ``open_screen`` is called until it succeeds. ``trouble`` is one line while there is no screen, else "".
    """

    def __init__(self, look: Callable[[], View], open_screen: Callable[[], Screen], *, start: bool = True) -> None:
        self.trouble = ""
        self.frames_sent = 0
        self._look, self._open = look, open_screen
        self._screen: Screen | None = None
        self._glance = Glance()
        self._seen: tuple[View, Focus] | None = None
        self._canvas: Bits | None = None  # as shown
        self._seek_ns = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="little screen")
        if start:
            self._thread.start()

    def pass_once(self, now_ns: int) -> bool:
        """Look once; whether a picture was sent."""
        view = self._look()
        self._glance = self._glance.see(view, now_ns)
        if self._screen is None and not self._find(now_ns):
            return False
        assert self._screen is not None
        seen = (view, self._glance.focus)
        if self._seen is not None and view is self._seen[0] and seen[1] == self._seen[1]:
            return False
        canvas = draw(*seen)
        self._seen = seen
        if self._canvas is not None and np.array_equal(canvas, self._canvas):
            return False
        try:
            self._screen.show(canvas)
        except LatidoError as error:
            self._lose(str(error), now_ns)
            return False
        self._canvas = canvas
        self.frames_sent += 1
        return True

    def _find(self, now_ns: int) -> bool:
        if now_ns < self._seek_ns:
            return False
        try:
            self._screen = self._open()
        except LatidoError as error:
            self._lose(str(error), now_ns)
            return False
        self.trouble = ""
        return True

    def _lose(self, trouble: str, now_ns: int) -> None:
        self.trouble = trouble
        self._seek_ns = now_ns + int(SEEK_SECONDS * 1e9)
        self._canvas = self._seen = None
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def _run(self) -> None:
        while not self._closing.wait(1.0 / FRAMES_PER_SECOND):
            self.pass_once(time.monotonic_ns())

    def close(self) -> None:
        """Dark; idempotent."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def __enter__(self) -> "LittleScreen":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
