"""Every ReLU of a network as a module, so that captum's guided backpropagation finds it.

captum hooks modules of the class ``nn.ReLU`` alone; a ReLU that is called as a function keeps its plain gradient, and
nothing is said. Most residual networks call them so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from canonface.errors import OptionError
from canonface.methods.layers import nodes_behind
from canonface.methods.scoring import Score

_RELU = (
    functional.relu,
    torch.relu,
    torch.relu_,
    Tensor.relu,
    Tensor.relu_,
)


class Rectified(nn.Module):
    """A score whose ReLUs all go through one module.

    Args:
        score: the score; its module is not changed.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score
        self.rectifier = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The score of each input."""
        with _Through(self.rectifier):
            prediction: Tensor = self.score(x)
        return prediction

    def require_all(self, x: Tensor, name: str, title: str) -> None:
        """Refuse a network with ReLUs that do not go through the module, or with none.

        Args:
            x: ``(1, c, h, w)`` an input.
            name: of the model.
            title: of the method.

        Raises:
            OptionError: says what was found.
        """
        given = x.detach().requires_grad_()
        with _Through(self.rectifier) as through:
            prediction = self.score(given)
        seen, all_of_them = through.calls, _relus_behind(prediction)
        if not seen or all_of_them > seen:
            found = f"{all_of_them} ReLUs, of which {seen} can be reached" if all_of_them else "no ReLU"
            raise OptionError(
                f"{title} lets through what is positive at every ReLU of a network; in {name!r} there are {found}. "
                "It says nothing of networks with other activations, nor of TorchScript files and torch.export "
                "programs: load the network as a torch.nn.Module, or take another method."
            )
        if not torch.allclose(prediction, self.score(given), rtol=1e-4, atol=1e-5):
            raise OptionError(
                f"{title} runs every ReLU out of place, and then {name!r} answers otherwise: it reads what a ReLU in "
                "place has changed. Take another method."
            )


class _Through(TorchFunctionMode):
    """Inside, ReLUs that are called as functions run as a module."""

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


def _relus_behind(prediction: Tensor) -> int:
    """Number of ReLUs that a gradient of the answer would pass."""
    return sum(node.name().startswith("ReluBackward") for node in nodes_behind(prediction))
