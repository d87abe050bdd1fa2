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

from canonface.models.zoo.filled import filled
from canonface.models.zoo.keras_file import read_keras_arrays

Array = Float32[np.ndarray, "..."]

EPSILON = 1e-3


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm as Keras makes it."""
    return nn.BatchNorm2d(channels, eps=EPSILON)


class Separable(nn.Sequential):
    """A 3x3 convolution of each channel alone, then a 1x1 convolution across them; size kept."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)


class Block(nn.Module):
    """Two separable convolutions and a pooling, beside a strided 1x1 convolution; halves the size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride=2, bias=False)
        self.shortcut_norm = batch_norm(channels_out)
        self.first = Separable(channels_in, channels_out)
        self.first_norm = batch_norm(channels_out)
        self.second = Separable(channels_out, channels_out)
        self.second_norm = batch_norm(channels_out)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Sum of both ways."""
        y = functional.relu(self.first_norm(self.first(x)))
        y = max_pool_same(self.second_norm(self.second(y)))
        summed: Tensor = y + self.shortcut_norm(self.shortcut(x))
        return summed


def max_pool_same(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Largest of 3x3, every second pixel, with TensorFlow's "SAME" padding."""
    height, width = (max((-(-size // 2) - 1) * 2 + 3 - size, 0) for size in x.shape[2:])
    around = (width // 2, width - width // 2, height // 2, height - height // 2)
    return functional.max_pool2d(functional.pad(x, around, value=float("-inf")), 3, 2)


class MiniXception(nn.Module):
    """Two convolutions, four blocks, and a convolution a class, averaged: 64x64 grey -> 7."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, bias=False), batch_norm(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3, bias=False), batch_norm(8), nn.ReLU()),
        )
        self.blocks = nn.Sequential(Block(8, 16), Block(16, 32), Block(32, 64), Block(64, 128))
        self.head = nn.Conv2d(128, 7, 3, padding=1)

    def forward(self, x: Float[Tensor, "n 1 64 64"]) -> Float[Tensor, "n 7"]:
        """Logits of the seven expressions."""
        logits: Tensor = self.head(self.blocks(self.stem(x))).mean(dim=(2, 3))
        return logits


def load_keras_weights(network: MiniXception, path: Path) -> MiniXception:
    """Fill the network from the Keras file, whose layers are numbered in the order in which they were made.

    Raises:
        AssetError: the file's arrays do not fit the network.
    """
    return filled(network, dict(_renamed(read_keras_arrays(path))), path)


def _renamed(arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Our names and layouts of Keras's arrays."""
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
        # Kernels are (h, w, in, out); a depthwise one is (h, w, in, 1), an output a channel.
        axes = (2, 3, 0, 1) if field.startswith("depthwise") else (3, 2, 0, 1)
        ours = array.transpose(axes) if array.ndim == 4 else array
        yield f"{places[kind][int(number)]}.{fields[field]}", ours
