"""Fills: what an occluder puts in the place of the pixels it hides.

What zero means depends on the model: after normalisation it is the mean colour, before it is black. So a fill is
named by what it looks like, and computed in the values of the model's input.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError, near_names
from canonface.types import InputSpec

Fill = Callable[[np.ndarray, InputSpec, float], np.ndarray]
_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def black(x: np.ndarray, spec: InputSpec, patch: float) -> np.ndarray:  # noqa: ARG001
    """Pixel value 0: the pixels are multiplied by 0, as the paper does (eq. 1-2)."""
    return spec.from_pixels(np.zeros((1, 1, 3)))


def mean(x: np.ndarray, spec: InputSpec, patch: float) -> np.ndarray:  # noqa: ARG001
    """The mean colour that the model was trained on: 0 after normalisation.

    For a model that subtracts no mean, whose 0 is black, the mean colour of this input.
    """
    if any(spec.mean):
        return np.zeros((x.shape[0], 1, 1), dtype=x.dtype)
    return np.asarray(x.mean(axis=(1, 2), keepdims=True, dtype=np.float64), dtype=x.dtype)


def blur(x: np.ndarray, spec: InputSpec, patch: float) -> np.ndarray:  # noqa: ARG001
    """The input itself, blurred until a detail of the patch's size is gone (Gaussian, sigma half the patch)."""
    import cv2

    blurred = cv2.GaussianBlur(
        np.ascontiguousarray(x.transpose(1, 2, 0)),
        (0, 0),
        max(patch / 2, 0.5),
        borderType=cv2.BORDER_REPLICATE,
    )
    return np.ascontiguousarray(blurred.reshape(x.shape[1], x.shape[2], -1).transpose(2, 0, 1))


FILLS: dict[str, Fill] = {"mean": mean, "black": black, "blur": blur}


def check_fill(name: str) -> str:
    """The name itself, if it is a fill: a key of `FILLS` or a colour such as ``#7f7f7f``.

    Raises:
        OptionError: it is neither.
    """
    if name not in FILLS and not _HEX_COLOUR.fullmatch(name):
        raise OptionError(
            f"A fill is one of the names below or a colour like '#7f7f7f'; got {name!r}: {near_names(name, FILLS)}"
        )
    return name


def filler(
    name: str, x: Float[np.ndarray, "c h w"], spec: InputSpec, patch: float
) -> Float[np.ndarray, "..."]:
    """What a fill puts into the boxes, in the values of the input.

    Args:
        name: key of `FILLS`, or an RGB colour ``#rrggbb``.
        x: ``(c, h, w)`` the model's input; not changed.
        spec: how pixels became ``x``.
        patch: side of the patch in pixels of ``x``.

    Returns:
        An array that broadcasts to ``(c, h, w)``.
    """
    if check_fill(name) in FILLS:
        return FILLS[name](x, spec, patch)
    rgb = [int(name[i : i + 2], 16) for i in (1, 3, 5)]
    return spec.from_pixels(np.array(rgb, dtype=np.float64).reshape(1, 1, 3))
