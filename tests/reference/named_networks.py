"""The architectures that the package knows, narrow or as published, with weights that are drawn.

Weights as learned ones keep the size of activations (K. He et al., ICCV 2015); what is added to a residual sum is
damped, and the last layer is scaled until the predicted class has a probability of about 0.6, so that drops are
numbers that one can compare.
"""

import math

import numpy as np
import torch
from torch import nn

from canonface.models.architectures.inception_resnet_v1 import InceptionResnetV1
from canonface.models.architectures.iresnet import Block, IResNet
from canonface.models.architectures.mobilenet_v2 import MobileNetV2
from canonface.models.architectures.resnet import Bottleneck, ResNet
from canonface.models.architectures.vgg import VGG16

# Of each: as published and its input's side, and a narrow one.
_MAKERS = {
    "vgg16": ((VGG16, 224), (lambda: VGG16(width=4, hidden=24, classes=10), 224)),
    "resnet50": ((ResNet, 224), (lambda: ResNet(width=8, classes=10), 97)),
    "iresnet50": ((IResNet, 112), (lambda: IResNet(width=8, embedding=12, side=4), 64)),
    "mobilenetv2": (
        (MobileNetV2, 224),
        (lambda: MobileNetV2(channels=(8, 8, 8, 16, 16, 24, 24, 32, 48), classes=10), 96),
    ),
    "inception_resnet_v1": (
        (lambda: InceptionResnetV1(classes=1000), 160),
        (lambda: InceptionResnetV1(classes=10, embedding=24, repeats=(2, 2, 1), unit=2), 107),
    ),
}
NAMED = tuple(_MAKERS)


def named_network(name, full=False, device="cpu"):
    """A module of logits in evaluation mode and an input ``(3, h, w)`` for it; on ``meta`` without any numbers."""
    make, side = _MAKERS[name][0 if full else 1]
    with torch.device(device):
        torch.manual_seed(0)
        module = make().eval()
    if device == "meta":
        return module, torch.empty(3, side, side, device=device)
    _draw(module)
    x = picture(side)
    _scale_last_layer(module, x)
    return module, x


def picture(side):
    """A smooth picture with some detail, in the range of normalised pixels."""
    generator = torch.Generator().manual_seed(1)
    x = torch.zeros(1, 3, side, side)
    for cells, weight in ((4, 0.6), (12, 0.4), (40, 0.25)):
        noise = torch.randn(1, 3, cells, cells, generator=generator)
        x += weight * nn.functional.interpolate(noise, (side, side), mode="bicubic")
    return x[0]


def centres(side, count):
    """Points ``(count, 2)`` spread evenly over the middle of a square input: a spiral of Fermat, nothing drawn."""
    number = np.arange(count)
    radius, angle = np.sqrt((number + 0.5) / count), number * np.pi * (3 - np.sqrt(5))
    return np.round(
        side / 2 + 0.38 * side * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    )


def _draw(module):
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
        if isinstance(layer, Bottleneck | Block):
            layer.bn3.weight.data.mul_(0.3)


def _scale_last_layer(module, x):
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
