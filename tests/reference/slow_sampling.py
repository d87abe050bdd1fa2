"""Slow estimate of a sampled run: loops over faces and probes, no matrix algebra."""

import math


def kernel_mean(places, drops, bandwidth, at):
    """Return the Nadaraya-Watson mean: every known drop has a weight by its distance from the probe `at`."""
    above = below = 0.0
    for row in drops:
        for q, drop in enumerate(row):
            if math.isnan(drop):
                continue
            distance = math.dist(places[at], places[q])
            weight = float(q == at) if bandwidth == 0 else math.exp(-(distance**2) / (2 * bandwidth**2))
            above += weight * drop
            below += weight
    return above / below if below > 1e-6 else math.nan


def twiced_mean(places, drops, bandwidth, at):
    """Smooth; subtract; smooth what is left; add."""
    first = [kernel_mean(places, drops, bandwidth, q) for q in range(len(places))]
    left = [[drop - first[q] for q, drop in enumerate(row)] for row in drops]
    return first[at] + (kernel_mean(places, left, bandwidth, at) if bandwidth else 0.0)


def drawn(xy, means, patch, at):
    """Return the mean over the probes whose canonical patch covers the place of `at` (eq. 5)."""
    inside = [
        m
        for (x, y), m in zip(xy, means, strict=True)
        if max(abs(x - xy[at][0]), abs(y - xy[at][1])) <= patch / 2 and not math.isnan(m)
    ]
    return sum(inside) / len(inside)


def cluster_error(drops, means, clusters):
    """Return the standard error of the plain mean of one probe's drops, summed by cluster before squaring."""
    names = sorted(set(clusters))
    known = sum(not math.isnan(drop) for drop in drops)
    total = 0.0
    for name in names:
        moved = sum(
            (drop - means) / known
            for drop, cluster in zip(drops, clusters, strict=True)
            if cluster == name and not math.isnan(drop)
        )
        total += moved**2
    return math.sqrt(total * len(names) / (len(names) - 1))
