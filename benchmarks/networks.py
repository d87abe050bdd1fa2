"""Networks for timing the engines: public architectures with seeded weights, and the zoo's with their own.

Speed and rounding do not depend on what a network has learned; a map does. So the weights here are drawn (He et al.
2015), damped where residual sums would grow, and the last layer is scaled until the predicted class has a probability
of about 0.6, which makes drops comparable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SEEDED = ("vgg16", "resnet50", "iresnet50", "mobilenetv2")
CLASSES = 2622
"""Number of classes of VGG-Face."""


def network(name: str) -> tuple[Any, Any]:
    """Return a module of logits in evaluation mode, and an input ``(c, h, w)`` for it."""
    import torch

    torch.manual_seed(0)
    if name not in SEEDED:
        import canonface

        model = canonface.load_model(name)
        height, width = model.spec.size_hw
        return model.module.eval(), picture(model.spec.channels, height, width)
    module, side = _seeded(name)
    x = picture(3, side, side)
    scale_last_layer(module, x)
    return module, x


def picture(channels: int, height: int, width: int) -> Any:
    """Return a smooth picture with some detail, in the range of normalised pixels."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(1)
    x = torch.zeros(1, channels, height, width)
    for cells, weight in ((4, 0.6), (12, 0.4), (40, 0.25)):
        noise = torch.randn(1, channels, cells, cells, generator=generator)
        x += weight * functional.interpolate(noise, (height, width), mode="bicubic")
    return x[0]


def centres(height: int, width: int, count: int) -> np.ndarray:
    """Return distinct points ``(n, 2)`` drawn from an oval the size of a face in a usual crop.

    They are fewer than ``count`` if the oval has fewer pixels: equal occlusions would be evaluated once.
    """
    rng = np.random.default_rng(5)
    radius, angle = np.sqrt(rng.uniform(size=8 * count)), rng.uniform(0, 2 * np.pi, 8 * count)
    x = width / 2 + 0.29 * width * radius * np.cos(angle)
    y = height / 2 + 0.38 * height * radius * np.sin(angle)
    points = np.stack([x, y], axis=1).round()
    _, first = np.unique(points, axis=0, return_index=True)
    return points[np.sort(first)][:count]


def draw(module: Any) -> None:
    """Draw weights that keep the size of activations; damp the branches of residual sums."""
    import torch
    from torch import nn

    from canonface.models.architectures.iresnet import IResNetBlock
    from canonface.models.architectures.resnet import Bottleneck

    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan = math.prod(layer.weight.shape[1:])
            layer.weight.data.normal_(0, math.sqrt(2 / fan), generator=generator)
            if layer.bias is not None:
                layer.bias.data.normal_(0, 0.02, generator=generator)
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1, generator=generator)
            layer.running_var.uniform_(0.75, 1.25, generator=generator)
            layer.weight.data.uniform_(0.8, 1.2, generator=generator)
    for layer in module.modules():
        if isinstance(layer, Bottleneck | IResNetBlock):
            layer.bn3.weight.data.mul_(0.3)


def scale_last_layer(module: Any, x: Any) -> None:
    """Scale the logits until the predicted class of ``x`` has a probability of about 0.6."""
    import torch
    from torch import nn

    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.BatchNorm1d)][-1]
    with torch.inference_mode():
        logits = module(x[None])
    low, high = 1e-4, 1e4
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if torch.softmax(logits * middle, 1).max() > 0.6 else (middle, high)
    last.weight.data.mul_(low)
    if last.bias is not None:
        last.bias.data.mul_(low)


def _seeded(name: str) -> tuple[Any, int]:
    from canonface.models.architectures.iresnet import IResNet
    from canonface.models.architectures.mobilenet_v2 import MobileNetV2
    from canonface.models.architectures.resnet import ResNet
    from canonface.models.architectures.vgg import VGG16

    makers: dict[str, tuple[Any, int]] = {
        "vgg16": (lambda: VGG16(classes=CLASSES), 224),
        "resnet50": (lambda: ResNet(classes=CLASSES), 224),
        "iresnet50": (IResNet, 112),
        "mobilenetv2": (lambda: MobileNetV2(classes=CLASSES), 224),
    }
    make, side = makers[name]
    module = make().eval()
    draw(module)
    return module, side
