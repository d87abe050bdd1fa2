"""Pairs of photos: the rows of a CSV file with the columns ``path_a`` and ``path_b``."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from canonface.errors import LabelsError, near_names

COLUMNS = ("path_a", "path_b")


@dataclass(frozen=True)
class PairList:
    """Pairs of photos in a fixed order.

    Attributes:
        root: absolute folder that contains all photos.
        pairs: names of the first and second photo below the root, with forward slashes.
        labels: labels of each pair, the other columns of the file.
    """

    root: Path
    pairs: tuple[tuple[str, str], ...]
    labels: tuple[Mapping[str, str], ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(dict.fromkeys(column for row in self.labels for column in row))

    @property
    def digest(self) -> str:
        """SHA-256 of the names and labels, in order."""
        lines = [
            repr((pair, sorted(labels.items()))) for pair, labels in zip(self.pairs, self.labels, strict=True)
        ]
        return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()

    def paths(self, number: int) -> tuple[Path, Path]:
        """Return the paths of the photos of a pair."""
        first, second = self.pairs[number]
        return self.root / first, self.root / second


def read_pairs(path: str | Path) -> PairList:
    """Return the pairs of a CSV file: ``path_a`` and ``path_b``, relative to its folder, other columns as labels.

    A photo that does not exist stays in the list, and its pair becomes a failed row.

    Raises:
        LabelsError: the file cannot be read, lacks a column, holds no pair, or pairs a photo with itself.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in reader]
            columns = list(reader.fieldnames or [])
    except FileNotFoundError as error:
        raise LabelsError(f"Pairs are listed in a CSV file that exists; there is no {path}.") from error
    except IsADirectoryError as error:
        raise LabelsError(
            f"Pairs are listed in a CSV file with the columns {' and '.join(COLUMNS)}; {path} is a folder."
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"Pairs are CSV text in UTF-8; {path} cannot be read: {error}") from error
    for column in COLUMNS:
        if column not in columns:
            raise LabelsError(
                f"A file of pairs has the columns {' and '.join(COLUMNS)}; {path} lacks {column!r}: "
                f"{near_names(column, [name for name in columns if name not in COLUMNS])}"
            )
    if not rows:
        raise LabelsError(f"A file of pairs holds at least one pair; {path} holds none.")
    for line, row in enumerate(rows, start=2):
        if not row["path_a"] or not row["path_b"]:
            raise LabelsError(f"Every pair names two photos; line {line} of {path} names fewer.")
        if os.path.abspath(path.parent / row["path_a"]) == os.path.abspath(path.parent / row["path_b"]):
            raise LabelsError(
                f"A pair is two photos; line {line} of {path} pairs {row['path_a']!r} with itself: leave it out."
            )
    paths = [[Path(os.path.abspath(path.parent / row[column])) for column in COLUMNS] for row in rows]
    root = Path(os.path.commonpath([photo.parent for pair in paths for photo in pair]))
    names = tuple((a.relative_to(root).as_posix(), b.relative_to(root).as_posix()) for a, b in paths)
    labels = tuple({k: v for k, v in row.items() if k not in COLUMNS} for row in rows)
    return PairList(root, names, labels)
