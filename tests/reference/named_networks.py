"""Architectures of the package, narrow or as published, with the weights that benchmarks draw."""

import numpy as np
import torch
from networks import draw, picture, scale_last_layer

from canonface.models.architectures.inception_resnet_v1 import InceptionResnetV1
from canonface.models.architectures.iresnet import IResNet
from canonface.models.architectures.mobilenet_v2 import MobileNetV2
from canonface.models.architectures.resnet import ResNet
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
    """Return a module of logits in evaluation mode and an input ``(3, h, w)``; on ``meta`` without any numbers."""
    make, side = _MAKERS[name][0 if full else 1]
    with torch.device(device):
        torch.manual_seed(0)
        module = make().eval()
    if device == "meta":
        return module, torch.empty(3, side, side, device=device)
    draw(module)
    x = picture(3, side, side)
    scale_last_layer(module, x)
    return module, x


def centres(side, count):
    """Return ``(count, 2)`` points spread evenly over the middle of a square input, on a spiral of Fermat."""
    number = np.arange(count)
    radius, angle = np.sqrt((number + 0.5) / count), number * np.pi * (3 - np.sqrt(5))
    return np.round(
        side / 2 + 0.38 * side * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    )
