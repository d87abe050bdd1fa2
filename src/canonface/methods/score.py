"""Differentiable scores: a model and a confidence as one PyTorch module with one output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.errors import AttributionError, OptionError
from canonface.methods.base import ScoreKind
from canonface.methods.layers import nodes_behind
from canonface.models import TorchModel, checked_predictions
from canonface.models.torch_module import as_array

ConfidenceFn = Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, "m"]]

_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
# Numbers that are computed at once, as float64: 16 MB.
_AT_ONCE = 2**21
_RELU = (functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


@renamed_parameters(question="confidence_fn")
class Score(nn.Module):
    """The confidence in a model's outputs, ``(n, c, h, w)`` to ``(n, 1)``, with a gradient.

    The logit of a class is one of the model's outputs, exactly. Any other confidence, also a user's own function, is
    computed by NumPy in ``float64`` and differentiated by central differences.

    Args:
        model: the model; its module becomes a part of this one and is not changed.
        confidence_fn: the confidence of this face.
        kind: see `ScoreKind`.
    """

    question = deprecated_attribute("confidence_fn")

    def __init__(self, model: TorchModel, confidence_fn: BoundConfidence, kind: ScoreKind = "auto") -> None:
        super().__init__()
        self.index = logit_index(model, confidence_fn, kind)
        self.module, self.model, self.confidence_fn = model.module, model, confidence_fn

    def outputs(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return the model's outputs, with a gradient."""
        # A copy, since a first layer that works in place would change the caller's batch.
        outputs: Tensor = self.model.picked(self.module(x.clone()))
        checked_predictions(self.model, as_array(outputs), len(x))
        return outputs

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1"]:
        """Return the score of each input."""
        outputs = self.outputs(x)
        if self.index is not None:
            return outputs[:, self.index : self.index + 1]
        score: Tensor = _ConfidenceOp.apply(outputs, self.confidence_fn)  # type: ignore[no-untyped-call]
        return score

    def require_slope(self, x: Float[Tensor, "1 c h w"]) -> None:
        """Raise AttributionError if the confidence has a slope of 0 in every output of the model."""
        if self.index is not None:
            return
        with torch.no_grad():
            outputs = as_array(self.outputs(x))
        if not slopes(self.confidence_fn, outputs).any():
            raise AttributionError(
                f"Gradients need a confidence that follows the model's outputs; {self.confidence_fn.unit!r} has no "
                "slope at this face. A distance from the model's own prediction has none there (use 'value' or "
                "'expected-value'), nor has a probability of exactly 1 (use 'log-odds')."
            )


class _ConfidenceOp(torch.autograd.Function):
    """A NumPy confidence as an operation of PyTorch."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, confidence_fn: ConfidenceFn) -> Tensor:
        values = as_array(outputs).astype(np.float64)
        ctx.values, ctx.confidence_fn = values, confidence_fn
        return outputs.new_tensor(confidence_fn(values))[:, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * grad.new_tensor(slopes(ctx.confidence_fn, ctx.values)), None


@renamed_parameters(question="confidence_fn")
def logit_index(model: TorchModel, confidence_fn: BoundConfidence, kind: ScoreKind) -> int | None:
    """Return the index of the logit that is differentiated; None for the confidence itself.

    Raises:
        OptionError: the logit is requested, and the confidence is not about a class of a model of logits.
    """
    is_class = confidence_fn.output is not None and model.outputs == "logits"
    if kind == "logit" and not is_class:
        raise OptionError(
            f"score='logit' is the logit of one class of a model that returns logits; {model.name!r} returns "
            f"{model.outputs}, and the confidence is {confidence_fn.unit!r}: use score='confidence', or leave it out."
        )
    return confidence_fn.output if is_class and kind != "confidence" else None


def slopes(confidence_fn: ConfidenceFn, outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    r"""Return the derivative of a confidence in each output: $(f(z + h e_j) - f(z - h e_j)) / 2h$.

    The step is the cube root of float64's resolution times the size of the outputs; a smooth confidence then has an
    error of about 1e-10. A confidence that computes in float32 loses most of that.

    Args:
        confidence_fn: from outputs to confidences, row by row.
        outputs: ``(n, d)``.

    Returns:
        ``(n, d)`` ``float64``.
    """
    values = np.asarray(outputs, dtype=np.float64)
    n, d = values.shape
    size = np.sqrt((values**2).mean(axis=1, keepdims=True))
    steps = _STEP * np.maximum(np.abs(values), np.where(size > 0, size, 1.0))
    found = np.empty((n, d))
    columns = max(1, _AT_ONCE // (2 * d))
    for row in range(n):
        for start in range(0, d, columns):
            chosen = np.arange(start, min(start + columns, d))
            moved = np.repeat(values[row][None], 2 * len(chosen), axis=0)
            up, down = moved[: len(chosen)], moved[len(chosen) :]
            place = np.arange(len(chosen))
            up[place, chosen] += steps[row, chosen]
            down[place, chosen] -= steps[row, chosen]
            # The step after rounding.
            taken = up[place, chosen] - down[place, chosen]
            confidences = confidence_fn(moved)
            found[row, chosen] = (confidences[: len(chosen)] - confidences[len(chosen) :]) / taken
    return found


class RectifiedScore(nn.Module):
    """A score whose ReLUs all run through one ``nn.ReLU`` module.

    captum's guided backpropagation hooks modules of the class ``nn.ReLU`` only. A ReLU called as a function, as in
    most residual networks, would silently keep its plain gradient.

    Args:
        score: the score; its module is not changed.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score
        self.rectifier = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the score of each input."""
        with _ReluRedirection(self.rectifier):
            outputs: Tensor = self.score(x)
        return outputs

    def require_all(self, x: Tensor, name: str, title: str) -> None:
        """Raise unless the network has ReLUs and all of them run through the module.

        Args:
            x: ``(1, c, h, w)`` an input.
            name: name of the model.
            title: title of the method.

        Raises:
            OptionError: there is no ReLU, one cannot be redirected, or the redirection changes the score.
        """
        given = x.detach().requires_grad_()
        with _ReluRedirection(self.rectifier) as redirection:
            score = self.score(given)
        redirected, total = redirection.calls, _relus_behind(score)
        if not redirected or total > redirected:
            found = f"{total} ReLUs, of which {redirected} can be reached" if total else "no ReLU"
            raise OptionError(
                f"{title} passes only positive gradients at every ReLU of a network; in {name!r} there are {found}. "
                "It is not defined for networks with other activations, and does not work for TorchScript files and "
                "torch.export programs: load the network as a torch.nn.Module, or use another method."
            )
        if not torch.allclose(score, self.score(given), rtol=1e-4, atol=1e-5):
            raise OptionError(
                f"{title} runs every ReLU out of place, and this changes the output of {name!r}, which reads what an "
                "in-place ReLU has changed. Use another method."
            )


class _ReluRedirection(TorchFunctionMode):
    """Context in which ReLUs that are called as functions run as a module."""

    def __init__(self, rectifier: nn.Module) -> None:
        super().__init__()
        self.rectifier = rectifier
        self.calls = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if any(func is relu for relu in _RELU):
            self.calls += 1
            return self.rectifier(args[0] if args else (kwargs or {})["input"])
        return func(*args, **(kwargs or {}))


def _relus_behind(outputs: Tensor) -> int:
    """Return the number of ReLUs on the backward path of the outputs."""
    return sum(node.name().startswith("ReluBackward") for node in nodes_behind(outputs))
