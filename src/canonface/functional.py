"""The method as pure functions on arrays: read it from top to bottom, test it, use it alone.

Source of every equation number: T. A. John, V. N. Balasubramanian, C. V. Jawahar, "Canonical Saliency Maps:
Decoding Deep Face Models", IEEE T-BIOM 3(4), 2021, arXiv 2105.01386.

Everywhere: pixel ``j`` has its centre at coordinate ``j``; points are ``(x, y)``, sizes ``(height, width)``;
a *drop* is positive where the model relied on what was hidden, and NaN where it was not asked.

Maps are finite everywhere: a pixel that no probe covered holds 0, and its count, returned beside, is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError

Unseen = Literal["omit", "zero"]
Tensor: TypeAlias = Any
"""A NumPy array or a torch tensor."""
PointsXY: TypeAlias = Annotated[ArrayLike, "(n, 2) x, y in pixels"]


def occlusion_boxes(centres_xy: PointsXY, patch: float, size_hw: tuple[int, int]) -> Int[np.ndarray, "n 4"]:
    r"""Pixels that a square patch centred at each point covers (eq. 2).

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
    centres = _points("centres_xy", centres_xy)
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
    """Copies of one input, each with one box hidden.

    Args:
        x: ``(c, h, w)`` NumPy array or torch tensor; it is not changed.
        boxes: ``(n, 4)`` ``x0, y0, x1, y1``, half-open, inside the input.
        fill: what is put into the boxes, in the input's own values: a number, an array that broadcasts to
            ``(c, h, w)`` and is read at the place of the box, or a list of ``n`` arrays
            ``(c, y1 - y0, x1 - x0)``, one a box.
        masks: ``n`` arrays ``(y1 - y0, x1 - x0)``: only what is True in them is hidden. None: whole boxes.

    Returns:
        ``(n, c, h, w)`` of the kind, dtype and device of ``x``; a tensor's copies carry no gradient.
    """
    boxes = np.asarray(boxes)
    if isinstance(x, np.ndarray):
        batch = np.repeat(x[None], len(boxes), axis=0)
    else:
        x = x.detach()
        batch = x[None].repeat(len(boxes), 1, 1, 1)
    one_a_box = isinstance(fill, list | tuple)
    whole = None if one_a_box else _broadcast(_like(x, fill), x)
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        content = whole[:, y0:y1, x0:x1] if whole is not None else _like(x, fill[i])  # type: ignore[index]
        if masks is None:
            batch[i, :, y0:y1, x0:x1] = content
        else:
            hidden = masks[i] if isinstance(x, np.ndarray) else x.new_tensor(masks[i]).bool()
            batch[i, :, y0:y1, x0:x1][:, hidden] = content[:, hidden]
    return batch


def _like(x: Tensor, values: Any) -> Tensor:
    """Values as an array of the kind, dtype and device of ``x``."""
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
    """Fall of a model's confidence when a patch hides each point (eq. 1): ``score(x) - score(x occluded)``.

    Args:
        score: maps ``(n, c, h, w)`` to ``(n,)`` confidences.
        x: ``(c, h, w)`` NumPy array or torch tensor.
        centres_xy: ``(N, 2)`` points in pixels of ``x``; a point that holds NaN is not asked.
        patch: side of the patch in pixels.
        fill: what hides the patch, in the values of ``x``; see `occlude`.
        batch: how many occluded copies are shown to the model at once.

    Returns:
        ``(N,)`` ``float64``; positive: the model relied on what was hidden; NaN: the point was not asked.

    Raises:
        OptionError: a shape is wrong, or ``score`` does not return one number an image.
    """
    if getattr(x, "ndim", None) != 3:
        raise OptionError(f"x is one input of shape (c, h, w); got shape {tuple(getattr(x, 'shape', ()))}.")
    if batch < 1:
        raise OptionError(f"batch is at least 1; got {batch}.")
    centres = _points("centres_xy", centres_xy)
    asked = np.flatnonzero(np.isfinite(centres).all(axis=1))
    boxes = occlusion_boxes(centres[asked], patch, (int(x.shape[1]), int(x.shape[2])))
    # A copy, as every occluded input is one: a score that works in place must not change what is measured.
    original = _numbers(score(occlude(x, np.zeros((1, 4), dtype=np.int64))), 1)[0]
    result = np.full(len(centres), np.nan)
    for start in range(0, len(asked), batch):
        chunk = boxes[start : start + batch]
        hidden = _numbers(score(occlude(x, chunk, fill)), len(chunk))
        result[asked[start : start + batch]] = original - hidden
    return result


