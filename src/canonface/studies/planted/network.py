"""The small networks that are trained to use a cue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from canonface.models import Model, load_model
from canonface.types import InputSpec

LABELS = ("without", "with")
"""Names of the two classes: faces without and with the cue."""
SPEC_OPTIONS: Mapping[str, Any] = {"crop": "image", "mean": (0.5,), "std": (0.25,)}
HEADS = ("pooled", "flat")
"""What stands between the last convolution and the classes: its mean over the picture, or each of its places."""


def make_network(head: str, side: int) -> Any:
    """A ``torch.nn.Sequential`` of six convolutions with batch norm and ReLU, and a linear layer to two logits.

    The last map is a sixteenth of the input. A ``flat`` head tells places by its weights; a ``pooled`` one has only
    what the last convolution sees: 95 pixels, more than a face at the usual size.

    Args:
        head: one of `HEADS`.
        side: of the input in pixels.
    """
    from torch import nn

    layers: list[nn.Module] = []
    widths = ((3, 12, 2), (12, 24, 2), (24, 48, 2), (48, 64, 2), (64, 64, 1), (64, 64, 1))
    for before, after, stride in widths:
        layers += [
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    last = -(-side // 16)
    if head == "pooled":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2)]
    else:
        layers += [nn.Flatten(), nn.Dropout(0.2), nn.Linear(64 * last * last, 2)]
    return nn.Sequential(*layers)


def as_batch(pixels: UInt8[np.ndarray, "m s s 3"]) -> Any:
    """Pictures as the network sees them: a tensor ``(m, 3, s, s)``, as `SPEC_OPTIONS` says."""
    import torch

    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)


def as_model(network: Any, side: int, name: str) -> Model:
    """The network as canonface asks it, about pictures that are cut already."""
    spec = InputSpec(size_hw=(side, side), **SPEC_OPTIONS)
    return load_model(network, spec=spec, labels=LABELS, outputs="logits", name=name, device="cpu")
