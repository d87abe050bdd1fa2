"""From what is hidden to what is asked: one `Occlusions` a fill."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from canonface.occluders.fills import Masks, Side, check_fill, content
from canonface.occlusions import Occlusions
from canonface.types import ModelInput


def hide(
    shown: ModelInput, boxes: Int[np.ndarray, "n 4"], masks: Masks, fill: str, side: Side
) -> list[Occlusions]:
    """Boxes, or parts of them, hidden behind each of the fills.

    Args:
        shown: the face as the model sees it; not changed.
        boxes: ``(n, 4)`` ``x0, y0, x1, y1``, half-open, inside the input.
        masks: ``n`` arrays, True where a pixel of the box is hidden; None: whole boxes.
        fill: keys of `FILLS` or colours, joined by ``+``.
        side: of the patch in pixels of the input; ``(n,)`` where each box is a patch of its own size.

    Returns:
        One `Occlusions` of length ``n`` a fill.

    Raises:
        OptionError: there is no such fill, or it does not suit the face's mesh.
    """
    return [Occlusions(boxes, content(name, shown, side, boxes, masks), masks) for name in check_fill(fill)]


def hide_pixels(shown: ModelInput, hidden: Bool[np.ndarray, "n h w"], fill: str) -> list[Occlusions]:
    """Any sets of pixels hidden, each behind the fill that a patch of its area would have.

    Args:
        shown: the face as the model sees it; not changed.
        hidden: ``(n, h, w)`` True where a pixel is hidden; a set may be empty.
        fill: keys of `FILLS` or colours, joined by ``+``.

    Returns:
        One `Occlusions` of length ``n`` a fill.
    """
    boxes = np.array([bounding_box(one) for one in hidden], dtype=np.int64).reshape(-1, 4)
    masks = [one[y0:y1, x0:x1] for one, (x0, y0, x1, y1) in zip(hidden, boxes.tolist(), strict=True)]
    return hide(shown, boxes, masks, fill, np.sqrt(np.maximum(hidden.sum(axis=(1, 2)), 1)))


def bounding_box(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """``x0, y0, x1, y1``, half-open, of the True pixels; empty at the corner if there are none."""
    if not mask.any():
        return 0, 0, 0, 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
