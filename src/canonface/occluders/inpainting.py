"""A fill that continues into the hole what lies around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.types import ModelInput

RADIUS = 3
"""Pixels around each unknown one that it is made of."""

_MARGIN = 2 * RADIUS + 2  # pixels kept around a hole: all that the method reads


def inpaint(
    shown: ModelInput,
    side: float | Float[np.ndarray, "n"],  # noqa: ARG001 - a fill's signature
    boxes: Int[np.ndarray, "n 4"],
    masks: Sequence[Bool[np.ndarray, "_ _"]] | None,
) -> list[Float[np.ndarray, "c _ _"]]:
    """Each hole filled from its own rim.

    A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", J. Graphics Tools 9(1), 2004, as
    OpenCV has it. It works on 8-bit pixels: the input is turned into pixels, filled, and the hole turned back. A hole
    that leaves no pixel of the input around it takes the input's mean colour.
    """
    picture = shown.spec.to_pixels(shown.x)
    everywhere = [None] * len(boxes) if masks is None else masks
    return [
        shown.spec.from_pixels(_hole(picture, box, mask))
        for box, mask in zip(boxes.tolist(), everywhere, strict=True)
    ]


def _hole(
    picture: UInt8[np.ndarray, "h w 3"], box: list[int], mask: Bool[np.ndarray, "_ _"] | None
) -> Float[np.ndarray, "bh bw 3"]:
    """What stands in one box once its hidden pixels are filled."""
    import cv2

    x0, y0, x1, y1 = box
    left, top = max(x0 - _MARGIN, 0), max(y0 - _MARGIN, 0)
    around = picture[top : y1 + _MARGIN, left : x1 + _MARGIN]
    hidden = np.zeros(around.shape[:2], dtype=np.uint8)
    hidden[y0 - top : y1 - top, x0 - left : x1 - left] = 1 if mask is None else mask
    if hidden.all():
        mean = picture.reshape(-1, 3).mean(axis=0)
        return np.broadcast_to(mean, (y1 - y0, x1 - x0, 3)).astype(np.float64)
    filled = cv2.inpaint(np.ascontiguousarray(around), hidden, RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled[y0 - top : y1 - top, x0 - left : x1 - left], dtype=np.float64)
