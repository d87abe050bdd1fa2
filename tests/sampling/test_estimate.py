"""The estimate of a map: against loops, against results known by hand, and its laws."""

from importlib import import_module

import numpy as np
import pytest
import slow_sampling
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled_worlds import PATCH, faces_of, places_of, sampled, true_map

from canonface.errors import OptionError
from canonface.sampling import (
    DESIGNS,
    Design,
    Sampled,
    cluster_numbers,
    estimate_map,
    full_map,
    probe_adaptively,
)
from canonface.sampling.band import critical_value, floored
from canonface.sampling.influence import contrasts, effective_number, influences
from canonface.sampling.kernel import choose_bandwidth, distances, kernel_means, twiced_means

SMALL = places_of(5)


def small_world(seed=0, faces=9, share=0.4):
    random = np.random.default_rng(seed)
    drops, _ = faces_of(SMALL, faces, random)
    drops[0, 3:8] = np.nan  # hidden
    probed = Design("random", share, seed).probed(SMALL, [(i, 0) for i in range(faces)])
    return sampled(drops, probed, np.arange(faces), SMALL, share)


@pytest.mark.parametrize("bandwidth", [0.3, 0.9])
def test_estimates_equal_the_loops(bandwidth):
    world = small_world()
    counts = np.isfinite(world.drops).sum(axis=0).astype(float)
    sums = np.nansum(world.drops, axis=0)
    apart = distances(world.places)
    once = kernel_means(apart, counts, bandwidth) @ sums
    twice = twiced_means(apart, counts, bandwidth) @ sums
    rows = world.drops.tolist()
    for at in range(len(SMALL)):
        slow = slow_sampling.kernel_mean(SMALL, rows, bandwidth, at)
        assert once[at] == pytest.approx(slow, abs=1e-12)
        assert twice[at] == pytest.approx(slow_sampling.twiced_mean(SMALL, rows, bandwidth, at), abs=1e-12)
    estimate = estimate_map(world, bandwidth=bandwidth)
    np.testing.assert_allclose(estimate.drops, twice, atol=1e-12)
    for at in range(len(SMALL)):
        drawn = slow_sampling.drawn(world.canonical_xy, twice.tolist(), world.patch_px, at)
        assert estimate.map.values[at] == pytest.approx(drawn, abs=1e-12)


