"""The shared statistics against values computed by hand, slow replicas and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.statistics import json_value, mass_share, roc_area, spearman, wilson_interval

NAN = float("nan")


def slow_ranks(values):
    return np.array([sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values])


def slow_spearman(a, b):
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if np.isfinite(x) and np.isfinite(y)]
    x, y = (slow_ranks(side) for side in zip(*pairs, strict=True))
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())


def slow_roc_area(values, inside):
    pairs = [
        (x > y) + 0.5 * (x == y)
        for x in values[inside]
        for y in values[~inside]
        if np.isfinite(x) and np.isfinite(y)
    ]
    return np.mean(pairs) if pairs else NAN


class TestSpearman:
    def test_by_hand(self):
        # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * (1 + 1 + 1 + 1) / (4 * 15).
        assert spearman(np.array([0.1, 0.2, 0.3, 9.0]), np.array([2.0, 1.0, 8.0, 5.0])) == pytest.approx(0.6)

    def test_a_monotone_change_does_not_matter(self):
        a = np.array([3.0, -1.0, 0.5, 2.0])
        assert spearman(a, np.exp(a)) == pytest.approx(1)
        assert spearman(a, -(a**3)) == pytest.approx(-1)

    def test_equals_the_slow_replica_and_scipy_with_ties_and_missing_values(self):
        from scipy.stats import spearmanr

        random = np.random.default_rng(0)
        for _ in range(20):
            a, b = random.integers(0, 6, (2, 40)).astype(float)
            a[random.random(40) < 0.1] = NAN
            b[random.random(40) < 0.1] = np.inf
            known = np.isfinite(a) & np.isfinite(b)
            assert spearman(a, b) == pytest.approx(slow_spearman(a, b), abs=1e-12)
            assert spearman(a, b) == pytest.approx(spearmanr(a[known], b[known]).statistic, abs=1e-12)

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
            ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
            ([1.0, 2.0, NAN], [1.0, 2.0, 3.0]),
            ([1.0, 1.0, 1.0, NAN], [1.0, 2.0, 3.0, 4.0]),
            ([], []),
        ],
    )
    def test_nan_for_a_constant_side_or_too_few_pairs(self, a, b):
        assert np.isnan(spearman(np.array(a, dtype=float), np.array(b, dtype=float)))


class TestWilsonInterval:
    def test_by_hand(self):
        # z = 1.96, 8 of 10: centre (0.8 + 0.192073) / 1.384146, half 1.959964 * sqrt(0.016 + 0.009604) / 1.384146.
        assert wilson_interval(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)

    @pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
    @pytest.mark.parametrize(
        ("successes", "trials"), [(1, 2), (3, 17), (16, 17), (0, 5), (5, 5), (250, 1000)]
    )
    def test_equals_scipy(self, successes, trials, level):
        from scipy.stats import binomtest

        expected = binomtest(successes, trials).proportion_ci(level, method="wilson")
        assert wilson_interval(successes, trials, level) == pytest.approx(tuple(expected), abs=1e-12)

    @given(st.integers(1, 500), st.floats(0.001, 0.999))
    def test_each_end_lies_z_standard_errors_from_the_share(self, trials, share):
        for end in wilson_interval(share * trials, trials):
            assert abs(share - end) == pytest.approx(
                1.959963984540054 * np.sqrt(end * (1 - end) / trials), rel=1e-6, abs=1e-9
            )

    def test_the_ends_are_exact(self):
        for trials in range(1, 200):
            assert wilson_interval(0, trials)[0] == 0
            assert wilson_interval(trials, trials)[1] == 1

    def test_a_fractional_sample_size_lies_between_whole_ones(self):
        widths = [np.diff(wilson_interval(0.3 * n, n))[0] for n in (10, 10.5, 11)]
        assert widths[0] > widths[1] > widths[2]

    def test_no_trial_excludes_nothing(self):
        assert wilson_interval(0, 0) == (0, 1)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((3, 2), "0 to all of the trials; got 3 of 2"),
            ((-1, 2), "0 to all of the trials; got -1 of 2"),
            ((1, 2, 95), "between 0 and 1; got 95"),
        ],
    )
    def test_refuses_impossible_counts_and_levels(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            wilson_interval(*arguments)


class TestMassShare:
    def test_by_hand(self):
        values = np.array([[3.0, -5.0], [1.0, NAN]])
        assert mass_share(values, np.array([[True, True], [False, True]])) == 0.75

    def test_nan_without_a_positive_value(self):
        assert np.isnan(mass_share(np.array([0.0, -1.0, NAN]), np.array([True, False, True])))

    def test_inside_and_outside_sum_to_one(self):
        random = np.random.default_rng(1)
        values, inside = random.standard_normal(100), random.random(100) < 0.3
        slow = sum(max(v, 0) for v in values[inside]) / sum(max(v, 0) for v in values)
        assert mass_share(values, inside) == pytest.approx(slow)
        assert mass_share(values, inside) + mass_share(values, ~inside) == pytest.approx(1)


class TestRocArea:
    def test_by_hand(self):
        # Pairs inside against outside: 3 > 1, 3 > 2, 2 > 1, 2 = 2.
        values = np.array([3.0, 1.0, 2.0, 2.0, NAN])
        assert roc_area(values, np.array([True, False, True, False, True])) == 3.5 / 4

    def test_equals_the_slow_replica_in_any_shape(self):
        random = np.random.default_rng(2)
        for _ in range(20):
            values, inside = random.integers(0, 5, (4, 7)).astype(float), random.random((4, 7)) < 0.4
            values[random.random((4, 7)) < 0.1] = NAN
            expected = slow_roc_area(values, inside)
            assert roc_area(values, inside) == pytest.approx(expected)
            assert roc_area(values, ~inside) == pytest.approx(1 - expected)

    @pytest.mark.parametrize(
        "inside", [[True, True, True], [False, False, False], [True, False, True], [False, True, False]]
    )
    def test_nan_where_one_side_is_empty(self, inside):
        assert np.isnan(roc_area(np.array([1.0, NAN, 2.0]), np.array(inside)))


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (0.5, 0.5),
        ((1, float("nan")), [1, None]),
        ("text", "text"),
    ],
)
def test_what_json_cannot_hold_is_none(value, stored):
    assert json_value(value) == stored
