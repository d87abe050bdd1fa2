"""Adaptive sampling: within its budget, exact at the probes, with a correct error elsewhere."""

import numpy as np
import pytest
from sampled_worlds import PATCH, bump, places_of

from canonface.errors import OptionError
from canonface.sampling.adaptive import farthest_first, krige, probe_adaptively
from canonface.sampling.kernel import distances

PLACES = places_of(20)
EVERYWHERE = np.ones(len(PLACES), bool)


class KnownFace:
    """A face whose drops are known; records its probes."""

    def __init__(self, drops):
        self.drops, self.probed = drops, []

    def __call__(self, chosen):
        self.probed += list(chosen)
        return self.drops[chosen]


def field(seed, width=1.5):
    random = np.random.default_rng(seed)
    spots = [random.normal() * bump(PLACES, random.uniform(-7, 7, 2), width) for _ in range(8)]
    return np.sum(spots, axis=0)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_no_probe_is_measured_twice_or_beyond_the_budget(share):
    face = KnownFace(field(1))
    found = probe_adaptively(face, PLACES, EVERYWHERE, PATCH, share)
    assert len(face.probed) == len(set(face.probed)) == found.probed.sum()
    assert len(face.probed) <= max(round(share * 400), 8 + 20)
    np.testing.assert_array_equal(found.drops[found.probed], face.drops[found.probed])
    assert np.isfinite(found.drops).all()


def test_a_share_of_one_measures_everything():
    found = probe_adaptively(KnownFace(field(2)), PLACES, EVERYWHERE, PATCH, 1.0)
    assert found.probed.all()
    np.testing.assert_array_equal(found.drops, field(2))


def test_hidden_places_are_neither_probed_nor_invented():
    visible = PLACES[:, 0] > -3
    face = KnownFace(np.where(visible, field(3), np.nan))
    found = probe_adaptively(face, PLACES, visible, PATCH, 0.3)
    assert np.isnan(found.drops[~visible]).all()
    assert np.isfinite(found.drops[visible]).all()
    assert visible[face.probed].all()


def test_more_probes_lie_where_the_map_is_steep():
    drops = bump(PLACES, (4.0, 4.0), 1.0)
    face = KnownFace(drops)
    found = probe_adaptively(face, PLACES, EVERYWHERE, PATCH, 0.4)
    near = np.linalg.norm(PLACES[:, :2] - (4.0, 4.0), axis=1) < 2.5
    assert found.probed[near].mean() > 1.8 * found.probed[~near].mean()
    spread = farthest_first(PLACES)[: found.probed.sum()]
    thin = np.full(400, np.nan)
    thin[spread] = drops[spread]
    evenly = np.where(np.isfinite(thin), thin, krige(thin, distances(PLACES), PATCH)[0])
    assert np.sqrt(np.mean((found.drops - drops) ** 2)) < 0.6 * np.sqrt(np.mean((evenly - drops) ** 2))


def test_the_stated_error_is_the_error_at_the_other_probes():
    """The mean square over 60 rough maps, stated on 20 probes each, equals that on all remaining probes."""
    stated, true = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        drops = field(seed, 1.0) + random.normal(scale=0.1, size=400)
        found = probe_adaptively(KnownFace(drops), PLACES, EVERYWHERE, PATCH, 0.3, seed=seed)
        assert found.checks == 20
        stated.append(found.error**2)
        true.append(np.mean((found.drops - drops)[~found.probed] ** 2))
    spread = np.std(np.array(stated) - true) / np.sqrt(60)
    assert abs(np.mean(stated) - np.mean(true)) < 3 * spread
    assert np.mean(true) > 0.01


def test_a_precision_stops_a_calm_face_early_and_not_a_rough_one():
    calm = probe_adaptively(KnownFace(0.01 * field(5, 4.0)), PLACES, EVERYWHERE, PATCH, 0.9, precision=0.01)
    rough = KnownFace(np.random.default_rng(0).normal(size=400))
    busy = probe_adaptively(rough, PLACES, EVERYWHERE, PATCH, 0.9, precision=0.01)
    assert calm.probed.mean() < 0.25
    assert calm.error < 0.01
    assert busy.probed.mean() > 0.8


def test_kriging_passes_through_known_drops_and_is_uncertain_elsewhere():
    drops = np.full(400, np.nan)
    drops[::7] = field(6)[::7]
    predicted, unsure = krige(drops, distances(PLACES), PATCH)
    np.testing.assert_allclose(predicted[::7], drops[::7], atol=0.02)
    assert unsure[::7].max() < np.delete(unsure, np.arange(0, 400, 7)).min()


def test_every_prefix_of_the_order_is_spread():
    order = farthest_first(PLACES)
    assert sorted(order) == list(range(400))
    gaps = [np.linalg.norm(PLACES[order[n]] - PLACES[order[:n]], axis=1).min() for n in range(1, 400)]
    assert (np.diff(gaps) <= 1e-9).all(), "each next point is farthest from all before it"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"share": 0.0}, "above 0 and at most 1"), ({"share": 0.5, "precision": 0.0}, "a drop above 0")],
)
def test_invalid_limits_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        probe_adaptively(KnownFace(field(1)), PLACES, EVERYWHERE, PATCH, **options)
