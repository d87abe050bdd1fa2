"""Occlusions to a model's answers: several implementations of one signature, which must agree."""

from canonface.engine.batching import BatchSize
from canonface.engine.dense import Ask, answers

__all__ = ["Ask", "BatchSize", "answers"]
