"""Which engine a model is asked by: counted, then measured on a few questions and held against the dense one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.engine.local import LocalEngine
from canonface.engine.plan import Plan
from canonface.functional import Tensor
from canonface.occlusions import Occlusions

LEAST_GAIN = 1.3
"""Multiply-adds that must be saved before anything is measured."""
ASKED_BOTH_WAYS, TIMED = 4, 64
RELATIVE = {"bfloat16": 0.1}
"""How far answers in half precision may be off those of the dense engine, as a share of the largest."""
CLOSE, ROUNDING = 1e-3, 2e-5
"""How far exact answers may be off, as a share of the largest change and of the answer itself: above what rounding
does in deep networks, below a mistake."""
DOUBTFUL = 1.5
"""Times that differ by less are taken again: the least counts."""
GATE = 5e-5
"""How far a drop may be off that an exact engine finds."""

Dense = Callable[[Occlusions], Float[np.ndarray, "n d"]]


def choose(local: LocalEngine, x: Tensor, occlusions: Occlusions, wanted: str, dense: Dense) -> Plan:
    """The plan for a model.

    Args:
        local: its network.
        x: ``(c, h, w)`` an input.
        occlusions: what is to be asked of it.
        wanted: one of `canonface.engine.ENGINES`.
        dense: asks the dense engine.
    """
    costs = local.costs(x, occlusions)
    gain = costs.dense / max(costs.needed, 1.0)
    plan = Plan("dense", "", costs, dense_from=local.network.program.dense_because)
    if wanted == "auto" and gain < LEAST_GAIN:
        return replace(
            plan, why=f"a patch changes so much that only {gain:.1f} times fewer multiply-adds are needed"
        )
    engine = local.best(x, wanted)
    session = local.network.session(engine, costs.probe_bytes, costs.base_bytes + costs.kept_bytes(engine))
    few, some = spread(occlusions, ASKED_BOTH_WAYS), spread(occlusions, min(session.chunk, TIMED))
    slow, predict_dense = _timed(lambda: dense(few))
    original, hidden = local.predict(x, few, engine)
    error = float(np.abs(hidden - predict_dense).max())
    plan = replace(plan, error=error, dense_from=session.program.dense_because)
    if not agree(hidden, predict_dense, original, engine, local.model.outputs):
        return replace(
            plan, why=f"answers of the {engine} engine are off by up to {error:.2g}{tf32_hint(x, engine)}"
        )
    if x.device.type != "cpu":
        # An accelerator is idle under a few copies, and slow at the first of a size.
        few = some
        dense(some), local.predict(x, some, engine)
        slow, _ = _timed(lambda: dense(some))
    fast, _ = _timed(lambda: local.predict(x, some, engine)[1])
    slow, fast = slow / len(few), fast / len(some)
    if wanted == "auto" and max(slow / fast, fast / slow) < DOUBTFUL:
        slow = min(slow, _timed(lambda: dense(few))[0] / len(few))
        fast = min(fast, _timed(lambda: local.predict(x, some, engine)[1])[0] / len(some))
    plan, ratio = replace(plan, seconds={"dense": slow, engine: fast}), slow / fast
    if wanted == "auto" and ratio < 1:
        return replace(plan, why=f"here it is {1 / ratio:.1f} times faster than the {engine} engine")
    speed = f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"
    counted = " of the layers that are counted" if costs.uncounted else ""
    why = f"{gain:.1f} times fewer multiply-adds{counted}, {speed} than the dense engine on {len(some)} questions"
    if wanted == "native" and (refused := local.why_not_native(x)):
        why = f"{refused}; {why}"
    if engine == "bfloat16":
        change = max(float(np.abs(predict_dense - original).max()), 1e-30)
        why += (
            f"; not exact: outputs are off by up to {error:.2g}, {error / change:.1%} of the largest change"
        )
    return replace(plan, engine=engine, why=why)


def agree(
    found: Float[np.ndarray, "n d"],
    dense: Float[np.ndarray, "n d"],
    original: Float[np.ndarray, "1 d"],
    engine: str,
    outputs: str,
) -> bool:
    """Whether answers are those of the dense engine, but for rounding.

    Args:
        found: answers of an engine.
        dense: those of the dense one to the same questions.
        original: answer to the photo as it is.
        engine: one of `canonface.engine.ENGINES`.
        outputs: kind of the answers: half of a difference of logits or probabilities is more than a drop's.
    """
    size, change = float(np.abs(original).max()), float(np.abs(dense - original).max())
    if engine in RELATIVE:
        bound = RELATIVE[engine] * max(size, float(np.abs(dense).max()))
    else:
        bound = ROUNDING * size + CLOSE * change + (GATE if outputs in ("logits", "probabilities") else 0.0)
    return found.shape == dense.shape and float(np.abs(found - dense).max()) <= max(bound, 1e-10)


def tf32_hint(x: Tensor, engine: str) -> str:
    """Why numbers may be off on a GPU though neither engine is wrong: what PyTorch is set to round there."""
    if engine == "bfloat16" or x.device.type != "cuda" or "float32" not in str(x.dtype):
        return ""
    from torch import backends

    settings = {
        "torch.backends.cudnn.allow_tf32": backends.cudnn,
        "torch.backends.cuda.matmul.allow_tf32": backends.cuda.matmul,
    }
    switched_on = [f"{name} = False" for name, place in settings.items() if _rounds(place)]
    if not switched_on:
        return ""
    return f"; this GPU may round to TF32: with {' and '.join(switched_on)} they are compared in single precision"


def _rounds(place: Any) -> bool:
    try:
        return bool(place.allow_tf32)
    except RuntimeError:  # set by another interface of PyTorch, which does not let this one be read
        return True


def spread(occlusions: Occlusions, count: int) -> Occlusions:
    """So many of them, evenly spread."""
    return occlusions[:: max(1, len(occlusions) // count)][:count]


def _timed(ask: Callable[[], Float[np.ndarray, "n d"]]) -> tuple[float, Float[np.ndarray, "n d"]]:
    start = time.perf_counter()
    prediction = ask()
    return time.perf_counter() - start, prediction
