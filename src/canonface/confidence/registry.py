"""Confidences by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from canonface.confidence.base import Confidence
from canonface.confidence.classification import PREDICTED, SCALES, ClassConfidence
from canonface.errors import OptionError, near_names

Target = str | int | None


def _of_class(target: Target, scale: str) -> ClassConfidence:
    return ClassConfidence(PREDICTED if target is None else target, scale)


CONFIDENCES: dict[str, Callable[[Target], Confidence]] = {
    scale: partial(_of_class, scale=scale) for scale in SCALES
}
"""Name -> factory, called with the target; None asks for the confidence's own default."""


def make_confidence(confidence: str | Confidence, target: Target = None) -> Confidence:
    """A confidence by name, about a target; an object that is one already is returned as it is.

    Raises:
        OptionError: no confidence has that name, or a target is given twice.
    """
    if not isinstance(confidence, str):
        return _as_it_is(confidence, target)
    if confidence not in CONFIDENCES:
        raise OptionError(
            f"A confidence has a known name; got {confidence!r}: {near_names(confidence, CONFIDENCES)}"
        )
    return CONFIDENCES[confidence](target)


def _as_it_is(confidence: Any, target: Target) -> Confidence:
    if not isinstance(confidence, Confidence) or isinstance(confidence, type):
        raise OptionError(
            f"A confidence is a name ({', '.join(CONFIDENCES)}) or an object with the methods of "
            f"canonface.confidence.Confidence; got {confidence!r}."
        )
    if target is not None:
        raise OptionError(
            f"A confidence that is an object holds its own target; got target={target!r} beside it: leave it out."
        )
    return confidence
