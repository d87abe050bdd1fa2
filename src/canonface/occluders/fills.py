"""Fills: the values that replace the hidden pixels.

A value of 0 is the mean colour for a model that normalises its input, and black for one that does not. A fill is
therefore named by its look and computed in the values of the model's input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.errors import OptionError, near_names
from canonface.occluders.average import average, texture_digest
from canonface.occluders.blur import blur
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput

Boxes = Int[np.ndarray, "n 4"]
Masks = Sequence[Bool[np.ndarray, "_ _"]] | None
Content = Float[np.ndarray, "..."] | Sequence[Float[np.ndarray, "c _ _"]]
"""``fill`` of `canonface.occlusions.Occlusions`: one array for all boxes, or one per box."""
Side = float | Float[np.ndarray, "n"]
"""Side of the patch in pixels of the input: one for all boxes, or one per box."""
Fill = Callable[[ModelInput, Side, Boxes, Masks], Content]
"""Function of the face as the model sees it, the side of the patch, the boxes and the masks; called once per face."""

PLAIN = ("mean", "black")
"""Fills of one colour, besides ``#rrggbb``."""
_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_INPAINT_RADIUS = 3
"""Radius of the pixels from which an unknown pixel is computed."""
_INPAINT_MARGIN = 2 * _INPAINT_RADIUS + 2
"""Pixels kept around a hole: all that the method reads."""


