"""What a run writes down of a confidence: enough to tell any two questions apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canonface.confidence.base import Confidence, PairConfidence
from canonface.fingerprint import object_fingerprint


def describe_confidence(confidence: Confidence | PairConfidence) -> Mapping[str, Any]:
    """What a confidence says of itself; for a class of one's own also the fingerprint of its code and its state.

    A class of one's own may leave out of ``describe`` what decides its answers.
    """
    said = dict(confidence.describe())
    if type(confidence).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return said
    return said | {"fingerprint": object_fingerprint(confidence)}
