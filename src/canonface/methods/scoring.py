"""What a gradient is taken of: the model and the question as one PyTorch module with one output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from canonface.confidence import BoundConfidence
from canonface.errors import AttributionError, OptionError
from canonface.methods.base import ScoreKind
from canonface.methods.differences import slopes
from canonface.models import TorchModel, checked_predictions
from canonface.models.torch_module import as_array

Of = Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, "m"]]


class Score(nn.Module):
    """A model's answer to a question, ``(n, c, h, w)`` to ``(n, 1)``, with a gradient.

    The logit of a class is one of the model's outputs, exactly. Any other confidence, also a user's own function, is
    computed by NumPy in ``float64`` and has its slopes by central differences.

    Args:
        model: the model; its module becomes a part of this one and is not changed.
        confidence_fn: what is asked.
        kind: see `ScoreKind`.
    """

    def __init__(self, model: TorchModel, confidence_fn: BoundConfidence, kind: ScoreKind = "auto") -> None:
        super().__init__()
        self.index = logit_index(model, confidence_fn, kind)
        self.module, self.model, self.confidence_fn = model.module, model, confidence_fn

    def outputs(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The model's outputs, with a gradient."""
        # A copy, since a first layer that works in place would change the caller's batch.
        prediction: Tensor = self.model.picked(self.module(x.clone()))
        checked_predictions(self.model, as_array(prediction), len(x))
        return prediction

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1"]:
        """The score of each input."""
        prediction = self.outputs(x)
        if self.index is not None:
            return prediction[:, self.index : self.index + 1]
        score: Tensor = _Confidence.apply(prediction, self.confidence_fn)  # type: ignore[no-untyped-call]
        return score

    def require_slope(self, x: Float[Tensor, "1 c h w"]) -> None:
        """Refuse a question whose answer does not move with the model's outputs.

        Raises:
            AttributionError: it does not.
        """
        if self.index is not None:
            return
        with torch.no_grad():
            outputs = as_array(self.outputs(x))
        if not slopes(self.confidence_fn, outputs).any():
            raise AttributionError(
                f"Gradients need a confidence that follows the model's outputs; {self.confidence_fn.unit!r} has no "
                "slope at this face. A distance from the model's own answer has none there (ask for 'value' or "
                "'expected-value'), nor has a probability of exactly 1 (ask for 'log-odds')."
            )


class _Confidence(torch.autograd.Function):
    """A confidence in NumPy as an operation of PyTorch."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, of: Of) -> Tensor:
        values = as_array(outputs).astype(np.float64)
        ctx.values, ctx.of = values, of
        return outputs.new_tensor(of(values))[:, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * grad.new_tensor(slopes(ctx.of, ctx.values)), None


def logit_index(model: TorchModel, confidence_fn: BoundConfidence, kind: ScoreKind) -> int | None:
    """Position of the logit that a gradient is taken of; None: of the confidence itself.

    Raises:
        OptionError: the logit is asked for, and the question is not about a class of a model of logits.
    """
    is_class = confidence_fn.output is not None and model.outputs == "logits"
    if kind == "logit" and not is_class:
        raise OptionError(
            f"score='logit' is the logit of one class of a model that returns logits; {model.name!r} returns "
            f"{model.outputs}, and is asked about {confidence_fn.unit!r}: use score='confidence', or leave it out."
        )
    return confidence_fn.output if is_class and kind != "confidence" else None
