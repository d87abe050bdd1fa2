"""A study's table: rows of named values, as a CSV file and as nothing else."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from canonface.errors import RunError

Table: TypeAlias = Sequence[Mapping[str, Any]]
"""Rows of one kind: column -> text or number."""


def write_table(table: Table, path: str | Path) -> Path:
    """Write a table as CSV in UTF-8; a number that is not known is an empty cell.

    Raises:
        RunError: the file cannot be written.
    """
    target = Path(path)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(key for row in table for key in row)), restval="")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in table)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(buffer.getvalue(), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"A table needs a folder that can be written to; {target} cannot be written: {error.strerror or error}. "
            "Name another folder with -o."
        ) from error
    return target


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
