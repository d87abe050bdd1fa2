"""Tables of a study: rows of named values, written as CSV or JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from canonface.errors import RunError

Table: TypeAlias = Sequence[Mapping[str, Any]]
"""Rows of one kind: column -> text or number."""


def write_table(table: Table, path: str | Path) -> Path:
    """Write a table as CSV in UTF-8; NaN becomes an empty cell, other numbers have six digits.

    Raises:
        RunError: the file cannot be written.
    """
    rows = [{key: _cell(value) for key, value in row.items()} for row in table]
    return write_csv(rows, Path(path), "A table")


def write_csv(rows: Iterable[Mapping[str, Any]], path: Path, content: str) -> Path:
    """Write rows as CSV in UTF-8, with all columns that occur and in the order in which they occur.

    Args:
        rows: column -> value; a missing value becomes an empty cell.
        path: file; its folder is made if it is missing.
        content: what the file holds, for the error message, e.g. "A table".

    Raises:
        RunError: the file cannot be written.
    """
    known = list(rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(key for row in known for key in row)), restval="")
    writer.writeheader()
    writer.writerows(known)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(buffer.getvalue(), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"{content} needs a folder that can be written to; {path} cannot be written: "
            f"{error.strerror or error}. Name another folder with -o."
        ) from error
    return path


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