def test_a_full_design_gives_the_plain_mean_and_its_usual_error():
    drops, _ = faces_of(SMALL, 12, np.random.default_rng(3))
    world = sampled(drops, np.ones(drops.shape, bool), np.arange(12), SMALL, 1.0)
    estimate = estimate_map(world, {"middle": np.array([12])})
    assert estimate.bandwidth == 0
    np.testing.assert_allclose(estimate.drops, drops.mean(axis=0), atol=1e-12)
    means = world.near @ drops.T / world.near.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(estimate.map.values, means.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(estimate.map.se, means.std(axis=1, ddof=1) / np.sqrt(12), atol=1e-12)
    assert estimate.regions.values[0] == pytest.approx(estimate.map.values[12])
    assert (estimate.probed, estimate.hidden, estimate.inferred) == (drops.size, 0, 0)
    assert estimate.share_probed == 1
    of_photos = estimate_map(world, of="photos")
    assert of_photos.map.half_width == pytest.approx(0), "the full run is known"
    assert of_photos.map.holds(full_map(world))


def test_errors_respect_clusters():
    """Ten copies of each face, as photos of one person, give the same errors as one."""
    drops, _ = faces_of(SMALL, 8, np.random.default_rng(4))
    probed = np.ones(drops.shape, bool)
    once = estimate_map(sampled(drops, probed, np.arange(8), SMALL, 1.0))
    ten = np.repeat(drops, 10, axis=0)
    people = estimate_map(sampled(ten, np.ones(ten.shape, bool), np.repeat(np.arange(8), 10), SMALL, 1.0))
    photos = estimate_map(sampled(ten, np.ones(ten.shape, bool), np.arange(80), SMALL, 1.0))
    np.testing.assert_allclose(people.map.se, once.map.se, atol=1e-12)
    np.testing.assert_allclose(people.map.half_width, once.map.half_width, rtol=1e-9)
    assert (photos.map.se < 0.4 * once.map.se).all()
    assert (people.clusters, people.faces) == (8, 80)


def test_the_cluster_error_equals_the_loop():
    random = np.random.default_rng(5)
    drops = random.normal(size=(14, 1))
    drops[[2, 9]] = np.nan
    clusters = random.integers(4, size=14)
    mean = np.nanmean(drops)
    residuals = np.where(np.isfinite(drops), drops - mean, 0.0)
    weights = np.array([[1 / 12]])
    moved = influences(residuals, weights, clusters)
    slow = slow_sampling.cluster_error(drops[:, 0].tolist(), mean, clusters.tolist())
    assert np.sqrt((moved**2).sum()) == pytest.approx(slow)


def test_a_shift_common_to_a_face_is_no_error_of_the_design():
    residuals = np.repeat([[3.0], [-1.0], [-2.0]], 6, axis=1)
    weights = np.full((1, 6), 1 / 18)
    assert contrasts(residuals, np.ones((3, 6)), weights, 0.5) == pytest.approx(0)
    assert np.abs(influences(residuals, weights, np.arange(3))).min() > 0.1


def test_contrasts_have_the_variance_of_a_simple_random_sample():
    """The variance n (1 - n/N) S^2 holds over many draws and by the contrasts."""
    random = np.random.default_rng(6)
    numbers = random.gamma(1.0, size=40)
    weights = np.ones((1, 40))
    sums, estimates = [], []
    for draw in range(4000):
        probed = np.zeros((1, 40))
        probed[0, random.choice(40, 10, replace=False)] = 1
        centred = probed * (numbers - numbers.mean())
        sums.append(centred.sum())
        estimates.append(contrasts(centred, probed, weights, 0.25, seed=draw)[0, 0] ** 2)
    expected = 10 * (1 - 0.25) * numbers.var(ddof=1)
    assert np.var(sums) == pytest.approx(expected, rel=0.1)
    assert np.mean(estimates) == pytest.approx(expected, rel=0.1)


def test_a_constant_is_kept_and_twicing_removes_most_of_the_bias():
    places = places_of(15)
    apart, counts = distances(places), np.full(len(places), 30.0)
    weights = twiced_means(apart, counts, 0.6)
    np.testing.assert_allclose(weights @ counts, 1.0, atol=1e-12)
    truth = true_map(places)
    once = np.abs(kernel_means(apart, counts, 0.6) @ (counts * truth) - truth)
    twice = np.abs(weights @ (counts * truth) - truth)
    middle = np.abs(places[:, :2]).max(axis=1) < 3
    assert twice[middle].max() < 0.5 * once[middle].max()


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_over_all_draws_a_design_is_unbiased(name):
    """Without smoothing, the mean error at each probe is 0 within its standard error."""
    drops, _ = faces_of(SMALL, 30, np.random.default_rng(10))
    truth = full_map(sampled(drops, np.ones(drops.shape, bool), np.arange(30), SMALL, 1.0))
    errors = []
    for seed in range(300):
        probed = Design(name, 0.4, seed).probed(SMALL, [(i, 0) for i in range(30)])
        errors.append(full_map(sampled(drops, probed, np.arange(30), SMALL, 0.4)) - truth)
    spread = np.std(errors, axis=0)
    assert (np.abs(np.mean(errors, axis=0)) < 4 * spread / np.sqrt(300)).all()
    assert spread.min() > 1e-4


def test_places_far_from_every_probe_are_not_invented():
    places = np.array([[0.0, 0, 0], [0.5, 0, 0], [50.0, 0, 0]])
    drops = np.array([[1.0, 2.0, np.nan], [3.0, 2.0, np.nan]])
    probed = np.array([[True, True, False]] * 2)
    estimate = estimate_map(sampled(drops, probed, [0, 1], places, 0.7), {"far": np.array([2])})
    assert np.isnan(estimate.drops[2])
    assert np.isnan(estimate.map.values[2])
    assert np.isfinite(estimate.map.values[:2]).all()
    assert estimate.region_names == ()
    assert estimate.inferred == 2


def test_cross_validation_smooths_noise_and_leaves_a_rough_map_alone():
    places = places_of(10)
    random = np.random.default_rng(7)
    clusters, apart = np.arange(60), distances(places)
    choices = (0.0, 0.4, 0.8, 1.6)
    flat = random.normal(size=(60, len(places)))
    assert choose_bandwidth(flat, clusters, apart, choices) == 1.6
    rough = 5.0 * random.choice([-1, 1], size=len(places)) + random.normal(size=(60, len(places)))
    assert choose_bandwidth(rough, clusters, apart, choices) == 0.0
    assert choose_bandwidth(flat[:1], clusters[:1], apart, choices) == 1.6, "one cluster predicts nothing"
    sparse = np.full_like(flat, np.nan)
    sparse[:, 0] = flat[:, 0]
    sparse[0, 99] = 1.0
    # Probe 99 has one drop: when it is left out, only a wide kernel predicts it.
    assert choose_bandwidth(sparse, clusters, apart, (0.0, 3.0)) == 3.0


def test_a_band_for_one_number_is_students_and_widens_with_the_number_of_numbers():
    from scipy.stats import t

    random = np.random.default_rng(8)
    moved = random.normal(size=(10, 200))
    one = critical_value(moved[:, :1], 0.95)
    assert one == pytest.approx(t.ppf(0.975, 9), rel=0.08)
    twenty, all_of_them = critical_value(moved[:, :20], 0.95), critical_value(moved, 0.95)
    assert one < twenty < all_of_them
    assert critical_value(moved, 0.99999) > critical_value(moved, 0.999) > all_of_them
    assert critical_value(moved, 0.99999) == pytest.approx(t.isf(1e-5 / 2 / 200, 9), rel=1e-6)
    assert critical_value(moved[:1], 0.95) == np.inf
    assert critical_value(np.zeros((5, 3)), 0.95) == 0
    # The same number twice needs no wider a band than once.
    assert critical_value(moved[:, [0, 0, 0]], 0.95) == pytest.approx(one)


def test_the_floor_only_widens():
    errors, pooled = np.array([1.0, 2.0, np.nan]), np.array([0.5, 3.0, 1.0])
    near = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1.0]])
    got = floored(errors, near, pooled)
    np.testing.assert_allclose(got, [np.sqrt(2.5), 3.0, np.nan])


