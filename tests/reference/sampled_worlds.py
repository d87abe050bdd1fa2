"""Simulated drops with a known true map: places on a curved sheet, a smooth map, varying faces."""

import numpy as np

from canonface.sampling import Sampled

PATCH = 3.2


def places_of(side=15, spacing=0.8):
    """Return a grid on a sheet that bends away at its sides, in centimetres."""
    x, y = np.meshgrid(np.arange(side) * spacing, np.arange(side) * spacing)
    x, y = x.ravel() - x.mean(), y.ravel() - y.mean()
    return np.stack([x, y, -0.05 * x**2], axis=1)


def bump(places, centre, width):
    return np.exp(-0.5 * (((places[:, :2] - centre) / width) ** 2).sum(axis=1))


def true_map(places):
    """Return a peak, a dip and a slope: rougher than the bandwidth."""
    peak, dip = bump(places, (1.0, -1.5), 1.2), bump(places, (-2.5, 2.0), 1.6)
    return 0.06 * peak - 0.03 * dip + 0.002 * places[:, 0]


def faces_of(places, count, random, people=None):
    """Return drops of faces: each face (or person) changes the whole map, one place, and every single drop."""
    who = np.arange(count) if people is None else random.integers(people, size=count)
    groups = who.max() + 1
    level = random.gamma(2.0, 0.5, size=groups)[who]
    centres = random.uniform(-5, 5, size=(groups, 2))
    own = np.stack([bump(places, centre, 1.5) for centre in centres])[who]
    height = random.normal(scale=0.06, size=groups)[who]
    noise = random.normal(scale=0.02, size=(count, len(places)))
    drops = level[:, None] * true_map(places) + height[:, None] * own + noise
    return drops, who


def population_map(places):
    """Return the mean over all possible faces: the level has mean 1, all other effects have mean 0."""
    return true_map(places)


def sampled(drops, probed, clusters, places, share, **options):
    """Return `Sampled` with a scale of ten pixels a centimetre."""
    return Sampled(
        drops=np.where(probed, drops, np.nan),
        probed=probed,
        clusters=np.asarray(clusters),
        places=places,
        canonical_xy=places[:, :2] * 10,
        patch_px=PATCH * 10,
        patch_cm=PATCH,
        share=share,
        **options,
    )
