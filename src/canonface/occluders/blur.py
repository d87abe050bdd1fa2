"""The blur fill: the input behind a Gaussian blur, as a whole or within single boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from canonface.types import ModelInput

_REACH = 4
"""Largest reach of OpenCV's kernels, in sigmas."""


def blur(
    shown: ModelInput,
    side: float | Float[np.ndarray, "n"],
    boxes: Int[np.ndarray, "n 4"],
    masks: Sequence[Bool[np.ndarray, "_ _"]] | None,  # noqa: ARG001 - a fill's signature
) -> Float[np.ndarray, "c h w"] | list[Float[np.ndarray, "c _ _"]]:
    """Return the input blurred until a detail of the patch's size is gone (Gaussian, sigma half the patch)."""
    values = np.ascontiguousarray(shown.x.transpose(1, 2, 0))
    if not isinstance(side, np.ndarray):
        return np.ascontiguousarray(blurred(values, side).transpose(2, 0, 1))
    parts = (blurred_box(values, float(one), box) for one, box in zip(side, boxes, strict=True))
    return [np.ascontiguousarray(part.transpose(2, 0, 1)) for part in parts]


def blurred(values: Shaped[np.ndarray, "h w c"], side: float) -> Shaped[np.ndarray, "h w c"]:
    """Blur an image for a patch of this side: Gaussian, sigma half the side, border repeated."""
    import cv2

    sigma = max(side / 2, 0.5)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(values), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth).reshape(values.shape)


def blurred_box(
    values: Shaped[np.ndarray, "h w c"], side: float, box: Int[np.ndarray, "4"]
) -> Shaped[np.ndarray, "bh bw c"]:
    """Return one box of the result of `blurred`, computed from the pixels that the kernel reaches."""
    x0, y0, x1, y1 = box.tolist()
    if x0 == x1 or y0 == y1:
        return values[y0:y1, x0:x1]
    reach = int(np.ceil(_REACH * max(side / 2, 0.5))) + 1
    left, top = max(x0 - reach, 0), max(y0 - reach, 0)
    around = values[top : y1 + reach, left : x1 + reach]
    return blurred(around, side)[y0 - top : y1 - top, x0 - left : x1 - left]
