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
from canonface.errors import CanonfaceError, LabelsError
from canonface.finetuning.tasks import Task
from canonface.models import Model, checked_outputs, prepare
from canonface.run.labels import label_columns, read_labels, require_column
from canonface.run.photos import PhotoList, Photos, digest, find_photos, table_of

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
        answers: ``(2, n, d)`` what the model answers to each photo and to its mirror image; ``(1, n, d)`` without.
        pixels: ``(n, h, w, 3)`` what it was shown, as bytes; None unless they were asked for.
        left_out: reason -> number of photos.
        digest: SHA-256 over the photos' own, in order: which data this was.
    """

    names: tuple[str, ...]
    values: tuple[str, ...]
    people: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    answers: Float[np.ndarray, "s n d"] = field(repr=False)
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
            answers=self.answers[:, kept],
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
    report: Report | None = None,
) -> Gathered:
    """Show each photo with a class to a model; one that cannot be used is counted under its reason.

    Raises:
        LabelsError: no photo could be used.
        ModelError: the model fails.
    """
    names: list[str] = []
    values: list[str] = []
    answers: list[Float[np.ndarray, "s b d"]] = []
    pixels: list[UInt8[np.ndarray, "h w 3"]] = []
    waiting: list[Float[np.ndarray, "c h w"]] = []
    left_out: Counter[str] = Counter()

    def ask() -> None:
        if waiting:
            x = np.stack(waiting)
            shown = [x, x[..., ::-1]] if mirror else [x]
            answers.append(np.stack([checked_outputs(model, model.to_device(a)) for a in shown]))
            waiting.clear()

    for number, name in enumerate(cases.photos.names):
        value = task.read(cases.known[name].get(task.column, "")) if task.column else ""
        if task.column and not value:
            left_out[NO_LABEL] += 1
        else:
            try:
                face = aligner(cases.photos.path(name))[0]
                x = prepare(face, model.spec).x
            except CanonfaceError as error:
                left_out[error.reason] += 1
            else:
                names.append(name)
                values.append(value or task.of_pose(face.pose_deg))
                waiting.append(x)
                if keep_pixels:
                    pixels.append(model.spec.to_pixels(x))
        if len(waiting) == batch:
            ask()
        if report:
            report("photos", number + 1, len(cases.photos))
    ask()
    if not names:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
        raise LabelsError(
            f"A photo is of use with a label for the task {task.name!r} and a face; of {len(cases.photos)} none is "
            f"({reasons}). Look at the labels and at some of the photos."
        )
    seen = "".join(digest(cases.photos.path(name)) for name in names)
    return Gathered(
        tuple(names),
        tuple(values),
        tuple(cases.people[name] for name in names),
        {column: tuple(cases.known[name].get(column, "") for name in names) for column in by},
        np.concatenate(answers, axis=1),
        np.stack(pixels) if keep_pixels else None,
        dict(sorted(left_out.items())),
        sha256(seen.encode()).hexdigest(),
    )
