"""When enough photos were asked: looks at fixed numbers of people, in an order that chance alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from jaxtyping import Int

FIRST_LOOK = 32
"""People (or photos) before the first look: fewer may miss those whom the model treats otherwise."""
GROWTH = 1.5
"""Each look at half as many people again."""


def order_key(cluster: str, seed: int) -> str:
    """Where a cluster stands in the random order: a hash, so that it depends on no other cluster."""
    return sha256(f"{seed}:{cluster}".encode(errors="surrogateescape")).hexdigest()


def taking_order(clusters: Sequence[str], seed: int) -> Int[np.ndarray, "n"]:
    """The order in which photos are taken: clusters at random, the photos of one together, in their own order.

    Every prefix of whole clusters is a simple random sample of the clusters, whatever the list was sorted by.

    Args:
        clusters: of each photo; not empty.
        seed: of the order.
    """
    keys = {name: order_key(name, seed) for name in set(clusters)}
    return np.array(
        sorted(range(len(clusters)), key=lambda i: (keys[clusters[i]], clusters[i], i)), dtype=np.int64
    )


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


def level_of_a_look(level: float, looks: int) -> float:
    r"""Level of the band at each look, so that all bands hold at once with the probability ``level``.

    $1 - \alpha / (L + 1)$ for L looks (Bonferroni's inequality; S. J. Pocock, Biometrika 64(2), 1977, has repeated
    looks at one nominal level). Whichever look a run stops at, for whatever reason, the band it stops with holds:
    there is no bias of peeking. The look more is for a budget that ends between two of them.
    """
    return 1 - (1 - level) / (looks + 1)


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
