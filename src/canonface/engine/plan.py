"""Choice of an engine: costs are counted, engines timed on a few probes and compared with the dense engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from canonface.engine.dense import BatchSize, predict
from canonface.engine.local import LocalEngine, NoLocalEngineError
from canonface.errors import ModelError, is_out_of_memory
from canonface.functional import Tensor
from canonface.models import Model, checked_outputs
from canonface.models.base import one_line
from canonface.occlusions import Occlusions

if TYPE_CHECKING:
    from canonface.engine.incremental.costs import Costs

logger = logging.getLogger("canonface")

ENGINES = ("auto", "dense", "incremental", "native")
"""``dense`` sends every occluded copy through the whole model. ``incremental`` and ``native`` carry only what a patch
changes through the network, by PyTorch's operators or by compiled kernels. ``auto`` takes ``native`` (``incremental``
where that cannot be used) if it is measured faster than ``dense``. All are exact up to rounding."""

MIN_SAVING = 1.3
"""Factor of multiply-adds that must be saved before anything is measured."""
COMPARED_PROBES, TIMED_PROBES, TIMED_DENSE_PROBES = 4, 64, 16
"""Probes compared with the dense engine; timed with a local engine; timed with ``dense`` where it is the only one."""
CHANGE_TOLERANCE, OUTPUT_TOLERANCE = 1e-3, 2e-5
"""Allowed error of an engine, as a share of the largest change and of the output itself: above rounding in deep
networks, below a mistake."""
DROP_TOLERANCE = 5e-5
"""Allowed error of a drop."""
RETIMED_RATIO = 1.5
"""Times that differ by less are taken again; the smaller one counts."""

PredictDense = Callable[[Occlusions], Float[np.ndarray, "n d"]]


@dataclass(frozen=True)
class Plan:
    """Engine for one model, with the reason and the measurements.

    Attributes:
        engine: one of `ENGINES`, never ``auto``.
        why: reason in words.
        costs: multiply-adds and memory; None if there are no layers to count.
        seconds: measured seconds per forward pass, by engine.
        error: largest difference of an output from the dense engine's, on the compared probes.
        dense_from: layers from which on whole maps are computed, with the reason: windows cannot follow them, or fill
            the map.
    """

    engine: str
    why: str
    costs: Costs | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    error: float | None = None
    dense_from: tuple[tuple[str, str], ...] = ()


def failure_plan(error: Exception) -> Plan:
    """Return the plan of a model on which the local engine failed."""
    what = "out of memory" if is_out_of_memory(error) else one_line(error)
    return Plan("dense", f"the local engine failed: {what}")


def make_plan(model: Model, x: Tensor, occlusions: Occlusions, batch: int = 64) -> Plan:
    """Choose an engine for a model and time every engine that is available here.

    Args:
        model: the model.
        x: ``(c, h, w)`` an input, on the model's device.
        occlusions: what is hidden, one forward pass each.
        batch: copies per batch of the dense engine.
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
        logger.debug("the local engine failed", exc_info=True)
        chosen, plans = failure_plan(error), {}
    if not plans:
        few = evenly_spaced(distinct, TIMED_DENSE_PROBES)
        dense(few)
        start = time.perf_counter()
        dense(few)
        return replace(chosen, seconds={"dense": (time.perf_counter() - start) / len(few)})
    seconds = {name: time for plan in plans.values() for name, time in plan.seconds.items()}
    return replace(chosen, seconds=seconds | chosen.seconds)


