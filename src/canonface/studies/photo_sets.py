"""Data sets of photos as they are distributed: CelebA, LFW, a CSV file, or any folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from canonface.data.photos import PHOTO_SUFFIXES, find_photos, read_csv
from canonface.errors import LabelsError

Kind = Literal["CelebA", "LFW", "table", "folder"]
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
IDENTITIES = ("identity_CelebA.txt", "identity_celeba.txt")
PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
TEST = "2"
"""CelebA's number of the test partition."""


@dataclass(frozen=True)
class PhotoSet:
    """Photos of a data set with their labels and pairs.

    Attributes:
        kind: kind of data set that was recognised.
        rows: one for each photo: ``path`` and labels such as ``identity`` and ``gender``.
        missing: files of the data set that are not there, and their purpose.
        pairs: pairs of photos with ``same``, where the data set has them.
    """

    kind: Kind
    rows: tuple[Mapping[str, str], ...] = field(repr=False)
    missing: tuple[str, ...] = ()
    pairs: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all labels."""
        return tuple(
            name for name in dict.fromkeys(key for row in self.rows for key in row) if name != "path"
        )

    def people(self, least: int = 1) -> tuple[str, ...]:
        """Return the people with at least ``least`` photos."""
        counts = Counter(row.get("identity", "") for row in self.rows)
        return tuple(name for name, count in counts.items() if name and count >= least)

    def sample(self, count: int, seed: int = 0) -> tuple[Mapping[str, str], ...]:
        """Draw at most ``count`` photos at random; they keep the order of the set."""
        if len(self.rows) <= count:
            return self.rows
        chosen = np.sort(np.random.default_rng(seed).choice(len(self.rows), count, replace=False))
        return tuple(self.rows[i] for i in chosen)

    def of_people(
        self, people: int, photos: int, seed: int = 0
    ) -> list[tuple[str, tuple[Mapping[str, str], ...]]]:
        """Draw people at random from those with enough photos, and return each with ``photos`` photos."""
        known = sorted(self.people(photos))
        random = np.random.default_rng(seed)
        chosen = [known[i] for i in random.permutation(len(known))[:people]]
        return [
            (name, tuple(row for row in self.rows if row.get("identity") == name)[:photos])
            for name in sorted(chosen)
        ]


def open_photo_set(place: str | Path) -> PhotoSet:
    """Recognise a data set by its folder or table.

    Args:
        place: the folder of CelebA (with ``img_align_celeba``) or LFW (with one folder per person), a CSV file with
            a column ``path``, a folder with a ``labels.csv``, or any folder of photos.

    Raises:
        PhotoError: the place does not exist, or it holds no photo.
        LabelsError: a table cannot be read.
    """
    path = Path(place)
    if path.suffix.lower() == ".csv":
        return _table(path)
    if (images := _celeba_images(path)) is not None:
        return _celeba(path, images)
    if (people := _lfw_people(path)) is not None:
        return _lfw(path, people)
    if (path / "labels.csv").is_file():
        return _table(path / "labels.csv")
    found = find_photos(path)
    return PhotoSet("folder", tuple({"path": str(found.path(name))} for name in found.names))


def _table(path: Path) -> PhotoSet:
    rows = [row | {"path": str((path.parent / row["path"]).resolve())} for row in read_csv(path)]
    return PhotoSet("table", tuple(rows))


def _celeba_images(path: Path) -> Path | None:
    """Return the folder of CelebA's aligned photos, which some copies nest twice; None if there is none."""
    for name in ("img_align_celeba/img_align_celeba", "img_align_celeba", "Img/img_align_celeba"):
        if (path / name).is_dir() and next((path / name).glob("*.jpg"), None) is not None:
            return path / name
    return None


