"""Split-half reliability against simulated worlds and slow replicas."""

import numpy as np
import pytest
from slow_reliability import correlation, face_map, mean_map, signal_and_noise

from canonface.errors import OptionError
from canonface.studies.reliability import (
    People,
    correlations,
    half_correlations,
    halves_of,
    maps_at_probes,
    noise_in_photos,
    photos_needed,
    reliability_of,
    stepped_up,
)


@pytest.fixture
def random():
    return np.random.default_rng(7)


def test_spearman_brown_by_hand():
    assert stepped_up(0.5, 2) == pytest.approx(2 / 3)
    assert stepped_up(0.5, 1) == 0.5
    assert stepped_up(2 / 3, 0.5) == pytest.approx(0.5)
    assert noise_in_photos(0.5, 40) == 40
    assert photos_needed(40, 0.95) == pytest.approx(760)
    assert photos_needed(noise_in_photos(0.0, 40), 0.95) == np.inf
    for target in (0.0, 1.0, -2):
        with pytest.raises(OptionError, match="between 0 and 1"):
            photos_needed(40, target)


@pytest.mark.parametrize(("photos", "noise"), [(20, 20.0), (40, 10.0), (30, 90.0)])
def test_a_known_reliability_is_recovered(random, photos, noise):
    maps = signal_and_noise(random, photos, 6000, noise)
    found = reliability_of(People.of(maps, np.arange(photos)))
    assert found == pytest.approx(photos / (photos + noise), abs=0.03)


def test_photos_of_one_person_are_not_independent(random):
    """Photos of one person share that person's map: only halves without a common person measure the noise."""
    own = signal_and_noise(random, 10, 6000, 10.0)
    who = np.repeat(np.arange(10), 6)
    maps = own[who] + random.normal(scale=0.1, size=(60, 6000))
    assert reliability_of(People.of(maps, who)) == pytest.approx(0.5, abs=0.05)
    assert reliability_of(People.of(maps, np.arange(60))) > 0.8


def test_maps_of_people_equal_the_slow_replica(random):
    maps = random.normal(size=(9, 5))
    maps[random.random(maps.shape) < 0.3] = np.nan
    maps[:, 4] = np.nan
    who = np.array([0, 1, 2, 0, 1, 3, 3, 3, 2])
    people = People.of(maps, who)
    weights = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]])
    for row, weight in zip(people.maps(weights), weights, strict=True):
        rows = [face for face in range(9) if weight[who[face]]]
        np.testing.assert_allclose(row, mean_map(maps, rows), equal_nan=True)
    zero = People.of(maps, who, zero=True).maps(weights)
    np.testing.assert_allclose(zero[2], np.nan_to_num(maps).mean(axis=0))
    assert people.without(np.array([True, False, False, False])).photos.tolist() == [2, 2, 3]


def test_a_faces_map_at_the_probes_is_eq_5(random):
    drops = random.normal(size=(3, 8))
    drops[1, 2:5] = np.nan
    near = (np.abs(np.subtract.outer(np.arange(8), np.arange(8))) <= 1).astype(float)
    found = maps_at_probes(drops, near)
    for row, expected in zip(found, drops, strict=True):
        np.testing.assert_allclose(row, face_map(expected, near), equal_nan=True)
    assert np.isnan(found[1, 3])
    sums = maps_at_probes(drops, near, normalise=False)
    assert sums[0, 0] == pytest.approx(drops[0, 0] + drops[0, 1])


def test_of_a_sampled_run_mean_drops_are_spread_over_the_patch():
    near = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    people = People(np.array([[2.0, 0, 6]]), np.array([[1.0, 0, 2]]), np.array([2]), near)
    np.testing.assert_allclose(people.maps(np.ones((1, 1))), [[2.0, 2.5, 3.0]])
    summed = People(people.total, people.count, people.photos, near, divided=False)
    np.testing.assert_allclose(summed.maps(np.ones((1, 1))), [[2.0, 5.0, 3.0]])


def test_halves_have_no_common_person_and_about_as_many_photos(random):
    photos = np.array([6, 1, 1, 1, 1, 2])
    chosen = halves_of(photos, random, 50)
    first = (chosen * photos).sum(axis=1)
    assert (np.abs(2 * first - 12) <= 6).all(), "no further apart than the photos of one person"
    assert len({tuple(row) for row in chosen}) > 5
    even = halves_of(np.ones(8, dtype=int), random, 50)
    assert (even.sum(axis=1) == 4).all()


def test_correlations_are_pearsons_over_what_both_know(random):
    a, b = random.normal(size=(2, 4, 12))
    a[0, 3:6], b[0, 5:8] = np.nan, np.nan
    a[2] = 0.25
    b[3, 2:] = np.nan
    found = correlations(a, b)
    assert found[:2] == pytest.approx([correlation(a[0], b[0]), correlation(a[1], b[1])])
    assert np.isnan(found[2:]).all(), "a flat map, and one known in two places, correlate with nothing"


def test_a_flat_map_has_no_reliability():
    people = People.of(np.zeros((6, 9)), np.arange(6))
    assert np.isnan(half_correlations(people, 5)).all()
    assert np.isnan(reliability_of(people))


def test_the_map_of_all_people_is_the_runs_own(toy_run):
    """Up to the rounding of probes to pixels of the canonical picture."""
    people = People.of_run(toy_run)
    assert len(people) == 7
    assert people.photos.tolist() == [2] * 7
    [found] = people.maps(np.ones((1, 7)))
    drawn = toy_run.cms().vertex_values[toy_run.probes]
    assert correlation(found, drawn) > 0.999
    assert np.nanmax(np.abs(found - drawn)) < 0.05 * np.nanmax(np.abs(drawn))


def test_too_few_people_are_refused(toy_run, people_folder, tmp_path):
    from canonface.pipeline import audit
    from conftest import toy_model

    photos = sorted(people_folder.glob("op_P001*.jpg"))
    few = audit(photos, toy_model(), tmp_path / "few", target="yes", stride=40)
    with pytest.raises(OptionError, match=r"at least 4; .* has 2"):
        People.of_run(few)
    with pytest.raises(OptionError, match="'person'"):
        People.of_run(toy_run, "person")
