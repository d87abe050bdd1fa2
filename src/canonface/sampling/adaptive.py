"""Adaptive sampling of one face, coarse to fine: more probes where the map is steep or uncertain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.errors import OptionError
from canonface.sampling.kernel import distances

_ROUNDS = 16
"""Rounds of a full run: each evaluates one sixteenth of the probes."""
_LEAST_ROUND = 8
_CHECKS = 0.05
"""Share of the probes that is drawn at random to measure the error; at least ten."""


@renamed_parameters(asked="probed")
@dataclass(frozen=True, eq=False)
class AdaptiveSample:
    """Drops of one face from adaptive sampling.

    Attributes:
        drops: ``(P,)`` measured where probed, interpolated elsewhere; NaN where the face hides the probe.
        probed: ``(P,)`` True where the drop was measured.
        error: root mean square error of the interpolated drops, measured on probes drawn at random from the remaining
            ones; NaN if none remained.
        checks: number of probes behind the error.
    """

    drops: Float[np.ndarray, "p"] = field(repr=False)
    probed: Bool[np.ndarray, "p"] = field(repr=False)
    error: float
    checks: int

    asked = deprecated_attribute("probed")


@renamed_parameters(ask="measure")
def probe_adaptively(
    measure: Callable[[Int[np.ndarray, "n"]], Float[np.ndarray, "n"]],
    places: Float[np.ndarray, "p 3"],
    visible: Bool[np.ndarray, "p"],
    patch: float,
    share: float,
    precision: float | None = None,
    seed: int = 0,
) -> AdaptiveSample:
    """Measure a part of a face's probes, chosen by the drops so far, and interpolate the others.

    1. The probes are ordered by farthest-point sampling (T. F. Gonzalez, Theor. Comput. Sci. 38, 1985): every prefix
       of the order is spread evenly. Prefixes, each four times as long as the one before, form nested grids.
    2. The coarsest grid is measured. Kriging (a Gaussian process with a Matern kernel; C. E. Rasmussen, C. K. I.
       Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5.4.2) interpolates; its length and
       noise minimise the leave-one-out error.
    3. The probes of the next grid with the largest score are measured. The score is the standard deviation of the
       kriging times the spread of the drops around the place. This is repeated, with finer grids, until the share is
       used up. With a precision it ends earlier, if the error of the predictions for a round is at most that.
    4. Some of the remaining probes are drawn at random and measured: their error is the error of the map.

    Args:
        measure: indices of probes -> their drops.
        places: ``(P, 3)`` of the probes on the canonical mesh.
        visible: ``(P,)`` True where a probe can be measured.
        patch: side of the patch, in the unit of the places.
        share: largest share of the visible probes (but eighteen at least); includes those that measure the error.
        precision: root mean square error, in the unit of the drop, at which to stop earlier.
        seed: seed of the draw of the probes that measure the error.

    Raises:
        OptionError: the share or the precision is invalid.
    """
    check_limits(share, precision)
    candidates = np.flatnonzero(visible)
    order = candidates[farthest_first(places[candidates])]
    apart = distances(places)
    checks = min(max(10, round(_CHECKS * len(order))), len(order))
    budget = max(round(share * len(order)) - checks, min(_LEAST_ROUND, len(order)))
    size = max(_LEAST_ROUND, len(order) // _ROUNDS)
    drops = np.full(len(places), np.nan)
    prefix = min(size, budget)
    drops[order[:prefix]] = measure(order[:prefix])
    while (room := budget - int(np.isfinite(drops).sum())) > 0:
        prefix = min(4 * prefix, len(order)) if np.isfinite(drops[order[:prefix]]).mean() > 0.5 else prefix
        free = order[:prefix][np.isnan(drops[order[:prefix]])]
        if not len(free):
            break
        predicted, unsure = krige(drops, apart, patch)
        score = unsure * _steepness(drops, apart, patch)
        chosen = free[np.argsort(-score[free], kind="stable")[: min(size, room)]]
        drops[chosen] = measure(chosen)
        if precision is not None and np.sqrt(np.mean((drops - predicted)[chosen] ** 2)) <= precision:
            break
    left = order[np.isnan(drops[order])]
    drawn = np.sort(np.random.default_rng(seed).choice(left, min(checks, len(left)), replace=False))
    error = float("nan")
    if len(drawn):
        predicted, _ = krige(drops, apart, patch)
        drops[drawn] = measure(drawn)
        error = float(np.sqrt(np.mean((drops - predicted)[drawn] ** 2)))
    probed = np.isfinite(drops)
    if not probed[order].all():
        predicted, _ = krige(drops, apart, patch)
        drops = np.where(probed, drops, np.where(visible, predicted, np.nan))
    return AdaptiveSample(drops, probed, error, len(drawn))


def check_limits(share: float, precision: float | None) -> None:
    """Raise OptionError if a share or a precision is invalid."""
    if not 0 < share <= 1:
        raise OptionError(
            f"A share of probes is a number above 0 and at most 1; got {share!r}: 0.4 takes four of ten."
        )
    if precision is not None and not 0 < precision < float("inf"):
        raise OptionError(
            f"A precision is a drop above 0, in the unit of the map; got {precision!r}: 0.05 of a probability is "
            "five percentage points."
        )


def farthest_first(places: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
    """Return an order in which each point is farthest from all before it; the first is nearest to the centre."""
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
    """Predict the drop at every place from the known ones, with its standard deviation in units of their spread.

    The kernel is ``(1 + r) exp(-r)`` with ``r = sqrt(3) d / length``. Among a few lengths and noises, those are
    chosen whose leave-one-out errors ``[K^-1 y]_i / [K^-1]_ii`` (Rasmussen and Williams, eq. 5.12) are smallest.
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
    """Return the spread of the known drops around each place, plus a fifth of the overall spread for calm places."""
    known = np.isfinite(drops)
    away = (apart[:, known] / patch) ** 2
    # Relative to the nearest known place, so that the weights of a distant place do not all round to 0.
    weights = np.exp(-0.5 * (away - away.min(axis=1, keepdims=True)))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ drops[known]
    local = np.sqrt(np.maximum(weights @ drops[known] ** 2 - mean**2, 0.0))
    return np.asarray(local + 0.2 * drops[known].std() + 1e-12)
