"""One face, coarse to fine: ask a few probes everywhere, then more where the map is steep or unsure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.sampling.smoothing import distances

_ROUNDS = 16
"""A round asks about one sixteenth of the probes."""
_LEAST_ROUND = 8
_CHECKS = 0.05
"""Share of the probes that is asked, by chance, to measure the error; at least ten."""


@dataclass(frozen=True, eq=False)
class Adaptive:
    """What coarse-to-fine asking found.

    Attributes:
        drops: ``(P,)`` measured where asked, interpolated elsewhere; NaN where the face hides the probe.
        asked: ``(P,)`` which were measured.
        error: root mean square error of the interpolated drops, measured on probes drawn by chance from those that
            were left; NaN if none was left.
        checks: on how many probes it was measured.
    """

    drops: Float[np.ndarray, "p"] = field(repr=False)
    asked: Bool[np.ndarray, "p"] = field(repr=False)
    error: float
    checks: int


def ask_adaptively(
    ask: Callable[[Int[np.ndarray, "n"]], Float[np.ndarray, "n"]],
    places: Float[np.ndarray, "p 3"],
    visible: Bool[np.ndarray, "p"],
    patch: float,
    share: float,
    precision: float | None = None,
    seed: int = 0,
) -> Adaptive:
    """Ask about a part of a face's probes, chosen by the answers, and interpolate the others.

    1. The probes are ordered by farthest-point sampling (T. F. Gonzalez, Theor. Comput. Sci. 38, 1985): every
       beginning of the order is spread evenly, and the levels, each four times as dense, are nested.
    2. The coarsest level is asked. Kriging (a Gaussian process with a Matern kernel; C. E. Rasmussen, C. K. I.
       Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5.4.2) interpolates; its length and
       noise are those that foretell best each answer from the others.
    3. The probes of the next level with the largest score are asked: the standard deviation of the kriging, times
       how much the answers differ around the place. This is repeated, and levels are opened, until the share is spent
       or, with a precision, until the answers of a round come as foretold within it.
    4. Of what is left, some probes are drawn by chance and asked: the error at those is that of the map.

    Args:
        ask: indices of probes -> their drops.
        places: ``(P, 3)`` of the probes on the canonical mesh.
        visible: ``(P,)`` which can be asked.
        patch: side of the patch, in the unit of the places.
        share: of the visible probes, at most (but eighteen at least); those that measure the error are among them.
        precision: root mean square error, in the unit of the drop, at which to stop earlier.
        seed: of the draw of those that measure the error.

    Raises:
        OptionError: the share or the precision cannot be used.
    """
    check_limits(share, precision)
    candidates = np.flatnonzero(visible)
    order = candidates[farthest_first(places[candidates])]
    apart = distances(places)
    checks = min(max(10, round(_CHECKS * len(order))), len(order))
    budget = max(round(share * len(order)) - checks, min(_LEAST_ROUND, len(order)))
    size = max(_LEAST_ROUND, len(order) // _ROUNDS)
    drops = np.full(len(places), np.nan)
    level = min(size, budget)
    drops[order[:level]] = ask(order[:level])
    while (room := budget - int(np.isfinite(drops).sum())) > 0:
        level = min(4 * level, len(order)) if np.isfinite(drops[order[:level]]).mean() > 0.5 else level
        free = order[:level][np.isnan(drops[order[:level]])]
        if not len(free):
            break
        foretold, unsure = krige(drops, apart, patch)
        score = unsure * _steepness(drops, apart, patch)
        chosen = free[np.argsort(-score[free], kind="stable")[: min(size, room)]]
        drops[chosen] = ask(chosen)
        if precision is not None and np.sqrt(np.mean((drops - foretold)[chosen] ** 2)) <= precision:
            break
    left = order[np.isnan(drops[order])]
    drawn = np.sort(np.random.default_rng(seed).choice(left, min(checks, len(left)), replace=False))
    error = float("nan")
    if len(drawn):
        foretold, _ = krige(drops, apart, patch)
        drops[drawn] = ask(drawn)
        error = float(np.sqrt(np.mean((drops - foretold)[drawn] ** 2)))
    asked = np.isfinite(drops)
    if not asked[order].all():
        foretold, _ = krige(drops, apart, patch)
        drops = np.where(asked, drops, np.where(visible, foretold, np.nan))
    return Adaptive(drops, asked, error, len(drawn))


def check_limits(share: float, precision: float | None) -> None:
    """Refuse a share or a precision that nothing can be asked with.

    Raises:
        OptionError: it cannot be used.
    """
    if not 0 < share <= 1:
        raise OptionError(
            f"A share of probes is a number above 0 and at most 1; got {share!r}: 0.4 asks four of ten."
        )
    if precision is not None and not 0 < precision < float("inf"):
        raise OptionError(
            f"A precision is a drop above 0, in the unit of the map; got {precision!r}: 0.05 are five points of a "
            "hundred of a probability."
        )


def farthest_first(places: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
    """An order in which each point is the one farthest from all before it; the first is nearest to the middle."""
    away = np.linalg.norm(places - places.mean(axis=0), axis=1)
    order = [int(away.argmin())]
    nearest = np.linalg.norm(places - places[order[0]], axis=1)
    while len(order) < len(places):
        nearest[order[-1]] = -1.0
        order.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[order[-1]], axis=1))
    return np.array(order, dtype=np.int64)


def krige(
    drops: Float[np.ndarray, "p"], apart: Float[np.ndarray, "p p"], patch: float
) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"]]:
    """Drops foretold at every place from those known, and the standard deviation in units of their spread.

    The kernel is ``(1 + r) exp(-r)`` with ``r = sqrt(3) d / length``; of a few lengths and noises, those are taken
    whose leave-one-out errors ``[K^-1 y]_i / [K^-1]_ii`` (Rasmussen and Williams, eq. 5.12) are smallest.
    """
    known = np.flatnonzero(np.isfinite(drops))
    values = drops[known]
    middle = values.mean()
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for length in (0.5 * patch, patch, 2 * patch):
        kernel = _matern(apart[:, known], length)
        for noise in (1e-3, 0.1):
            inverse = np.linalg.inv(kernel[known] + noise * np.eye(len(known)))
            pulled = inverse @ (values - middle)
            errors = float(((pulled / np.diag(inverse)) ** 2).sum())
            if best is None or errors < best[0]:
                variance = 1 - ((kernel @ inverse) * kernel).sum(axis=1)
                best = (errors, middle + kernel @ pulled, np.sqrt(np.maximum(variance, 0.0)))
    assert best is not None
    return best[1], best[2]


def _matern(apart: np.ndarray, length: float) -> np.ndarray:
    scaled = np.sqrt(3) * apart / length
    return np.asarray((1 + scaled) * np.exp(-scaled))


def _steepness(drops: np.ndarray, apart: np.ndarray, patch: float) -> Float[np.ndarray, "p"]:
    """Spread of the known drops around each place, and a fifth of the overall spread, lest a calm place is left."""
    known = np.isfinite(drops)
    away = (apart[:, known] / patch) ** 2
    # From the nearest on, lest all weights of a place far from everything known round to 0.
    weights = np.exp(-0.5 * (away - away.min(axis=1, keepdims=True)))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ drops[known]
    local = np.sqrt(np.maximum(weights @ drops[known] ** 2 - mean**2, 0.0))
    return np.asarray(local + 0.2 * drops[known].std() + 1e-12)
