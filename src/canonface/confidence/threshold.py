"""Verification thresholds, fitted on labelled pairs at a given false match rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from canonface.errors import OptionError


@dataclass(frozen=True)
class Threshold:
    """A threshold of the cosine with its rates on the pairs of the fit.

    Two photos are accepted as one person if their cosine is at least ``value``.

    Attributes:
        value: the threshold.
        wanted_false_match_rate: the requested rate.
        false_match_rate: share of the impostor pairs that are accepted; at most the requested rate.
        true_match_rate: share of the genuine pairs that are accepted.
        impostors: number of pairs of two persons.
        genuine: number of pairs of one person.
    """

    value: float
    wanted_false_match_rate: float
    false_match_rate: float
    true_match_rate: float
    impostors: int
    genuine: int

    def describe(self) -> Mapping[str, Any]:
        """Return the threshold as JSON types."""
        return asdict(self)


def fit_threshold(similarities: ArrayLike, same: ArrayLike, false_match_rate: float) -> Threshold:
    """Return the lowest threshold whose false match rate on labelled pairs is at most the requested one.

    Args:
        similarities: ``(n,)`` cosine of each pair.
        same: ``(n,)`` bool, whether the pair truly shows one person.
        false_match_rate: share of the pairs of two persons that may be accepted, above 0 and below 1.

    Returns:
        The threshold, just above the most similar rejected impostor pair.

    Raises:
        OptionError: a rate, shape or number is invalid; a kind of pair is missing; the impostor pairs are too few for
            the rate to allow one of them; or too many of them have identical features.
    """
    if not 0 < false_match_rate < 1:
        raise OptionError(f"A false match rate lies above 0 and below 1; got {false_match_rate}.")
    cosine, genuine = _pairs(similarities, same)
    impostor = np.sort(cosine[~genuine])[::-1]
    if len(impostor) == 0 or not genuine.any():
        raise OptionError(
            f"A threshold is fitted on pairs of one person and of two; got {int(genuine.sum())} and {len(impostor)}."
        )
    # 0.29 * 100 is 28.999..., meant is 29.
    allowed = math.floor(false_match_rate * len(impostor) + 1e-9)
    if allowed < 1:
        raise OptionError(
            f"A false match rate of {false_match_rate:g} can only be seen on "
            f"{math.ceil(1 / false_match_rate - 1e-9)} pairs of two persons or more; got {len(impostor)}: add pairs, "
            "or choose a higher rate."
        )
    value = float(np.nextafter(impostor[min(allowed, len(impostor) - 1)], np.inf))
    if value > 1:
        raise OptionError(
            f"Photos of two persons differ; {int((impostor >= 1).sum())} of {len(impostor)} pairs that are said to "
            "show two persons have identical features, a cosine of 1, which no threshold can tell from one person's: "
            "look for a photo that stands under two names, or a wrong label."
        )
    return Threshold(
        value=value,
        wanted_false_match_rate=float(false_match_rate),
        false_match_rate=float((impostor >= value).mean()),
        true_match_rate=float((cosine[genuine] >= value).mean()),
        impostors=len(impostor),
        genuine=int(genuine.sum()),
    )


def verification_accuracy(similarities: ArrayLike, same: ArrayLike, threshold: float | Threshold) -> float:
    """Return the share of labelled pairs that a threshold decides correctly.

    Args:
        similarities: ``(n,)`` cosine of each pair.
        same: ``(n,)`` bool, whether the pair truly shows one person.
        threshold: pairs at or above it are accepted as one person.

    Raises:
        OptionError: shapes differ, a number is not finite, or there is no pair.
    """
    cosine, genuine = _pairs(similarities, same)
    value = threshold.value if isinstance(threshold, Threshold) else threshold
    if len(cosine) == 0 or not math.isfinite(value):
        raise OptionError(f"An accuracy takes a pair and a finite threshold; got {len(cosine)} and {value}.")
    return float(((cosine >= value) == genuine).mean())


def _pairs(similarities: ArrayLike, same: ArrayLike) -> tuple[Float[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    cosine, genuine = np.asarray(similarities, dtype=np.float64), np.asarray(same)
    if cosine.ndim != 1 or genuine.shape != cosine.shape or (genuine.dtype != bool and len(genuine)):
        raise OptionError(
            f"Pairs are one similarity and one True or False each; got similarities of shape {cosine.shape} and "
            f"same of shape {genuine.shape}, {genuine.dtype}."
        )
    if not np.isfinite(cosine).all():
        raise OptionError(
            f"A similarity is a finite number; {int((~np.isfinite(cosine)).sum())} of {len(cosine)} are not."
        )
    return cosine, genuine.astype(bool)
