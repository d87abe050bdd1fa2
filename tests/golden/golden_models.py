"""Models and confidences of a user, for the golden runs.

The source text of everything here is part of the fingerprints in ``data``: do not change a character of it.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from canonface.alignment import LandmarkerAligner
from canonface.confidence import BoundConfidence, ClassConfidence
from canonface.errors import OptionError
from canonface.functional import cosines
from canonface.mesh import load_mesh, make_mesh


def by_formula(shape, offset):
    """Numbers that every version of every library makes alike."""
    return torch.from_numpy(np.sin(np.arange(np.prod(shape)) * 1.7 + offset).reshape(shape)).float()


class Network(nn.Module):
    """A convolution, the largest value of each channel, a dense layer."""

    def __init__(self, outputs):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.Linear(4, outputs)
        for number, parameter in enumerate(self.parameters()):
            parameter.data = by_formula(tuple(parameter.shape), number) / 3

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).amax(dim=(2, 3)))


def mean_colour(batch):
    """A black box: two numbers of the mean colour."""
    red, green, blue = batch.mean(axis=(2, 3)).T
    return np.stack([red - green, green - blue], axis=1)


def turn(original, occluded):
    """A confidence of a user that uses functions of the package: how little the outputs turn."""
    if original.shape[1] != occluded.shape[1]:
        raise OptionError("not the same outputs")
    return cosines(np.repeat(original, len(occluded), axis=0), occluded)


class Largest:
    """A confidence class of a user."""

    unit = "largest output"
    label_column = None

    def describe(self):
        return {"name": "largest"}

    def check(self, kind, names):
        if kind != "logits":
            raise OptionError("logits are needed")

    def bind(self, original):
        return BoundConfidence("any", self.unit, lambda outputs: outputs.max(axis=1).astype(np.float64))


class Doubled(ClassConfidence):
    """A user's subclass of a confidence of the package."""

    def describe(self):
        return {**super().describe(), "times": 2}

    def bind(self, original):
        bound = super().bind(original)
        return BoundConfidence(bound.target, bound.unit, lambda outputs: 2 * bound.of(outputs))


class OnAThinMesh:
    """A user's aligner: the landmarker's faces on a mesh of the user's, every fifth vertex of the package's."""

    name = "thin"

    def __init__(self):
        self.aligner = LandmarkerAligner(load_mesh(0))
        self.kept = np.arange(0, self.aligner.mesh.face_count, 5)
        self.mesh = make_mesh("thin/1", self.aligner.mesh.vertices[self.kept], np.zeros((0, 3), np.int64))

    def describe(self):
        return {"name": self.name}

    def __call__(self, photo, path=""):
        faces = self.aligner(photo, path)
        parts = ("vertices_xy", "depth", "visible")
        return [
            replace(face, mesh=self.mesh, **{name: getattr(face, name)[self.kept] for name in parts})
            for face in faces
        ]