def black(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """Return black, pixel value 0: the pixels are multiplied by 0, as in the paper (eq. 1-2)."""
    return plain_fill("black", shown.x, shown.spec)


def mean(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """Return the mean colour of the model's training data; see `plain_fill`."""
    return plain_fill("mean", shown.x, shown.spec)


def check_plain_fill(option: str, fill: str) -> None:
    """Raise OptionError unless a fill is one colour: see `plain_fill`."""
    if fill not in PLAIN and not _HEX_COLOUR.fullmatch(fill):
        raise OptionError(f"{option} is {' or '.join(PLAIN)}, or a colour like #7f7f7f; got {fill!r}.")


def plain_fill(fill: str, x: Float[np.ndarray, "c h w"], spec: InputSpec) -> Float[np.ndarray, "c 1 1"]:
    """Return a fill of one colour, ``float32``, in the values of the model's input.

    Args:
        fill: ``black``, pixel value 0; ``mean``, the mean colour of the model's training data, which is 0 after
            normalisation, or the mean colour of this input if the model subtracts none; or an RGB colour ``#rrggbb``.
        x: ``(c, h, w)`` the input.
        spec: specification of the model's input.
    """
    if fill == "mean":
        if any(spec.mean):
            return np.zeros((len(x), 1, 1), dtype=np.float32)
        return np.asarray(x.mean(axis=(1, 2), keepdims=True, dtype=np.float64), dtype=np.float32)
    code = "#000000" if fill == "black" else fill
    rgb = [float(int(code[i : i + 2], 16)) for i in (1, 3, 5)]
    return spec.from_pixels(np.array(rgb)[None, None])


def noise(shown: ModelInput, side: Side, boxes: Boxes, masks: Masks) -> Content:  # noqa: ARG001
    """Return white noise with the mean and spread of each channel of the input, clipped to the range of a pixel.

    The generator (NumPy's PCG64) is seeded with the first eight bytes of the SHA-256 of the input's 8-bit pixels: one
    face gets the same noise in every run and any order, different faces get different noise.
    """
    x, spec = shown.x.astype(np.float64), shown.spec
    seed = int.from_bytes(sha256(spec.to_pixels(shown.x).tobytes()).digest()[:8], "big")
    field = np.random.default_rng(seed).normal(size=x.shape)
    values = field * x.std(axis=(1, 2), keepdims=True) + x.mean(axis=(1, 2), keepdims=True)
    darkest, lightest = (spec.from_pixels(np.full((1, 1, 3), level)) for level in (0.0, 255.0))
    return np.asarray(np.clip(values, darkest, lightest), dtype=np.float32)


def inpaint(
    shown: ModelInput,
    side: Side,  # noqa: ARG001 - a fill's signature
    boxes: Boxes,
    masks: Masks,
) -> list[Float[np.ndarray, "c _ _"]]:
    """Return each hole filled from the pixels around it.

    A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", J. Graphics Tools 9(1), 2004, in
    OpenCV's implementation. It works on 8-bit pixels: the input is converted to pixels, filled, and the hole is
    converted back. A hole that covers all pixels around it gets the mean colour of the input.
    """
    picture = shown.spec.to_pixels(shown.x)
    everywhere = [None] * len(boxes) if masks is None else masks
    return [
        shown.spec.from_pixels(_inpainted(picture, box, mask))
        for box, mask in zip(boxes.tolist(), everywhere, strict=True)
    ]


def _inpainted(
    picture: UInt8[np.ndarray, "h w 3"], box: list[int], mask: Bool[np.ndarray, "_ _"] | None
) -> Float[np.ndarray, "bh bw 3"]:
    """Return one box with its hidden pixels filled."""
    import cv2

    x0, y0, x1, y1 = box
    left, top = max(x0 - _INPAINT_MARGIN, 0), max(y0 - _INPAINT_MARGIN, 0)
    around = picture[top : y1 + _INPAINT_MARGIN, left : x1 + _INPAINT_MARGIN]
    hidden = np.zeros(around.shape[:2], dtype=np.uint8)
    hidden[y0 - top : y1 - top, x0 - left : x1 - left] = 1 if mask is None else mask
    if hidden.all():
        mean = picture.reshape(-1, 3).mean(axis=0)
        return np.broadcast_to(mean, (y1 - y0, x1 - x0, 3)).astype(np.float64)
    filled = cv2.inpaint(np.ascontiguousarray(around), hidden, _INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled[y0 - top : y1 - top, x0 - left : x1 - left], dtype=np.float64)


FILLS: dict[str, Fill] = {
    "mean": mean,
    "black": black,
    "blur": blur,
    "noise": noise,
    "inpaint": inpaint,
    "average": average,
}


def check_fill(fill: str) -> tuple[str, ...]:
    """Return the names in a fill: keys of `FILLS` and colours such as ``#7f7f7f``, joined by ``+``.

    Raises:
        OptionError: a name is unknown, or stands there twice.
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
    """Return the entries of a fill in an occluder's description: its text and, if it has one, its texture."""
    described = {"fill": fill}
    return {**described, "texture": texture_digest()} if "average" in check_fill(fill) else described


def content(fill: str, shown: ModelInput, side: Side, boxes: Boxes, masks: Masks = None) -> Content:
    """Return the values of one fill in the boxes, in the values of the input.

    Args:
        fill: key of `FILLS`, or an RGB colour ``#rrggbb``.
        shown: the face as the model sees it; not changed.
        side: side of the patch in pixels of the input; ``(n,)`` where each box is a patch of its own size.
        boxes: ``(n, 4)``, as in `canonface.occlusions.Occlusions`.
        masks: likewise.

    Returns:
        An array that broadcasts to ``(c, h, w)``, or ``n`` arrays ``(c, y1 - y0, x1 - x0)``.
    """
    [name] = check_fill(fill)
    if name in FILLS:
        return FILLS[name](shown, side, boxes, masks)
    return plain_fill(name, shown.x, shown.spec)


def hide(shown: ModelInput, boxes: Boxes, masks: Masks, fill: str, side: Side) -> list[Occlusions]:
    """Hide boxes, or parts of them, behind each of the fills.

    Args:
        shown: the face as the model sees it; not changed.
        boxes: ``(n, 4)`` ``x0, y0, x1, y1``, half-open, inside the input.
        masks: ``n`` arrays, True where a pixel of the box is hidden; None: whole boxes.
        fill: keys of `FILLS` or colours, joined by ``+``.
        side: side of the patch in pixels of the input; ``(n,)`` where each box is a patch of its own size.

    Returns:
        One `Occlusions` of length ``n`` per fill.

    Raises:
        OptionError: there is no such fill, or it does not suit the face's mesh.
    """
    return [Occlusions(boxes, content(name, shown, side, boxes, masks), masks) for name in check_fill(fill)]
