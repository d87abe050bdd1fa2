"""From a model's outputs to the one number that an occlusion makes fall."""

from canonface.confidence.base import BoundConfidence, Confidence
from canonface.confidence.classification import PREDICTED, ClassConfidence

__all__ = ["PREDICTED", "BoundConfidence", "ClassConfidence", "Confidence"]
