"""Every exact engine measured on a few questions about one input: what `canonface plan` shows."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from canonface.engine.batching import BatchSize
from canonface.engine.choosing import choose, spread
from canonface.engine.dense import predict
from canonface.engine.local import LocalEngine
from canonface.engine.plan import NoLocalEngineError, Plan, failed
from canonface.errors import ModelError
from canonface.functional import Tensor
from canonface.models import Model, checked_outputs
from canonface.occlusions import Occlusions

logger = logging.getLogger("canonface")

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
        return predict(lambda copies: checked_outputs(model, copies), x, few, size)

    try:
        local = LocalEngine.of(model, x)
        plans = {name: choose(local, x, distinct, name, dense) for name in ("incremental", "native")}
        chosen = choose(local, x, distinct, "auto", dense)
    except NoLocalEngineError as error:
        chosen, plans = Plan("dense", str(error)), {}
    except ModelError:
        raise
    except Exception as error:
        logger.debug("questions by windows failed", exc_info=True)
        chosen, plans = failed(error), {}
    if not plans:
        few = spread(distinct, TIMED)
        dense(few)
        start = time.perf_counter()
        dense(few)
        return replace(chosen, seconds={"dense": (time.perf_counter() - start) / len(few)})
    seconds = {name: time for plan in plans.values() for name, time in plan.seconds.items()}
    return replace(chosen, seconds=seconds | chosen.seconds)