def canonical_patch(patch: float, canonical_height: int, input_height: int) -> float:
    """Side of the canonical patch, ``patch * H_F / H_I`` (eq. 3); it may be fractional.

    Args:
        patch: side of the occluding patch in pixels of the model's input.
        canonical_height: ``H_F``, height of the canonical picture in pixels.
        input_height: ``H_I``, height of the model's input in pixels.
    """
    return patch * canonical_height / input_height


def cis(
    drops: ArrayLike,
    canonical_xy: PointsXY,
    size_hw: tuple[int, int],
    patch: float,
    normalise: bool = True,
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Canonical image saliency map: the drops of one face, spread over the canonical picture (eq. 4-5).

    Under each probe's canonical patch the drop is added to ``P`` and 1 to ``N``; the map is ``P / N``.
    Without normalisation it is ``P``, which is high wherever probes are dense (the paper's figure 4).

    Args:
        drops: ``(n,)`` one number a probe; NaN is skipped.
        canonical_xy: ``(n, 2)`` the probes' places on the canonical picture, in pixels.
        size_hw: height and width of the canonical picture.
        patch: side of the canonical patch in pixels, see `canonical_patch`.
        normalise: divide by the number of patches that cover a pixel.

    Returns:
        The map ``(h, w)``, 0 where no patch lies, and the number of patches over each pixel ``(h, w)``.
    """
    values = np.asarray(drops, dtype=np.float64)
    points = _points("canonical_xy", canonical_xy)
    if values.shape != (len(points),):
        raise OptionError(
            f"cis needs one drop a probe; got drops of shape {values.shape} for {len(points)} probes."
        )
    if np.isinf(values).any():
        raise OptionError(
            f"A drop is a number or NaN; {int(np.isinf(values).sum())} of {len(values)} are infinite."
        )
    asked = ~np.isnan(values)
    boxes = occlusion_boxes(points[asked], patch, size_hw)
    total, count = _box_sums(boxes, values[asked], size_hw)
    if normalise:
        np.divide(total, count, out=total, where=count > 0)
    return total, count


def cms(
    maps: ArrayLike | Sequence[ArrayLike],
    counts: ArrayLike | Sequence[ArrayLike] | None = None,
    unseen: Unseen = "omit",
) -> Float[np.ndarray, "h w"]:
    """Canonical model saliency map: the mean of many canonical image saliency maps (eq. 6).

    Args:
        maps: ``(n, h, w)`` one map a face, as `cis` returns them.
        counts: ``(n, h, w)`` their counts; a pixel with count 0 was hidden in that face. None: all were seen.
        unseen: ``omit`` leaves a face out of the mean at the pixels that it hides; ``zero`` counts them as 0,
            as the paper does, which pulls the map towards 0 wherever faces turn away.

    Returns:
        The map ``(h, w)``; 0 where no face showed the pixel.
    """
    if unseen not in ("omit", "zero"):
        raise OptionError(f"unseen is 'omit' or 'zero'; got {unseen!r}.")
    stack = np.asarray(maps, dtype=np.float64)
    if stack.ndim != 3 or len(stack) == 0:
        raise OptionError(f"cms needs at least one map, stacked as (n, h, w); got shape {stack.shape}.")
    seen = np.ones(stack.shape, dtype=bool) if counts is None else np.asarray(counts) > 0
    if seen.shape != stack.shape:
        raise OptionError(f"cms needs one count a pixel of each map; got {seen.shape} for {stack.shape}.")
    total = np.where(seen, stack, 0.0).sum(axis=0)
    divisor = np.full(total.shape, len(stack)) if unseen == "zero" else seen.sum(axis=0)
    mean: Float[np.ndarray, "h w"] = np.divide(total, divisor, out=np.zeros_like(total), where=divisor > 0)
    return mean


def sample(image: ArrayLike, points_xy: PointsXY) -> Float[np.ndarray, "n"]:
    """Bilinear value of an image at points in pixels; a point outside takes the nearest border value.

    NaN points give NaN.
    """
    image, points = np.asarray(image, dtype=np.float64), _points("points_xy", points_xy)
    height, width = image.shape
    finite = np.isfinite(points).all(axis=1)
    x = np.clip(points[finite, 0], 0, width - 1)
    y = np.clip(points[finite, 1], 0, height - 1)
    x0 = np.minimum(x.astype(np.int64), max(width - 2, 0))
    y0 = np.minimum(y.astype(np.int64), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    right, down = x - x0, y - y0
    top = image[y0, x0] * (1 - right) + image[y0, x1] * right
    bottom = image[y1, x0] * (1 - right) + image[y1, x1] * right
    values = np.full(len(points), np.nan)
    values[finite] = top * (1 - down) + bottom * down
    return values


def reproject(
    map: ArrayLike,
    canonical_xy: PointsXY,
    vertices_xy: PointsXY,
    size_hw: tuple[int, int],
    patch: float,
) -> Float[np.ndarray, "h w"]:
    """A canonical map drawn on a face (figure 6d): the way of `cis` in the other direction.

    Each vertex takes the map's value at its canonical place, and spreads it under a patch at its place on the
    face; where patches overlap, their mean is drawn.

    Args:
        map: ``(h, w)`` canonical map.
        canonical_xy: ``(n, 2)`` the vertices on the canonical picture, in pixels.
        vertices_xy: ``(n, 2)`` the same vertices on the face, in pixels; NaN for those that it hides.
        size_hw: height and width of the picture to draw.
        patch: side of the patch on the face, in pixels.

    Returns:
        ``(h, w)`` the map on the face, 0 where no vertex is near.
    """
    places = _points("vertices_xy", vertices_xy)
    values = sample(map, canonical_xy)
    if len(values) != len(places):
        raise OptionError(
            f"reproject needs the same vertices twice; got {len(values)} canonical, {len(places)} on faces."
        )
    shown = np.isfinite(places).all(axis=1)
    return cis(values[shown], places[shown], size_hw, patch)[0]


def unit_rows(features: ArrayLike, name: str = "features") -> Float[np.ndarray, "n d"]:
    """Feature vectors scaled to length 1, in ``float64``.

    Args:
        features: ``(n, d)`` one vector a row.
        name: what an error calls them.

    Raises:
        OptionError: the shape is wrong, or a vector holds NaN, infinity or nothing but zeros.
    """
    array = np.asarray(features.detach().cpu() if hasattr(features, "detach") else features, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise OptionError(f"{name} is an array of vectors, shape (n, d); got shape {array.shape}.")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).any(axis=1).sum())
        raise OptionError(
            f"A vector holds finite numbers; {bad} of {len(array)} in {name} hold NaN or infinity."
        )
    # Divided by the largest number first: squares of very small or large features stay within range.
    scale = np.abs(array).max(axis=1, keepdims=True)
    if (scale == 0).any():
        raise OptionError(
            f"The cosine needs a direction, which a vector of zeros does not have; {int((scale == 0).sum())} of "
            f"{len(array)} in {name} are zero."
        )
    array = array / scale
    rows: Float[np.ndarray, "n d"] = array / np.linalg.norm(array, axis=1, keepdims=True)
    return rows


def cosines(a: ArrayLike, b: ArrayLike) -> Float[np.ndarray, "_"]:
    """Cosine of the angle between two vectors, row by row, in -1..1.

    Args:
        a: ``(n, d)`` feature vectors of any length but 0.
        b: ``(n, d)`` likewise; either may be a single row beside the ``n`` of the other.

    Returns:
        ``(n,)``.

    Raises:
        OptionError: the shapes do not match, or a vector holds NaN, infinity or nothing but zeros.
    """
    first, second = unit_rows(a, "a"), unit_rows(b, "b")
    rows = {len(first), len(second)}
    if first.shape[1] != second.shape[1] or (len(rows) > 1 and 1 not in rows):
        raise OptionError(
            f"Feature vectors are compared row by row and have one length; got shapes {first.shape} and "
            f"{second.shape}: take both from the same model."
        )
    values: Float[np.ndarray, "_"] = np.clip((first * second).sum(axis=1), -1.0, 1.0)
    return values


def closest_cosines(queries: ArrayLike, gallery: ArrayLike) -> Float[np.ndarray, "n"]:
    """Cosine of each query to the closest vector of a gallery: `recognition_confidence` of many queries.

    Args:
        queries: ``(n, d)`` feature vectors of any length but 0.
        gallery: ``(k, d)`` likewise, at least one.

    Returns:
        ``(n,)`` in -1..1.

    Raises:
        OptionError: see `recognition_confidence`.
    """
    of_queries, of_gallery = unit_rows(queries, "queries"), unit_rows(gallery, "gallery")
    if of_queries.shape[1] != of_gallery.shape[1]:
        raise OptionError(
            f"Feature vectors that are compared have one length; got queries of {of_queries.shape[1]} numbers and a "
            f"gallery of {of_gallery.shape[1]}: take both from the same model."
        )
    if len(of_gallery) == 0:
        raise OptionError("A gallery holds at least one image of the true identity; got none.")
    values: Float[np.ndarray, "n"] = np.clip((of_queries @ of_gallery.T).max(axis=1), -1.0, 1.0)
    return values


def recognition_confidence(query: ArrayLike, gallery: ArrayLike) -> float:
    r"""Confidence that a face is who it is: cosine to the closest gallery image of its identity (eq. 7).

    $\max_i \cos(q, g_i)$ over the images $g_i$ of the true identity.

    >>> recognition_confidence([3.0, 4.0], [[0.0, 2.0], [1.0, 0.0]])
    0.8

    Args:
        query: ``(d,)`` feature vector of the face.
        gallery: ``(n, d)`` feature vectors of images of the true identity, without the query's own photo.

    Returns:
        In -1..1; 1 where the face equals an image of the gallery.

    Raises:
        OptionError: a shape is wrong, the gallery is empty, or a vector holds NaN, infinity or nothing but zeros.
    """
    return float(closest_cosines(_one_row(query, "query"), gallery)[0])


def verification_confidence(
    a: ArrayLike, b: ArrayLike, same: bool | np.bool_, threshold: float, paper_sign: bool = False
) -> float:
    r"""Confidence that two faces are rightly told to be one person or two (eq. 8).

    $c\,(\cos(a, b) - \tau)$ with $c = 1$ for two photos of one person and $c = -1$ for two persons. It rises
    as the two photos of one person grow alike; the paper prints $c\,(\tau - \cos(a, b))$, which falls.

    >>> round(verification_confidence([1.0, 0.0], [3.0, 4.0], same=True, threshold=0.4), 6)
    0.2

    Args:
        a: ``(d,)`` feature vector of the first face.
        b: ``(d,)`` feature vector of the second.
        same: whether the photos truly show one person.
        threshold: cosine $\tau$ from which the two are taken for one person.
        paper_sign: the letter of eq. 8.

    Returns:
        In cosine; positive where the decision at the threshold is right (negative with ``paper_sign``).

    Raises:
        OptionError: a shape is wrong, a vector holds NaN, infinity or nothing but zeros, ``same`` is not a bool, or
            the threshold is not a finite number.
    """
    first, second = _one_row(a, "a"), _one_row(b, "b")
    return float(verification_confidences(first, second, same, threshold, paper_sign)[0])


def verification_confidences(
    a: ArrayLike, b: ArrayLike, same: bool | np.bool_, threshold: float, paper_sign: bool = False
) -> Float[np.ndarray, "_"]:
    """`verification_confidence` of many answers to one pair.

    Args:
        a: ``(n, d)`` feature vectors of the first face.
        b: ``(n, d)`` feature vectors of the second; either may be a single row beside the ``n`` of the other.
        same: whether the photos truly show one person.
        threshold: cosine from which the two are taken for one person.
        paper_sign: the letter of eq. 8.

    Returns:
        ``(n,)``.

    Raises:
        OptionError: see `verification_confidence`.
    """
    if not isinstance(same, bool | np.bool_):
        raise OptionError(f"same is True or False; got {same!r}.")
    if not np.isfinite(threshold):
        raise OptionError(f"A threshold is a finite number; got {threshold}.")
    above = cosines(a, b) - threshold
    confidences: Float[np.ndarray, "_"] = above if bool(same) != paper_sign else -above
    return confidences


def _one_row(vector: ArrayLike, name: str) -> Float[np.ndarray, "1 d"]:
    row = np.asarray(vector.detach().cpu() if hasattr(vector, "detach") else vector, dtype=np.float64)
    if row.ndim != 1:
        raise OptionError(f"{name} is one feature vector, shape (d,); got shape {row.shape}.")
    return row[None]


def _points(name: str, points: ArrayLike) -> Float[np.ndarray, "n 2"]:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise OptionError(f"{name} is an array of x, y rows, shape (n, 2); got shape {array.shape}.")
    return array


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
            f"score maps (n, c, h, w) to (n,), one number an image; got {array.shape} for {expected} images."
        )
    if not np.isfinite(array).all():
        raise OptionError(
            f"score returns finite numbers, since NaN is kept for points that were not asked; "
            f"{int((~np.isfinite(array)).sum())} of {expected} are NaN or infinite."
        )
    return array


def _box_sums(
    boxes: Int[np.ndarray, "n 4"], values: Float[np.ndarray, "n"], size_hw: tuple[int, int]
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Sum of the values, and number, of the boxes over each pixel, by a summed difference image."""
    height, width = size_hw
    x0, y0, x1, y1 = boxes.T
    total = np.zeros((height + 1, width + 1))
    count = np.zeros((height + 1, width + 1), dtype=np.int64)
    for rows, columns, sign in ((y0, x0, 1), (y0, x1, -1), (y1, x0, -1), (y1, x1, 1)):
        np.add.at(total, (rows, columns), sign * values)
        np.add.at(count, (rows, columns), sign)
    count = count.cumsum(axis=0).cumsum(axis=1)[:height, :width]
    # A sum of differences leaves about 1e-16 where nothing lies.
    total = np.where(count > 0, total.cumsum(axis=0).cumsum(axis=1)[:height, :width], 0.0)
    return total, count
