"""Compact pieces of the mesh, as equal in their numbers of probes as can be."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError


def strata_of(places: Float[np.ndarray, "p 3"], count: int) -> list[Int[np.ndarray, "_"]]:
    """Cut points into compact groups: halved across their longest side, again and again.

    Recursive bisection as in a k-d tree (J. L. Bentley, CACM 18(9), 1975); of an odd number of groups, the halves
    hold points in the ratio of the groups they are cut into. Nothing is left to chance.

    Args:
        places: ``(P, 3)`` places of the probes.
        count: number of groups, from 1 to P.

    Returns:
        ``count`` arrays of indices, each point in one; their lengths differ by at most one or two.

    Raises:
        OptionError: there are fewer points than groups.
    """
    if not 1 <= count <= len(places):
        raise OptionError(
            f"Probes are cut into 1 to {len(places)} strata, as many as there are; got {count}."
        )
    return _halved(places, np.arange(len(places)), count)


def _halved(places: np.ndarray, members: np.ndarray, count: int) -> list[Int[np.ndarray, "_"]]:
    if count == 1:
        return [members]
    sides = np.ptp(places[members], axis=0)
    order = members[np.argsort(places[members, int(sides.argmax())], kind="stable")]
    first = count // 2
    cut = min(max(round(len(order) * first / count), first), len(order) - (count - first))
    return _halved(places, order[:cut], first) + _halved(places, order[cut:], count - first)
