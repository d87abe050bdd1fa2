"""Inception-ResNet-v1 in PyTorch, as FaceNet uses it; parameters are named as in facenet-pytorch.

C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi, Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning, AAAI 2017, arXiv 1602.07261, with the channels and scales of D. Sandberg's FaceNet; F. Schroff, D.
Kalenichenko, J. Philbin, FaceNet: A Unified Embedding for Face Recognition and Clustering, CVPR 2015.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-3


class InceptionConvolution(nn.Module):
    """A convolution without bias, a batch norm and a ReLU; keeps the size if padded, unstrided and of odd sides.

    Args:
        padded: pad with zeros by half the kernel's sides.
    """

    def __init__(
        self, channels: int, outer: int, sides: int | tuple[int, int], stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        height, width = (sides, sides) if isinstance(sides, int) else sides
        padding = (height // 2, width // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(channels, outer, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outer, eps=EPSILON)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return non-negative activations."""
        return functional.relu(self.bn(self.conv(x)))


def halving(channels: int, outer: int) -> InceptionConvolution:
    """Return a 3x3 convolution that halves the size, without padding."""
    return InceptionConvolution(channels, outer, 3, stride=2, padded=False)


class InceptionResidual(nn.Module):
    """Parallel branches and a 1x1 convolution over all of them, scaled and added to the input.

    Args:
        branches: modules whose outputs have the input's size.
        joined: total channels of all branches.
        scale: factor of the added term.
        rectified: True if a ReLU follows the sum.
    """

    def __init__(
        self, channels: int, branches: list[nn.Module], joined: int, scale: float, rectified: bool = True
    ) -> None:
        super().__init__()
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.conv2d = nn.Conv2d(joined, channels, 1)
        self.scale, self.rectified, self.branches = scale, rectified, len(branches)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the input plus a scaled correction."""
        found = [self.get_submodule(f"branch{number}")(x) for number in range(self.branches)]
        summed: Tensor = x + self.scale * self.conv2d(torch.cat(found, 1))
        return functional.relu(summed) if self.rectified else summed


class Reduction(nn.Module):
    """Parallel branches that halve the size, the last of them a pooling."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = len(branches) + 1
        for number, branch in enumerate([*branches, nn.MaxPool2d(3, 2)]):
            self.add_module(f"branch{number}", branch)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the channels of all branches."""
        return torch.cat([self.get_submodule(f"branch{number}")(x) for number in range(self.branches)], 1)


def block35(channels: int, inner: int) -> InceptionResidual:
    """Return three branches with receptive fields of 1x1, 3x3 and 5x5."""
    return InceptionResidual(
        channels,
        [
            InceptionConvolution(channels, inner, 1),
            nn.Sequential(InceptionConvolution(channels, inner, 1), InceptionConvolution(inner, inner, 3)),
            nn.Sequential(
                InceptionConvolution(channels, inner, 1),
                InceptionConvolution(inner, inner, 3),
                InceptionConvolution(inner, inner, 3),
            ),
        ],
        3 * inner,
        scale=0.17,
    )


def cross(channels: int, inner: int, reach: int, scale: float, rectified: bool = True) -> InceptionResidual:
    """Return two branches: 1x1, and a row and a column of ``reach`` pixels (7 in block 17, 3 in block 8)."""
    line = nn.Sequential(
        InceptionConvolution(channels, inner, 1),
        InceptionConvolution(inner, inner, (1, reach)),
        InceptionConvolution(inner, inner, (reach, 1)),
    )
    return InceptionResidual(
        channels, [InceptionConvolution(channels, inner, 1), line], 2 * inner, scale, rectified
    )


class InceptionResnetV1(nn.Module):
    """A stem, three stages of residual blocks, an average, one dense layer: 160x160 RGB -> an embedding of length 1.

    Args:
        embedding: number of the embedding's entries.
        classes: number of people of the training set; if not 0, the output is their logits.
        repeats: blocks of each stage.
        unit: number that all channel counts are multiples of; 16 is the published network.
    """

    def __init__(
        self,
        embedding: int = 512,
        classes: int = 0,
        repeats: tuple[int, int, int] = (5, 10, 5),
        unit: int = 16,
    ) -> None:
        super().__init__()
        u = unit
        self.conv2d_1a = halving(3, 2 * u)
        self.conv2d_2a = InceptionConvolution(2 * u, 2 * u, 3, padded=False)
        self.conv2d_2b = InceptionConvolution(2 * u, 4 * u, 3)
        self.maxpool_3a = nn.MaxPool2d(3, 2)
        self.conv2d_3b = InceptionConvolution(4 * u, 5 * u, 1)
        self.conv2d_4a = InceptionConvolution(5 * u, 12 * u, 3, padded=False)
        self.conv2d_4b = halving(12 * u, 16 * u)
        self.repeat_1 = nn.Sequential(*(block35(16 * u, 2 * u) for _ in range(repeats[0])))
        self.mixed_6a = Reduction(
            halving(16 * u, 24 * u),
            nn.Sequential(
                InceptionConvolution(16 * u, 12 * u, 1),
                InceptionConvolution(12 * u, 12 * u, 3),
                halving(12 * u, 16 * u),
            ),
        )
        self.repeat_2 = nn.Sequential(*(cross(56 * u, 8 * u, 7, 0.10) for _ in range(repeats[1])))
        self.mixed_7a = Reduction(
            nn.Sequential(InceptionConvolution(56 * u, 16 * u, 1), halving(16 * u, 24 * u)),
            nn.Sequential(InceptionConvolution(56 * u, 16 * u, 1), halving(16 * u, 16 * u)),
            nn.Sequential(
                InceptionConvolution(56 * u, 16 * u, 1),
                InceptionConvolution(16 * u, 16 * u, 3),
                halving(16 * u, 16 * u),
            ),
        )
        self.repeat_3 = nn.Sequential(*(cross(112 * u, 12 * u, 3, 0.20) for _ in range(repeats[2])))
        self.block8 = cross(112 * u, 12 * u, 3, 1.0, rectified=False)
        self.last_linear = nn.Linear(112 * u, embedding, bias=False)
        self.last_bn = nn.BatchNorm1d(embedding, eps=EPSILON)
        self.logits = nn.Linear(embedding, classes) if classes else nn.Identity()
        self.classes = classes

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return embeddings of length 1, or logits of the training set's people."""
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(self.maxpool_3a(x))))
        x = self.repeat_2(self.mixed_6a(self.repeat_1(x)))
        x = self.block8(self.repeat_3(self.mixed_7a(x)))
        found = self.last_bn(self.last_linear(x.mean(dim=(2, 3))))
        prediction: Tensor = self.logits(found) if self.classes else functional.normalize(found)
        return prediction