def choose(local: LocalEngine, x: Tensor, occlusions: Occlusions, wanted: str, dense: PredictDense) -> Plan:
    """Choose between the dense engine and a local engine.

    Args:
        local: the model's network.
        x: ``(c, h, w)`` an input.
        occlusions: what will be hidden.
        wanted: one of `canonface.engine.ENGINES`.
        dense: evaluates occlusions with the dense engine.
    """
    costs = local.costs(x, occlusions)
    saving = costs.dense / max(costs.needed, 1.0)
    plan = Plan("dense", "", costs, dense_from=local.network.program.dense_because)
    if wanted == "auto" and saving < MIN_SAVING:
        return replace(
            plan, why=f"a patch changes so much that only {saving:.1f} times fewer multiply-adds are needed"
        )
    engine = local.available(x, wanted)
    executor = local.executor(x, occlusions, engine, costs)
    few = evenly_spaced(occlusions, COMPARED_PROBES)
    some = evenly_spaced(occlusions, min(executor.chunk, TIMED_PROBES))
    slow, predict_dense = _timed(lambda: dense(few))
    clean, occluded = local.predict(x, few, engine)
    error = float(np.abs(occluded - predict_dense).max())
    plan = replace(plan, error=error, dense_from=executor.program.dense_because)
    if not agree(occluded, predict_dense, clean, local.model.outputs):
        return replace(plan, why=f"outputs of the {engine} engine are off by up to {error:.2g}{tf32_hint(x)}")
    if x.device.type != "cpu":
        # An accelerator is idle under a few copies, and slow at the first batch of a size.
        few = some
        dense(some), local.predict(x, some, engine)
        slow, _ = _timed(lambda: dense(some))
    fast, _ = _timed(lambda: local.predict(x, some, engine)[1])
    slow, fast = slow / len(few), fast / len(some)
    if wanted == "auto" and max(slow / fast, fast / slow) < RETIMED_RATIO:
        slow = min(slow, _timed(lambda: dense(few))[0] / len(few))
        fast = min(fast, _timed(lambda: local.predict(x, some, engine)[1])[0] / len(some))
    plan, ratio = replace(plan, seconds={"dense": slow, engine: fast}), slow / fast
    if wanted == "auto" and ratio < 1:
        return replace(plan, why=f"here it is {1 / ratio:.1f} times faster than the {engine} engine")
    speed = f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"
    counted = " of the layers that are counted" if costs.uncounted else ""
    why = f"{saving:.1f} times fewer multiply-adds{counted}, {speed} than the dense engine on {len(some)} probes"
    if wanted == "native" and (reason := local.why_not_native(x)):
        why = f"{reason}; {why}"
    return replace(plan, engine=engine, why=why)


def agree(
    found: Float[np.ndarray, "n d"],
    dense: Float[np.ndarray, "n d"],
    clean: Float[np.ndarray, "1 d"],
    outputs: str,
) -> bool:
    """Return whether outputs equal those of the dense engine up to rounding.

    Args:
        found: outputs of an engine.
        dense: outputs of the dense engine for the same occlusions.
        clean: output for the input without occlusion.
        outputs: kind of the outputs. An error of a logit or probability changes a drop by at most half of it, so for
            these kinds `DROP_TOLERANCE` is added to the bound.
    """
    size, change = float(np.abs(clean).max()), float(np.abs(dense - clean).max())
    bound = OUTPUT_TOLERANCE * size + CHANGE_TOLERANCE * change
    bound += DROP_TOLERANCE if outputs in ("logits", "probabilities") else 0.0
    return found.shape == dense.shape and float(np.abs(found - dense).max()) <= max(bound, 1e-10)


def tf32_hint(x: Tensor) -> str:
    """Name the PyTorch settings that may round to TF32 on this GPU; return "" if none does."""
    if x.device.type != "cuda" or "float32" not in str(x.dtype):
        return ""
    from torch import backends

    settings = {
        "torch.backends.cudnn.allow_tf32": backends.cudnn,
        "torch.backends.cuda.matmul.allow_tf32": backends.cuda.matmul,
    }
    switched_on = [f"{name} = False" for name, place in settings.items() if _allows_tf32(place)]
    if not switched_on:
        return ""
    return f"; this GPU may round to TF32: with {' and '.join(switched_on)} they are compared in single precision"


def _allows_tf32(place: Any) -> bool:
    try:
        return bool(place.allow_tf32)
    except RuntimeError:  # set through another interface of PyTorch, which forbids reading this one
        return True


def evenly_spaced(occlusions: Occlusions, count: int) -> Occlusions:
    """Return ``count`` evenly spaced occlusions."""
    return occlusions[:: max(1, len(occlusions) // count)][:count]


def _timed(run: Callable[[], Float[np.ndarray, "n d"]]) -> tuple[float, Float[np.ndarray, "n d"]]:
    start = time.perf_counter()
    outputs = run()
    return time.perf_counter() - start, outputs
