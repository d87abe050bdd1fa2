"""Occlusions of one model input: made by occluders, evaluated by engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.functional import Tensor, occlude


@dataclass(frozen=True, eq=False)
class Occlusions:
    """Several ways to hide a part of one input ``(c, h, w)``, one forward pass each.

    Attributes:
        boxes: ``(n, 4)`` ``x0, y0, x1, y1``, half-open, inside the input; hidden pixels lie within.
        fill: content of hidden pixels, in the values of the input: an array that broadcasts to ``(c, h, w)`` and is
            read at the place of the box, or a sequence of ``n`` arrays ``(c, y1 - y0, x1 - x0)``, one per box.
        masks: ``n`` arrays ``(y1 - y0, x1 - x0)``, True where a pixel of the box is hidden; None: all of it.
    """

    boxes: Int[np.ndarray, "n 4"]
    fill: Float[np.ndarray, "..."] | Sequence[Float[np.ndarray, "c _ _"]]
    masks: Sequence[Bool[np.ndarray, "_ _"]] | None = None

    def __post_init__(self) -> None:
        for name in ("fill", "masks"):
            value = getattr(self, name)
            if not isinstance(value, np.ndarray) and value is not None and len(value) != len(self.boxes):
                raise OptionError(
                    f"{name} has one entry per box; got {len(value)} for {len(self.boxes)} boxes."
                )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, chosen: slice | Int[np.ndarray, "k"]) -> Occlusions:
        """Return some of the occlusions, in that order."""
        index = np.arange(len(self))[chosen]
        fill = self.fill if isinstance(self.fill, np.ndarray) else [self.fill[i] for i in index]
        return Occlusions(
            self.boxes[index], fill, None if self.masks is None else [self.masks[i] for i in index]
        )

    def hide(self, x: Tensor) -> Tensor:
        """Return copies ``(n, c, h, w)`` of an input, each with one part hidden: see `functional.occlude`."""
        return occlude(x, self.boxes, self.fill, self.masks)

    def distinct(self) -> tuple[Occlusions, Int[np.ndarray, "n"]]:
        """Return the distinct occlusions, and the index of each occlusion among them."""
        if self.masks is None and isinstance(self.fill, np.ndarray):
            _, first, place = np.unique(self.boxes, axis=0, return_index=True, return_inverse=True)
            return self[first], place.reshape(-1)
        seen: dict[bytes, int] = {}
        place = np.array([seen.setdefault(self._key(i), len(seen)) for i in range(len(self))], dtype=np.int64)
        first = np.unique(place, return_index=True)[1]
        return self[first], place

    def _key(self, i: int) -> bytes:
        mask = b"" if self.masks is None else self.masks[i].tobytes()
        fill = b"" if isinstance(self.fill, np.ndarray) else self.fill[i].tobytes()
        return bytes(self.boxes[i].tobytes() + mask + fill)
