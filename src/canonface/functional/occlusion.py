"""Occluding patches, occluded inputs and drops (eq. 1-2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError
from canonface.functional.arrays import PointsXY, Tensor, points


def occlusion_boxes(centres_xy: PointsXY, patch: float, size_hw: tuple[int, int]) -> Int[np.ndarray, "n 4"]:
    r"""Return the pixels that a square patch centred at each point covers (eq. 2).

    $x_0 = \lfloor x - s/2 \rfloor + 1$ and $x_1 = x_0 + \mathrm{round}(s)$, rows likewise, then clipped to
    the image; a box is never shifted inwards at the border. For whole ``x`` and odd ``s`` this is the
    window $x \pm (s-1)/2$.

    Args:
        centres_xy: ``(N, 2)`` finite points in pixels; they may lie outside the image.
        patch: side of the patch in pixels; may be fractional.
        size_hw: height and width of the image.

    Returns:
        ``(N, 4)`` ``x0, y0, x1, y1``, half-open; a patch wholly outside has ``x0 == x1`` or ``y0 == y1``.

    Raises:
        OptionError: the patch is smaller than a pixel, a point is not finite, or a shape is wrong.
    """
    centres = points("centres_xy", centres_xy)
    side = _patch_side(patch)
    if not np.isfinite(centres).all():
        raise OptionError(
            f"occlusion_boxes needs finite points; {int((~np.isfinite(centres)).any(axis=1).sum())} of "
            f"{len(centres)} hold NaN or infinity: leave out the points that are not to be probed."
        )
    height, width = size_hw
    start = np.floor(centres - patch / 2) + 1
    corners = np.concatenate([start, start + side], axis=1)
    boxes: Int[np.ndarray, "n 4"] = np.clip(corners, 0, [width, height, width, height]).astype(np.int64)
    return boxes


def occlude(
    x: Tensor,
    boxes: ArrayLike,
    fill: float | Tensor | Sequence[Tensor] = 0.0,
    masks: Sequence[Bool[np.ndarray, "_ _"]] | None = None,
) -> Tensor:
    """Return copies of one input, each with one box hidden.

    Args:
        x: ``(c, h, w)`` NumPy array or torch tensor; it is not changed.
        boxes: ``(n, 4)`` ``x0, y0, x1, y1``, half-open, inside the input.
        fill: content of the boxes, in the input's own values: a number, an array that broadcasts to
            ``(c, h, w)`` and is read at the place of the box, or a list of ``n`` arrays
            ``(c, y1 - y0, x1 - x0)``, one per box.
        masks: ``n`` arrays ``(y1 - y0, x1 - x0)``: only their True pixels are hidden. None: whole boxes.

    Returns:
        ``(n, c, h, w)`` with the type, dtype and device of ``x``; a tensor's copies carry no gradient.
    """
    boxes = np.asarray(boxes)
    if isinstance(x, np.ndarray):
        batch = np.repeat(x[None], len(boxes), axis=0)
    else:
        x = x.detach()
        batch = x[None].repeat(len(boxes), 1, 1, 1)
    one_per_box = isinstance(fill, list | tuple)
    whole = None if one_per_box else _broadcast(_like(x, fill), x)
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        content = whole[:, y0:y1, x0:x1] if whole is not None else _like(x, fill[i])  # type: ignore[index]
        if masks is None:
            batch[i, :, y0:y1, x0:x1] = content
        else:
            hidden = masks[i] if isinstance(x, np.ndarray) else x.new_tensor(masks[i]).bool()
            batch[i, :, y0:y1, x0:x1][:, hidden] = content[:, hidden]
    return batch


def _like(x: Tensor, values: Any) -> Tensor:
    """Return values as an array with the type, dtype and device of ``x``."""
    if isinstance(x, np.ndarray):
        return np.asarray(values, dtype=x.dtype)
    return values.detach().to(x) if hasattr(values, "detach") else x.new_tensor(values)


def _broadcast(values: Tensor, x: Tensor) -> Tensor:
    return np.broadcast_to(values, x.shape) if isinstance(x, np.ndarray) else values.expand(x.shape)


def drops(
    score: Callable[[Tensor], Tensor],
    x: Tensor,
    centres_xy: PointsXY,
    patch: float,
    fill: float | Tensor = 0.0,
    batch: int = 64,
) -> Float[np.ndarray, "n"]:
    """Return the drop in confidence when a patch hides each point (eq. 1): ``score(x) - score(x occluded)``.

    Args:
        score: maps ``(n, c, h, w)`` to ``(n,)`` confidences.
        x: ``(c, h, w)`` NumPy array or torch tensor.
        centres_xy: ``(N, 2)`` points in pixels of ``x``; a point that holds NaN is not probed.
        patch: side of the patch in pixels.
        fill: content of the patch, in the values of ``x``; see `occlude`.
        batch: occluded copies per forward pass.

    Returns:
        ``(N,)`` ``float64``; positive where the model relied on hidden pixels; NaN where a point was not probed.

    Raises:
        OptionError: a shape is wrong, or ``score`` does not return one number per image.
    """
    if getattr(x, "ndim", None) != 3:
        raise OptionError(f"x is one input of shape (c, h, w); got shape {tuple(getattr(x, 'shape', ()))}.")
    if batch < 1:
        raise OptionError(f"batch is at least 1; got {batch}.")
    centres = points("centres_xy", centres_xy)
    probed = np.flatnonzero(np.isfinite(centres).all(axis=1))
    boxes = occlusion_boxes(centres[probed], patch, (int(x.shape[1]), int(x.shape[2])))
    # The score of a copy, like every occluded input: a score that works in place must not change x.
    original = _numbers(score(occlude(x, np.zeros((1, 4), dtype=np.int64))), 1)[0]
    result = np.full(len(centres), np.nan)
    for start in range(0, len(probed), batch):
        chunk = boxes[start : start + batch]
        hidden = _numbers(score(occlude(x, chunk, fill)), len(chunk))
        result[probed[start : start + batch]] = original - hidden
    return result


def _patch_side(patch: float) -> int:
    side = round(float(patch)) if np.isfinite(patch) else 0
    if side < 1:
        raise OptionError(f"A patch covers at least one pixel; got a side of {patch}.")
    return side


def _numbers(scores: Tensor, expected: int) -> Float[np.ndarray, "n"]:
    if hasattr(scores, "detach"):
        scores = scores.detach().cpu().numpy()
    array = np.asarray(scores, dtype=np.float64)
    if array.shape != (expected,):
        raise OptionError(
            f"score maps (n, c, h, w) to (n,), one number per image; got {array.shape} for {expected} images."
        )
    if not np.isfinite(array).all():
        raise OptionError(
            f"score returns finite numbers, since NaN is kept for points that were not probed; "
            f"{int((~np.isfinite(array)).sum())} of {expected} are NaN or infinite."
        )
    return array
