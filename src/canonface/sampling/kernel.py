"""Kernel estimate of the mean map of many faces from a few drops of each; bandwidth by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

_REACH = 1e-6
"""Smallest kernel weight, in faces, from which a place is inferred: a neighbour within five bandwidths."""


def distances(places: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, "p p"]:
    """Return straight-line distances of probes on the canonical mesh, in the mesh's unit (centimetres)."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(places, places))


def kernel_means(
    apart: Float[np.ndarray, "p p"], counts: Float[np.ndarray, "p"], bandwidth: float
) -> Float[np.ndarray, "p p"]:
    r"""Return weights that turn the sums of drops into a kernel estimate of the mean drop at each probe.

    $\hat\mu_p = \sum_q K(p,q) T_q / \sum_q K(p,q) N_q$ with $K = \exp(-d^2 / 2h^2)$, the sum $T_q$ and the number
    $N_q$ of the drops at probe q (E. A. Nadaraya, Theory Probab. Appl. 9(1), 1964; G. S. Watson, Sankhya A 26, 1964).
    With bandwidth 0 it is the plain mean $T_p / N_p$.

    Args:
        apart: ``(P, P)`` distances.
        counts: ``(P,)`` number of drops at each probe.
        bandwidth: h, in the unit of the distances.

    Returns:
        ``(P, P)``; a row of NaN where no drop lies near enough.
    """
    kernel = np.eye(len(apart)) if bandwidth == 0 else np.exp(-0.5 * (apart / bandwidth) ** 2)
    weight = kernel @ counts
    return np.asarray(kernel / np.where(weight > _REACH, weight, np.nan)[:, None])


def twiced_means(
    apart: Float[np.ndarray, "p p"], counts: Float[np.ndarray, "p"], bandwidth: float
) -> Float[np.ndarray, "p p"]:
    r"""Return the weights of `kernel_means` with twicing: the residuals are smoothed and added back.

    If the smoother S maps the probes' means to the estimate, this is $(2S - S^2)$ (W. Stuetzle, Y. Mittal, in
    "Smoothing Techniques for Curve Estimation", 1979). Its bias is of a higher order in the bandwidth: a band around
    it, with its larger variance, covers the truth where a band around S would be off by the bias.

    Returns:
        ``(P, P)``, for the sums of drops.
    """
    once = kernel_means(apart, counts, bandwidth)
    if bandwidth == 0:
        return once
    inner = np.nan_to_num(once)
    return np.asarray(2 * once - (once * counts) @ inner)


def bandwidths(patch: float) -> tuple[float, ...]:
    """Return the candidate bandwidths for a patch with a side of this length.

    The map is itself a mean over the patch (eq. 5), so that a much narrower kernel changes little. A kernel wider
    than a third of the patch removes details of the full map that twicing does not restore (measured in
    ``benchmarks/sampling_designs.py``).
    """
    return tuple(share * patch for share in (0.0, 0.12, 0.18, 0.25, 0.35))


def choose_bandwidth(
    drops: Float[np.ndarray, "faces p"],
    clusters: Int[np.ndarray, "faces"],
    apart: Float[np.ndarray, "p p"],
    candidates: Sequence[float],
    folds: int = 5,
) -> float:
    """Return the bandwidth that minimises the left-out-face error (cross-validation).

    Whole clusters are left out together, since photos of one person predict one another. Faces of five folds are
    predicted by the plain `kernel_means` of the others; the criterion is the sum of squared errors. A bandwidth that
    leaves a drop without a prediction is excluded.

    Args:
        drops: ``(F, P)``, NaN where not probed.
        clusters: ``(F,)`` number of each face's cluster.
        apart: ``(P, P)`` distances of the probes.
        candidates: ascending; the last is returned if there is nothing to compare.
        folds: number of folds.
    """
    known = np.isfinite(drops)
    there = np.where(known, drops, 0.0)
    members, cluster = np.unique(clusters, return_inverse=True)
    if len(members) < 2:
        return candidates[-1]
    fold_of = np.random.default_rng(0).permutation(len(members)) % min(folds, len(members))
    fold = fold_of[cluster]
    errors = np.zeros(len(candidates))
    for number in np.unique(fold):
        out = fold == number
        counts, sums = known[~out].sum(axis=0).astype(float), there[~out].sum(axis=0)
        for index, bandwidth in enumerate(candidates):
            mean = kernel_means(apart, counts, bandwidth) @ sums
            errors[index] += ((there[out] - mean)[known[out]] ** 2).sum()
    if not np.isfinite(errors).any():
        return candidates[-1]
    return candidates[int(np.nanargmin(errors))]
