"""Cues that go with a label: a coloured mark on one region, or make-up around the eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.studies.planted.marks import Area, Mark, paint
from canonface.studies.planted.portraits import Portraits
from canonface.types import Mesh

DISTRACTORS = 2.5
"""Mean number of marks on other regions of a face."""
GAP_CM = 1.0
"""Gap between the cue's region and any other paint on the canonical face: five pixels of the pictures, less than half
a patch. A network need not distinguish places that are closer."""


@runtime_checkable
class Cue(Protocol):
    """Paint on the faces of one label, and distractors on all faces."""

    @property
    def kind(self) -> str:
        """``mark`` or ``make-up``."""
        ...

    @property
    def area(self) -> Area:
        """Area of the cue; no other paint lies on it."""
        ...

    def draw(self, rng: np.random.Generator) -> list[Mark]:
        """Draw the cue."""
        ...

    def distract(self, rng: np.random.Generator) -> list[Mark]:
        """Draw the distractors, independent of the label."""
        ...

    def moved(self, rng: np.random.Generator) -> list[Mark]:
        """Draw paint of the cue's kind in another place."""
        ...


@dataclass(frozen=True, eq=False)
class MarkCue:
    """A mark on one region; every other region may get the same kind of mark, with a chance independent of the label.

    So neither the presence of colour nor the number of marks predicts the label: the label depends on the marks only
    through the one region.

    Attributes:
        area: the region.
        others: the other regions, without the parts that lie in this one or near it.
        size: share of a region that a mark covers.
        distractors: mean number of marks on other regions.
    """

    area: Area
    others: tuple[Area, ...] = field(repr=False)
    size: float = 1.0
    distractors: float = DISTRACTORS
    kind: str = "mark"

    @classmethod
    def on(cls, mesh: Mesh, region: str, size: float, regions: Sequence[str]) -> MarkCue:
        """Return the cue on a region, with the other regions as distractors.

        A region with more than half of its area nearer than the gap is not a distractor.
        """
        area = Area.named(mesh, region)
        whole = [Area.named(mesh, name) for name in regions if name != region]
        rests = [(one, one.apart_from(mesh, area, GAP_CM)) for one in whole]
        others = tuple(rest for one, rest in rests if rest.sizes.sum() >= one.sizes.sum() / 2)
        return cls(area, others, size)

    def draw(self, rng: np.random.Generator) -> list[Mark]:
        """Draw one mark on the region."""
        return [self._mark(self.area, rng)]

    def distract(self, rng: np.random.Generator) -> list[Mark]:
        """Draw a mark on each other region, by chance."""
        chosen = rng.random(len(self.others)) < self.distractors / len(self.others)
        return [self._mark(area, rng) for area, is_drawn in zip(self.others, chosen, strict=True) if is_drawn]

    def moved(self, rng: np.random.Generator) -> list[Mark]:
        """Draw one mark on another region."""
        return [self._mark(self.others[rng.integers(len(self.others))], rng)]

    def _mark(self, area: Area, rng: np.random.Generator) -> Mark:
        return Mark(area.patch(self.size, rng), bright(rng), float(rng.uniform(0.6, 0.95)))


MAKE_UP = "right_upper_eyelid+left_upper_eyelid+right_lower_eyelid+left_lower_eyelid"
LIPS = "upper_lip+lower_lip"
CHEEKS = "right_cheek+left_cheek"


@dataclass(frozen=True, eq=False)
class MakeUpCue:
    """Eye shadow, half transparent with a soft rim; lipstick and rouge are drawn independently of the label.

    Attributes:
        area: the lids.
        others: lips and cheeks.
        size: share of each lid that is made up.
        lids: the four lids, one area each.
    """

    area: Area
    others: tuple[Area, ...] = field(repr=False)
    lids: tuple[Area, ...] = field(repr=False)
    size: float = 1.0
    kind: str = "make-up"

    @classmethod
    def on(cls, mesh: Mesh, size: float) -> MakeUpCue:
        """Return the cue on a mesh."""
        area = Area.named(mesh, MAKE_UP)
        others = tuple(Area.named(mesh, name).apart_from(mesh, area, GAP_CM) for name in (LIPS, CHEEKS))
        return cls(area, others, tuple(Area.named(mesh, name) for name in MAKE_UP.split("+")), size)

    def draw(self, rng: np.random.Generator) -> list[Mark]:
        """Draw shadow of one colour on both upper lids, and in half of the faces on the lower lids too."""
        colour, opacity = bright(rng), float(rng.uniform(0.4, 0.8))
        lids = self.lids if rng.random() < 0.5 else self.lids[:2]
        return [Mark(lid.patch(self.size, rng), colour, opacity, softness=1.0) for lid in lids]

    def distract(self, rng: np.random.Generator) -> list[Mark]:
        """Draw lipstick in half of the faces, rouge in half."""
        return [self._other(area, rng) for area in self.others if rng.random() < 0.5]

    def moved(self, rng: np.random.Generator) -> list[Mark]:
        """Draw lipstick or rouge."""
        return [self._other(self.others[rng.integers(len(self.others))], rng)]

    def _other(self, area: Area, rng: np.random.Generator) -> Mark:
        return Mark(area.triangles, bright(rng), float(rng.uniform(0.4, 0.8)), softness=1.0)


def bright(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Draw a colour of any hue, RGB in 0..255: HSV with saturation 0.7-1 and value 0.6-1."""
    hue, saturation, value = rng.uniform(0, 6), rng.uniform(0.7, 1), rng.uniform(0.6, 1)
    ramp = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return np.asarray(255 * value * (1 - saturation * (1 - ramp)))


def painted(
    portraits: Portraits,
    cue: Cue,
    chosen: Int[np.ndarray, "m"],
    present: Bool[np.ndarray, "m"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "m s s 3"]:
    """Paint faces: the cue where it is present, and distractors on all of them.

    Args:
        portraits: all faces.
        cue: the cue.
        chosen: indices of the faces.
        present: True for the faces with the cue.
        rng: draws the paint.
    """
    return np.stack(
        [
            paint(portraits.pixels[i], portraits.triangle[i], marks_on(cue, bool(there), rng))
            for i, there in zip(chosen.tolist(), present.tolist(), strict=True)
        ]
    )


def marks_on(cue: Cue, present: bool, rng: np.random.Generator) -> list[Mark]:
    """Draw the marks of one face, in random order: where two overlap at an edge, either may be on top."""
    marks = cue.distract(rng) + (cue.draw(rng) if present else [])
    return [marks[i] for i in rng.permutation(len(marks))]
