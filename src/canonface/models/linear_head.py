"""Linear head on the features of a backbone, as one PyTorch module."""

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
        backbone: module from ``(n, c, h, w)`` to features ``(n, d)``; it is kept, not copied.
        features: number of features, d.
        classes: number of logits.
    """

    def __init__(self, backbone: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(features, classes)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Return the logits."""
        logits: Tensor = self.head(self.backbone(x))
        return logits


def without(backbone: nn.Module, layers: Sequence[str]) -> nn.Module:
    """Return a copy of a network with the named layers replaced by the identity.

    Without its last layer, a network returns the features before it.

    Args:
        backbone: network; not changed.
        layers: names as in ``named_modules``, e.g. ``("fc",)`` of a ResNet.

    Raises:
        OptionError: the network has no such layer.
    """
    bare: nn.Module = copy.deepcopy(backbone)
    for name in layers:
        known = dict(bare.named_modules())
        if not name or name not in known:
            raise OptionError(
                f"A layer to remove is named as in the network; there is no {name!r}. "
                f"{near_names(name, [key for key in reversed(known) if key])}"
            )
        parent, _, last = name.rpartition(".")
        _set_identity(known[parent], last)
    return bare


def _set_identity(parent: Any, name: str) -> None:
    if isinstance(parent, nn.Sequential | nn.ModuleList) and name.isdigit():
        parent[int(name)] = nn.Identity()
    else:
        setattr(parent, name, nn.Identity())
