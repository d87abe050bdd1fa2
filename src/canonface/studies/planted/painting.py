"""Many faces with a cue on some of them: what a network is shown in training and afterwards."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int, UInt8

from canonface.studies.planted.cues import Cue
from canonface.studies.planted.marks import Mark, paint
from canonface.studies.planted.portraits import Portraits


def painted(
    portraits: Portraits,
    cue: Cue,
    chosen: Int[np.ndarray, "m"],
    present: Bool[np.ndarray, "m"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "m s s 3"]:
    """Faces with the cue where it is present, and with distractors drawn alike whether it is or not.

    Args:
        portraits: all faces.
        cue: what is painted.
        chosen: indices of the faces.
        present: whether each one has the cue.
        rng: draws everything that is left to chance.
    """
    return np.stack(
        [
            paint(portraits.pixels[i], portraits.triangle[i], marks_on(cue, bool(there), rng))
            for i, there in zip(chosen.tolist(), present.tolist(), strict=True)
        ]
    )


def marks_on(cue: Cue, present: bool, rng: np.random.Generator) -> list[Mark]:
    """The marks of one face, in random order: where they meet at an edge, either may lie on top."""
    marks = cue.distract(rng) + (cue.draw(rng) if present else [])
    return [marks[i] for i in rng.permutation(len(marks))]


def split_by_person(
    people: tuple[str, ...], shares: tuple[float, ...], rng: np.random.Generator
) -> list[Int[np.ndarray, "_"]]:
    """Indices of the photos of each part; nobody is in two parts.

    Args:
        people: who each photo shows.
        shares: of the people in each part but the last, which takes the rest.
        rng: draws the order of people.
    """
    names, who = np.unique(np.array(people), return_inverse=True)
    place = rng.permutation(len(names))[who]
    ends = np.cumsum(np.array(shares) * len(names))
    return [
        np.flatnonzero(np.searchsorted(ends, place, side="right") == part) for part in range(len(shares) + 1)
    ]
