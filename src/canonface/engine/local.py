"""A torch model asked by windows: what its network makes of the changes, as the model's own answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from canonface.engine.plan import NoLocalEngineError
from canonface.errors import is_out_of_memory
from canonface.functional import Tensor
from canonface.models import Model, TorchModel, checked_predictions
from canonface.models.torch_module import as_array
from canonface.occlusions import Occlusions

if TYPE_CHECKING:
    from canonface.engine.incremental.costs import Costs
    from canonface.engine.incremental.network import Network
    from canonface.engine.incremental.session import Session

logger = logging.getLogger("canonface")


@dataclass(frozen=True, eq=False)
class LocalEngine:
    """The network behind a model, for inputs of one shape.

    Attributes:
        model: the model.
        network: its module, compiled.
    """

    model: TorchModel
    network: Network

    @classmethod
    def of(cls, model: Model, x: Tensor) -> LocalEngine:
        """The network behind a model.

        Raises:
            NoLocalEngineError: there is none that windows could follow.
        """
        if not isinstance(model, TorchModel):
            raise NoLocalEngineError("it shows no layers that could be followed: only its answers are known")
        from canonface.engine.incremental.network import network_of
        from canonface.engine.incremental.tracing import NotTraceableError

        try:
            network = network_of(model.module, x[None])
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
        """What questions about an input cost."""
        from canonface.engine.incremental.changes import windows_of
        from canonface.engine.incremental.costs import costs

        return costs(self.network.program, windows_of(tuple(x.shape), [occlusions]))

    def best(self, x: Tensor, wanted: str) -> str:
        """The engine that is asked for, or the nearest that there is here."""
        if wanted in ("incremental", "bfloat16"):
            return wanted
        return "incremental" if self.why_not_native(x) else "native"

    def why_not_native(self, x: Tensor) -> str:
        """Why an input cannot be asked about by the native engine; empty: it can."""
        import torch

        from canonface.engine import native

        if x.device.type != "cpu" or x.dtype != torch.float32:
            return "native kernels compute in single precision on the CPU"
        return "" if native.library() is not None else "there are no native kernels here"

    def predict(
        self, x: Tensor, occlusions: Occlusions, engine: str
    ) -> tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]]:
        """The model's outputs for an input as it is, and for each occlusion of it.

        When the device runs out of memory fewer questions go through the network together, which is said once.
        """
        while True:
            session = self.network.sessions[engine]
            try:
                original, hidden = session.predict(x[None], [occlusions], self.model.picked)
            except Exception as error:
                if not is_out_of_memory(error) or session.chunk == 1:
                    raise
                self.network.sessions[engine] = _halved(session)
            else:
                return self._checked(original), self._checked(hidden)

    def _checked(self, outputs: Tensor) -> Float[np.ndarray, "n d"]:
        return checked_predictions(self.model, as_array(outputs), len(outputs))


def _halved(session: Session) -> Session:
    smaller = replace(session, chunk=session.chunk // 2)
    logger.warning("out of memory with %d questions at once: going on with %d", session.chunk, smaller.chunk)
    return smaller
