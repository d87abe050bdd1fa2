"""Tasks: the class of a photo, from a label column or the pose of the mesh."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from canonface.confidence.bins import AGE_BINS
from canonface.confidence.pose_bins import POSE_BINS, pose_bin
from canonface.errors import LabelsError, OptionError, near_names
from canonface.types import Pose

_RANGE = re.compile(r"(\d+(?:\.\d+)?) *[-–] *\d+(?:\.\d+)?")
_OPEN = re.compile(r"(?:more than|over) (\d+)|(\d+)\+")


@dataclass(frozen=True)
class Task:
    """Classification task.

    Attributes:
        name: name of the task.
        column: column of the labels; None: the class comes from the pose.
        read: converts a value of the column to a class; empty if there is none.
        order: sort key of the classes.
        mirrored: maps a class to that of the photo's mirror image.
    """

    name: str
    column: str | None
    read: Callable[[str], str] = str.strip
    order: Callable[[str], tuple[float, str]] = lambda name: (0.0, name)
    mirrored: Callable[[str], str] = str

    def of_pose(self, pose_deg: Pose) -> str:
        """Return the class of a pose."""
        return pose_bin(pose_deg.yaw, pose_deg.pitch)


def age_range(value: str) -> str:
    """Return the age class of an age or a range; empty for other text.

    Ages in years go into the bins of ten years of `canonface.confidence`; ranges stay unchanged.

    >>> age_range("34"), age_range("3-9"), age_range("more than 70")
    ('30-39', '3-9', '70+')
    """
    text = value.strip().casefold()
    if _RANGE.fullmatch(text):
        return re.sub(r" *[-–] *", "-", text)
    if found := _OPEN.fullmatch(text):
        return f"{found[1] or found[2]}+"
    try:
        years = float(text)
    except ValueError:
        return ""
    return AGE_BINS.names[int(AGE_BINS.indices(years))] if 0 <= years < math.inf else ""


def mirrored_pose(name: str) -> str:
    """Return the pose bin of the mirror image: right and left are exchanged.

    >>> mirrored_pose("right-up"), mirrored_pose("front-down")
    ('left-up', 'front-down')
    """
    side, _, height = name.partition("-")
    return f"{ {'right': 'left', 'left': 'right'}.get(side, side) }-{height}"


def _years(name: str) -> tuple[float, str]:
    number = re.match(r"\d+(?:\.\d+)?", name)
    return (float(number[0]) if number else math.inf), name


TASKS: Mapping[str, Task] = {
    "gender": Task("gender", "gender", lambda value: value.strip().casefold()),
    "age": Task("age", "age", age_range, _years),
    "pose": Task(
        "pose",
        None,
        order=lambda name: (float(POSE_BINS.index(name)), name),
        mirrored=mirrored_pose,
    ),
    "expression": Task("expression", "expression", lambda value: value.strip().casefold()),
}
"""Predefined tasks; any other name is a label column whose values are the classes."""


def make_task(name: str, columns: Sequence[str]) -> Task:
    """Return the task of a name or of a label column.

    Raises:
        LabelsError: the labels have no such column.
    """
    task = TASKS.get(name, Task(name, name))
    if task.column is None or task.column in columns:
        return task
    if not columns:
        raise LabelsError(
            f"The task {name!r} reads the column {task.column!r} of a labels file: give one with --labels. Only "
            "'pose' needs none."
        )
    raise LabelsError(
        f"The task {name!r} reads the column {task.column!r}, which the labels do not have: "
        f"{near_names(task.column, columns)} A task is one of {', '.join(TASKS)}, or the name of a column."
    )


def chosen_classes(
    task: Task, values: Sequence[str], wanted: Sequence[str] | None, least: int
) -> tuple[str, ...]:
    """Return the classes of a head, in order.

    Args:
        task: gives the order unless ``wanted`` does.
        values: class of each photo; empty where it has none.
        wanted: classes to distinguish; photos of others are left out. None: all that occur.
        least: photos that each class needs.

    Raises:
        LabelsError: there is only one class, or one has too few photos.
        OptionError: a wanted class does not occur, or is named twice.
    """
    counts = Counter(value for value in values if value)
    if wanted is not None:
        names = tuple(wanted)
        unknown = [name for name in names if name not in counts]
        if unknown or len(set(names)) < len(names):
            raise OptionError(
                f"Classes are values that occur, each named once; got {', '.join(map(repr, names))}: "
                f"{near_names((unknown or list(names))[0], sorted(counts, key=task.order))}"
            )
    else:
        names = tuple(sorted(counts, key=task.order))
    shown = ", ".join(f"{name} {counts[name]}" for name in names) or "none"
    if len(names) < 2:
        raise LabelsError(
            f"A head distinguishes at least two classes; the photos have {len(names)} for the task {task.name!r} "
            f"({shown}). Add photos of another class."
        )
    if rare := [name for name in names if counts[name] < least]:
        enough = [name for name in names if counts[name] >= least]
        # Leaving classes out helps only if at least two stay.
        instead = f", or leave them out: --classes {','.join(enough)}" if len(enough) > 1 else ""
        raise LabelsError(
            f"Each class needs at least {least} photos with a label and a face; got {shown}. Add photos of "
            f"{', '.join(rare)}{instead}."
        )
    return names