def _celeba(path: Path, images: Path) -> PhotoSet:
    missing = []
    attributes = _celeba_file(path, ATTRIBUTES)
    identities = _celeba_file(path, IDENTITIES)
    partitions = _celeba_file(path, PARTITIONS)
    if attributes is None:
        missing.append(f"{ATTRIBUTES[0]}: gender and smiling of each photo")
    if identities is None:
        missing.append(
            f"{IDENTITIES[0]}: the person in each photo, for recognition and for intervals over people"
        )
    if partitions is None:
        missing.append(f"{PARTITIONS[0]}: the photos of the test partition; all photos are taken")
    known = {} if attributes is None else _celeba_attributes(attributes)
    who = {} if identities is None else dict(_words(identities))
    part = {} if partitions is None else dict(_words(partitions))
    rows = []
    for photo in sorted(images.glob("*.jpg")):
        if part and part.get(photo.name) != TEST:
            continue
        row = {"path": str(photo.resolve())}
        if photo.name in who:
            row["identity"] = who[photo.name]
        rows.append(row | known.get(photo.name, {}))
    if not rows:
        raise LabelsError(f"By {partitions}, none of the photos in {images} is of the test partition.")
    return PhotoSet("CelebA", tuple(rows), tuple(missing))


def _celeba_file(path: Path, names: Sequence[str]) -> Path | None:
    places = (path / folder / name for name in names for folder in (".", "Anno", "Eval"))
    return next((place for place in places if place.is_file()), None)


def _celeba_attributes(path: Path) -> dict[str, dict[str, str]]:
    """Read gender and smiling of each photo from the text file (count, names, one line per photo) or the CSV file."""
    lines = [line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
    header = next((i for i, words in enumerate(lines) if "Male" in words), None)
    if header is None:
        raise LabelsError(
            f"CelebA's attributes have a line with their names, Male among them; {path} has no such line."
        )
    names = [name for name in lines[header] if name != "image_id"]
    found = {}
    for words in lines[header + 1 :]:
        if len(words) != len(names) + 1:
            continue
        values = dict(zip(names, words[1:], strict=True))
        found[words[0]] = {
            "gender": "male" if values["Male"] == "1" else "female",
            "smiling": "yes" if values.get("Smiling") == "1" else "no",
        }
    return found


def _words(path: Path) -> list[tuple[str, str]]:
    """Read the lines of two words."""
    lines = (line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines())
    return [(words[0], words[1]) for words in lines if len(words) == 2]


def _lfw_people(path: Path) -> Path | None:
    """Return the folder with a folder for each person and photos named NAME_0001.jpg; None if there is none."""
    for folder in (path, path / "lfw", path / "lfw-deepfunneled", path / "lfw_funneled", path / "images"):
        people = [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
        if people and any((one / f"{one.name}_0001.jpg").is_file() for one in people[:50]):
            return folder
    return None


def _lfw(path: Path, people: Path) -> PhotoSet:
    photos = [
        photo
        for person in sorted(people.iterdir())
        if person.is_dir()
        for photo in sorted(person.iterdir())
        if photo.suffix.lower() in PHOTO_SUFFIXES
    ]
    rows = tuple({"path": str(photo.resolve()), "identity": photo.parent.name} for photo in photos)
    missing = ["LFW has no gender or expression: each photo's predicted class is explained"]
    pairs: tuple[Mapping[str, str], ...] = ()
    if (table := path / "labels.csv").is_file():
        return PhotoSet("LFW", _table(table).rows, (), _pairs_of(path))
    pairs = _pairs_of(path)
    if not pairs:
        missing.append("pairs.txt: genuine and impostor pairs; pairs of people are drawn instead")
    return PhotoSet("LFW", rows, tuple(missing), pairs)


def _pairs_of(path: Path) -> tuple[Mapping[str, str], ...]:
    """Read LFW's pairs: ``NAME i j`` of one person, ``NAME i OTHER j`` of two; skip missing photos."""
    files = (path / "pairs.txt", path.parent / "pairs.txt", path / "pairsDevTest.txt")
    file = next((name for name in files if name.is_file()), None)
    people = _lfw_people(path)
    if file is None or people is None:
        return ()

    def photo(name: str, number: str) -> Path:
        return people / name / f"{name}_{int(number):04}.jpg"

    pairs = []
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) not in (3, 4):
            continue
        first = photo(words[0], words[1])
        second = photo(words[0], words[2]) if len(words) == 3 else photo(words[2], words[3])
        if first.is_file() and second.is_file():
            same = "1" if len(words) == 3 else "0"
            pairs.append({"path_a": str(first.resolve()), "path_b": str(second.resolve()), "same": same})
    return tuple(pairs)
