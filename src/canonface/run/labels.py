"""What is known about each photo: a CSV file, matched to the photos by path or by file name."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from canonface.errors import LabelsError, near_names
from canonface.run.photos import PhotoList, read_csv

logger = logging.getLogger("canonface")
Labels = Mapping[str, Mapping[str, str]]
"""Photo name -> column -> value."""


def read_labels(path: Path, photos: PhotoList) -> dict[str, dict[str, str]]:
    """Labels of each photo, an empty dictionary for photos without.

    A row belongs to the photo at its path, taken from the folder of the CSV file; failing that, to the one photo
    of that file name.

    Raises:
        LabelsError: the file cannot be read, names a photo twice, or matches none of the photos.
    """
    rows = read_csv(path)
    by_path = {os.path.abspath(photos.path(name)): name for name in photos.names}
    by_file: dict[str, list[str]] = {}
    for photo in photos.names:
        by_file.setdefault(PurePosixPath(photo).name, []).append(photo)
    labels: dict[str, dict[str, str]] = {}
    for row in rows:
        name: str | None = by_path.get(os.path.abspath(path.parent / row["path"]))
        if name is None:
            same_file = by_file.get(PurePosixPath(row["path"].replace("\\", "/")).name, [])
            name = same_file[0] if len(same_file) == 1 else None
        if name is None:
            continue
        columns = {column: value for column, value in row.items() if column != "path"}
        if labels.setdefault(name, columns) != columns:
            raise LabelsError(
                f"A labels file says one thing about each photo; {path} has two rows for {name!r}."
            )
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
