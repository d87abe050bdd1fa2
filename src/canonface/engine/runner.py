"""One model asked about occlusions by the fastest way that is exact; where a way fails, by another one."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float

from canonface.engine.batching import BatchSize
from canonface.engine.choosing import agree, choose
from canonface.engine.dense import predict
from canonface.engine.local import LocalEngine
from canonface.engine.plan import ENGINES, INEXACT, NoLocalEngineError, Plan, failed
from canonface.errors import ModelOutputError, OptionError, near_names
from canonface.functional import Tensor
from canonface.models import Model, checked_outputs
from canonface.occlusions import Occlusions

logger = logging.getLogger("canonface")

FEWEST = 8
"""Questions about one face for which it is worth while to look for a faster way."""
CHECK_EVERY = 2000
"""Questions after which one is asked in both ways again; the first ones too."""


class ModelRunner:
    """Asks one model about occlusions.

    Args:
        model: the model.
        engine: one of `canonface.engine.ENGINES`.
        batch: how many copies are shown at once where whole images are.

    Attributes:
        plan: how the model is asked; None before the first question.
    """

    def __init__(self, model: Model, engine: str = "auto", batch: int | BatchSize = 64) -> None:
        check_engine(engine)
        self.model, self.engine = model, engine
        self.batch = batch if isinstance(batch, BatchSize) else BatchSize(batch)
        self.plan: Plan | None = Plan("dense", "as asked for") if engine == "dense" else None
        # Even a plan that is known already is held against the dense engine once: the module may have changed unseen.
        self._unchecked = CHECK_EVERY

    def predict(self, x: Tensor, occlusions: Occlusions) -> Float[np.ndarray, "n d"]:
        """Outputs of the model for each occluded copy of an input; equal occlusions are asked once.

        Args:
            x: ``(c, h, w)`` the input, where the model computes: see `canonface.models.Model.to_device`.
            occlusions: what is hidden.

        Raises:
            ModelError: the model failed, or answered with the wrong shape or NaN.
            OutOfMemoryError: a single copy does not fit.
        """
        if not len(occlusions):
            return np.empty((0, 0), dtype=np.float32)
        distinct, place = occlusions.distinct()
        found = self._by_windows(x, distinct)
        hidden = self._dense(x, distinct) if found is None else found[1]
        return np.asarray(hidden[place])

    def both(
        self, x: Tensor, occlusions: Occlusions
    ) -> tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]]:
        """Outputs of the model for an input as it is, and `answers`; windows need the former anyway."""
        distinct, place = occlusions.distinct()
        found = self._by_windows(x, distinct) if len(distinct) else None
        if found is not None:
            return found[0], found[1][place]
        original = checked_outputs(self.model, x[None])
        return original, self._dense(x, distinct)[place] if len(distinct) else original[:0]

    def _dense(self, x: Tensor, occlusions: Occlusions) -> Float[np.ndarray, "n d"]:
        return predict(lambda batch: checked_outputs(self.model, batch), x, occlusions, self.batch)

    def _by_windows(
        self, x: Tensor, occlusions: Occlusions
    ) -> tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]] | None:
        """Outputs by a faster engine, for the input as it is too; None where the dense one is to be asked."""
        if self.plan is None and self.engine == "auto" and len(occlusions) < FEWEST:
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
            return found if self._holds(x, occlusions, found, plan) else None
        except NoLocalEngineError as error:
            self._settle(Plan("dense", str(error)))
        except ModelOutputError:
            # Of this photo: the dense engine is asked about it, and says so if the model is to blame.
            logger.debug("an answer by windows is no answer", exc_info=True)
        except Exception as error:
            logger.debug("questions by windows failed", exc_info=True)
            self._settle(failed(error), unexpected=True)
        return None

    def _holds(
        self,
        x: Tensor,
        occlusions: Occlusions,
        found: tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]],
        plan: Plan,
    ) -> bool:
        """At first and now and then: whether the dense engine answers the same where most is said to change."""
        self._unchecked += len(occlusions)
        if self._unchecked < CHECK_EVERY:
            return True
        self._unchecked = 0
        original, hidden = found
        chosen = int(np.abs(hidden - original).max(axis=1).argmax())
        dense, prediction = self._dense(x, occlusions[chosen : chosen + 1]), hidden[chosen : chosen + 1]
        if agree(prediction, dense, original, plan.engine, self.model.outputs):
            return True
        off = float(np.abs(prediction - dense).max())
        self._settle(
            Plan("dense", f"an answer of the {plan.engine} engine was off by {off:.2g}"), unexpected=True
        )
        return False

    def _settle(self, plan: Plan, unexpected: bool = False) -> Plan:
        """Keep a plan; say once what it is, and louder where it is not what was asked for, or not exact."""
        if self.plan is None or self.plan.engine != plan.engine:
            refused = self.engine not in ("auto", plan.engine)
            is_loud = unexpected or refused or plan.engine in INEXACT
            level = logging.WARNING if is_loud else logging.INFO
            logger.log(level, "%s is asked by the %s engine: %s", self.model.name, plan.engine, plan.why)
        self.plan = plan
        return plan


def check_engine(engine: str) -> None:
    """Refuse an engine that does not exist.

    Raises:
        OptionError: it does not; lists what does.
    """
    if engine not in ENGINES:
        raise OptionError(f"An engine has a known name; got {engine!r}: {near_names(str(engine), ENGINES)}")
