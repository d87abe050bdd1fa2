"""The disc occluder: a round patch in the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from canonface.occluders.base import PatchOccluder
from canonface.occluders.fills import hide
from canonface.occluders.square import patch_boxes
from canonface.occlusions import Occlusions
from canonface.types import ModelInput


@dataclass(frozen=True)
class Disc(PatchOccluder):
    """The disc inscribed in the square of the same size, or the ellipse in its rectangle.

    It has no corners: no hidden pixel is farther away than half the patch.

    Attributes:
        patch: its diameter; see `canonface.occluders.Patch`. None: `default_patch`.
        fill: see `Square`.
    """

    def side(self, shown: ModelInput) -> float:
        """Return the side of the square of the disc's area: ``sqrt(pi) / 2`` of the diameter."""
        return float(np.sqrt(np.pi)) / 2 * self.size(shown).pixels(shown)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """Return one disc a vertex: the pixels of eq. 2's square within half its side of its centre."""
        size_xy = self.size(shown).pixels_xy(shown)
        points = shown.vertices_xy[vertices]
        boxes = patch_boxes(points, size_xy, shown.spec.size_hw)
        # The unclipped square: its centre is that of the disc.
        first = np.floor(points - np.array(size_xy) / 2).astype(np.int64) + 1
        whole = disc_mask(round(size_xy[0]), round(size_xy[1]))
        masks = [
            whole[y0 - top : y1 - top, x0 - left : x1 - left]
            for (x0, y0, x1, y1), (left, top) in zip(boxes.tolist(), first.tolist(), strict=True)
        ]
        return hide(shown, boxes, masks, self.fill, self.side(shown))


def disc_mask(width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """Return the pixels of a rectangle whose centres lie in its inscribed ellipse."""
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
    # Without a division, so that rounding does not decide about pixels on the edge.
    return np.asarray((x * height) ** 2 + (y * width) ** 2 <= (width * height / 2) ** 2)
