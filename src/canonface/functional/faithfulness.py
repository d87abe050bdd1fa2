"""Faithfulness of a map: the confidence in an image from which the map's attribution was removed (eq. 9-13)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError

_ROUNDING = 1e-6
"""Tolerance beyond [0, 1], for images that were computed in float32."""


@renamed_parameters(heat="attribution")
def normalised_attribution(attribution: ArrayLike) -> Float[np.ndarray, "h w"]:
    r"""Scale a map from its minimum to its maximum into 0..1 (eq. 9): $(H - \min H) / (\max H - \min H)$.

    Negative values are part of the range: the minimum of a signed map becomes 0, and its zero lies in between. NaN
    (unknown) becomes 0. A map that prefers no pixel, constant or NaN everywhere, becomes 0 everywhere.

    Args:
        attribution: ``(h, w)`` larger where the model relied more.

    Raises:
        OptionError: the shape is wrong, or the map holds infinity.
    """
    values = np.asarray(attribution, dtype=np.float64)
    if values.ndim != 2:
        raise OptionError(f"attribution is one number per pixel, shape (h, w); got shape {values.shape}.")
    if np.isinf(values).any():
        raise OptionError(
            f"attribution holds numbers, or NaN where unknown; {int(np.isinf(values).sum())} of {values.size} are "
            "infinite."
        )
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape)
    # Divided by the largest number first: the range of very large values stays finite, of very small ones above 0.
    values = values / (np.abs(values[known]).max() or 1.0)
    least, greatest = values[known].min(), values[known].max()
    if greatest == least:
        return np.zeros(values.shape)
    normalised: Float[np.ndarray, "h w"] = np.where(known, (values - least) / (greatest - least), 0.0)
    return normalised


@renamed_parameters(heat="attribution")
def negative_explanation(
    image: ArrayLike, attribution: ArrayLike, total: float | None = None
) -> Float[np.ndarray, "h w 3"]:
    r"""Remove a map's attribution from an image (eq. 9-10): $I (1 - \hat H)$, black at the map's maximum.

    $\hat H$ is `normalised_attribution`, times ``total`` over its own sum, so that every method removes the same
    amount from the same image. Where it exceeds 1 after scaling, the pixel is black and loses no more than all: a
    total above a map's own sum may remove less than requested; the smallest sum among the methods never does.

    The authors' released code clips negative values before eq. 9, takes the reprojected model map's sum for the
    total, lets pixels below 0 wrap around to bright ones, and scores the image after a JPEG file. Here negative
    values are part of the range, pixels are clipped to [0, 1], and no file is written.

    >>> negative_explanation(np.ones((1, 2, 3)), [[0.0, 4.0]])[0, :, 0].tolist()
    [1.0, 0.0]

    Args:
        image: ``(h, w, 3)`` floats in [0, 1]; not changed.
        attribution: ``(h, w)``; larger where the model relied more; may be signed; NaN where unknown: not hidden.
        total: sum to which the normalised map is scaled, in pixels; None: its own. A map that prefers no pixel
            removes nothing whatever the total.

    Returns:
        ``(h, w, 3)`` in [0, 1], ``float64``.

    Raises:
        OptionError: a shape is wrong, the image is not made of floats in [0, 1], the attribution holds infinity, or
            the total is negative or not finite.
    """
    picture = np.asarray(image)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise OptionError(f"image is a picture of three colours, shape (h, w, 3); got shape {picture.shape}.")
    if picture.dtype.kind != "f" or not ((picture >= -_ROUNDING) & (picture <= 1 + _ROUNDING)).all():
        raise OptionError(
            f"image holds floats in [0, 1]; got {picture.dtype} from {picture.min()} to {picture.max()}: divide "
            "pixels of 0..255 by 255."
        )
    share = normalised_attribution(attribution)
    if share.shape != picture.shape[:2]:
        raise OptionError(
            f"attribution has one number for each of the image's pixels; got {share.shape} for {picture.shape[:2]}."
        )
    if total is not None:
        if not (np.isfinite(total) and total >= 0):
            raise OptionError(f"total is a sum of attribution, finite and not negative; got {total}.")
        share = share * (total / (share.sum() or 1.0))
    result: Float[np.ndarray, "h w 3"] = np.clip(
        picture.astype(np.float64) * (1 - share[..., None]), 0.0, 1.0
    )
    return result


def relative_drops(original: ArrayLike, hidden: ArrayLike) -> Float[np.ndarray, "n"]:
    r"""Return the share of each image's confidence that is lost (inside eq. 11): $\max(0, o - h) / o$.

    An image with confidence 0 has none to lose: 0. A negative confidence has no share to lose and is refused.

    Args:
        original: ``(n,)`` confidence in each original image; 0 or more.
        hidden: ``(n,)`` confidence in the same class in its negative explanation image; may be negative.

    Raises:
        OptionError: the shapes differ, a number is NaN or infinite, or a confidence in an original is negative.
    """
    before, after = _both(original, hidden)
    if (before < 0).any():
        raise OptionError(
            f"Eq. 11 divides by the confidence in an image, which is 0 or more; {int((before < 0).sum())} of "
            f"{len(before)} are negative: use a probability, or leave these images out and report how many."
        )
    return np.asarray(
        np.divide(np.maximum(0.0, before - after), before, out=np.zeros_like(before), where=before > 0)
    )


def average_drop(original: ArrayLike, hidden: ArrayLike) -> float:
    r"""Return the Average Drop % (eq. 11): the mean of $\max(0, o_i - h_i) / o_i$ over the images, times 100.

    Higher is better: the removed pixels are those that the map marks. An image with confidence 0 counts as 0. The
    result exceeds 100 only where confidences fall below 0.

    >>> average_drop([0.5, 1.0], [0.25, 1.0])
    25.0

    Args:
        original: ``(n,)`` confidence in each original image; 0 or more.
        hidden: ``(n,)`` confidence in its negative explanation image, in the same class.

    Returns:
        Percent; 0 or more.

    Raises:
        OptionError: the shapes differ or hold no image, a number is NaN or infinite, or an original is negative.
    """
    return float(100 * relative_drops(original, hidden).mean())


def increase_in_confidence(original: ArrayLike, hidden: ArrayLike) -> float:
    r"""Return the % Increase in confidence (eq. 12): percent of the images with $h_i > o_i$.

    Lower is better. Equal confidences are no increase.

    >>> increase_in_confidence([0.5, 1.0], [0.75, 1.0])
    50.0

    Args:
        original: ``(n,)`` confidence in each original image.
        hidden: ``(n,)`` confidence in its negative explanation image, in the same class.

    Returns:
        Percent, 0 to 100.

    Raises:
        OptionError: the shapes differ or hold no image, or a number is NaN or infinite.
    """
    before, after = _both(original, hidden)
    return float(100 * (after > before).mean())


def wins(hidden: ArrayLike, tolerance: float = 0.0) -> Float[np.ndarray, "n m"]:
    """Return each method's share of the win in each image (inside eq. 13): the lowest confidence wins, ties share.

    All methods start from the same image, so the lowest confidence is the largest drop.

    Args:
        hidden: ``(n, m)`` confidence in the negative explanation image of each of ``m`` methods.
        tolerance: a confidence within this distance of the lowest ties with it.

    Returns:
        ``(n, m)`` rows that sum to 1.

    Raises:
        OptionError: the shape is wrong or holds nothing, or a number is NaN or infinite.
    """
    left = _finite("hidden", hidden)
    if left.ndim != 2 or 0 in left.shape:
        raise OptionError(
            f"A win needs at least one image and one method, shape (n, m); got shape {left.shape}."
        )
    best = left <= left.min(axis=1, keepdims=True) + tolerance
    return np.asarray(best / best.sum(axis=1, keepdims=True))


def win_rate(hidden: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Return the Win % (eq. 13): percent of the images in which a method lowers the confidence most.

    Higher is better. Tied methods share the image equally, so that the rates sum to 100; the released code gives all
    of it to the first.

    >>> win_rate({"a": [0.1, 0.5], "b": [0.9, 0.5]})
    {'a': 75.0, 'b': 25.0}

    Args:
        hidden: method -> ``(n,)`` confidence in its negative explanation image of each of the same images.

    Raises:
        OptionError: there is no method or no image, the methods have different numbers of images, or a number is NaN
            or infinite.
    """
    columns = {name: _finite(name, values) for name, values in hidden.items()}
    shapes = {values.shape for values in columns.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise OptionError(
            "Methods are compared on the same images, each with (n,) confidences; got "
            f"{', '.join(f'{name} {values.shape}' for name, values in columns.items()) or 'no method'}."
        )
    shares = 100 * wins(np.column_stack(list(columns.values()))).mean(axis=0)
    return dict(zip(columns, shares.tolist(), strict=True))


def _both(original: ArrayLike, hidden: ArrayLike) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    before, after = _finite("original", original), _finite("hidden", hidden)
    if before.ndim != 1 or before.shape != after.shape or not len(before):
        raise OptionError(
            "Confidences before and after are two numbers per image, each of shape (n,) with at least one image; got "
            f"{before.shape} and {after.shape}."
        )
    return before, after


def _finite(name: str, values: ArrayLike) -> Float[np.ndarray, "..."]:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise OptionError(
            f"A confidence is a finite number; {int((~np.isfinite(array)).sum())} of {array.size} in {name!r} are "
            "NaN or infinite: leave these images out of all methods, and report how many."
        )
    return array
