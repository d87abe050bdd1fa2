"""Photos of a run: folders, patterns, lists and CSV files as names below one root."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from canonface.errors import LabelsError, PhotoError
from canonface.files import sha256_file

PHOTO_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .png .bmp .gif .tif .tiff .webp .ppm .pgm .pbm .pnm .jp2 .avif .heic .heif".split()
)
Photos: TypeAlias = str | Path | Iterable[str | Path]
"""A folder, a file, a pattern such as ``photos/*.jpg``, a CSV file with a ``path`` column, or several of them."""


@dataclass(frozen=True)
class PhotoList:
    """Photos in a fixed order.

    Attributes:
        root: absolute folder that contains all of them.
        names: paths below the root, with forward slashes: the same on every machine that has the folder.
    """

    root: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def path(self, name: str) -> Path:
        """Return the path of a photo."""
        return self.root / name

    @property
    def digest(self) -> str:
        """SHA-256 of the names, in order."""
        return sha256("\n".join(self.names).encode(errors="surrogateescape")).hexdigest()


def find_photos(photos: Photos) -> PhotoList:
    """Return the photos of folders (searched by file suffix), files, patterns and CSV files.

    A file that is named and does not exist stays in the list and becomes a failed row.

    Raises:
        PhotoError: no photo was found, or a folder does not exist.
        LabelsError: a CSV file has no ``path`` column.
    """
    given = [photos] if isinstance(photos, str | Path) else list(photos)
    found: list[Path] = []
    for item in given:
        found += _expand(Path(item))
    paths = list(dict.fromkeys(Path(os.path.abspath(path)) for path in found))
    if not paths:
        shown = ", ".join(repr(str(item)) for item in given[:3]) or "nothing"
        raise PhotoError(
            f"A run needs at least one photo; {shown} holds none. Give a folder, files, a pattern in quotes, or a "
            f"CSV file with a column 'path'. Folders are searched for {' '.join(sorted(PHOTO_SUFFIXES))}."
        )
    try:
        root = Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError as error:
        raise PhotoError(
            f"The photos of a run lie on one drive: {error}. Copy them, or make two runs."
        ) from error
    return PhotoList(root, tuple(path.relative_to(root).as_posix() for path in paths))


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(_photos_below(path))
    if path.suffix.lower() == ".csv" and path.is_file():
        return [path.parent / row["path"] for row in read_csv(path)]
    if not path.exists() and glob.has_magic(str(path)):
        return [
            Path(match) for match in sorted(glob.glob(str(path), recursive=True)) if Path(match).is_file()
        ]
    if not path.exists() and path.suffix.lower() not in PHOTO_SUFFIXES:
        raise PhotoError(
            f"Photos are a folder, a file, a pattern or a CSV file that exists; there is no {path}."
        )
    return [path]


def table_of(photos: Photos) -> Path | None:
    """Return the CSV file that photos were given as; None if they were given otherwise."""
    given = [photos] if isinstance(photos, str | Path) else list(photos)
    path = Path(given[0]) if len(given) == 1 else None
    return path if path is not None and path.suffix.lower() == ".csv" and path.is_file() else None


def _photos_below(folder: Path) -> Iterator[Path]:
    """Yield the photos of a folder tree, except the pictures of runs in it."""
    for place, folders, files in os.walk(folder):
        if "run.json" in files:
            folders.clear()
            continue
        yield from (Path(place) / name for name in files if Path(name).suffix.lower() in PHOTO_SUFFIXES)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; an empty text if it cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def printable(name: str) -> str:
    """Return a file name as valid text: bytes that are not UTF-8 become escapes."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has a ``path`` column.

    Raises:
        LabelsError: the file cannot be read, has no such column, or has a row without a path.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in reader]
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"A labels file is CSV text in UTF-8; {path} cannot be read: {error}") from error
    if "path" not in columns:
        raise LabelsError(
            f"A labels file has a column 'path' with the photos' paths; {path} has {', '.join(columns) or 'none'}."
        )
    if empty := [number for number, row in enumerate(rows, start=2) if not row["path"]]:
        raise LabelsError(
            f"Every row of a labels file names a photo; {path} has an empty path in line {empty[0]}."
        )
    return rows
