"""Rows of a dataset's CSV index, checked before anything is read that it names."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from device.errors import DataError


def read_rows(path: Path, columns: Sequence[str], way_out: str, data: bytes | None = None) -> list[dict[str, str]]:
    """Every row of a CSV file as a dict that holds at least ``columns``.

    ``data`` is the file's content where it was read already; ``way_out`` ends the sentences of DataError, which
    is raised for a file that cannot be read, is no UTF-8 text, lacks a column or has a row that ends too soon.
    """
    try:
        text = (path.read_bytes() if data is None else data).decode("utf-8-sig")
        table = csv.DictReader(io.StringIO(text, newline=""))
        missing = [name for name in columns if name not in (table.fieldnames or ())]
        if missing:
            raise DataError(f"{path} has no column {', '.join(missing)}: {way_out}")
        rows = []
        for row in table:
            short = [name for name in columns if row[name] is None]
            if short:
                raise DataError(f"line {table.line_num} of {path} has no {', '.join(short)}: {way_out}")
            rows.append({name: row[name] for name in columns})
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): {way_out}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV text in UTF-8: {way_out}") from error
    return rows
