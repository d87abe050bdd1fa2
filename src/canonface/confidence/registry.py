"""Confidences by name, and their descriptions in manifests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from canonface.fingerprint import object_fingerprint
from canonface.imports import import_attribute, is_attribute

Target = str | int | None


def _of_class(target: Target, scale: str) -> ClassConfidence:
    return ClassConfidence(PREDICTED if target is None else target, scale)


def _of_expected_value(target: Target, form: str) -> ExpectedValue:
    if target is not None:
        raise OptionError(
            f"An expected value is about all classes together; got target={target!r}: leave it out."
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
"""Name -> factory, called with the target; None stands for the confidence's own default."""

_OBJECTS = {
    "recognition": "RecognitionConfidence(gallery)",
    "verification": "VerificationConfidence(threshold), about pairs",
}


def make_confidence(confidence: str | Confidence | OwnFunction, target: Target = None) -> Confidence:
    """Return a confidence by name, about a target; a confidence object is returned unchanged.

    Args:
        confidence: a name of `CONFIDENCES`; an object with the methods of `Confidence`; a function of (original
            outputs, occluded outputs); or ``package.module:attribute``, which names one of these or a class, called
            with the target if there is one.
        target: target of the confidence, e.g. a class; None: the confidence's own default.

    Raises:
        OptionError: no confidence has that name, or a target is given twice.
        TargetError: the confidence has no such target.
    """
    if not isinstance(confidence, str):
        return _confidence_of_object(confidence, target)
    if confidence in CONFIDENCES:
        return CONFIDENCES[confidence](target)
    if is_attribute(confidence):
        made = import_attribute(confidence)
        if isinstance(made, type):
            return _checked(made() if target is None else made(target), None)
        return _confidence_of_object(made, target)
    if confidence in _OBJECTS:
        raise OptionError(
            f"{confidence!r} takes more than a name: give canonface.confidence.{_OBJECTS[confidence]}."
        )
    raise OptionError(
        f"A confidence has a known name, or is package.module:attribute; got {confidence!r}: "
        f"{near_names(confidence, CONFIDENCES)}"
    )


def _confidence_of_object(made: Any, target: Target) -> Confidence:
    if callable(made) and not isinstance(made, Confidence | PairConfidence | type):
        return _checked(FunctionConfidence(made), target)
    return _checked(made, target)


def _checked(confidence: Any, target: Target) -> Confidence:
    if isinstance(confidence, PairConfidence) and not isinstance(confidence, Confidence | type):
        raise OptionError(
            f"{type(confidence).__name__} is about two faces, and one is given here: see "
            "canonface.verify for pairs."
        )
    if not isinstance(confidence, Confidence) or isinstance(confidence, type):
        raise OptionError(
            f"A confidence is a name ({', '.join(CONFIDENCES)}), a function of (original outputs, occluded outputs) "
            f"or an object with the methods of canonface.confidence.Confidence; got {confidence!r}."
        )
    if target is not None:
        raise OptionError(
            f"A confidence that is an object holds its own target; got target={target!r} as well: leave it out."
        )
    return confidence


def describe_confidence(confidence: Confidence | PairConfidence) -> Mapping[str, Any]:
    """Return the description of a confidence; a user's class also by the fingerprint of its code and its state.

    A user's class may omit options from ``describe`` that decide its results.
    """
    described = dict(confidence.describe())
    if type(confidence).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return described
    return described | {"fingerprint": object_fingerprint(confidence)}
