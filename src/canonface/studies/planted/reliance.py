"""Direct test of a trained network without any map: predictions with the cue planted, removed, moved, hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.studies.planted.cues import Cue
from canonface.studies.planted.marks import Mark, paint
from canonface.studies.planted.network import probabilities
from canonface.studies.planted.portraits import Portraits


@dataclass(frozen=True)
class Reliance:
    """Mean probability of the class "with" over held-out faces, all with the same distractors.

    Attributes:
        planted: with the cue.
        removed: without the cue.
        moved: with such a mark in another place instead.
        hidden: with the cue, and its region covered by the face's mean colour.
    """

    planted: float
    removed: float
    moved: float
    hidden: float

    @property
    def on_place(self) -> float:
        """Fall of the probability when the cue moves to another place."""
        return self.planted - self.moved


def measure_reliance(
    portraits: Portraits, cue: Cue, network: Any, chosen: Int[np.ndarray, "m"], rng: np.random.Generator
) -> Reliance:
    """Measure a network's mean probabilities on the same faces painted in four ways.

    Args:
        portraits: all faces.
        cue: the cue that the network was trained on.
        network: the network.
        chosen: indices of held-out faces.
        rng: draws the paint.
    """
    pictures: list[list[np.ndarray]] = [[], [], [], []]
    for i in chosen.tolist():
        pixels, triangle = portraits.pixels[i], portraits.triangle[i]
        others, own, elsewhere = cue.distract(rng), cue.draw(rng), cue.moved(rng)
        mean = pixels[triangle >= 0].mean(axis=0)
        covered = Mark(cue.area.triangles, mean, opacity=1.0)
        for place, marks in zip(pictures, ([*own], [], [*elsewhere], [*own, covered]), strict=True):
            place.append(paint(pixels, triangle, [*others, *marks]))
    return Reliance(*(float(probabilities(network, np.stack(shown)).mean()) for shown in pictures))
