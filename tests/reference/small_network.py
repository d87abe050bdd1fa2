"""Small convolutional network with seeded weights and outputs of a given size."""

import torch
from torch import nn

SIDE = 48


class SmallNetwork(nn.Module):
    """Strided, dense, pooled, residual, depthwise: what face networks are made of; ``outputs`` numbers.

    Args:
        spread: of the outputs, roughly.
    """

    def __init__(self, outputs, spread=2.0):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.dense = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.PReLU(16))
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.Hardswish())
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Sequential(nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU6())
        self.head = nn.Linear(24 * (SIDE // 8) ** 2, outputs)
        with torch.no_grad():
            self.head.weight.mul_(30 * spread)
        self.eval()

    def forward(self, x):
        x = self.dense(self.stem(x))
        return self.head(self.last(self.pool(x + self.depthwise(x))).flatten(1))
