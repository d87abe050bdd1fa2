"""Labelled photos as examples: features, class, person and groups of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.alignment import Aligner
from canonface.data import LabelledPhotos, PhotoList, Photos, label_columns
from canonface.data.photos import digest
from canonface.errors import CanonfaceError, LabelsError
from canonface.finetuning.feature_cache import FeatureCache
from canonface.finetuning.tasks import Task
from canonface.models import Model, checked_outputs, prepare
from canonface.types import Pose

ProgressCallback = Callable[[str, int, int], None]
"""Called with the stage, the number done and the total."""

NO_LABEL = "no-label"


@dataclass(frozen=True)
class CandidatePhotos:
    """Photos with their labels, not yet opened.

    Attributes:
        photos: names and paths.
        known: labels of each photo.
        people: name of the person on each; a photo without a person counts as a person of its own.
    """

    photos: PhotoList
    known: Mapping[str, Mapping[str, str]]
    people: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the label columns."""
        return label_columns(self.known)


@renamed_parameters(answers="predictions")
@dataclass(frozen=True, eq=False)
class ExampleSet:
    """Examples in the order of the photos, and counts of the photos without a class or a face.

    Attributes:
        names: names of the photos.
        values: name of the class of each photo.
        people: name of the person on each photo.
        groups: column -> its value for each photo.
        predictions: ``(2, n, d)`` model outputs for each photo and its mirror image; ``(1, n, d)`` without mirroring.
        pixels: ``(n, h, w, 3)`` the model's inputs, as bytes; None if the inputs were not kept.
        left_out: reason -> number of photos.
        digest: SHA-256 over the photos' own digests, in order; identifies the data.
    """

    names: tuple[str, ...]
    values: tuple[str, ...]
    people: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    predictions: Float[np.ndarray, "s n d"] = field(repr=False)
    pixels: UInt8[np.ndarray, "n h w 3"] | None = field(repr=False)
    left_out: Mapping[str, int]
    digest: str

    answers = deprecated_attribute("predictions")

    def only(self, classes: Sequence[str]) -> ExampleSet:
        """Return the examples of some classes; the others count as left out."""
        kept = [i for i, value in enumerate(self.values) if value in classes]
        others = len(self.values) - len(kept)

        def select(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(values[i] for i in kept)

        return replace(
            self,
            names=select(self.names),
            values=select(self.values),
            people=select(self.people),
            groups={column: select(values) for column, values in self.groups.items()},
            predictions=self.predictions[:, kept],
            pixels=None if self.pixels is None else self.pixels[kept],
            left_out=dict(self.left_out) | ({"other-class": others} if others else {}),
        )


def find_candidates(
    photos: Photos, labels: str | Path | None, identity: str | None, by: Sequence[str]
) -> CandidatePhotos:
    """Find photos and read their labels; no photo is opened.

    Args:
        photos: as `canonface.audit` takes them.
        labels: CSV file; None: ``photos``, if it is one.
        identity: column that names the person; None: ``identity``, if the labels have it.
        by: columns that must exist.

    Raises:
        LabelsError: a column is missing.
    """
    found = LabelledPhotos.open(photos, labels)
    for column in (*by, *([identity] if identity is not None else [])):
        found.require(column)
    column = identity or "identity"
    # The prefix keeps the names of people and of photos apart.
    people = {name: found.labels[name].get(column) or f"photo:{name}" for name in found.names}
    return CandidatePhotos(found.photos, found.labels, people)


def collect_examples(
    candidates: CandidatePhotos,
    task: Task,
    model: Model,
    aligner: Aligner,
    *,
    by: Sequence[str] = (),
    mirror: bool = False,
    keep_pixels: bool = False,
    batch: int = 64,
    cache: FeatureCache | None = None,
    progress: ProgressCallback | None = None,
) -> ExampleSet:
    """Align each photo that has a class and run the model on it; a photo that fails is counted under its reason.

    Args:
        candidates: the photos.
        task: reads the class.
        model: computes the features.
        aligner: places faces.
        by: columns to keep.
        mirror: also run the model on mirror images.
        keep_pixels: keep the model's inputs.
        batch: photos per forward pass.
        cache: features stored before; new ones are added. None: no cache. Not read with ``keep_pixels``.
        progress: called after each photo.

    Raises:
        LabelsError: no photo could be used.
        ModelError: the model fails.
    """
    collector = _Collector(model, mirror, keep_pixels, batch, cache)
    left_out: Counter[str] = Counter()
    names: list[str] = []
    values: list[str] = []
    for number, name in enumerate(candidates.photos.names):
        if progress:
            progress("photos", number, len(candidates.photos))
        value = task.read(candidates.known[name].get(task.column, "")) if task.column else ""
        if task.column and not value:
            left_out[NO_LABEL] += 1
            continue
        try:
            pose = collector.add(candidates.photos.path(name), aligner)
        except _UnusablePhotoError as error:
            left_out[error.reason] += 1
            continue
        names.append(name)
        values.append(value or task.of_pose(pose))
    collector.run_model()
    if progress:
        progress("photos", len(candidates.photos), len(candidates.photos))
    _check_some(names, len(candidates.photos), task, left_out)
    return ExampleSet(
        tuple(names),
        tuple(values),
        tuple(candidates.people[name] for name in names),
        {column: tuple(candidates.known[name].get(column, "") for name in names) for column in by},
        np.stack([prediction for prediction in collector.predictions if prediction is not None], axis=1),
        np.stack(collector.pixels) if keep_pixels else None,
        dict(sorted(left_out.items())),
        sha256("".join(collector.digests).encode()).hexdigest(),
    )


class _UnusablePhotoError(Exception):
    """Failure of one photo, with its reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Collector:
    """Features of photos in order, computed in batches or read from the cache."""

    def __init__(
        self, model: Model, mirror: bool, keep_pixels: bool, batch: int, cache: FeatureCache | None
    ) -> None:
        self.model, self.mirror, self.keep_pixels = model, mirror, keep_pixels
        self.batch, self.cache = batch, cache
        self.digests: list[str] = []
        self.predictions: list[Float[np.ndarray, "s d"] | None] = []
        self.pixels: list[UInt8[np.ndarray, "h w 3"]] = []
        self._waiting: list[tuple[int, Float[np.ndarray, "c h w"], Pose]] = []

    def add(self, path: Path, aligner: Aligner) -> Pose:
        """Add a photo and return the pose of its face.

        Raises:
            _UnusablePhotoError: the photo shows no usable face.
        """
        photo = digest(path)
        stored = self.cache.get(photo) if self.cache is not None and not self.keep_pixels else None
        if stored is not None and len(stored[0]) > self.mirror:
            self.predictions.append(stored[0][: 1 + self.mirror])
            self.digests.append(photo)
            return stored[1]
        try:
            face = aligner(path)[0]
            x = prepare(face, self.model.spec).x
        except CanonfaceError as error:
            raise _UnusablePhotoError(error.reason) from error
        self._waiting.append((len(self.predictions), x, face.pose_deg))
        self.predictions.append(None)
        self.digests.append(photo)
        if self.keep_pixels:
            self.pixels.append(self.model.spec.to_pixels(x))
        if len(self._waiting) == self.batch:
            self.run_model()
        return face.pose_deg

    def run_model(self) -> None:
        """Run the model on the photos that wait for it."""
        if not self._waiting:
            return
        x = np.stack([waiting for _, waiting, _ in self._waiting])
        both = (x, x[..., ::-1])[: 1 + self.mirror]
        found = np.stack(
            [checked_outputs(self.model, self.model.to_device(inputs)) for inputs in both], axis=1
        )
        for (place, _, pose), prediction in zip(self._waiting, found, strict=True):
            self.predictions[place] = prediction
            if self.cache is not None:
                self.cache.put(self.digests[place], prediction, pose)
        self._waiting.clear()


def _check_some(names: Sequence[str], count: int, task: Task, left_out: Mapping[str, int]) -> None:
    if not names:
        reasons = ", ".join(f"{reason} {number}" for reason, number in left_out.items())
        raise LabelsError(
            f"A usable photo has a label for the task {task.name!r} and a face; of {count} none has ({reasons}). "
            "Check the labels and some of the photos."
        )
