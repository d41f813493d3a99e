"""One measured number, ready to print."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """``met`` is None where there is no target or it could not be measured here (``measured`` then says why)."""

    what: str
    measured: str
    target: str = ""
    beside: str = ""  # what was run beside it, with its number
    met: bool | None = None
