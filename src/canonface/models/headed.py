"""A backbone and a linear head on its features: one PyTorch module."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from canonface.errors import OptionError, near_names


class Headed(nn.Module):
    """Logits of classes, linear in the features of a backbone.

    Args:
        backbone: from ``(n, c, h, w)`` to features ``(n, d)``; it is held, not copied.
        features: d.
        classes: number of logits.
    """

    def __init__(self, backbone: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(features, classes)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits."""
        logits: Tensor = self.head(self.backbone(x))
        return logits


def without(backbone: nn.Module, layers: Sequence[str]) -> nn.Module:
    """A copy of a network in which the named layers hand on what they are given: features lie before a last layer.

    Args:
        backbone: it is not changed.
        layers: names as in ``named_modules``, e.g. ``("fc",)`` of a ResNet.

    Raises:
        OptionError: the network has no such layer.
    """
    bare: nn.Module = copy.deepcopy(backbone)
    for name in layers:
        known = dict(bare.named_modules())
        if not name or name not in known:
            raise OptionError(
                f"A layer that is left out has its name in the network; there is no {name!r}. "
                f"{near_names(name, [key for key in reversed(known) if key])}"
            )
        parent, _, last = name.rpartition(".")
        _replace(known[parent], last)
    return bare


def _replace(parent: Any, name: str) -> None:
    if isinstance(parent, nn.Sequential | nn.ModuleList) and name.isdigit():
        parent[int(name)] = nn.Identity()
    else:
        setattr(parent, name, nn.Identity())
