"""Residual networks in PyTorch.

K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Basic(nn.Module):
    """Two 3x3 convolutions plus a shortcut.

    Args:
        inner: channels of both convolutions.
        stride: stride of the first one.
    """

    expansion = 1

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, 1, 1, bias=False), nn.BatchNorm2d(inner)
        self.downsample = shortcut(channels, inner, stride)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the rectified sum of both branches."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a widening 1x1 convolution plus a shortcut.

    Args:
        inner: channels of the first two convolutions.
        stride: stride of the 3x3 convolution, or of the first one.
        stride_first: True if the first convolution has the stride, as in the paper and in Caffe.
    """

    expansion = 4

    def __init__(self, channels: int, inner: int, stride: int, stride_first: bool = False) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_first else (1, stride)
        outer = inner * self.expansion
        self.conv1, self.bn1 = nn.Conv2d(channels, inner, 1, first, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, second, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer)
        self.downsample = shortcut(channels, outer, stride)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the rectified sum of both branches."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def shortcut(channels: int, outer: int, stride: int) -> nn.Module:
    """Return the identity where the shapes agree, else a 1x1 convolution with a batch norm."""
    if stride == 1 and channels == outer:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))


class ResNet(nn.Module):
    """A strided stem, four stages of residual blocks, an average and one dense layer; 224x224 RGB.

    Args:
        blocks: number of blocks in each stage.
        bottleneck: True for blocks of three convolutions (50 layers and more) instead of two.
        width: channels of the stem and of the first stage's inner convolutions.
        classes: number of outputs; 0 omits the last layer.
        caffe: strides on the first convolution of a block, and the stem's pooling unpadded but rounded up, as in
            the networks of VGGFace2.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int] = (3, 4, 6, 3),
        bottleneck: bool = True,
        width: int = 64,
        classes: int = 1000,
        caffe: bool = False,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, padding=0 if caffe else 1, ceil_mode=caffe)
        channels = width
        stages: list[nn.Module] = []
        for stage, count in enumerate(blocks):
            layers: list[nn.Module] = []
            for number in range(count):
                stride = 2 if number == 0 and stage > 0 else 1
                inner = width * 2**stage
                layers.append(
                    Bottleneck(channels, inner, stride, stride_first=caffe)
                    if bottleneck
                    else Basic(channels, inner, stride)
                )
                channels = inner * (Bottleneck if bottleneck else Basic).expansion
            stages.append(nn.Sequential(*layers))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(channels, classes) if classes else nn.Identity()

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return logits, or the averaged features if there are no classes."""
        y = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        prediction: Tensor = self.fc(y.mean(dim=(2, 3)))
        return prediction
