"""Wide residual network for age and gender in PyTorch, up to the logits of one of its heads.

S. Zagoruyko, N. Komodakis, Wide Residual Networks, BMVC 2016, arXiv 1605.07146: depth 16, width 8, each norm and
ReLU before its convolution. TensorFlow's "SAME" padding puts the odd pixel at the right and bottom, and its average
pooling does not count what lies beyond the border; batch norms have Keras's epsilon, 1e-3.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from canonface.errors import AssetError
from canonface.models.zoo.arrays import load_arrays, read_keras_arrays

EPSILON = 1e-3
CHANNELS = (16, 128, 256, 512)
SIDE, POOL = 16, 8
NORM_FIELDS = {
    **{"weight": "gamma", "bias": "beta"},
    **{"running_mean": "moving_mean", "running_var": "moving_variance"},
}


class WideBlock(nn.Module):
    """Two 3x3 convolutions, each after a norm and a ReLU, plus the input.

    Where the channels change, the shortcut is a 1x1 convolution that starts after the first ReLU.
    """

    def __init__(self, channels: int, outer: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(channels, eps=EPSILON)
        around = nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)
        self.first = nn.Sequential(around, nn.Conv2d(channels, outer, 3, stride, bias=False))
        self.second_norm = nn.BatchNorm2d(outer, eps=EPSILON)
        self.second = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, outer, 1, stride, bias=False) if channels != outer else None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the sum of both branches."""
        active = functional.relu(self.first_norm(x))
        y = self.second(functional.relu(self.second_norm(self.first(active))))
        summed: Tensor = y + (x if self.shortcut is None else self.shortcut(active))
        return summed


class WideResNet(nn.Module):
    """A convolution, three stages of two blocks, an average over 8x8 at each place, a dense layer: 64x64 BGR.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, CHANNELS[0], 3, padding=1, bias=False)]
        for number, (channels, outer) in enumerate(pairwise(CHANNELS)):
            layers += [WideBlock(channels, outer, 2 if number else 1), WideBlock(outer, outer, 1)]
        self.features = nn.Sequential(
            *layers, nn.BatchNorm2d(CHANNELS[-1], eps=EPSILON), nn.ReLU(inplace=True)
        )
        self.head = nn.Linear(CHANNELS[-1] * SIDE**2, classes, bias=False)

    def forward(self, x: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n d"]:
        """Return the logits."""
        logits: Tensor = self.head(torch.flatten(mean_around(self.features(x)), 1))
        return logits


def mean_around(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return the mean of the 8x8 at each place, 3 before it and 4 behind, over the pixels inside."""
    before = (POOL - 1) // 2
    around = (before, POOL - 1 - before) * 2
    inside = functional.pad(torch.ones_like(x[:1, :1]), around)
    sums = functional.avg_pool2d(functional.pad(x, around), POOL, 1, divisor_override=1)
    return sums / functional.avg_pool2d(inside, POOL, 1, divisor_override=1)


def load_wide_resnet(path: Path, head: str, classes: int) -> WideResNet:
    """Build the network with one of the file's heads.

    Keras numbers layers in the order of their creation, which is the order of the layers here.

    Args:
        path: Keras file.
        head: name of the head's layer.
        classes: number of its outputs.

    Raises:
        AssetError: the file's arrays do not fit the network.
    """
    network, given = WideResNet(classes), read_keras_arrays(path)
    arrays: dict[str, Float32[np.ndarray, "..."]] = {}
    try:
        for number, name in enumerate(_names(network, nn.Conv2d), start=1):
            arrays[f"{name}.weight"] = given[f"conv2d_{number}/kernel"].transpose(3, 2, 0, 1)
        for number, name in enumerate(_names(network, nn.BatchNorm2d), start=1):
            for ours, theirs in NORM_FIELDS.items():
                arrays[f"{name}.{ours}"] = given[f"batch_normalization_{number}/{theirs}"]
        # Keras flattens row, column, channel.
        kernel = given[f"{head}/kernel"].reshape(SIDE, SIDE, CHANNELS[-1], classes)
    except (KeyError, ValueError) as error:
        raise AssetError(f"{path.name} is to hold a WRN-16-8; its arrays do not fit: {error}") from error
    arrays["head.weight"] = kernel.transpose(3, 2, 0, 1).reshape(classes, -1)
    return load_arrays(network, arrays, path)


def _names(network: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [name for name, layer in network.named_modules() if isinstance(layer, kind)]
