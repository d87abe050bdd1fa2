"""Engines: model outputs for the occluded copies of one input."""

from canonface.engine.dense import BatchSize, ForwardFn, predict
from canonface.engine.drops import drops
from canonface.engine.plan import ENGINES, Plan, make_plan
from canonface.engine.runner import ModelRunner, check_engine

__all__ = [
    "ENGINES",
    "BatchSize",
    "ForwardFn",
    "ModelRunner",
    "Plan",
    "check_engine",
    "drops",
    "make_plan",
    "predict",
]
