"""Occlusions to a model's answers: several engines, which must agree."""

from canonface.engine.batching import BatchSize
from canonface.engine.dense import Ask, predict
from canonface.engine.drops import drops
from canonface.engine.plan import ENGINES, Plan, noted
from canonface.engine.planning import planned
from canonface.engine.runner import ModelRunner, check_engine

__all__ = [
    "ENGINES",
    "Ask",
    "BatchSize",
    "ModelRunner",
    "Plan",
    "check_engine",
    "drops",
    "noted",
    "planned",
    "predict",
]
