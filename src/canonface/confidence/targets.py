"""Targets of confidences: ``predicted``, a column of the labels, or a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from canonface.errors import OptionError, TargetError, near_names

PREDICTED = "predicted"
LABEL_PREFIX = "label:"


def label_column(target: object) -> str | None:
    """Return the column of a target ``label:COLUMN``; None for other targets."""
    text = str(target)
    return text.removeprefix(LABEL_PREFIX) if text.startswith(LABEL_PREFIX) else None


def labelled(face_labels: Mapping[str, str], column: str, otherwise: str) -> str:
    """Return a face's label.

    Args:
        face_labels: the face's row of the labels file.
        column: name of the column.
        otherwise: remedy without labels, for the message.

    Raises:
        TargetError: no such column, or no label.
    """
    if column not in face_labels and face_labels:
        raise TargetError(f"The labels have no column {column!r}: {near_names(column, face_labels)}")
    if not face_labels.get(column):
        raise TargetError(
            f"The target is each photo's label in the column {column!r}, and this photo has none: add it, "
            f"leave the photo out, or {otherwise}."
        )
    return face_labels[column]


def resolve(
    target: str,
    face_labels: Mapping[str, str],
    predicted: Callable[[], int],
    index: Callable[[str], int],
    otherwise: str,
) -> int:
    """Return the index of the target of one face.

    Args:
        target: ``predicted``, ``label:COLUMN`` or a name.
        face_labels: the face's row of the labels file.
        predicted: returns the index of the model's own prediction.
        index: returns the index of a name.
        otherwise: remedy without labels, for the message.

    Raises:
        TargetError: no such column, label or name.
    """
    if target == PREDICTED:
        return predicted()
    column = label_column(target)
    return index(target if column is None else labelled(face_labels, column, otherwise))


def words(target: str | int, predicted: str) -> str:
    """Return a target as text for a unit, e.g. ``the predicted class``, ``the labelled gender``, ``happy``."""
    column = label_column(target)
    if column is not None:
        return f"the labelled {column}"
    return f"the predicted {predicted}" if target == PREDICTED else str(target)


def one_of(option: str, given: object, known: tuple[str, ...]) -> None:
    """Raise OptionError unless an option is among the known ones."""
    if given not in known:
        raise OptionError(f"{option} is one of {', '.join(known)}; got {given!r}.")


@contextmanager
def same_for_every_face() -> Iterator[None]:
    """Turn a TargetError into an OptionError: the target is invalid for every face, and the run stops.

    A model without names reveals its number of outputs only with its first prediction.
    """
    try:
        yield
    except TargetError as error:
        raise OptionError(str(error)) from error


def make_plain(instance: Any, *names: str) -> None:
    """Convert NumPy numbers and arrays in the fields of a frozen dataclass to plain numbers and tuples."""
    for name in names:
        object.__setattr__(instance, name, _plain(getattr(instance, name)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
