"""What a label leaves on a face: a coloured mark on one region, or make-up around the eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface.studies.planted.marks import Area, Mark
from canonface.types import Mesh

DISTRACTORS = 2.5
"""Marks on other regions of a face, on average."""
GAP_CM = 1.0
"""Between the cue's region and any other paint, on the canonical face: five pixels of the pictures, less than half a
patch. A network that does not tell places apart that lie nearer is not wrong about its region."""


@runtime_checkable
class Cue(Protocol):
    """Something painted on the faces of one label, and what is painted on any."""

    @property
    def kind(self) -> str:
        """``mark`` or ``make-up``."""
        ...

    @property
    def area(self) -> Area:
        """Where the cue is, and nothing else ever is."""
        ...

    def draw(self, rng: np.random.Generator) -> list[Mark]:
        """The cue itself."""
        ...

    def distract(self, rng: np.random.Generator) -> list[Mark]:
        """What else is painted, whatever the label."""
        ...

    def moved(self, rng: np.random.Generator) -> list[Mark]:
        """The same kind of paint as the cue in another place."""
        ...


@dataclass(frozen=True, eq=False)
class MarkCue:
    """A mark on one region. Every other region gets one of the same kind, with the same chance whatever the label.

    So neither "there is colour" nor the number of marks says anything that its place does not: the label depends on
    the marks only through the one region.

    Attributes:
        area: the region.
        others: the other regions, without what lies in this one or near it.
        size: share of a region that a mark covers.
        distractors: marks on other regions, on average.
    """

    area: Area
    others: tuple[Area, ...] = field(repr=False)
    size: float = 1.0
    distractors: float = DISTRACTORS
    kind: str = "mark"

    @classmethod
    def on(cls, mesh: Mesh, region: str, size: float, regions: Sequence[str]) -> MarkCue:
        """The cue on a region among the regions that are painted at all.

        A region that is nearer than the gap for more than half of its area is no distractor.
        """
        area = Area.named(mesh, region)
        whole = [Area.named(mesh, name) for name in regions if name != region]
        rests = [(one, one.apart_from(mesh, area, GAP_CM)) for one in whole]
        others = tuple(rest for one, rest in rests if rest.sizes.sum() >= one.sizes.sum() / 2)
        return cls(area, others, size)

    def draw(self, rng: np.random.Generator) -> list[Mark]:
        """One mark on the region."""
        return [self._mark(self.area, rng)]

    def distract(self, rng: np.random.Generator) -> list[Mark]:
        """A mark on each other region, by chance."""
        chosen = rng.random(len(self.others)) < self.distractors / len(self.others)
        return [self._mark(area, rng) for area, is_drawn in zip(self.others, chosen, strict=True) if is_drawn]

    def moved(self, rng: np.random.Generator) -> list[Mark]:
        """One mark on some other region."""
        return [self._mark(self.others[rng.integers(len(self.others))], rng)]

    def _mark(self, area: Area, rng: np.random.Generator) -> Mark:
        return Mark(area.patch(self.size, rng), bright(rng), float(rng.uniform(0.6, 0.95)))


MAKE_UP = "right_upper_eyelid+left_upper_eyelid+right_lower_eyelid+left_lower_eyelid"
LIPS = "upper_lip+lower_lip"
CHEEKS = "right_cheek+left_cheek"


@dataclass(frozen=True, eq=False)
class MakeUpCue:
    """Eye shadow, half transparent and soft at its rim. Lipstick and rouge come by chance, whatever the label.

    Attributes:
        area: the lids.
        others: lips and cheeks.
        size: share of each lid that is made up.
        lids: the four lids, each for itself.
    """

    area: Area
    others: tuple[Area, ...] = field(repr=False)
    lids: tuple[Area, ...] = field(repr=False)
    size: float = 1.0
    kind: str = "make-up"

    @classmethod
    def on(cls, mesh: Mesh, size: float) -> MakeUpCue:
        """The cue on a mesh."""
        area = Area.named(mesh, MAKE_UP)
        others = tuple(Area.named(mesh, name).apart_from(mesh, area, GAP_CM) for name in (LIPS, CHEEKS))
        return cls(area, others, tuple(Area.named(mesh, name) for name in MAKE_UP.split("+")), size)

    def draw(self, rng: np.random.Generator) -> list[Mark]:
        """Shadow on both upper lids, and in half of the faces on the lower ones too, in one colour."""
        colour, opacity = bright(rng), float(rng.uniform(0.4, 0.8))
        lids = self.lids if rng.random() < 0.5 else self.lids[:2]
        return [Mark(lid.patch(self.size, rng), colour, opacity, softness=1.0) for lid in lids]

    def distract(self, rng: np.random.Generator) -> list[Mark]:
        """Lipstick in half of the faces, rouge in half."""
        return [self._other(area, rng) for area in self.others if rng.random() < 0.5]

    def moved(self, rng: np.random.Generator) -> list[Mark]:
        """Lipstick or rouge."""
        return [self._other(self.others[rng.integers(len(self.others))], rng)]

    def _other(self, area: Area, rng: np.random.Generator) -> Mark:
        return Mark(area.triangles, bright(rng), float(rng.uniform(0.4, 0.8)), softness=1.0)


def bright(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """A colour of any hue, RGB in 0..255: HSV with saturation 0.7-1 and value 0.6-1."""
    hue, saturation, value = rng.uniform(0, 6), rng.uniform(0.7, 1), rng.uniform(0.6, 1)
    ramp = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return np.asarray(255 * value * (1 - saturation * (1 - ramp)))
