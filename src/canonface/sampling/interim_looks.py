"""Interim looks of a run that may stop early: at fixed numbers of people, in a random order of photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from canonface._deprecated import renamed_parameters

FIRST_LOOK = 32
"""People (or photos) before the first look: fewer may miss people whom the model treats differently."""
GROWTH = 1.5
"""Ratio of the numbers of people at successive looks."""


def order_key(cluster: str, seed: int) -> str:
    """Return the sort key of a cluster in the random order: a hash, independent of all other clusters."""
    return sha256(f"{seed}:{cluster}".encode(errors="surrogateescape")).hexdigest()


def taking_order(clusters: Mapping[int, str], seed: int) -> list[int]:
    """Return the order in which photos are explained: clusters at random, the photos of one cluster together.

    Every prefix of whole clusters is a simple random sample of the clusters, however the list was sorted.

    Args:
        clusters: number of a photo -> its cluster, not empty.
        seed: seed of the order.

    Returns:
        Numbers of the photos.
    """
    keys = {name: order_key(name, seed) for name in set(clusters.values())}
    return sorted(clusters, key=lambda photo: (keys[clusters[photo]], clusters[photo], photo))


def looks_at(clusters: int) -> tuple[int, ...]:
    """Return the numbers of whole clusters at which a run has an interim look; the last one is all of them.

    They are fixed before the first forward pass and do not depend on the requested precision.
    """
    looks: list[int] = []
    number = float(FIRST_LOOK)
    while number < clusters:
        looks.append(int(number))
        number = float(int(number * GROWTH))
    return (*looks, clusters)


@renamed_parameters(level="confidence_level")
def look_confidence_level(confidence_level: float, looks: int, extra: int = 0) -> float:
    r"""Return the confidence level of the band at one look, so that the bands of all looks hold at once.

    $1 - \alpha / (L + 1)$ at each of L planned looks (Bonferroni's inequality; S. J. Pocock, Biometrika 64(2), 1977,
    has repeated looks at one nominal level). The rest is for unplanned looks, where a budget ends: the k-th of them
    has $1 - 2^{-k} \alpha / (L + 1)$, so that a budget may be raised any number of times. The band holds at whichever
    look a run stops, for any reason: repeated looks cause no bias.

    Args:
        confidence_level: confidence level of all bands together.
        looks: L, the number of planned looks.
        extra: k, counted from 1; 0 for a planned look.
    """
    return 1 - (1 - confidence_level) / (looks + 1) / 2.0**extra


def positions_of(ordered_clusters: Sequence[str], looks: Sequence[int]) -> dict[int, int]:
    """Return the number of clusters at each look, by the number of photos explained until then.

    Args:
        ordered_clusters: cluster of each photo, in the order of explanation.
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
