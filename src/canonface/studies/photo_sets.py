"""Folders of photos as data sets are distributed: CelebA, LFW, a CSV file, or any folder."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from canonface.data.photos import PHOTO_SUFFIXES, find_photos, read_csv
from canonface.errors import LabelsError, RunError

Kind = Literal["CelebA", "LFW", "table", "folder"]
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
IDENTITIES = ("identity_CelebA.txt", "identity_celeba.txt")
PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
TEST = "2"
"""CelebA's number of the test partition."""


@dataclass(frozen=True)
class PhotoSet:
    """Photos and what is known of them.

    Attributes:
        kind: as what the folder was recognised.
        rows: a photo each: ``path`` and labels such as ``identity`` and ``gender``.
        missing: files of the data set that are not there, with what they are for.
        pairs: pairs of photos with ``same``, where the data set has them.
    """

    kind: Kind
    rows: tuple[Mapping[str, str], ...] = field(repr=False)
    missing: tuple[str, ...] = ()
    pairs: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the labels that every photo may have."""
        return tuple(
            name for name in dict.fromkeys(key for row in self.rows for key in row) if name != "path"
        )

    def people(self, least: int = 1) -> tuple[str, ...]:
        """Who has at least so many photos."""
        counts = Counter(row.get("identity", "") for row in self.rows)
        return tuple(name for name, count in counts.items() if name and count >= least)

    def sample(self, count: int, seed: int = 0) -> tuple[Mapping[str, str], ...]:
        """At most so many photos, by chance, in the set's own order."""
        if len(self.rows) <= count:
            return self.rows
        chosen = np.sort(np.random.default_rng(seed).choice(len(self.rows), count, replace=False))
        return tuple(self.rows[i] for i in chosen)

    def of_people(
        self, people: int, photos: int, seed: int = 0
    ) -> list[tuple[str, tuple[Mapping[str, str], ...]]]:
        """So many people, by chance, of those with enough photos, each with that many of them."""
        known = sorted(self.people(photos))
        random = np.random.default_rng(seed)
        chosen = [known[i] for i in random.permutation(len(known))[:people]]
        return [
            (name, tuple(row for row in self.rows if row.get("identity") == name)[:photos])
            for name in sorted(chosen)
        ]


def open_photo_set(place: str | Path) -> PhotoSet:
    """Recognise a folder or a table.

    Args:
        place: CelebA's folder (with ``img_align_celeba``), LFW's (with a folder a person), a CSV file with a column
            ``path``, a folder with a ``labels.csv``, or any folder of photos.

    Raises:
        PhotoError: there is none, or it holds no photo.
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


def write_rows(rows: Iterable[Mapping[str, str]], path: Path) -> Path:
    """Write photos and labels as a CSV file.

    Raises:
        RunError: it cannot be written.
    """
    content = list(rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(key for row in content for key in row)), restval="")
    writer.writeheader()
    writer.writerows(content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(buffer.getvalue(), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"A list of photos needs a folder that can be written to; {path} cannot be written: "
            f"{error.strerror or error}. Name another folder with -o."
        ) from error
    return path


def _table(path: Path) -> PhotoSet:
    rows = [row | {"path": str((path.parent / row["path"]).resolve())} for row in read_csv(path)]
    return PhotoSet("table", tuple(rows))


def _celeba_images(path: Path) -> Path | None:
    """CelebA's aligned photos: in the folder of that name, which some copies hold twice, or beside the attributes."""
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
        missing.append(f"{IDENTITIES[0]}: who is who, for recognition and for intervals that respect people")
    if partitions is None:
        missing.append(f"{PARTITIONS[0]}: which photos are of the test partition; all are taken")
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
        raise LabelsError(f"{partitions} says that none of the photos in {images} is of the test partition.")
    return PhotoSet("CelebA", tuple(rows), tuple(missing))


def _celeba_file(path: Path, names: Sequence[str]) -> Path | None:
    places = (path / folder / name for name in names for folder in (".", "Anno", "Eval"))
    return next((place for place in places if place.is_file()), None)


def _celeba_attributes(path: Path) -> dict[str, dict[str, str]]:
    """Photo -> gender and smiling, from the text file (a count, a line of names, a line a photo) or the CSV file."""
    lines = [line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
    header = next((i for i, words in enumerate(lines) if "Male" in words), None)
    if header is None:
        raise LabelsError(
            f"CelebA's attributes have a line with their names, Male among them; {path} has none."
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
    """Lines of two words."""
    lines = (line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines())
    return [(words[0], words[1]) for words in lines if len(words) == 2]


def _lfw_people(path: Path) -> Path | None:
    """The folder that holds a folder a person, whose photos are named NAME_0001.jpg."""
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
    missing = ["LFW comes without gender or expression: each photo's predicted class is asked about"]
    pairs: tuple[Mapping[str, str], ...] = ()
    if (table := path / "labels.csv").is_file():
        return PhotoSet("LFW", _table(table).rows, (), _pairs_of(path))
    pairs = _pairs_of(path)
    if not pairs:
        missing.append("pairs.txt: genuine and impostor pairs; pairs are drawn from the people instead")
    return PhotoSet("LFW", rows, tuple(missing), pairs)


def _pairs_of(path: Path) -> tuple[Mapping[str, str], ...]:
    """LFW's pairs: ``NAME i j`` of one person, ``NAME i OTHER j`` of two; photos that are not there are left out."""
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
