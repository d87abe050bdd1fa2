"""Labels of photos: the rows of a CSV file, matched to photos by path or by file name."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from canonface.data.photos import PhotoList, Photos, find_photos, read_csv, table_of
from canonface.errors import LabelsError, near_names

logger = logging.getLogger("canonface")
Labels = Mapping[str, Mapping[str, str]]
"""Photo name -> column -> value."""


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos in a fixed order, with the labels of each.

    Attributes:
        photos: the photos.
        labels: photo name -> column -> value; an empty mapping for a photo without labels.
    """

    photos: PhotoList
    labels: Labels

    @classmethod
    def open(
        cls, photos: Photos, labels: str | Path | None = None, *, folder_column: str | None = None
    ) -> LabelledPhotos:
        """Find photos and read their labels.

        Args:
            photos: a folder, a file, a pattern, a CSV file with a ``path`` column, or several of them.
            labels: CSV file with a ``path`` column. None: ``photos``, if that is one CSV file.
            folder_column: a column that holds the name of each photo's folder where there is no CSV file.

        Raises:
            PhotoError: no photo was found.
            LabelsError: the CSV file cannot be read or matches none of the photos.
        """
        found = find_photos(photos)
        table = labels if labels is not None else table_of(photos)
        if table is not None:
            return cls(found, read_labels(Path(table), found))
        columns = [] if folder_column is None else [folder_column]
        return cls(
            found, {name: dict.fromkeys(columns, found.path(name).parent.name) for name in found.names}
        )

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the photos, in order."""
        return self.photos.names

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the label columns, in the order of the file."""
        return label_columns(self.labels)

    @property
    def labels_digest(self) -> str:
        """SHA-256 of the labels of all photos."""
        used = sorted((name, col, value) for name, row in self.labels.items() for col, value in row.items())
        return sha256(repr(used).encode()).hexdigest()

    def path(self, name: str) -> Path:
        """Return the path of a photo."""
        return self.photos.path(name)

    def require(self, column: str) -> None:
        """Raise LabelsError, with the nearest names, if the labels lack a column."""
        require_column(column, self.labels)


def read_labels(path: Path, photos: PhotoList) -> dict[str, dict[str, str]]:
    """Return the labels of each photo, an empty dictionary for a photo without a row.

    A row belongs to the photo at its path, relative to the folder of the CSV file. A photo without such a row takes
    the row with its file name, if exactly one row and one such photo have that name and no file lies at the row's
    own path (otherwise the row names another photo).

    Raises:
        LabelsError: the file cannot be read, has two different rows for a photo, or matches none of the photos.
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
    """Return the labels of the photos that have a row."""
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
                    f"A labels file has one row for each photo; {path} has two rows for {name!r}."
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
            raise LabelsError(f"A labels file has one row for each photo; {path} has two rows for {file!r}.")
    return found


def label_columns(labels: Labels) -> tuple[str, ...]:
    """Return the names of the columns, in the order of the file."""
    return tuple(dict.fromkeys(column for row in labels.values() for column in row))


def require_column(column: str, labels: Labels) -> None:
    """Raise LabelsError, with the nearest names, if the labels lack a column."""
    columns = label_columns(labels)
    if column not in columns:
        if not columns:
            raise LabelsError(f"The column {column!r} needs a labels file: give one with --labels.")
        raise LabelsError(f"The labels have no column {column!r}: {near_names(column, columns)}")
