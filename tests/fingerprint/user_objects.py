"""Code of a user, whose fingerprints of 0.1.0 are stored in ``digests_0_1_0.json``.

The source text of everything here is part of them: do not change a character of it.
"""

import functools
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from canonface import functional as canonical
from canonface.confidence import BoundConfidence, ClassConfidence
from canonface.errors import OptionError
from canonface.functional import cosines
from canonface.geometry import Similarity
from canonface.models import prepare
from canonface.models.architectures.resnet import ResNet
from canonface.models.headed import Headed
from canonface.types import InputSpec, Pose

TABLE = np.arange(6.0).reshape(2, 3)
CHOICES = {"a": (1, 2.5, None), "b": {"x", "y"}}


def filled(module):
    """Weights by a formula."""
    with torch.no_grad():
        for number, tensor in enumerate(module.state_dict().values()):
            if tensor.is_floating_point():
                tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) % 7 / 8 + number)
    return module


def plain(batch):
    return batch.mean(axis=(2, 3))


def reads(batch, factor=2.0):
    return plain(batch) @ TABLE * factor + len(CHOICES)


class Callable:
    """Holds state and is bound."""

    shared = ("p", 1)

    def __init__(self, factor):
        self.factor, self.table = factor, {"t": TABLE, "k": [1, 2]}

    def __call__(self, batch):
        return reads(batch) * self.factor

    def method(self, batch):
        return self(batch)


class Network(nn.Module):
    """A torch module of the user."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(OrderedDict(a=nn.Conv2d(3, 2, 3), b=nn.ReLU()))
        self.scale, self.head = 2.0, nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.layers(x).mean(dim=(2, 3))) * self.scale


def closes_over(value):
    def inner(batch):
        return plain(batch) * value

    return inner


def uses_functions(original, occluded):
    if original.shape[1] != occluded.shape[1]:
        raise OptionError("not the same outputs")
    return cosines(np.repeat(original, len(occluded), axis=0), occluded)


def uses_a_module(batch):
    return canonical.unit_rows(plain(batch), "rows")


def uses_a_user_of_functions(batch):
    return uses_functions(plain(batch), plain(batch)) + BoundConfidence.output


def reads_a_model(face):
    return prepare(face, SPEC)


class Confidence(ClassConfidence):
    """A user's subclass of a class of the package."""

    def bind(self, original):
        bound = super().bind(original)
        return BoundConfidence(bound.target, bound.unit, lambda outputs: 2 * bound.of(outputs))


class OnTop(nn.Module):
    """A user's module with networks of the package inside."""

    def __init__(self):
        super().__init__()
        self.body = ResNet(blocks=(1, 1, 1, 1), bottleneck=False, width=2, classes=3)
        self.after = nn.Linear(3, 2)

    def forward(self, x):
        return self.after(self.body(x))


class Holds:
    """A callable that holds things of the package."""

    def __init__(self):
        self.spec, self.pose = InputSpec(size_hw=(32, 32)), Pose(1.0, 2.0, 3.0)
        self.network = filled(Headed(nn.Flatten(), 12, 2))
        self.kind = Similarity

    def __call__(self, batch):
        return self.network(batch)


SPEC = InputSpec(size_hw=(16, 16), colour="grey")

WITHOUT_OURS = {
    "function": plain,
    "function that reads": reads,
    "callable": Callable(1.5),
    "bound method": Callable(2).method,
    "partial": functools.partial(reads, factor=3.0),
    "closure": closes_over(np.float32(0.5)),
    "closure over a network": closes_over(filled(Network())),
    "class": Callable,
    "network": filled(Network()),
    "sequential": nn.Sequential(filled(Network()), nn.Identity()),
}
"""Nothing of canonface takes part."""

WITH_OURS = {
    "function": uses_functions,
    "function, at one remove": uses_a_user_of_functions,
    "function, by a module": uses_a_module,
    "function and an instance": reads_a_model,
    "instance of a subclass": Confidence("yes", "logit"),
    "subclass": Confidence,
    "network below a user's": filled(OnTop()),
    "callable": Holds(),
    "partial": functools.partial(cosines, None),
    "network": filled(ResNet(blocks=(1, 1, 1, 1), bottleneck=True, width=2, classes=3)),
    "head": filled(Headed(nn.Flatten(), 12, 2)),
}
"""Code of canonface takes part."""
