"""Photos as examples: aligned once, shown to the backbone once and mirrored, with class, person and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from canonface.alignment import Aligner
from canonface.data.labels import label_columns, read_labels, require_column
from canonface.data.photos import PhotoList, Photos, digest, find_photos, table_of
from canonface.errors import CanonfaceError, LabelsError
from canonface.finetuning.remembering import Memory
from canonface.finetuning.tasks import Task
from canonface.models import Model, checked_outputs, prepare
from canonface.types import Pose

Report = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much."""

NO_LABEL = "no-label"


@dataclass(frozen=True)
class Cases:
    """Photos and what is known of them.

    Attributes:
        photos: where they lie.
        known: labels of each photo.
        people: name of the person on each; a photo of nobody known is its own.
    """

    photos: PhotoList
    known: Mapping[str, Mapping[str, str]]
    people: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the labels."""
        return label_columns(self.known)


@dataclass(frozen=True, eq=False)
class Gathered:
    """Examples in order of the photos; those without a class, and without a face, are counted.

    Attributes:
        names: of the photos.
        values: class of each, by name.
        people: on each.
        groups: column -> value of each.
        predictions: ``(2, n, d)`` model outputs for each photo and its mirror image; ``(1, n, d)`` without mirroring.
        pixels: ``(n, h, w, 3)`` what it was shown, as bytes; None unless they were asked for.
        left_out: reason -> number of photos.
        digest: SHA-256 over the photos' own, in order: which data this was.
    """

    names: tuple[str, ...]
    values: tuple[str, ...]
    people: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    predictions: Float[np.ndarray, "s n d"] = field(repr=False)
    pixels: UInt8[np.ndarray, "n h w 3"] | None = field(repr=False)
    left_out: Mapping[str, int]
    digest: str

    def only(self, classes: Sequence[str]) -> Gathered:
        """The examples of some classes; the others count as left out."""
        kept = [i for i, value in enumerate(self.values) if value in classes]
        others = len(self.values) - len(kept)

        def of(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(values[i] for i in kept)

        return replace(
            self,
            names=of(self.names),
            values=of(self.values),
            people=of(self.people),
            groups={column: of(values) for column, values in self.groups.items()},
            predictions=self.predictions[:, kept],
            pixels=None if self.pixels is None else self.pixels[kept],
            left_out=dict(self.left_out) | ({"other-class": others} if others else {}),
        )


def find_cases(photos: Photos, labels: str | Path | None, identity: str | None, by: Sequence[str]) -> Cases:
    """Photos with their labels, before any is opened.

    Args:
        photos: as `canonface.audit` takes them.
        labels: CSV file; None: ``photos``, if it is one.
        identity: column that names the person; None: ``identity``, if the labels have it.
        by: columns that have to be there.

    Raises:
        LabelsError: a column is missing.
    """
    found = find_photos(photos)
    table = labels if labels is not None else table_of(photos)
    known = read_labels(Path(table), found) if table is not None else {name: {} for name in found.names}
    for column in (*by, *([identity] if identity is not None else [])):
        require_column(column, known)
    column = identity or "identity"
    # Two texts, so that no name of a person is a photo's.
    people = {name: known[name].get(column) or f"photo:{name}" for name in found.names}
    return Cases(found, known, people)


def gather(
    cases: Cases,
    task: Task,
    model: Model,
    aligner: Aligner,
    *,
    by: Sequence[str] = (),
    mirror: bool = False,
    keep_pixels: bool = False,
    batch: int = 64,
    memory: Memory | None = None,
    report: Report | None = None,
) -> Gathered:
    """Show each photo with a class to a model; one that cannot be used is counted under its reason.

    Args:
        cases: the photos.
        task: says the class.
        model: answers.
        aligner: places faces.
        by: columns to keep.
        mirror: ask about mirror images too.
        keep_pixels: keep what was shown.
        batch: photos asked about at once.
        memory: answers that were given before, and these; None: all are asked. Means nothing with ``keep_pixels``.
        report: called after each photo.

    Raises:
        LabelsError: no photo could be used.
        ModelError: the model fails.
    """
    names: list[str] = []
    values: list[str] = []
    digests: list[str] = []
    predictions: list[Float[np.ndarray, "s d"] | None] = []
    pixels: list[UInt8[np.ndarray, "h w 3"]] = []
    waiting: list[tuple[int, Float[np.ndarray, "c h w"], Pose]] = []
    left_out: Counter[str] = Counter()

    def ask() -> None:
        if waiting:
            x = np.stack([shown for _, shown, _ in waiting])
            both = (x, x[..., ::-1])[: 1 + mirror]
            found = np.stack([checked_outputs(model, model.to_device(shown)) for shown in both], axis=1)
            for (place, _, pose), prediction in zip(waiting, found, strict=True):
                predictions[place] = prediction
                if memory is not None:
                    memory.put(digests[place], prediction, pose)
            waiting.clear()

    for number, name in enumerate(cases.photos.names):
        if report:
            report("photos", number, len(cases.photos))
        value = task.read(cases.known[name].get(task.column, "")) if task.column else ""
        if task.column and not value:
            left_out[NO_LABEL] += 1
        else:
            seen = digest(cases.photos.path(name))
            known = memory.get(seen) if memory is not None and not keep_pixels else None
            if known is not None and len(known[0]) > mirror:
                predictions.append(known[0][: 1 + mirror])
                pose = known[1]
            else:
                try:
                    face = aligner(cases.photos.path(name))[0]
                    x = prepare(face, model.spec).x
                except CanonfaceError as error:
                    left_out[error.reason] += 1
                    continue
                pose = face.pose_deg
                waiting.append((len(predictions), x, pose))
                predictions.append(None)
                if keep_pixels:
                    pixels.append(model.spec.to_pixels(x))
            names.append(name)
            digests.append(seen)
            values.append(value or task.of_pose(pose))
        if len(waiting) == batch:
            ask()
    ask()
    if report:
        report("photos", len(cases.photos), len(cases.photos))
    _check_some(names, len(cases.photos), task, left_out)
    return Gathered(
        tuple(names),
        tuple(values),
        tuple(cases.people[name] for name in names),
        {column: tuple(cases.known[name].get(column, "") for name in names) for column in by},
        np.stack([prediction for prediction in predictions if prediction is not None], axis=1),
        np.stack(pixels) if keep_pixels else None,
        dict(sorted(left_out.items())),
        sha256("".join(digests).encode()).hexdigest(),
    )


def _check_some(names: Sequence[str], count: int, task: Task, left_out: Mapping[str, int]) -> None:
    if not names:
        reasons = ", ".join(f"{reason} {number}" for reason, number in left_out.items())
        raise LabelsError(
            f"A photo is of use with a label for the task {task.name!r} and a face; of {count} none is ({reasons}). "
            "Look at the labels and at some of the photos."
        )
