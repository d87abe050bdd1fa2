"""Small networks drawn at random from every operator that windows can follow, and some that they cannot."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Layer called as a function, so that both styles of networks are covered."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, inner, sign):
        super().__init__()
        self.inner, self.sign = inner, sign

    def forward(self, x):
        y = self.inner(x)
        if self.sign > 0:
            y += x
            return y
        return torch.sub(x, y, alpha=0.5)


class Branches(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return torch.cat([self.first(x), x, self.second(x)], dim=1)


class Gate(nn.Module):
    """Product of two maps that both change on windows."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x * torch.sigmoid(self.inner(x))


class SqueezeExcite(nn.Module):
    """Factor per channel that depends on the whole map."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Linear(channels, 2), nn.Linear(2, channels)

    def forward(self, x):
        squeezed = x.mean((2, 3))
        return x * torch.sigmoid(self.up(torch.relu(self.down(squeezed))))[:, :, None, None]


class ChannelScale(nn.Module):
    def __init__(self, channels, rng):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(rng.normal(size=(1, channels, 1, 1))))

    def forward(self, x):
        return (3.0 - x) * self.factor / 1.5


ACTIVATIONS = [
    lambda c: nn.ReLU(),
    lambda c: nn.ReLU(inplace=True),
    lambda c: nn.ReLU6(),
    nn.PReLU,
    lambda c: nn.PReLU(),
    lambda c: nn.LeakyReLU(0.2),
    lambda c: nn.SiLU(),
    lambda c: nn.GELU(),
    lambda c: nn.GELU(approximate="tanh"),
    lambda c: nn.Sigmoid(),
    lambda c: nn.Tanh(),
    lambda c: nn.Hardswish(),
    lambda c: nn.Hardsigmoid(),
    lambda c: nn.ELU(),
    lambda c: Block(F.relu),
    lambda c: Block(lambda x: x.clamp(-0.5, 0.7)),
    lambda c: Block(lambda x: F.hardtanh(x, -0.4, 0.6)),
]


class Network(nn.Module):
    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x):
        return self.head(self.body(x))


def random_network(seed, channels_in=3, size_hw=(17, 14), depth=5, exact_windows_only=False):
    """Return a network of float64 weights for inputs ``(n, channels_in, *size_hw)``, from a seed."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(int(rng.integers(2**31)))
    layers, channels, hw = [], channels_in, list(size_hw)
    for _ in range(depth):
        layer, channels, hw = _layer(rng, channels, hw, exact_windows_only)
        layers.append(layer)
    network = Network(nn.Sequential(*layers), _head(rng, channels, hw)).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return network


def _conv(rng, channels, hw, keep=False):
    """Return a convolution that fits the map, and keeps its size if required."""
    while True:
        outs = int(rng.choice([2, 3, 5, 8, 16, 20]))
        kernel = tuple(int(k) for k in rng.integers(1, 6, 2))
        if rng.random() < 0.4:
            kernel, outs = (3, 3), int(rng.choice([16, 17, 20]))
        stride = (1, 1) if keep or rng.random() < 0.5 else tuple(int(s) for s in rng.integers(1, 4, 2))
        dilation = (1, 1) if rng.random() < 0.7 else tuple(int(d) for d in rng.integers(1, 3, 2))
        padding = tuple(int(rng.integers(0, k + 1)) for k in kernel)
        if keep:
            kernel, dilation, padding, outs = (3, 3), (1, 1), (1, 1), channels
        kind = rng.random()
        groups = channels if kind < 0.25 else (2 if kind < 0.35 and channels % 2 == 0 else 1)
        outs = outs if groups == 1 else channels * int(rng.integers(1, 3))
        outs = channels if keep else outs
        new = [(hw[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1)]
        # A pooling may have left a single cell.
        if min(new) >= min(2, *hw):
            same = padding if not keep else "same"
            layer = nn.Conv2d(channels, outs, kernel, stride, same, dilation, groups, bias=rng.random() < 0.5)
            return layer, outs, new


def _pool(rng, channels, hw):
    kernel = tuple(int(rng.integers(2, min(4, size) + 1)) for size in hw)
    stride = tuple(int(rng.integers(1, 4)) for _ in hw)
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    ceil = bool(rng.random() < 0.4)
    if rng.random() < 0.5:
        layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    else:
        layer = nn.AvgPool2d(
            kernel, stride, padding, ceil_mode=ceil, count_include_pad=bool(rng.random() < 0.5)
        )
    return layer, channels, list(layer(torch.zeros(1, channels, *hw)).shape[2:])


def _layer(rng, channels, hw, exact_windows_only):
    kind = rng.random()
    if kind < 0.35:
        return _conv(rng, channels, hw)
    if kind < 0.45:
        return nn.BatchNorm2d(channels), channels, hw
    if kind < 0.6:
        return ACTIVATIONS[rng.integers(len(ACTIVATIONS))](channels), channels, hw
    if kind < 0.7 and min(hw) >= 3:
        return _pool(rng, channels, hw)
    if kind < 0.78:
        inner = nn.Sequential(
            _conv(rng, channels, hw, keep=True)[0], nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        return Residual(inner, rng.choice([-1, 1])), channels, hw
    if kind < 0.83:
        first, second = (_conv(rng, channels, hw, keep=True)[0] for _ in range(2))
        return Branches(first, nn.Sequential(second, nn.ReLU())), 3 * channels, hw
    if kind < 0.87:
        return Gate(_conv(rng, channels, hw, keep=True)[0]), channels, hw
    if kind < 0.9:
        return ChannelScale(channels, rng), channels, hw
    if kind < 0.94:
        left, right, top, bottom, front, back = (int(n) for n in rng.integers(0, 3, 6))
        return (
            Block(lambda x: F.pad(x, (left, right, top, bottom, front, back), value=0.3)),
            channels + front + back,
            [hw[0] + top + bottom, hw[1] + left + right],
        )
    if kind < 0.97 and not exact_windows_only:
        return SqueezeExcite(channels), channels, hw
    return nn.Dropout2d(), channels, hw


def _head(rng, channels, hw):
    kind = rng.random()
    if kind < 0.35:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4))
    if kind < 0.5:
        return nn.Sequential(
            Block(lambda x: x.mean(dim=[-1, -2])), nn.Linear(channels, 4), nn.ReLU(), nn.Linear(4, 4)
        )
    if kind < 0.6:
        out = tuple(int(rng.integers(1, size + 1)) for size in hw)
        wide = channels * out[0] * out[1]
        return nn.Sequential(nn.AdaptiveMaxPool2d(out), nn.Flatten(), nn.Linear(wide, 4))
    if kind < 0.7:
        return nn.Sequential(nn.BatchNorm2d(channels), Block(lambda x: x.view(x.size(0), -1)), nn.Dropout(),
                             nn.Linear(channels * hw[0] * hw[1], 4))  # fmt: skip
    hidden = nn.Linear(channels * hw[0] * hw[1], 6)
    return nn.Sequential(nn.Flatten(), hidden, nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 4))


def random_boxes(rng, size_hw, count=9):
    """Return boxes inside, at and over the border, a pixel wide, empty, and larger than the picture; cut to it."""
    height, width = size_hw
    start = rng.integers(-6, [width + 3, height + 3], size=(count, 2))
    size = rng.integers(1, 10, size=(count, 2))
    size[0] = (3 * width, 3 * height)
    start[0] = (-width, -height)
    size[1] = (1, 1)
    corners = np.concatenate([start, start + size], axis=1)
    return np.clip(corners, 0, [width, height, width, height])
