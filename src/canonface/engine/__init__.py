"""Occlusions to confidences: several implementations of one signature, which must agree."""

from canonface.engine.batching import BatchSize
from canonface.engine.dense import Scorer, scores

__all__ = ["BatchSize", "Scorer", "scores"]
