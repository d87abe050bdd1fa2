"""Every exact engine measured on a few questions about one input: what `canonface plan` shows."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from canonface.engine.batching import BatchSize
from canonface.engine.choosing import choose, spread
from canonface.engine.dense import answers
from canonface.engine.local import LocalEngine
from canonface.engine.plan import NoLocalEngineError, Plan
from canonface.functional import Tensor
from canonface.models import Model, checked_outputs
from canonface.occlusions import Occlusions

TIMED = 16
"""Questions on which the dense engine is timed where there is no other."""


def planned(model: Model, x: Tensor, occlusions: Occlusions, batch: int = 64) -> Plan:
    """How a model would be asked, with the time of a question by every exact engine that can be used here.

    Args:
        model: the model.
        x: ``(c, h, w)`` an input, where the model computes.
        occlusions: the questions.
        batch: how many copies are shown at once where whole images are.
    """
    distinct, _ = occlusions.distinct()
    size = BatchSize(batch)

    def dense(few: Occlusions) -> Float[np.ndarray, "n d"]:
        return answers(lambda copies: checked_outputs(model, copies), x, few, size)

    try:
        local = LocalEngine.of(model, x)
    except NoLocalEngineError as error:
        few = spread(distinct, TIMED)
        dense(few)
        start = time.perf_counter()
        dense(few)
        return Plan("dense", str(error), seconds={"dense": (time.perf_counter() - start) / len(few)})
    plans = {name: choose(local, x, distinct, name, dense) for name in ("incremental", "native")}
    chosen = choose(local, x, distinct, "auto", dense)
    seconds = {name: time for plan in plans.values() for name, time in plan.seconds.items()}
    return replace(chosen, seconds=seconds | chosen.seconds)
