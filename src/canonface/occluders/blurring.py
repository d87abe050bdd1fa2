"""The input, blurred: as a whole behind patches of one size, or only where a hole of its own size is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped

_REACH = 4  # sigmas that OpenCV's kernels reach at most


def blurred(values: Shaped[np.ndarray, "h w c"], side: float) -> Shaped[np.ndarray, "h w c"]:
    """Values blurred until a detail of a patch's size is gone: Gaussian, sigma half the patch, border repeated."""
    import cv2

    sigma = max(side / 2, 0.5)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(values), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth).reshape(values.shape)


def blurred_box(
    values: Shaped[np.ndarray, "h w c"], side: float, box: Int[np.ndarray, "4"]
) -> Shaped[np.ndarray, "bh bw c"]:
    """What `blurred` has in one box, computed from what the kernel reaches."""
    x0, y0, x1, y1 = box.tolist()
    if x0 == x1 or y0 == y1:
        return values[y0:y1, x0:x1]
    reach = int(np.ceil(_REACH * max(side / 2, 0.5))) + 1
    left, top = max(x0 - reach, 0), max(y0 - reach, 0)
    around = values[top : y1 + reach, left : x1 + reach]
    return blurred(around, side)[y0 - top : y1 - top, x0 - left : x1 - left]


def channels_last(x: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "h w c"]:
    """An input as OpenCV takes it."""
    return np.ascontiguousarray(x.transpose(1, 2, 0))
