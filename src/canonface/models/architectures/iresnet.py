"""Residual networks of ArcFace in PyTorch.

J. Deng, J. Guo, N. Xue, S. Zafeiriou, ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019,
arXiv 1801.07698; blocks after D. Han, J. Kim, J. Kim, Deep Pyramidal Residual Networks, CVPR 2017, with a PReLU.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from canonface.models.architectures.resnet import shortcut


class IResNetBlock(nn.Module):
    """Batch norm, two 3x3 convolutions with a PReLU between them, plus a shortcut; no activation after the sum.

    Args:
        stride: stride of the second convolution.
    """

    def __init__(self, channels: int, outer: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1, self.bn2 = nn.Conv2d(channels, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer)
        self.prelu = nn.PReLU(outer)
        self.conv2, self.bn3 = nn.Conv2d(outer, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer)
        self.downsample = shortcut(channels, outer, stride)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the sum of both branches."""
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        summed: Tensor = self.bn3(self.conv2(y)) + self.downsample(x)
        return summed


class IResNet(nn.Module):
    """An unstrided stem, four stages that each halve the size, one dense layer with a batch norm: an embedding.

    The embedding is not normalised; cosine similarity does that.

    Args:
        blocks: number of blocks in each stage; (3, 4, 14, 3) is IResNet-50, (3, 13, 30, 3) IResNet-100.
        width: channels of the first stage.
        embedding: number of outputs.
        side: height and width of the last stage's output: 7 for 112x112 inputs.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int] = (3, 4, 14, 3),
        width: int = 64,
        embedding: int = 512,
        side: int = 7,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        channels = width
        stages: list[nn.Module] = []
        for stage, count in enumerate(blocks):
            layers: list[nn.Module] = []
            for number in range(count):
                layers.append(IResNetBlock(channels, width * 2**stage, 2 if number == 0 else 1))
                channels = width * 2**stage
            stages.append(nn.Sequential(*layers))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels * side**2, embedding)
        self.features = nn.BatchNorm1d(embedding)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the embedding."""
        y = self.prelu(self.bn1(self.conv1(x)))
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        prediction: Tensor = self.features(self.fc(self.bn2(y).flatten(1)))
        return prediction
