"""From a model's outputs to the one number that an occlusion makes fall."""

from canonface.confidence.base import BoundConfidence, Confidence
from canonface.confidence.classification import LABEL_PREFIX, PREDICTED, SCALES, ClassConfidence, class_index

__all__ = [
    "LABEL_PREFIX",
    "PREDICTED",
    "SCALES",
    "BoundConfidence",
    "ClassConfidence",
    "Confidence",
    "class_index",
]
