"""Latido: a drum instrument in a box.

Two variational auto-encoders, one for rhythm and one for sound, eight knobs, eight buttons.
This package is the instrument; it runs on a Raspberry Pi and never imports torch.
"""

__version__ = "0.1.0"
