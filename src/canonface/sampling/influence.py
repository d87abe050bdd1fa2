"""Influence of each face or person on an estimate: the source of its standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def cluster_numbers(names: Sequence[str]) -> Int[np.ndarray, "faces"]:
    """Return a number for each name, by order of first appearance; an empty name is a cluster of its own."""
    seen: dict[tuple[str, int], int] = {}
    keys = [(name, 0) if name else ("", position) for position, name in enumerate(names)]
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def influences(
    residuals: Float[np.ndarray, "faces p"],
    weights: Float[np.ndarray, "g p"],
    clusters: Int[np.ndarray, "faces"],
) -> Float[np.ndarray, "clusters g"]:
    r"""Return the influence of each cluster on each estimated number.

    For an estimate $\hat\theta = W T$, linear in the sums T of the drops, the influence of face i is
    $\psi_i = W (A_i \circ (D_i - \hat\mu))$, where $A_i$ is 1 for probed drops. The influence of a cluster is
    the sum over its faces, times $\sqrt{C / (C - 1)}$ for C clusters, and $\sum_c \psi_c \psi_c^\top$ is the
    cluster-robust covariance (K.-Y. Liang, S. L. Zeger, Biometrika 73(1), 1986).

    Args:
        residuals: ``(F, P)`` drops less the estimated mean; 0 where not probed.
        weights: ``(G, P)`` W.
        clusters: ``(F,)`` from `cluster_numbers`.
    """
    count = int(clusters.max(initial=-1)) + 1
    sums = np.zeros((count, residuals.shape[1]))
    np.add.at(sums, clusters, residuals)
    return np.asarray(sums @ weights.T * np.sqrt(count / max(count - 1, 1)))


def contrasts(
    residuals: Float[np.ndarray, "faces p"],
    probed: Float[np.ndarray, "faces p"],
    weights: Float[np.ndarray, "g p"],
    share: float,
    seed: int = 0,
) -> Float[np.ndarray, "faces g"]:
    r"""Return the influence on each estimated number of the random choice of a face's probes.

    A face's probes are split at random into two halves, and the sums of the halves are subtracted: the part common to
    the face, which a full run would contain as well, cancels. For a simple random sample of n out of N the squared
    difference of the halves' sums has the mean $n S^2$, and the sum itself the variance $n (1 - n/N) S^2$
    (Cochran, "Sampling Techniques", 1977, theorem 2.2); hence the factor $\sqrt{1 - share}$. Stratified and
    low-discrepancy designs spread better than their halves; for them the result is too wide rather than too narrow.

    Args:
        residuals: ``(F, P)`` drops less the estimated mean; 0 where not probed.
        probed: ``(F, P)`` 1 where a drop is known.
        weights: ``(G, P)`` W of `influences`.
        share: share of the probes that was evaluated.
        seed: seed of the halves.
    """
    random = np.random.default_rng(seed)
    signs = np.zeros_like(residuals)
    for row in range(len(residuals)):
        known = np.flatnonzero(probed[row])
        halves = np.where(np.arange(len(known)) % 2 == 0, 1.0, -1.0)
        signs[row, random.permutation(known)] = halves
    return np.asarray((signs * residuals) @ weights.T * np.sqrt(max(1 - share, 0.0)))


def effective_number(influence: Float[np.ndarray, "clusters g"]) -> float:
    r"""Return the effective number of clusters behind a typical number.

    It is the median of $(\sum \psi^2)^2 / \sum \psi^4$, Kish's effective number of the squared influences (L. Kish,
    "Survey Sampling", 1965). Near 1, a single face determines the map, and large-sample theory fails.
    """
    squares = influence**2
    total, fourth = squares.sum(axis=0), (squares**2).sum(axis=0)
    known = np.isfinite(total) & (total > 0)
    return float(np.median(total[known] ** 2 / fourth[known])) if known.any() else 0.0
