"""Small networks and confidences that the tests of methods share."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from canonface.confidence import (
    CleanPrediction,
    FunctionConfidence,
    Gallery,
    RecognitionConfidence,
    make_confidence,
)
from canonface.models import checked_outputs, load_model
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(16, 20), mean=(0.4, 0.5, 0.6), std=(0.25, 0.25, 0.3))
CLASSES = ("left", "right", "up")


class Network(nn.Module):
    """Two convolutions, ReLUs of every kind (module, function, each in place), norm and dropout."""

    def __init__(self, outputs=3, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
            self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
            self.act, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
            self.head = nn.Linear(6, outputs)

    def forward(self, x):
        y = functional.relu(self.norm(self.act(self.first(x))), inplace=True)
        y = torch.relu(self.second(y))
        y = y + 0.1
        return self.head(self.drop(y.mean(dim=(2, 3))))


class Linear(nn.Module):
    """A linear network without bias."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float32))

    def forward(self, x):
        return torch.einsum("nchw,kchw->nk", x, self.weights)


def class_model(module=None, spec=SPEC, **options):
    return load_model(
        module or Network(), spec=spec, outputs="logits", name="toy", **({"labels": CLASSES} | options)
    )


def embedding_model():
    return load_model(Network(5, seed=3), spec=SPEC, outputs="embedding", name="toy")


def picture(spec=SPEC, seed=0):
    """Return a read-only input."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*spec.size_hw, 3)).astype(np.float64)
    x = spec.from_pixels(pixels)
    x.flags.writeable = False
    return x


def clean_prediction(model, x):
    return CleanPrediction(checked_outputs(model, model.to_device(x)[None]), model.outputs, model.labels)


def class_confidence(model, x, target="right", confidence="probability"):
    return make_confidence(confidence, target).bind(clean_prediction(model, x))


def identity_confidence(model, x, form="closest"):
    """Return the confidence in one of two people, whose features are those of other pictures."""
    others = np.concatenate(
        [clean_prediction(model, picture(model.spec, seed)).outputs for seed in (5, 6, 7)]
    )
    gallery = Gallery(("ann", "ann", "bob"), others, ("", "", ""))
    return RecognitionConfidence(gallery, "ann", form).bind(clean_prediction(model, x))


def own_confidence(model, x):
    """Return a confidence given as a user's function."""

    def spread(_original, occluded):
        return np.asarray(occluded, dtype=np.float64).std(axis=1)

    return FunctionConfidence(spread).bind(clean_prediction(model, x))
