"""What is known about each photo: a CSV file, matched to the photos by path or by file name."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from canonface.data.photos import PhotoList, read_csv
from canonface.errors import LabelsError, near_names

logger = logging.getLogger("canonface")
Labels = Mapping[str, Mapping[str, str]]
"""Photo name -> column -> value."""


def read_labels(path: Path, photos: PhotoList) -> dict[str, dict[str, str]]:
    """Labels of each photo, an empty dictionary for photos without.

    A row belongs to the photo at its path, taken from the folder of the CSV file. A photo that no row's path leads
    to takes the row with its file name, if only one row and only one such photo have that name, and if no file lies
    at the row's own path: a table of more photos than these names others.

    Raises:
        LabelsError: the file cannot be read, names a photo twice, or matches none of the photos.
    """
    rows = read_csv(path)
    labels = _matched(rows, path, photos)
    if not labels:
        raise LabelsError(
            f"Labels are matched to photos by path or file name; none of the {len(rows)} rows of {path} match one "
            f"of the {len(photos)} photos. The file has {rows[0]['path'] if rows else 'no rows'!r}, the photos "
            f"are like {photos.names[0]!r}."
        )
    if missing := [name for name in photos.names if name not in labels]:
        logger.warning(
            "%d of %d photos have no row in %s, e.g. %s", len(missing), len(photos), path.name, missing[0]
        )
    return {name: labels.get(name, {}) for name in photos.names}


def _matched(rows: list[dict[str, str]], path: Path, photos: PhotoList) -> dict[str, dict[str, str]]:
    """Labels of the photos that a row speaks of."""
    by_path = {os.path.abspath(photos.path(name)): name for name in photos.names}
    found: dict[str, dict[str, str]] = {}
    elsewhere: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        place = os.path.abspath(path.parent / row["path"])
        columns = {column: value for column, value in row.items() if column != "path"}
        if place in by_path:
            name = by_path[place]
            if found.setdefault(name, columns) != columns:
                raise LabelsError(
                    f"A labels file says one thing about each photo; {path} has two rows for {name!r}."
                )
        elif not Path(place).exists():
            elsewhere.setdefault(PurePosixPath(row["path"].replace("\\", "/")).name, []).append(columns)
    left: dict[str, list[str]] = {}
    for name in photos.names:
        if name not in found:
            left.setdefault(PurePosixPath(name).name, []).append(name)
    for file, names in left.items():
        candidates = elsewhere.get(file, [])
        if len(names) == 1 and candidates and all(columns == candidates[0] for columns in candidates):
            found[names[0]] = candidates[0]
        elif len(names) == 1 and candidates:
            raise LabelsError(
                f"A labels file says one thing about each photo; {path} has two rows for {file!r}."
            )
    return found


def label_columns(labels: Labels) -> tuple[str, ...]:
    """Names of the columns, in the order of the file."""
    return tuple(dict.fromkeys(column for row in labels.values() for column in row))


def require_column(column: str, labels: Labels) -> None:
    """Refuse a column that the labels do not have.

    Raises:
        LabelsError: with the near names.
    """
    columns = label_columns(labels)
    if column not in columns:
        if not columns:
            raise LabelsError(f"The column {column!r} needs a labels file: give one with --labels.")
        raise LabelsError(f"The labels have no column {column!r}: {near_names(column, columns)}")
