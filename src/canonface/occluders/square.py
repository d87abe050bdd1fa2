"""The paper's occluder: an axis-aligned square patch in the model's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.functional import occlusion_boxes
from canonface.occluders.fills import check_fill, describe_fill
from canonface.occluders.hiding import hide
from canonface.occluders.size import Patch, Size, parse_size
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput


@dataclass(frozen=True)
class Square:
    """A square (eq. 2), filled by name; of percent or centimetres, a square of the face: see `Size`.

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
        return {"name": "square", "patch": self.patch, **describe_fill(self.fill)}

    def check(self, spec: InputSpec) -> None:
        """Refuse a patch that is larger than the input: see `canonface.occluders.Occluder`."""
        if (size := parse_size(self.patch)) is not None:
            size.check(spec)

    def side(self, shown: ModelInput) -> float:
        """Side in pixels of the input; of a rectangle, that of the square of its area."""
        return size_or_default(self.patch, shown).pixels(shown)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """One box a vertex; see `patch_boxes`."""
        size_xy = size_or_default(self.patch, shown).pixels_xy(shown)
        boxes = patch_boxes(shown.vertices_xy[vertices], size_xy, shown.spec.size_hw)
        return hide(shown, boxes, None, self.fill, self.side(shown))


def patch_boxes(
    centres_xy: Float[np.ndarray, "n 2"], size_xy: tuple[float, float], size_hw: tuple[int, int]
) -> Int[np.ndarray, "n 4"]:
    """The boxes of `canonface.functional.occlusion_boxes`, with a width and a height of their own."""
    across, down = (occlusion_boxes(centres_xy, side, size_hw) for side in size_xy)
    return np.stack([across[:, 0], down[:, 1], across[:, 2], down[:, 3]], axis=1)


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
