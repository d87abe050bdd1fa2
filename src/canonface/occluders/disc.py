"""A round patch in the model's input: no corners, so nothing is hidden farther away than half the patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from canonface.occluders.fills import check_fill, describe_fill
from canonface.occluders.hiding import hide
from canonface.occluders.size import Patch, parse_size
from canonface.occluders.square import patch_boxes, size_or_default
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput


@dataclass(frozen=True)
class Disc:
    """The disc inscribed into the square of the same size, or the ellipse into its rectangle.

    Attributes:
        patch: its diameter; see `canonface.occluders.Patch`. None: `default_patch`.
        fill: as of a `Square`.
    """

    patch: Patch = None
    fill: str = "mean"

    def __post_init__(self) -> None:
        parse_size(self.patch)
        check_fill(self.fill)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide what is hidden."""
        return {"name": "disc", "patch": self.patch, **describe_fill(self.fill)}

    def check(self, spec: InputSpec) -> None:
        """Refuse a patch that is larger than the input."""
        if (size := parse_size(self.patch)) is not None:
            size.check(spec)

    def side(self, shown: ModelInput) -> float:
        """Side of the square of the disc's area: ``sqrt(pi) / 2`` of the diameter."""
        return float(np.sqrt(np.pi)) / 2 * size_or_default(self.patch, shown).pixels(shown)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """One disc a vertex: the pixels of the square of eq. 2 no farther than half its side from its middle."""
        size_xy = size_or_default(self.patch, shown).pixels_xy(shown)
        points = shown.vertices_xy[vertices]
        boxes = patch_boxes(points, size_xy, shown.spec.size_hw)
        # The square before the input's border cut it off: its middle is the disc's.
        first = np.floor(points - np.array(size_xy) / 2).astype(np.int64) + 1
        whole = disc_mask(round(size_xy[0]), round(size_xy[1]))
        masks = [
            whole[y0 - top : y1 - top, x0 - left : x1 - left]
            for (x0, y0, x1, y1), (left, top) in zip(boxes.tolist(), first.tolist(), strict=True)
        ]
        return hide(shown, boxes, masks, self.fill, self.side(shown))


def disc_mask(width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """Pixels of a rectangle whose centres lie in the ellipse inscribed into it."""
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
    # Without a quotient, so that a pixel on the edge is no matter of rounding.
    return np.asarray((x * height) ** 2 + (y * width) ** 2 <= (width * height / 2) ** 2)
