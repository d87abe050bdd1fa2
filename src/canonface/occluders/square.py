"""The paper's occluder: an axis-aligned square patch in the model's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.functional import occlusion_boxes
from canonface.occluders.fills import check_fill
from canonface.occluders.hiding import hide
from canonface.occluders.size import Patch, Size, parse_size
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput


@dataclass(frozen=True)
class Square:
    """A square (eq. 2), filled by name.

    Attributes:
        patch: its side; see `canonface.occluders.Patch`. None: `default_patch`.
        fill: keys of `canonface.occluders.FILLS` or colours ``#rrggbb``, several joined by ``+``.
    """

    patch: Patch = None
    fill: str = "mean"

    def __post_init__(self) -> None:
        parse_size(self.patch)
        check_fill(self.fill)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide what is hidden."""
        return {"name": "square", "patch": self.patch, "fill": self.fill}

    def check(self, spec: InputSpec) -> None:
        """Refuse a patch that is larger than the input: see `canonface.occluders.Occluder`."""
        if (size := parse_size(self.patch)) is not None:
            size.check(spec)

    def side(self, shown: ModelInput) -> float:
        """Side in pixels of the input."""
        return size_or_default(self.patch, shown).pixels(shown)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """One box a vertex; see `canonface.functional.occlusion_boxes`."""
        side = self.side(shown)
        boxes = occlusion_boxes(shown.vertices_xy[vertices], side, shown.spec.size_hw)
        return hide(shown, boxes, None, self.fill, side)


def size_or_default(patch: Patch, shown: ModelInput) -> Size:
    """The size that was asked for, or the default for such an input."""
    return parse_size(patch) or Size(default_patch(shown.spec.size_hw[0]))


def default_patch(input_height: int) -> int:
    """Side in pixels if none is asked for: 15 for inputs of 90 to 224 pixels, a sixth of smaller, 15/224 of larger.

    15 pixels of 224 is the usual choice of the field. In a small input a patch of that share is a few pixels wide
    and hides next to nothing that a network cannot guess: maps of one half of the photos then disagree with those
    of the other half (`docs/method.md` has the figures). The side is odd, so that the patch has a middle pixel.
    """
    side = max(input_height * 15 / 224, min(15.0, input_height / 6))
    return max(3, 2 * round((side - 1) / 2) + 1)
