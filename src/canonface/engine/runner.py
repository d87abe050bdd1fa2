"""Model runner: evaluates one model on occlusions by the fastest exact engine, and falls back where that fails."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute
from canonface.engine.dense import BatchSize, predict
from canonface.engine.local import LocalEngine, NoLocalEngineError
from canonface.engine.plan import ENGINES, Plan, agree, choose, failure_plan
from canonface.errors import ModelOutputError, OptionError, near_names
from canonface.functional import Tensor
from canonface.models import Model, checked_outputs
from canonface.occlusions import Occlusions

logger = logging.getLogger("canonface")

MIN_PASSES = 8
"""Forward passes of one face from which on a faster engine is looked for."""
CHECK_EVERY = 2000
"""Forward passes after which one is compared with the dense engine again; one of the first is compared too."""


class ModelRunner:
    """Runs one model on occluded inputs.

    Args:
        model: the model.
        engine: one of `canonface.engine.ENGINES`.
        batch: copies per batch of the dense engine.

    Attributes:
        plan: engine in use and the reason; None before the first forward pass.
    """

    def __init__(self, model: Model, engine: str = "auto", batch: int | BatchSize = 64) -> None:
        check_engine(engine)
        self.model, self.engine = model, engine
        self.batch = batch if isinstance(batch, BatchSize) else BatchSize(batch)
        self.plan: Plan | None = Plan("dense", "as requested") if engine == "dense" else None
        # A plan made for an earlier runner is checked once too: the module may have changed unseen.
        self._unchecked = CHECK_EVERY

    def predict(self, x: Tensor, occlusions: Occlusions) -> Float[np.ndarray, "n d"]:
        """Return the outputs of the model for each occluded copy of an input; equal occlusions are evaluated once.

        Args:
            x: ``(c, h, w)`` the input, on the model's device: see `canonface.models.Model.to_device`.
            occlusions: what is hidden.

        Raises:
            ModelError: the model failed, or returned the wrong shape or NaN.
            OutOfMemoryError: a single copy does not fit.
        """
        if not len(occlusions):
            return np.empty((0, 0), dtype=np.float32)
        distinct, place = occlusions.distinct()
        found = self._local(x, distinct)
        occluded = self._dense(x, distinct) if found is None else found[1]
        return np.asarray(occluded[place])

    def both(
        self, x: Tensor, occlusions: Occlusions
    ) -> tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]]:
        """Return the outputs for the clean input, then those of `predict`; local engines need the former anyway."""
        distinct, place = occlusions.distinct()
        found = self._local(x, distinct) if len(distinct) else None
        if found is not None:
            return found[0], found[1][place]
        clean = checked_outputs(self.model, x[None])
        return clean, self._dense(x, distinct)[place] if len(distinct) else clean[:0]

    answers = deprecated_attribute("predict")

    def _dense(self, x: Tensor, occlusions: Occlusions) -> Float[np.ndarray, "n d"]:
        return predict(lambda batch: checked_outputs(self.model, batch), x, occlusions, self.batch)

    def _local(
        self, x: Tensor, occlusions: Occlusions
    ) -> tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]] | None:
        """Return clean and occluded outputs by a local engine; None if the dense engine has to be used."""
        if self.plan is None and self.engine == "auto" and len(occlusions) < MIN_PASSES:
            return None
        if self.plan is not None and self.plan.engine == "dense":
            return None
        try:
            local = LocalEngine.of(self.model, x)
            known = local.network.choice
            if self.engine not in known:
                known[self.engine] = choose(
                    local, x, occlusions, self.engine, lambda few: self._dense(x, few)
                )
            plan = self._settle(known[self.engine])
            if plan.engine == "dense":
                return None
            found = local.predict(x, occlusions, plan.engine)
            return found if self._passes_check(x, occlusions, found, plan) else None
        except NoLocalEngineError as error:
            self._settle(Plan("dense", str(error)))
        except ModelOutputError:
            # Concerns this photo only: the dense engine repeats it, and raises if the model is to blame.
            logger.debug("the local engine returned unusable outputs", exc_info=True)
        except Exception as error:
            logger.debug("the local engine failed", exc_info=True)
            self._settle(failure_plan(error), unexpected=True)
        return None

    def _passes_check(
        self,
        x: Tensor,
        occlusions: Occlusions,
        found: tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]],
        plan: Plan,
    ) -> bool:
        """Compare the largest change with the dense engine, at first and every `CHECK_EVERY` forward passes."""
        self._unchecked += len(occlusions)
        if self._unchecked < CHECK_EVERY:
            return True
        self._unchecked = 0
        clean, occluded = found
        chosen = int(np.abs(occluded - clean).max(axis=1).argmax())
        dense, output = self._dense(x, occlusions[chosen : chosen + 1]), occluded[chosen : chosen + 1]
        if agree(output, dense, clean, self.model.outputs):
            return True
        off = float(np.abs(output - dense).max())
        self._settle(
            Plan("dense", f"an output of the {plan.engine} engine was off by {off:.2g}"), unexpected=True
        )
        return False

    def _settle(self, plan: Plan, unexpected: bool = False) -> Plan:
        """Keep a plan and log it once: as a warning if it is not the one requested."""
        if self.plan is None or self.plan.engine != plan.engine:
            refused = self.engine not in ("auto", plan.engine)
            level = logging.WARNING if unexpected or refused else logging.INFO
            logger.log(level, "%s runs on the %s engine: %s", self.model.name, plan.engine, plan.why)
        self.plan = plan
        return plan


def check_engine(engine: str) -> None:
    """Raise OptionError if there is no engine of this name; the message lists the engines."""
    if engine == "bfloat16":
        raise OptionError(
            "The engine 'bfloat16' of version 0.1.0 was removed: it was slower than single precision, and not exact. "
            "Take 'auto'; a run that was started with it needs a new folder."
        )
    if engine not in ENGINES:
        raise OptionError(f"An engine has a known name; got {engine!r}: {near_names(str(engine), ENGINES)}")
