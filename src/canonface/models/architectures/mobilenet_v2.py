"""MobileNetV2 in PyTorch.

M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR
2018, arXiv 1801.04381, table 2.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

# Of each stage: expansion, number of blocks, stride of the first one.
STAGES = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))
# Channels of the stem, the stages and the last convolution.
CHANNELS = (32, 16, 24, 32, 64, 96, 160, 320, 1280)


def convolution(channels: int, outer: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution, a batch norm and a ReLU clipped at 6."""
    return nn.Sequential(
        nn.Conv2d(channels, outer, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """A widening 1x1 convolution, a depthwise 3x3 convolution and a narrowing linear 1x1 convolution."""

    def __init__(self, channels: int, outer: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        widen = [convolution(channels, inner, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            convolution(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, outer, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.is_residual = stride == 1 and channels == outer

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the block's output, plus its input where the shapes agree."""
        y: Tensor = self.conv(x)
        return x + y if self.is_residual else y


class MobileNetV2(nn.Module):
    """A stem, seventeen inverted residual blocks, a 1x1 convolution, an average and one dense layer; 224x224 RGB.

    Args:
        channels: channels of the stem, of each of the seven stages, and of the last convolution.
        classes: number of outputs; 0 omits the last layer.
    """

    def __init__(self, channels: tuple[int, ...] = CHANNELS, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(3, channels[0], 3, stride=2)]
        current = channels[0]
        for (expansion, count, stride), outer in zip(STAGES, channels[1:-1], strict=True):
            for number in range(count):
                layers.append(InvertedResidual(current, outer, expansion, stride if number == 0 else 1))
                current = outer
        layers.append(convolution(current, channels[-1], 1))
        self.features = nn.Sequential(*layers)
        last = nn.Linear(channels[-1], classes) if classes else nn.Identity()
        self.classifier = nn.Sequential(nn.Dropout(0.2), last)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return logits, or the averaged features if there are no classes."""
        prediction: Tensor = self.classifier(self.features(x).mean(dim=(2, 3)))
        return prediction
