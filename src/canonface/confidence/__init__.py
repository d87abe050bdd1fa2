"""Confidences: a model's outputs to one number per face or pair, whose fall is the drop."""

from canonface.confidence.base import (
    BoundConfidence,
    BoundPairConfidence,
    CleanPrediction,
    Confidence,
    PairConfidence,
)
from canonface.confidence.bins import AGE_BINS, BinConfidence, Bins
from canonface.confidence.classification import ClassConfidence
from canonface.confidence.expected_value import ExpectedValue
from canonface.confidence.function import FunctionConfidence, OwnFunction
from canonface.confidence.gallery import Gallery
from canonface.confidence.pose_bins import POSE_BINS, PoseBinConfidence, pose_bin
from canonface.confidence.recognition import RecognitionConfidence
from canonface.confidence.registry import CONFIDENCES, describe_confidence, make_confidence
from canonface.confidence.targets import PREDICTED
from canonface.confidence.threshold import Threshold, fit_threshold, verification_accuracy
from canonface.confidence.value import ValueConfidence
from canonface.confidence.verification import VerificationConfidence, is_same
from canonface.functional import cosines

__all__ = [
    "AGE_BINS",
    "CONFIDENCES",
    "POSE_BINS",
    "PREDICTED",
    "BinConfidence",
    "Bins",
    "BoundConfidence",
    "BoundPairConfidence",
    "ClassConfidence",
    "CleanPrediction",
    "Confidence",
    "ExpectedValue",
    "FunctionConfidence",
    "Gallery",
    "OwnFunction",
    "PairConfidence",
    "PoseBinConfidence",
    "RecognitionConfidence",
    "Threshold",
    "ValueConfidence",
    "VerificationConfidence",
    "cosines",
    "describe_confidence",
    "fit_threshold",
    "is_same",
    "make_confidence",
    "pose_bin",
    "verification_accuracy",
]
