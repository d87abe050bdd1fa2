"""The paper's occluder: an axis-aligned square patch in the model's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.errors import OptionError
from canonface.functional import occlusion_boxes
from canonface.occluders.fills import check_fill, filler
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput


@dataclass(frozen=True)
class Square:
    """A square of ``patch`` pixels' side (eq. 2), filled by name.

    Attributes:
        patch: side in pixels of the model's input; may be fractional. None: `default_patch`.
        fill: key of `canonface.occluders.FILLS`, or a colour ``#rrggbb``.
    """

    patch: float | None = None
    fill: str = "mean"

    def __post_init__(self) -> None:
        if self.patch is not None and not 1 <= self.patch < np.inf:
            raise OptionError(
                f"A patch has a side of at least 1 pixel of the model's input; got {self.patch}."
            )
        check_fill(self.fill)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide what is hidden."""
        return {"name": "square", "patch": self.patch, "fill": self.fill}

    def check(self, spec: InputSpec) -> None:
        """Refuse a patch that is larger than the input: see `canonface.occluders.Occluder`."""
        if self.patch is not None and self.patch > spec.size_hw[0]:
            raise OptionError(
                f"A patch is at most the input's height, {spec.size_hw[0]} pixels; got {self.patch:g}."
            )

    def side(self, shown: ModelInput) -> float:
        """Side in pixels of the input."""
        return self._side(shown.spec)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """One box a vertex; see `canonface.functional.occlusion_boxes`."""
        side = self._side(shown.spec)
        boxes = occlusion_boxes(shown.vertices_xy[vertices], side, shown.spec.size_hw)
        return [Occlusions(boxes, filler(self.fill, shown.x, shown.spec, side))]

    def _side(self, spec: InputSpec) -> float:
        return default_patch(spec.size_hw[0]) if self.patch is None else self.patch


def default_patch(input_height: int) -> int:
    """Side in pixels if none is asked for: 15 for inputs of 90 to 224 pixels, a sixth of smaller, 15/224 of larger.

    15 pixels of 224 is the usual choice of the field. In a small input a patch of that share is a few pixels wide
    and hides next to nothing that a network cannot guess: maps of one half of the photos then disagree with those
    of the other half (`docs/method.md` has the figures). The side is odd, so that the patch has a middle pixel.
    """
    side = max(input_height * 15 / 224, min(15.0, input_height / 6))
    return max(3, 2 * round((side - 1) / 2) + 1)
