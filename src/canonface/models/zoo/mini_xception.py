"""mini-Xception in PyTorch, up to its logits.

TensorFlow's "SAME" padding puts the odd pixel at the right and bottom; its batch norm has epsilon 1e-3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from canonface.models.zoo.arrays import load_arrays, read_keras_arrays

Array = Float32[np.ndarray, "..."]

EPSILON = 1e-3


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with Keras's epsilon."""
    return nn.BatchNorm2d(channels, eps=EPSILON)


class Separable(nn.Sequential):
    """Depthwise 3x3 convolution, then a 1x1 convolution; keeps the size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)


class XceptionBlock(nn.Module):
    """Two separable convolutions and a pooling, plus a strided 1x1 convolution; halves the size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride=2, bias=False)
        self.shortcut_norm = batch_norm(channels_out)
        self.first = Separable(channels_in, channels_out)
        self.first_norm = batch_norm(channels_out)
        self.second = Separable(channels_out, channels_out)
        self.second_norm = batch_norm(channels_out)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the sum of both branches."""
        y = functional.relu(self.first_norm(self.first(x)))
        y = max_pool_same(self.second_norm(self.second(y)))
        summed: Tensor = y + self.shortcut_norm(self.shortcut(x))
        return summed


def max_pool_same(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Return the maximum over 3x3 at every second pixel, with TensorFlow's "SAME" padding."""
    height, width = (max((-(-size // 2) - 1) * 2 + 3 - size, 0) for size in x.shape[2:])
    around = (width // 2, width - width // 2, height // 2, height - height // 2)
    return functional.max_pool2d(functional.pad(x, around, value=float("-inf")), 3, 2)


class MiniXception(nn.Module):
    """Two convolutions, four blocks, and one convolution per class, averaged: 64x64 grey -> 7."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, bias=False), batch_norm(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3, bias=False), batch_norm(8), nn.ReLU()),
        )
        self.blocks = nn.Sequential(
            XceptionBlock(8, 16), XceptionBlock(16, 32), XceptionBlock(32, 64), XceptionBlock(64, 128)
        )
        self.head = nn.Conv2d(128, 7, 3, padding=1)

    def forward(self, x: Float[Tensor, "n 1 64 64"]) -> Float[Tensor, "n 7"]:
        """Return the logits of the seven expressions."""
        logits: Tensor = self.head(self.blocks(self.stem(x))).mean(dim=(2, 3))
        return logits


def load_keras_weights(network: MiniXception, path: Path) -> MiniXception:
    """Load the weights of the Keras file, whose layers are numbered in the order of their creation.

    Raises:
        AssetError: the file's arrays do not fit the network.
    """
    return load_arrays(network, dict(_renamed(read_keras_arrays(path))), path)


def _renamed(arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Yield Keras's arrays under the network's names and in its layouts."""
    convolutions = {1: "stem.0", 2: "stem.3", 7: "head"}
    norms = {1: "stem.1", 2: "stem.4"}
    separables = {}
    # Within a block Keras numbers the shortcut's norm first.
    for block in range(4):
        convolutions[3 + block] = f"blocks.{block}.shortcut"
        for offset, norm in enumerate(("shortcut_norm", "first_norm", "second_norm")):
            norms[3 + 3 * block + offset] = f"blocks.{block}.{norm}"
        separables[1 + 2 * block] = f"blocks.{block}.first"
        separables[2 + 2 * block] = f"blocks.{block}.second"
    places = {"conv2d": convolutions, "separable_conv2d": separables, "batch_normalization": norms}
    fields = {
        **{"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"},
        **{"moving_mean": "running_mean", "moving_variance": "running_var"},
        **{"depthwise_kernel": "depthwise.weight", "pointwise_kernel": "pointwise.weight"},
    }
    for name, array in arrays.items():
        layer, field = name.split("/")
        kind, number = layer.rsplit("_", 1)
        # Kernels are (h, w, in, out); depthwise ones are (h, w, in, 1), one output per channel.
        axes = (2, 3, 0, 1) if field.startswith("depthwise") else (3, 2, 0, 1)
        ours = array.transpose(axes) if array.ndim == 4 else array
        yield f"{places[kind][int(number)]}.{fields[field]}", ours
