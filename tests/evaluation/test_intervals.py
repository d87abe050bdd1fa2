"""The bootstrap over people: cases by hand, and coverage in simulated worlds."""

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.evaluation import bootstrap_means, intervals


def test_a_draw_is_the_mean_over_the_drawn_people():
    scores, clusters = np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 1])
    means = bootstrap_means(scores, clusters, draws=500)
    # two of the first, one of each, two of the second; the first person weighs two images
    assert set(np.round(means[:, 0], 9)) == {2.0, 4.0, 8.0}
    assert np.mean(means == 4.0) == pytest.approx(0.5, abs=0.08)


def test_nan_is_left_out_of_its_own_column_only():
    scores = np.array([[1.0, np.nan], [1.0, 5.0], [1.0, np.nan]])
    means = bootstrap_means(scores, np.arange(3), draws=400)
    np.testing.assert_array_equal(means[:, 0], 1)
    assert set(means[np.isfinite(means[:, 1]), 1]) == {5.0}
    assert np.isnan(means[:, 1]).mean() == pytest.approx((2 / 3) ** 3, abs=0.08)


def test_columns_use_the_same_draws():
    scores = np.random.default_rng(0).normal(size=(30, 1))
    both = bootstrap_means(np.hstack([scores, scores + 5]), np.arange(30))
    np.testing.assert_allclose(both[:, 1] - both[:, 0], 5)


def test_shared_effects_cancel_in_a_difference():
    random = np.random.default_rng(0)
    hard = random.normal(scale=10, size=(60, 1))
    a, b = hard + 1, hard + random.normal(scale=0.1, size=(60, 1))
    [alone] = intervals(a, np.arange(60))
    [paired] = intervals(a - b, np.arange(60))
    assert alone.high - alone.low > 4
    assert paired.low > 0.9
    assert paired.high < 1.1


def clustered(random, people=40, each=8, between=1.0, within=0.2):
    middle = random.normal(size=people) * between
    clusters = np.repeat(np.arange(people), each)
    return (middle[clusters] + random.normal(size=people * each) * within)[:, None], clusters


def test_photos_of_one_person_are_not_independent():
    scores, clusters = clustered(np.random.default_rng(1))
    [by_person], [by_photo] = intervals(scores, clusters), intervals(scores, np.arange(len(scores)))
    assert by_person.value == by_photo.value
    assert by_person.high - by_person.low > 2 * (by_photo.high - by_photo.low)


@pytest.mark.parametrize("people", [2, 3, 5])
def test_the_interval_of_few_people_covers_the_mean(people):
    # 600 worlds, as below; the ends of a bootstrap of two people are the two themselves, and hold 0 half of the time
    random = np.random.default_rng(6)
    held = 0
    for _ in range(600):
        scores, clusters = clustered(random, people, each=3)
        [found] = intervals(scores, clusters, draws=200)
        held += found.low <= 0 <= found.high
    assert 0.925 <= held / 600 <= 0.975


def test_the_interval_of_few_people_by_hand():
    scores, clusters = np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 1])
    # the mean is 4; the first person's two photos lie 4 below it together, the second's one 4 above
    half = 12.7062 * np.sqrt((16 + 16) * 2 / 1) / 3
    [found] = intervals(scores, clusters)
    assert found == pytest.approx((4, 4 - half, 4 + half), rel=1e-5)
    [bounded] = intervals(scores, clusters, bounds=(0, 10))
    assert bounded == (4, 0, 10)


@pytest.mark.parametrize("people", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_the_interval_covers_the_mean_at_its_level(people):
    # 600 worlds: 95% +- 1.8% at two standard errors of the count
    random = np.random.default_rng(2)
    held = by_photo = 0
    for _ in range(600):
        scores, clusters = clustered(random, people, each=4)
        [found] = intervals(scores, clusters, draws=600)
        held += found.low <= 0 <= found.high
        [wrong] = intervals(scores, np.arange(len(scores)), draws=200)
        by_photo += wrong.low <= 0 <= wrong.high
    assert 0.925 <= held / 600 <= 0.975
    assert by_photo / 600 < 0.8, "a bootstrap over photos would be too sure"


def test_a_rate_of_none_or_all_has_a_width():
    none, all_, some = np.zeros((10, 1)), np.full((10, 1), 100.0), np.full((10, 1), 50.0)
    [low] = intervals(none, np.arange(10), bounds=(0, 100))
    # 1 - 0.025^(1/10): the exact binomial interval of 0 in 10
    assert low == pytest.approx((0, 0, 30.85), abs=0.01)
    [high] = intervals(all_, np.arange(10), bounds=(0, 100))
    assert high == pytest.approx((100, 69.15, 100), abs=0.01)
    [two_people] = intervals(none, np.arange(10) // 5, bounds=(0, 100))
    assert two_people.high == pytest.approx(84.19, abs=0.01)
    [middle] = intervals(some, np.arange(10), bounds=(0, 100))
    assert middle == pytest.approx((50, 50 - 15.42, 50 + 15.42), abs=0.01)


def test_a_difference_of_zero_on_all_photos_has_a_width():
    # 1 - 0.025^(1/6) = 0.459 of the people may tell them apart, either way
    [difference] = intervals(np.zeros((6, 1)), np.arange(6), bounds=(-100, 100))
    assert difference == pytest.approx((0, -45.93, 45.93), abs=0.01)


def test_one_person_has_a_mean_and_no_interval():
    [found] = intervals(np.array([[1.0], [2.0]]), np.zeros(2, dtype=int))
    assert found.value == 1.5
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(intervals(np.full((3, 1), np.nan), np.arange(3))[0]).all()


def test_the_same_seed_gives_the_same_interval():
    scores, clusters = clustered(np.random.default_rng(3))
    assert intervals(scores, clusters, seed=4) == intervals(scores, clusters, seed=4)
    assert intervals(scores, clusters, seed=4) != intervals(scores, clusters, seed=5)


@pytest.mark.parametrize(
    ("options", "words"), [({"confidence_level": 1.0}, "between 0 and 1"), ({"draws": 5}, "200 draws")]
)
def test_invalid_levels_and_draws_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        intervals(np.zeros((3, 1)), np.arange(3), **options)
