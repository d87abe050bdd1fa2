"""Occlusions to a model's answers: several engines, which must agree."""

from canonface.engine.asker import Asker, check_engine
from canonface.engine.batching import BatchSize
from canonface.engine.dense import Ask, answers
from canonface.engine.drops import drops
from canonface.engine.plan import ENGINES, Plan, noted
from canonface.engine.planning import planned

__all__ = [
    "ENGINES",
    "Ask",
    "Asker",
    "BatchSize",
    "Plan",
    "answers",
    "check_engine",
    "drops",
    "noted",
    "planned",
]
