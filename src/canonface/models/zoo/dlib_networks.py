"""dlib's gender and age networks in PyTorch, up to their logits.

dlib's affine layer is a batch norm whose statistics were folded into scale and offset. Here it is a ``BatchNorm2d``
of mean 0, variance 1 and epsilon 0, which computes exactly that and is a layer that every tool knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from canonface.errors import AssetError
from canonface.imports import require

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    """Return a convolution followed by an affine layer."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding),
        nn.BatchNorm2d(channels_out, eps=0.0),
    )


class GenderNetwork(nn.Module):
    """Two stages of two 3x3 convolutions and a pooling each, then two fully connected layers: 32x32 -> 2."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(
                convolution(3, 32, 3, 1, 1),
                nn.ReLU(),
                convolution(32, 32, 3, 1, 1),
                nn.ReLU(),
                nn.AvgPool2d(2),
            ),
            *(
                convolution(32, 64, 3, 1, 1),
                nn.ReLU(),
                convolution(64, 64, 3, 1, 1),
                nn.ReLU(),
                nn.AvgPool2d(2),
            ),
        )
        self.hidden = nn.Linear(64 * 8 * 8, 16)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Float[Tensor, "n 3 32 32"]) -> Float[Tensor, "n 2"]:
        """Return the logits of female and male."""
        # dlib trained with dropout here; its network then multiplies by 1/2.
        hidden = functional.relu(self.hidden(torch.flatten(self.features(x), 1) * 0.5))
        logits: Tensor = self.head(hidden * 0.5)
        return logits


class DlibResidual(nn.Module):
    """Sum of two 3x3 convolutions and a shortcut: the input, or its average over 2x2 if the block halves it.

    As in dlib, the smaller summand is padded with zeros, at the right and bottom and in channels.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.halves = channels_in != channels_out
        stride, padding = (2, 0) if self.halves else (1, 1)
        self.first = convolution(channels_in, channels_out, 3, stride, padding)
        self.second = convolution(channels_out, channels_out, 3, 1, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the ReLU of the sum."""
        y = self.second(functional.relu(self.first(x)))
        shortcut = functional.avg_pool2d(x, 2) if self.halves else x
        channels, height, width = (max(a, b) for a, b in zip(y.shape[1:], shortcut.shape[1:], strict=True))
        return functional.relu(
            pad_zeros(y, channels, height, width) + pad_zeros(shortcut, channels, height, width)
        )


def pad_zeros(
    x: Float[Tensor, "n c h w"], channels: int, height: int, width: int
) -> Float[Tensor, "n _ _ _"]:
    """Pad ``x`` with zeros after its last column, row and channel."""
    missing = (0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1])
    return functional.pad(x, missing) if any(missing) else x


class AgeNetwork(nn.Module):
    """ResNet of five blocks: 64x64 -> 81, one class per year."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(3, 64, 7, 2, 0), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.blocks = nn.Sequential(
            *(
                DlibResidual(64, 64),
                DlibResidual(64, 128),
                DlibResidual(128, 128),
                DlibResidual(128, 256),
                DlibResidual(256, 256),
            )
        )
        self.head = nn.Linear(256, 81)

    def forward(self, x: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n 81"]:
        """Return the logits of the years 0 to 80."""
        logits: Tensor = self.head(self.blocks(self.stem(x)).mean(dim=(2, 3)))
        return logits


def load_onnx_weights(network: ModuleT, path: Path) -> ModuleT:
    """Load the constants of an ONNX graph's nodes into the network's layers, both in their order.

    Convolutions hold weight and bias; an affine layer is a product and a sum with constants; a fully connected layer
    is a ``Gemm`` with a transposed weight. The graph's last softmax is omitted.

    Raises:
        AssetError: the graph's constants do not fit the network.
    """
    onnx = require("onnx", "zoo", "A model of the zoo")
    graph = onnx.load(str(path)).graph
    constants = {c.name: torch.from_numpy(onnx.numpy_helper.to_array(c).copy()) for c in graph.initializer}
    ours = [t for layer in network.modules() for t in _tensors(layer)]
    theirs = [
        constant.T if node.op_type == "Gemm" and constant.ndim == 2 else constant
        for node in graph.node
        if node.op_type in ("Conv", "Mul", "Add", "Gemm")
        for constant in (constants[name] for name in node.input if name in constants)
        if constant.numel() > 1
    ]
    if [t.numel() for t in ours] != [t.numel() for t in theirs]:
        raise AssetError(f"{path.name} is to hold {type(network).__name__}; its constants do not fit.")
    with torch.no_grad():
        for mine, given in zip(ours, theirs, strict=True):
            mine.copy_(given.reshape(mine.shape))
    return network.eval()


def _tensors(layer: nn.Module) -> list[Any]:
    if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
        return [layer.weight, layer.bias]
    return []