def test_a_map_that_one_face_determines_is_not_trusted():
    moved = np.full((50, 4), 1e-3)
    moved[7] = 1.0
    assert effective_number(moved) == pytest.approx(1, abs=1e-3)
    assert effective_number(np.ones((50, 4))) == pytest.approx(50)
    assert effective_number(np.zeros((50, 4))) == 0
    drops = np.zeros((40, len(SMALL)))
    drops[3] = 1.0
    estimate = estimate_map(sampled(drops, np.ones(drops.shape, bool), np.arange(40), SMALL, 1.0))
    assert not estimate.map.trusted


def test_one_face_has_a_map_and_no_band():
    world = small_world(faces=1, share=0.9)
    estimate = estimate_map(world)
    assert np.isfinite(estimate.map.values).all()
    assert estimate.map.widest == np.inf


def test_hidden_places_count_by_the_setting_of_the_run():
    drops = np.array([[4.0, 1.0], [np.nan, 1.0]])
    probed = np.ones((2, 2), bool)
    far = np.array([[0.0, 0, 0], [99.0, 0, 0]])
    omit = estimate_map(sampled(drops, probed, [0, 1], far, 1.0))
    zero = estimate_map(sampled(drops, probed, [0, 1], far, 1.0, zero=True))
    assert (omit.drops[0], zero.drops[0]) == (4.0, 2.0)
    assert (zero.probed, zero.hidden) == (3, 1)


def test_without_normalisation_the_patch_adds_up():
    drops, _ = faces_of(SMALL, 6, np.random.default_rng(9))
    probed = np.ones(drops.shape, bool)
    divided = sampled(drops, probed, np.arange(6), SMALL, 1.0)
    summed = sampled(drops, probed, np.arange(6), SMALL, 1.0, normalise=False)
    np.testing.assert_allclose(
        estimate_map(summed).map.values, estimate_map(divided).map.values * divided.near.sum(axis=1)
    )


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.randoms())
def test_the_order_of_faces_changes_nothing(seed, random):
    world = small_world(seed)
    order = list(range(len(world.drops)))
    random.shuffle(order)
    other = sampled(world.drops[order], world.probed[order], np.arange(9)[order], SMALL, 0.4)
    one = estimate_map(world, bandwidth=0.5)
    two = estimate_map(other, bandwidth=0.5)
    np.testing.assert_allclose(two.map.values, one.map.values, atol=1e-12)
    np.testing.assert_allclose(two.map.se, one.map.se, atol=1e-12)


def test_names_become_clusters_and_an_empty_name_its_own():
    assert cluster_numbers(["b", "a", "b", "", "", "a"]).tolist() == [0, 1, 0, 2, 3, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"of": "faces"}, "'people' or of 'photos'"), ({"confidence_level": 1.0}, "between 0 and 1; got 1.0")],
)
def test_invalid_estimates_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        estimate_map(small_world(), **options)
    empty = sampled(np.zeros((0, 25)), np.zeros((0, 25), bool), np.zeros(0, int), SMALL, 1.0)
    with pytest.raises(OptionError, match="at least one face"):
        estimate_map(empty)


def test_the_patch_is_a_patch():
    """It reaches two neighbours of the grid in each direction: 16 mm."""
    assert PATCH == 3.2
    assert small_world().near[12].sum() == 25


def test_names_of_the_last_version_still_work_and_warn():
    world = small_world()
    estimate = estimate_map(world, bandwidth=0.5)
    for owner, old, new in (
        (world, "asked", "probed"),
        (estimate, "asked", "probed"),
        (estimate, "share_asked", "share_probed"),
        (estimate.map, "level", "confidence_level"),
    ):
        with pytest.warns(DeprecationWarning, match=new):
            assert np.array_equal(getattr(owner, old), getattr(owner, new))
    with pytest.warns(DeprecationWarning, match="Design.probed"):
        chosen = Design("random", 0.4).asked(SMALL, [(0, 0)])
    np.testing.assert_array_equal(chosen, Design("random", 0.4).probed(SMALL, [(0, 0)]))
    with pytest.warns(DeprecationWarning, match="confidence_level"):
        assert estimate_map(world, level=0.9).map.confidence_level == 0.9
    fields = {name: getattr(world, name) for name in ("drops", "clusters", "places", "canonical_xy")}
    with pytest.warns(DeprecationWarning, match="probed"):
        made = Sampled(asked=world.probed, patch_px=1.0, patch_cm=1.0, **fields)
    np.testing.assert_array_equal(made.probed, world.probed)
    with pytest.warns(DeprecationWarning, match="probe_adaptively"):
        assert import_module("canonface.sampling").ask_adaptively is probe_adaptively
