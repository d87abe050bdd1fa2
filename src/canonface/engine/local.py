"""Local engine: a torch model evaluated on the windows that occlusions change."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute
from canonface.errors import is_out_of_memory
from canonface.functional import Tensor
from canonface.models import Model, TorchModel, checked_predictions
from canonface.models.torch_module import as_array
from canonface.occlusions import Occlusions

if TYPE_CHECKING:
    from canonface.engine.incremental.costs import Costs
    from canonface.engine.incremental.executor import Executor
    from canonface.engine.incremental.traced_network import TracedNetwork

logger = logging.getLogger("canonface")


class NoLocalEngineError(Exception):
    """Model without a local engine; the text tells the user why."""


@dataclass(frozen=True, eq=False)
class LocalEngine:
    """Traced network of a model, for inputs of one shape.

    Attributes:
        model: the model.
        network: its module, traced.
    """

    model: TorchModel
    network: TracedNetwork

    answers = deprecated_attribute("predict")
    best = deprecated_attribute("available")

    @classmethod
    def of(cls, model: Model, x: Tensor) -> LocalEngine:
        """Return the local engine of a model, for inputs like ``x``.

        Raises:
            NoLocalEngineError: the model's layers are unknown, cannot be traced, or windows cannot follow the first.
        """
        if not isinstance(model, TorchModel):
            raise NoLocalEngineError("it has no layers that can be traced: only its outputs are known")
        from canonface.engine.incremental.trace import NotTraceableError
        from canonface.engine.incremental.traced_network import traced_network

        try:
            network = traced_network(model.module, x[None])
        except NotTraceableError as error:
            raise NoLocalEngineError(str(error)) from error
        program = network.program
        if not program.steps:
            where, why = (
                program.dense_because[0] if program.dense_because else ("its first layer", "reads all")
            )
            raise NoLocalEngineError(f"{where}: {why}")
        return cls(model, network)

    def costs(self, x: Tensor, occlusions: Occlusions) -> Costs:
        """Count multiply-adds and memory for occlusions of an input."""
        from canonface.engine.incremental.costs import costs
        from canonface.engine.incremental.deltas import windows_of

        return costs(self.network.program, windows_of(tuple(x.shape), [occlusions]))

    def available(self, x: Tensor, wanted: str) -> str:
        """Return the engine named ``wanted``, or the nearest one that can be used here."""
        return "incremental" if wanted == "incremental" or self.why_not_native(x) else "native"

    def why_not_native(self, x: Tensor) -> str:
        """Return the reason why the native engine cannot evaluate an input; "" if it can."""
        import torch

        from canonface.engine import native

        if x.device.type != "cpu" or x.dtype != torch.float32:
            return "native kernels compute in single precision on the CPU"
        return "" if native.library() is not None else "there are no native kernels here"

    def executor(
        self, x: Tensor, occlusions: Occlusions, engine: str, costs: Costs | None = None
    ) -> Executor:
        """Return the network's executor for an engine.

        The first call makes it, for chunks that suit the occlusions.

        Args:
            x: ``(c, h, w)`` an input.
            occlusions: what is hidden.
            engine: ``incremental`` or ``native``.
            costs: costs of these occlusions; None counts them where they are needed.
        """
        known = self.network.executors.get(engine)
        if known is not None:
            return known
        costs = costs or self.costs(x, occlusions)
        return self.network.executor(engine, costs.probe_bytes, costs.base_bytes + costs.kept_bytes(engine))

    def predict(
        self, x: Tensor, occlusions: Occlusions, engine: str
    ) -> tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]]:
        """Return the model's outputs for the clean input and for each occlusion of it.

        When the device runs out of memory, fewer probes go through the network together; this is logged.
        """
        while True:
            executor = self.executor(x, occlusions, engine)
            try:
                clean, occluded = executor.predict(x[None], [occlusions], self.model.picked)
            except Exception as error:
                if not is_out_of_memory(error) or executor.chunk == 1:
                    raise
                self.network.executors[engine] = _halved(executor)
            else:
                return self._checked(clean), self._checked(occluded)

    def _checked(self, outputs: Tensor) -> Float[np.ndarray, "n d"]:
        return checked_predictions(self.model, as_array(outputs), len(outputs))


def _halved(executor: Executor) -> Executor:
    smaller = replace(executor, chunk=executor.chunk // 2)
    logger.warning("out of memory with %d probes at once: going on with %d", executor.chunk, smaller.chunk)
    return smaller
