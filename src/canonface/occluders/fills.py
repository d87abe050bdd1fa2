"""Fills: what an occluder puts in the place of the pixels it hides.

What zero means depends on the model: after normalisation it is the mean colour, before it is black. So a fill is
named by what it looks like, and computed in the values of the model's input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError, near_names
from canonface.occluders.average import average, texture_digest
from canonface.occluders.blurring import blurred, blurred_box, channels_last
from canonface.occluders.inpainting import inpaint
from canonface.types import ModelInput

Boxes = Int[np.ndarray, "n 4"]
Masks = Sequence[Bool[np.ndarray, "_ _"]] | None
Content = Float[np.ndarray, "..."] | Sequence[Float[np.ndarray, "c _ _"]]
"""What `canonface.occlusions.Occlusions` takes as ``fill``: one array for all boxes, or one a box."""
Side = float | Float[np.ndarray, "n"]
"""Of the patch in pixels of the input: one for all boxes, or one a box."""
Fill = Callable[[ModelInput, Side, Boxes, Masks], Content]
"""Called with the face as the model sees it, the side of the patch, and what is hidden: once a face."""

_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def black(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """Pixel value 0: the pixels are multiplied by 0, as the paper does (eq. 1-2)."""
    return shown.spec.from_pixels(np.zeros((1, 1, 3)))


def mean(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """The mean colour that the model was trained on: 0 after normalisation.

    For a model that subtracts no mean, whose 0 is black, the mean colour of this input.
    """
    x = shown.x
    if any(shown.spec.mean):
        return np.zeros((x.shape[0], 1, 1), dtype=x.dtype)
    return np.asarray(x.mean(axis=(1, 2), keepdims=True, dtype=np.float64), dtype=x.dtype)


def blur(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """The input itself, blurred until a detail of the patch's size is gone (Gaussian, sigma half the patch)."""
    values = channels_last(shown.x)
    if not isinstance(side, np.ndarray):
        return np.ascontiguousarray(blurred(values, side).transpose(2, 0, 1))
    parts = (blurred_box(values, float(one), box) for one, box in zip(side, boxes, strict=True))
    return [np.ascontiguousarray(part.transpose(2, 0, 1)) for part in parts]


def noise(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """White noise with the mean and spread of each of the input's channels, clipped to what a pixel can be.

    The generator (NumPy's PCG64) is seeded with the first eight bytes of the SHA-256 of the input's 8-bit pixels: the
    same face gets the same noise in every run, in any order, and another face another.
    """
    x, spec = shown.x.astype(np.float64), shown.spec
    seed = int.from_bytes(sha256(spec.to_pixels(shown.x).tobytes()).digest()[:8], "big")
    field = np.random.default_rng(seed).normal(size=x.shape)
    values = field * x.std(axis=(1, 2), keepdims=True) + x.mean(axis=(1, 2), keepdims=True)
    darkest, lightest = (spec.from_pixels(np.full((1, 1, 3), level)) for level in (0.0, 255.0))
    return np.asarray(np.clip(values, darkest, lightest), dtype=np.float32)


FILLS: dict[str, Fill] = {
    "mean": mean,
    "black": black,
    "blur": blur,
    "noise": noise,
    "inpaint": inpaint,
    "average": average,
}


def check_fill(fill: str) -> tuple[str, ...]:
    """The fills that a text asks for: keys of `FILLS` and colours such as ``#7f7f7f``, joined by ``+``.

    Raises:
        OptionError: one of them is neither, or is named twice.
    """
    names = tuple(fill.split("+"))
    for name in names:
        if name not in FILLS and not _HEX_COLOUR.fullmatch(name):
            raise OptionError(
                f"A fill is one of the names below or a colour like '#7f7f7f', or several joined by +; got {name!r}: "
                f"{near_names(name, FILLS)}"
            )
    if len(set(names)) < len(names):
        raise OptionError(f"Fills joined by + are averaged and named once each; got {fill!r}.")
    return names


def describe_fill(fill: str) -> dict[str, str]:
    """The choices that decide what a fill puts, as an occluder describes itself: its text, the file behind it."""
    described = {"fill": fill}
    return {**described, "texture": texture_digest()} if "average" in check_fill(fill) else described


def content(fill: str, shown: ModelInput, side: Side, boxes: Boxes, masks: Masks = None) -> Content:
    """What one fill puts into the boxes, in the values of the input.

    Args:
        fill: key of `FILLS`, or an RGB colour ``#rrggbb``.
        shown: the face as the model sees it; not changed.
        side: of the patch in pixels of the input; ``(n,)`` where each box is a patch of its own size.
        boxes: ``(n, 4)`` what is hidden, as of `canonface.occlusions.Occlusions`.
        masks: likewise.

    Returns:
        An array that broadcasts to ``(c, h, w)``, or ``n`` arrays ``(c, y1 - y0, x1 - x0)``.
    """
    [name] = check_fill(fill)
    if name in FILLS:
        return FILLS[name](shown, side, boxes, masks)
    rgb = [int(name[i : i + 2], 16) for i in (1, 3, 5)]
    return shown.spec.from_pixels(np.array(rgb, dtype=np.float64).reshape(1, 1, 3))
