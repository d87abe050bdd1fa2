"""When enough photos were asked: looks at fixed numbers of people, in an order that chance alone decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

FIRST_LOOK = 32
"""People (or photos) before the first look: fewer may miss those whom the model treats otherwise."""
GROWTH = 1.5
"""Each look at half as many people again."""


def order_key(cluster: str, seed: int) -> str:
    """Where a cluster stands in the random order: a hash, so that it depends on no other cluster."""
    return sha256(f"{seed}:{cluster}".encode(errors="surrogateescape")).hexdigest()


def taking_order(clusters: Mapping[int, str], seed: int) -> list[int]:
    """The order in which photos are taken: clusters at random, the photos of one together, in their own order.

    Every prefix of whole clusters is a simple random sample of the clusters, whatever the list was sorted by.

    Args:
        clusters: number of a photo -> its cluster, not empty.
        seed: of the order.

    Returns:
        Numbers of the photos.
    """
    keys = {name: order_key(name, seed) for name in set(clusters.values())}
    return sorted(clusters, key=lambda photo: (keys[clusters[photo]], clusters[photo], photo))


def looks_at(clusters: int) -> tuple[int, ...]:
    """Numbers of whole clusters at which a run is looked at, the last one all of them.

    They are known before the first answer and do not depend on the precision asked for.
    """
    looks: list[int] = []
    number = float(FIRST_LOOK)
    while number < clusters:
        looks.append(int(number))
        number = float(int(number * GROWTH))
    return (*looks, clusters)


def level_of_a_look(level: float, looks: int, extra: int = 0) -> float:
    r"""Level of the band at a look, so that all bands hold at once with the probability ``level``.

    $1 - \alpha / (L + 1)$ at each of L planned looks (Bonferroni's inequality; S. J. Pocock, Biometrika 64(2), 1977,
    has repeated looks at one nominal level). What is left is for looks that nobody planned, where a budget ends: the
    k-th of them has $1 - 2^{-k} \alpha / (L + 1)$, so that a budget may be raised as often as one likes. Whichever
    look a run stops at, for whatever reason, the band it stops with holds: there is no bias of peeking.

    Args:
        level: of all bands together.
        looks: L, how many are planned.
        extra: k, counted from 1; 0 for a planned look.
    """
    return 1 - (1 - level) / (looks + 1) / 2.0**extra


def positions_of(ordered_clusters: Sequence[str], looks: Sequence[int]) -> dict[int, int]:
    """Number of photos taken -> number of clusters, at each look.

    Args:
        ordered_clusters: cluster of each photo, in the order in which they are taken.
        looks: numbers of whole clusters.
    """
    found: dict[int, int] = {}
    finished = 0
    for position, name in enumerate(ordered_clusters, start=1):
        ends = position == len(ordered_clusters) or ordered_clusters[position] != name
        finished += ends
        if ends and finished in looks:
            found[position] = finished
    return found
