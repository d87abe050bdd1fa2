"""Coarse to fine: within its budget, exact where asked, honest about the rest."""

import numpy as np
import pytest
from sampled_worlds import PATCH, bump, places_of

from canonface.errors import OptionError
from canonface.sampling.adaptive import ask_adaptively, farthest_first, krige
from canonface.sampling.smoothing import distances

PLACES = places_of(20)
EVERYWHERE = np.ones(len(PLACES), bool)


class Answers:
    """A face whose drops are known; keeps what it was asked."""

    def __init__(self, drops):
        self.drops, self.asked = drops, []

    def __call__(self, chosen):
        self.asked += list(chosen)
        return self.drops[chosen]


def field(seed, width=1.5):
    random = np.random.default_rng(seed)
    spots = [random.normal() * bump(PLACES, random.uniform(-7, 7, 2), width) for _ in range(8)]
    return np.sum(spots, axis=0)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_nothing_is_asked_twice_or_beyond_the_budget(share):
    face = Answers(field(1))
    found = ask_adaptively(face, PLACES, EVERYWHERE, PATCH, share)
    assert len(face.asked) == len(set(face.asked)) == found.asked.sum()
    assert len(face.asked) <= max(round(share * 400), 8 + 20)
    np.testing.assert_array_equal(found.drops[found.asked], face.drops[found.asked])
    assert np.isfinite(found.drops).all()


def test_with_all_of_it_everything_is_measured():
    found = ask_adaptively(Answers(field(2)), PLACES, EVERYWHERE, PATCH, 1.0)
    assert found.asked.all()
    np.testing.assert_array_equal(found.drops, field(2))


def test_hidden_places_are_neither_asked_nor_invented():
    visible = PLACES[:, 0] > -3
    face = Answers(np.where(visible, field(3), np.nan))
    found = ask_adaptively(face, PLACES, visible, PATCH, 0.3)
    assert np.isnan(found.drops[~visible]).all()
    assert np.isfinite(found.drops[visible]).all()
    assert visible[face.asked].all()


def test_more_is_asked_where_the_map_is_steep():
    drops = bump(PLACES, (4.0, 4.0), 1.0)
    face = Answers(drops)
    found = ask_adaptively(face, PLACES, EVERYWHERE, PATCH, 0.4)
    near = np.linalg.norm(PLACES[:, :2] - (4.0, 4.0), axis=1) < 2.5
    assert found.asked[near].mean() > 1.8 * found.asked[~near].mean()
    spread = farthest_first(PLACES)[: found.asked.sum()]
    thin = np.full(400, np.nan)
    thin[spread] = drops[spread]
    evenly = np.where(np.isfinite(thin), thin, krige(thin, distances(PLACES), PATCH)[0])
    assert np.sqrt(np.mean((found.drops - drops) ** 2)) < 0.6 * np.sqrt(np.mean((evenly - drops) ** 2))


def test_the_stated_error_is_the_error_of_what_was_not_asked():
    """Mean square over 60 faces: stated on 20 probes each, true on all that were left; rough maps, so it is not 0."""
    stated, true = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        drops = field(seed, 1.0) + random.normal(scale=0.1, size=400)
        found = ask_adaptively(Answers(drops), PLACES, EVERYWHERE, PATCH, 0.3, seed=seed)
        assert found.checks == 20
        stated.append(found.error**2)
        true.append(np.mean((found.drops - drops)[~found.asked] ** 2))
    spread = np.std(np.array(stated) - true) / np.sqrt(60)
    assert abs(np.mean(stated) - np.mean(true)) < 3 * spread
    assert np.mean(true) > 0.01


def test_a_precision_stops_a_calm_face_early_and_not_a_rough_one():
    calm = ask_adaptively(Answers(0.01 * field(5, 4.0)), PLACES, EVERYWHERE, PATCH, 0.9, precision=0.01)
    rough = Answers(np.random.default_rng(0).normal(size=400))
    busy = ask_adaptively(rough, PLACES, EVERYWHERE, PATCH, 0.9, precision=0.01)
    assert calm.asked.mean() < 0.25
    assert calm.error < 0.01
    assert busy.asked.mean() > 0.8


def test_kriging_goes_through_what_is_known_and_is_unsure_elsewhere():
    drops = np.full(400, np.nan)
    drops[::7] = field(6)[::7]
    foretold, unsure = krige(drops, distances(PLACES), PATCH)
    np.testing.assert_allclose(foretold[::7], drops[::7], atol=0.02)
    assert unsure[::7].max() < np.delete(unsure, np.arange(0, 400, 7)).min()


def test_every_beginning_of_the_order_is_spread():
    order = farthest_first(PLACES)
    assert sorted(order) == list(range(400))
    gaps = [np.linalg.norm(PLACES[order[n]] - PLACES[order[:n]], axis=1).min() for n in range(1, 400)]
    assert (np.diff(gaps) <= 1e-9).all(), "each next point is as far from those before as any can be"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"share": 0.0}, "above 0 and at most 1"), ({"share": 0.5, "precision": 0.0}, "a drop above 0")],
)
def test_what_cannot_be_asked_is_refused(options, words):
    with pytest.raises(OptionError, match=words):
        ask_adaptively(Answers(field(1)), PLACES, EVERYWHERE, PATCH, **options)
