"""Cosines of feature vectors, and the confidences made of them (eq. 7-8)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from canonface.errors import OptionError


def unit_rows(features: ArrayLike, name: str = "features") -> Float[np.ndarray, "n d"]:
    """Return feature vectors scaled to length 1, in ``float64``.

    Args:
        features: ``(n, d)`` one vector per row.
        name: name of the argument, for error messages.

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
    """Return the cosine of the angle between two vectors, row by row.

    Args:
        a: ``(n, d)`` feature vectors of any length but 0.
        b: ``(n, d)`` likewise; either may be a single row, compared with all ``n`` of the other.

    Returns:
        ``(n,)`` in -1..1.

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
    """Return the cosine of each query to the closest vector of a gallery: `recognition_confidence` of many queries.

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
    r"""Return the recognition confidence: cosine to the closest gallery image of the true identity (eq. 7).

    $\max_i \cos(q, g_i)$ over the images $g_i$ of the true identity.

    >>> recognition_confidence([3.0, 4.0], [[0.0, 2.0], [1.0, 0.0]])
    0.8

    Args:
        query: ``(d,)`` feature vector of the face.
        gallery: ``(n, d)`` feature vectors of images of the true identity, without the query's own photo.

    Returns:
        -1..1; 1 where the face equals an image of the gallery.

    Raises:
        OptionError: a shape is wrong, the gallery is empty, or a vector holds NaN, infinity or nothing but zeros.
    """
    return float(closest_cosines(_one_row(query, "query"), gallery)[0])


def verification_confidence(
    a: ArrayLike, b: ArrayLike, same: bool | np.bool_, threshold: float, paper_sign: bool = False
) -> float:
    r"""Return the confidence in the correct decision about two faces: one person or two (eq. 8).

    $c\,(\cos(a, b) - \tau)$ with $c = 1$ for two photos of one person and $c = -1$ for two persons. It rises
    with the cosine for two photos of one person; the paper prints $c\,(\tau - \cos(a, b))$, which falls.

    >>> round(verification_confidence([1.0, 0.0], [3.0, 4.0], same=True, threshold=0.4), 6)
    0.2

    Args:
        a: ``(d,)`` feature vector of the first face.
        b: ``(d,)`` feature vector of the second.
        same: whether the photos truly show one person.
        threshold: cosine $\tau$ at and above which the decision is one person.
        paper_sign: use the sign that eq. 8 prints.

    Returns:
        A difference of cosines; positive where the decision at the threshold is right (negative with ``paper_sign``).

    Raises:
        OptionError: a shape is wrong, a vector holds NaN, infinity or nothing but zeros, ``same`` is not a bool, or
            the threshold is not a finite number.
    """
    first, second = _one_row(a, "a"), _one_row(b, "b")
    return float(verification_confidences(first, second, same, threshold, paper_sign)[0])


def verification_confidences(
    a: ArrayLike, b: ArrayLike, same: bool | np.bool_, threshold: float, paper_sign: bool = False
) -> Float[np.ndarray, "_"]:
    """Return `verification_confidence` for many feature vectors of one pair.

    Args:
        a: ``(n, d)`` feature vectors of the first face.
        b: ``(n, d)`` feature vectors of the second; either may be a single row, compared with all ``n`` of the other.
        same: whether the photos truly show one person.
        threshold: cosine at and above which the decision is one person.
        paper_sign: use the sign that eq. 8 prints.

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
