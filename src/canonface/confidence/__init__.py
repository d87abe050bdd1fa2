"""From a model's outputs to the one number that an occlusion makes fall."""

from canonface.confidence.base import (
    BoundConfidence,
    BoundPairConfidence,
    Confidence,
    Original,
    PairConfidence,
)
from canonface.confidence.classification import PREDICTED, ClassConfidence
from canonface.confidence.registry import CONFIDENCES, make_confidence

__all__ = [
    "CONFIDENCES",
    "PREDICTED",
    "BoundConfidence",
    "BoundPairConfidence",
    "ClassConfidence",
    "Confidence",
    "Original",
    "PairConfidence",
    "make_confidence",
]
