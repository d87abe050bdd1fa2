"""The paper's occluder: an axis-aligned square patch in the model's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.functional import PointsXY, occlusion_boxes
from canonface.occluders.fills import check_fill, filler
from canonface.types import InputSpec


@dataclass(frozen=True)
class Square:
    """A square of ``patch`` pixels' side (eq. 2), filled by name.

    Attributes:
        patch: side in pixels of the model's input; may be fractional.
        fill: key of `canonface.occluders.FILLS`, or a colour ``#rrggbb``.
    """

    patch: float
    fill: str = "mean"

    def __post_init__(self) -> None:
        if not 1 <= self.patch < np.inf:
            raise OptionError(
                f"A patch has a side of at least 1 pixel of the model's input; got {self.patch}."
            )
        check_fill(self.fill)

    def boxes(self, centres_xy: PointsXY, size_hw: tuple[int, int]) -> Int[np.ndarray, "n 4"]:
        """Boxes ``(n, 4)`` hidden around each centre; see `canonface.functional.occlusion_boxes`."""
        return occlusion_boxes(centres_xy, self.patch, size_hw)

    def filler(self, x: Float[np.ndarray, "c h w"], spec: InputSpec) -> Float[np.ndarray, "..."]:
        """What stands in the boxes, broadcastable to ``(c, h, w)``."""
        return filler(self.fill, x, spec, self.patch)


def default_patch(input_height: int) -> int:
    """Side in pixels if none is asked for: 15 for inputs of 90 to 224 pixels, a sixth of smaller, 15/224 of larger.

    15 pixels of 224 is the usual choice of the field. In a small input a patch of that share is a few pixels wide
    and hides next to nothing that a network cannot guess: maps of one half of the photos then disagree with those
    of the other half (`docs/method.md` has the figures). The side is odd, so that the patch has a middle pixel.
    """
    side = max(input_height * 15 / 224, min(15.0, input_height / 6))
    return max(3, 2 * round((side - 1) / 2) + 1)
