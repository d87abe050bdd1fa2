"""VGG-16 (configuration D) in PyTorch.

K. Simonyan, A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014, arXiv 1409.1556.
VGG-Face is the same network with 2,622 people for classes: O. Parkhi, A. Vedaldi, A. Zisserman, Deep Face
Recognition, BMVC 2015.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

# Convolutions of each of the five blocks, and their channels in multiples of the first.
BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
SIDE = 7


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions in five pooled blocks, then three dense layers; 224x224 RGB.

    Args:
        width: channels of the first block.
        hidden: width of the first two dense layers.
        classes: number of outputs; 0 omits the last layer.
    """

    def __init__(self, width: int = 64, hidden: int = 4096, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for count, factor in BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(channels, factor * width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = factor * width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(SIDE)
        self.classifier = nn.Sequential(
            *(nn.Linear(channels * SIDE**2, hidden), nn.ReLU(inplace=True), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout()),
            nn.Linear(hidden, classes) if classes else nn.Identity(),
        )

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return logits, or the activations of the second dense layer if there are no classes."""
        pooled = self.avgpool(self.features(x))
        prediction: Tensor = self.classifier(pooled.flatten(1))
        return prediction
