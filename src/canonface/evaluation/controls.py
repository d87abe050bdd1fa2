"""Uninformed maps, which any method has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.models import Model


@dataclass(frozen=True)
class RandomAttribution:
    """Smooth noise, drawn for each image, with as many blobs as a coarse layer of a network would show.

    Attributes:
        cells: independent values on each side of the grid.
        seed: seed of the noise; the image's pixels are mixed in.
    """

    name: ClassVar[str] = "random"
    cells: int = 7
    seed: int = 0

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, "cells": self.cells, "seed": self.seed}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Accept any model and confidence."""

    def attribute(
        self,
        model: Model,  # noqa: ARG002
        x: Float[np.ndarray, "c h w"],
        confidence_fn: BoundConfidence,  # noqa: ARG002
    ) -> Float[np.ndarray, "h w"]:
        """Return values of 0..1, interpolated between the cells."""
        import cv2

        digest = sha256(np.ascontiguousarray(x).tobytes()).digest()
        random = np.random.default_rng([self.seed, int.from_bytes(digest[:8], "big")])
        coarse = random.random((self.cells, self.cells))
        return np.asarray(cv2.resize(coarse, (x.shape[2], x.shape[1]), interpolation=cv2.INTER_LINEAR))


@dataclass(frozen=True)
class CentreAttribution:
    """Gaussian blob in the middle of the input, where the crop puts the face.

    Attributes:
        spread: standard deviation, as a share of the input's sides.
    """

    name: ClassVar[str] = "centre"
    spread: float = 0.25

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, "spread": self.spread}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Accept any model and confidence."""

    def attribute(
        self,
        model: Model,  # noqa: ARG002
        x: Float[np.ndarray, "c h w"],
        confidence_fn: BoundConfidence,  # noqa: ARG002
    ) -> Float[np.ndarray, "h w"]:
        """Return the Gaussian, 1 in the middle."""
        height, width = x.shape[1:]
        rows, columns = (np.linspace(-0.5, 0.5, size) / self.spread for size in (height, width))
        return np.asarray(np.exp(-(rows[:, None] ** 2 + columns**2) / 2))


CONTROLS = {"random": RandomAttribution, "centre": CentreAttribution}
