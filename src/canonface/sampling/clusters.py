"""What each face, or each person, moved an estimate by: the source of its standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def cluster_numbers(names: Sequence[str]) -> Int[np.ndarray, "faces"]:
    """A number for each name, by order of first appearance; an empty name is a cluster of its own."""
    seen: dict[tuple[str, int], int] = {}
    keys = [(name, 0) if name else ("", position) for position, name in enumerate(names)]
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def influences(
    residuals: Float[np.ndarray, "faces p"],
    weights: Float[np.ndarray, "g p"],
    clusters: Int[np.ndarray, "faces"],
) -> Float[np.ndarray, "clusters g"]:
    r"""How much each cluster moved each estimated number.

    An estimate $\hat\theta = W T$ that is linear in the sums T of the drops moves with face i by
    $\psi_i = W (A_i \circ (D_i - \hat\mu))$, where $A_i$ says which drops were asked. A cluster's influence is the
    sum over its faces, times $\sqrt{C / (C - 1)}$ for C clusters, and $\sum_c \psi_c \psi_c^\top$ is the
    cluster-robust covariance (K.-Y. Liang, S. L. Zeger, Biometrika 73(1), 1986).

    Args:
        residuals: ``(F, P)`` drops less the estimated mean; 0 where not asked.
        weights: ``(G, P)`` W.
        clusters: ``(F,)`` from `cluster_numbers`.
    """
    count = int(clusters.max(initial=-1)) + 1
    sums = np.zeros((count, residuals.shape[1]))
    np.add.at(sums, clusters, residuals)
    return np.asarray(sums @ weights.T * np.sqrt(count / max(count - 1, 1)))


def contrasts(
    residuals: Float[np.ndarray, "faces p"],
    asked: Float[np.ndarray, "faces p"],
    weights: Float[np.ndarray, "g p"],
    share: float,
    seed: int = 0,
) -> Float[np.ndarray, "faces g"]:
    r"""How much each face's estimate owes to which of its probes happened to be asked.

    A face's probes are split by chance into two halves, and what the halves say is subtracted: what is common to the
    face, which a full run would hold as well, cancels. For a simple random sample of n out of N the squared
    difference of the halves' sums has the mean $n S^2$, and the sum itself the variance $n (1 - n/N) S^2$
    (Cochran, "Sampling Techniques", 1977, theorem 2.2), hence the factor $\sqrt{1 - share}$. For stratified and
    low-discrepancy designs, which spread better than their halves, it errs on the wide side.

    Args:
        residuals: ``(F, P)`` drops less the estimated mean; 0 where not asked.
        asked: ``(F, P)`` 1 where a drop is known.
        weights: ``(G, P)`` W of `influences`.
        share: of the probes that were asked.
        seed: of the halves.
    """
    random = np.random.default_rng(seed)
    signs = np.zeros_like(residuals)
    for row in range(len(residuals)):
        known = np.flatnonzero(asked[row])
        halves = np.where(np.arange(len(known)) % 2 == 0, 1.0, -1.0)
        signs[row, random.permutation(known)] = halves
    return np.asarray((signs * residuals) @ weights.T * np.sqrt(max(1 - share, 0.0)))


def effective_number(influence: Float[np.ndarray, "clusters g"]) -> float:
    r"""By how many clusters a typical number is carried: the median of $(\sum \psi^2)^2 / \sum \psi^4$.

    Kish's effective number of the squared influences (L. Kish, "Survey Sampling", 1965). Near 1, one face makes the
    map, and no theory of large numbers says how far off it is.
    """
    squares = influence**2
    total, fourth = squares.sum(axis=0), (squares**2).sum(axis=0)
    known = np.isfinite(total) & (total > 0)
    return float(np.median(total[known] ** 2 / fourth[known])) if known.any() else 0.0
