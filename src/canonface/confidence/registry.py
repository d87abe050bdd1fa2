"""Confidences by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from canonface.confidence.base import Confidence, PairConfidence
from canonface.confidence.bins import AGE_BINS, BinConfidence
from canonface.confidence.classification import SCALES, ClassConfidence
from canonface.confidence.expected_value import ExpectedValue
from canonface.confidence.function import FunctionConfidence, OwnFunction
from canonface.confidence.pose_bins import PoseBinConfidence
from canonface.confidence.targets import PREDICTED
from canonface.confidence.value import ValueConfidence
from canonface.errors import OptionError, near_names
from canonface.imports import import_attribute, is_attribute

Target = str | int | None


def _of_class(target: Target, scale: str) -> ClassConfidence:
    return ClassConfidence(PREDICTED if target is None else target, scale)


def _of_expected_value(target: Target, form: str) -> ExpectedValue:
    if target is not None:
        raise OptionError(
            f"An expected value is asked of all classes together; got target={target!r}: leave it out."
        )
    return ExpectedValue(form)


def _of_age_bin(target: Target) -> BinConfidence:
    return BinConfidence(AGE_BINS, PREDICTED if target is None else str(target))


def _of_pose_bin(target: Target) -> PoseBinConfidence:
    return PoseBinConfidence(PREDICTED if target is None else str(target))


CONFIDENCES: dict[str, Callable[[Target], Confidence]] = {
    **{scale: partial(_of_class, scale=scale) for scale in SCALES},
    "expected-value": partial(_of_expected_value, form="change"),
    "expected-distance": partial(_of_expected_value, form="distance"),
    "value": partial(ValueConfidence, form="change"),
    "value-distance": partial(ValueConfidence, form="distance"),
    "age-bin": _of_age_bin,
    "pose-bin": _of_pose_bin,
}
"""Name -> factory, called with the target; None asks for the confidence's own default."""

_OBJECTS = {
    "recognition": "RecognitionConfidence(gallery)",
    "verification": "VerificationConfidence(threshold), about pairs",
}


def make_confidence(confidence: str | Confidence | OwnFunction, target: Target = None) -> Confidence:
    """A confidence by name, about a target; an object that is one already is returned as it is.

    Args:
        confidence: a name of `CONFIDENCES`; an object with the methods of `Confidence`; a function of (original
            outputs, occluded outputs); or ``package.module:attribute``, which is one of these or a class of
            confidences, called with the target if there is one.
        target: what is asked about; None: the confidence's own default.

    Raises:
        OptionError: no confidence has that name, or a target is given twice.
        TargetError: the confidence has no such target.
    """
    if not isinstance(confidence, str):
        return _of_object(confidence, target)
    if confidence in CONFIDENCES:
        return CONFIDENCES[confidence](target)
    if is_attribute(confidence):
        made = import_attribute(confidence)
        if isinstance(made, type):
            return _as_it_is(made() if target is None else made(target), None)
        return _of_object(made, target)
    if confidence in _OBJECTS:
        raise OptionError(
            f"{confidence!r} takes more than a name: give canonface.confidence.{_OBJECTS[confidence]}."
        )
    raise OptionError(
        f"A confidence has a known name, or is package.module:attribute; got {confidence!r}: "
        f"{near_names(confidence, CONFIDENCES)}"
    )


def _of_object(made: Any, target: Target) -> Confidence:
    if callable(made) and not isinstance(made, Confidence | PairConfidence | type):
        return _as_it_is(FunctionConfidence(made), target)
    return _as_it_is(made, target)


def _as_it_is(confidence: Any, target: Target) -> Confidence:
    if isinstance(confidence, PairConfidence) and not isinstance(confidence, Confidence | type):
        raise OptionError(
            f"{type(confidence).__name__} is about two faces; what is asked here is about one: see "
            "canonface.verify for pairs."
        )
    if not isinstance(confidence, Confidence) or isinstance(confidence, type):
        raise OptionError(
            f"A confidence is a name ({', '.join(CONFIDENCES)}), a function of (original outputs, occluded outputs) "
            f"or an object with the methods of canonface.confidence.Confidence; got {confidence!r}."
        )
    if target is not None:
        raise OptionError(
            f"A confidence that is an object holds its own target; got target={target!r} beside it: leave it out."
        )
    return confidence
