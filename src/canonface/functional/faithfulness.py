"""Is a map right? Hide what it names and ask again (eq. 9-13)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from canonface.errors import OptionError

_ROUNDING = 1e-6  # beyond [0, 1] that is a matter of float32


def normalised_attribution(attribution: ArrayLike) -> Float[np.ndarray, "h w"]:
    r"""A map between 0, the least of its values, and 1, the greatest (eq. 9): $(H - \min H) / (\max H - \min H)$.

    Negative values are part of the range: the least of a signed map becomes 0, and its zero lies in between. NaN says
    nothing of a pixel and becomes 0. A map that prefers no pixel, constant or NaN everywhere, becomes 0 everywhere.

    Args:
        attribution: ``(h, w)`` larger where more was relied on.

    Raises:
        OptionError: the shape is wrong, or the map holds infinity.
    """
    values = np.asarray(attribution, dtype=np.float64)
    if values.ndim != 2:
        raise OptionError(f"heat is one number a pixel, shape (h, w); got shape {values.shape}.")
    if np.isinf(values).any():
        raise OptionError(
            f"heat holds numbers, or NaN where nothing is known; {int(np.isinf(values).sum())} of {values.size} are "
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


def negative_explanation(
    image: ArrayLike, attribution: ArrayLike, total: float | None = None
) -> Float[np.ndarray, "h w 3"]:
    r"""The image with the heat taken out of it (eq. 9-10): $I (1 - \hat H)$, black where a map is hottest.

    $\hat H$ is the `normalised_heat`, times ``total`` over its own sum, so that every method takes the same heat out
    of the same image. Where it exceeds 1 after that, the pixel is black and takes no more than all: a total above a
    map's own sum may hide less than it says; the smallest sum among the methods never does.

    The authors' released code clips negative heat before eq. 9, takes the reprojected model map's sum for the total,
    lets pixels below 0 wrap around to bright ones, and scores the image after a JPEG file. Here negative heat is part
    of the range, pixels are clipped to [0, 1], and no file lies between.

    >>> negative_explanation(np.ones((1, 2, 3)), [[0.0, 4.0]])[0, :, 0].tolist()
    [1.0, 0.0]

    Args:
        image: ``(h, w, 3)`` floats in [0, 1]; not changed.
        attribution: ``(h, w)``; larger where the model relied more; may be signed; NaN where unknown: not hidden.
        total: sum that the normalised heat is brought to, in pixels; None: its own. A map that prefers no pixel has
            no heat to scale, and hides nothing whatever the total.

    Returns:
        ``(h, w, 3)`` in [0, 1], ``float64``.

    Raises:
        OptionError: a shape is wrong, the image is not made of floats in [0, 1], the heat holds infinity, or the
            total is negative or not finite.
    """
    picture = np.asarray(image)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise OptionError(f"image is a picture of three colours, shape (h, w, 3); got shape {picture.shape}.")
    if picture.dtype.kind != "f" or not ((picture >= -_ROUNDING) & (picture <= 1 + _ROUNDING)).all():
        raise OptionError(
            f"image holds floats in [0, 1]; got {picture.dtype} from {picture.min()} to {picture.max()}: divide "
            "pixels of 0..255 by 255."
        )
    hot = normalised_attribution(attribution)
    if hot.shape != picture.shape[:2]:
        raise OptionError(
            f"heat has one number for each of the image's pixels; got {hot.shape} for {picture.shape[:2]}."
        )
    if total is not None:
        if not (np.isfinite(total) and total >= 0):
            raise OptionError(f"total is a sum of heat, finite and not negative; got {total}.")
        hot = hot * (total / (hot.sum() or 1.0))
    taken: Float[np.ndarray, "h w 3"] = np.clip(picture.astype(np.float64) * (1 - hot[..., None]), 0.0, 1.0)
    return taken


def relative_drops(original: ArrayLike, hidden: ArrayLike) -> Float[np.ndarray, "n"]:
    r"""Share of each image's confidence that hiding took (inside eq. 11): $\max(0, o - h) / o$, in 0..1.

    An image without confidence has none to lose: 0. A negative confidence is no whole that a share could be taken of.

    Args:
        original: ``(n,)`` confidence in each image as it is; 0 or more.
        hidden: ``(n,)`` confidence in the same thing with the heat taken out; may be negative.

    Raises:
        OptionError: the shapes differ, a number is NaN or infinite, or a confidence in an original is negative.
    """
    before, after = _both(original, hidden)
    if (before < 0).any():
        raise OptionError(
            f"Eq. 11 divides by the confidence in an image, which is 0 or more; {int((before < 0).sum())} of "
            f"{len(before)} are negative: ask for a probability, or leave these images out and say how many."
        )
    return np.asarray(
        np.divide(np.maximum(0.0, before - after), before, out=np.zeros_like(before), where=before > 0)
    )


def average_drop(original: ArrayLike, hidden: ArrayLike) -> float:
    r"""Average Drop % (eq. 11): the mean of $\max(0, o_i - h_i) / o_i$ over the images, times 100.

    Higher is better, since what is hidden is what the map names. An image with confidence 0 has none to lose and
    counts as 0. A share does not exceed 100 where confidences do not fall below 0.

    >>> average_drop([0.5, 1.0], [0.25, 1.0])
    25.0

    Args:
        original: ``(n,)`` confidence in each image as it is; 0 or more.
        hidden: ``(n,)`` confidence in its negative explanation image, in the same class.

    Returns:
        Percent; 0 or more.

    Raises:
        OptionError: the shapes differ or hold no image, a number is NaN or infinite, or an original is negative.
    """
    return float(100 * relative_drops(original, hidden).mean())


def increase_in_confidence(original: ArrayLike, hidden: ArrayLike) -> float:
    r"""% Increase in confidence (eq. 12): how many images the model grew surer of, $h_i > o_i$, in percent.

    Lower is better. Equal confidences are no increase.

    >>> increase_in_confidence([0.5, 1.0], [0.75, 1.0])
    50.0

    Args:
        original: ``(n,)`` confidence in each image as it is.
        hidden: ``(n,)`` confidence in its negative explanation image, in the same class.

    Returns:
        Percent, 0 to 100.

    Raises:
        OptionError: the shapes differ or hold no image, or a number is NaN or infinite.
    """
    before, after = _both(original, hidden)
    return float(100 * (after > before).mean())


def wins(hidden: ArrayLike, tolerance: float = 0.0) -> Float[np.ndarray, "n m"]:
    """What each method gets of each image (inside eq. 13): the win goes to the lowest confidence left, ties share it.

    All methods start from the same image, so that the lowest confidence is the largest drop.

    Args:
        hidden: ``(n, m)`` confidence in the negative explanation image of each of ``m`` methods.
        tolerance: how far above the lowest is still level with it.

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
    """Win % (eq. 13): in how many images a method's negative explanation lowers the confidence most, in percent.

    Higher is better. Methods that are level win an equal part of the image, so that the rates sum to 100; the
    released code gives all of it to the one named first.

    >>> win_rate({"a": [0.1, 0.5], "b": [0.9, 0.5]})
    {'a': 75.0, 'b': 25.0}

    Args:
        hidden: method -> ``(n,)`` confidence in its negative explanation image of each of the same images.

    Raises:
        OptionError: there is no method or no image, the methods were not asked about the same images, or a number is
            NaN or infinite.
    """
    columns = {name: _finite(name, values) for name, values in hidden.items()}
    shapes = {values.shape for values in columns.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise OptionError(
            "Methods win against one another on the same images, each with (n,) confidences; got "
            f"{', '.join(f'{name} {values.shape}' for name, values in columns.items()) or 'no method'}."
        )
    shares = 100 * wins(np.column_stack(list(columns.values()))).mean(axis=0)
    return dict(zip(columns, shares.tolist(), strict=True))


def _both(original: ArrayLike, hidden: ArrayLike) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    before, after = _finite("original", original), _finite("hidden", hidden)
    if before.ndim != 1 or before.shape != after.shape or not len(before):
        raise OptionError(
            "Confidences before and after are two numbers an image, each of shape (n,) with at least one image; got "
            f"{before.shape} and {after.shape}."
        )
    return before, after


def _finite(name: str, values: ArrayLike) -> Float[np.ndarray, "..."]:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise OptionError(
            f"A confidence is a finite number; {int((~np.isfinite(array)).sum())} of {array.size} in {name!r} are "
            "NaN or infinite: leave these images out of all methods, and say how many."
        )
    return array
