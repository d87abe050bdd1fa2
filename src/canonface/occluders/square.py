"""The square occluder of the paper, axis-aligned in the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from canonface.functional import occlusion_boxes
from canonface.occluders.base import PatchOccluder
from canonface.occluders.fills import hide
from canonface.occlusions import Occlusions
from canonface.types import ModelInput


@dataclass(frozen=True)
class Square(PatchOccluder):
    """A square patch (eq. 2); of percent or centimetres, a square of the face: see `Size`.

    Attributes:
        patch: its side; see `canonface.occluders.Patch`. None: `default_patch`.
        fill: keys of `canonface.occluders.FILLS` or colours ``#rrggbb``, several joined by ``+``.
    """

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """Return one box per vertex; see `patch_boxes`."""
        boxes = patch_boxes(
            shown.vertices_xy[vertices], self.size(shown).pixels_xy(shown), shown.spec.size_hw
        )
        return hide(shown, boxes, None, self.fill, self.side(shown))


def patch_boxes(
    centres_xy: Float[np.ndarray, "n 2"], size_xy: tuple[float, float], size_hw: tuple[int, int]
) -> Int[np.ndarray, "n 4"]:
    """Return the boxes of `canonface.functional.occlusion_boxes` for patches of a width and a height."""
    across, down = (occlusion_boxes(centres_xy, side, size_hw) for side in size_xy)
    return np.stack([across[:, 0], down[:, 1], across[:, 2], down[:, 3]], axis=1)
