"""Deletion, insertion and ROAD on inputs of four pixels, on linear models, and against slow replicas."""

import numpy as np
import pytest
import slow_road
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from canonface.errors import OptionError
from canonface.evaluation import area_under, curve_inputs, most_relevant_first, noisy_linear_imputation
from canonface.evaluation.curves import leading_masks, step_counts

X = np.array([[[1.0, 2.0], [3.0, 4.0]]], dtype=np.float32)
BLACK = np.zeros_like(X)
MAP = np.array([[0.1, 0.4], [0.2, 0.3]])


def test_pixels_come_in_the_order_of_attribution():
    assert most_relevant_first(MAP).tolist() == [1, 3, 2, 0]
    assert most_relevant_first(np.array([[np.nan, -2.0], [np.nan, -3.0]])).tolist()[:2] == [1, 3]


def test_pixels_of_equal_attribution_come_in_random_order():
    flat = np.zeros((20, 20))
    order = most_relevant_first(flat)
    assert sorted(order) == list(range(400))
    assert abs(np.corrcoef(order, np.arange(400))[0, 1]) < 0.2
    np.testing.assert_array_equal(order, most_relevant_first(flat))
    assert (order != most_relevant_first(flat, seed=1)).any()
    flat[0, :3] = [1, 2, np.nan]
    assert most_relevant_first(flat).tolist()[:2] == [1, 0]
    assert most_relevant_first(flat)[-1] == 2


def test_deletion_and_insertion_by_hand():
    inputs = curve_inputs(X, BLACK, most_relevant_first(MAP), 4, "deletion")
    assert [one.ravel().tolist() for one in inputs] == [
        [1, 2, 3, 4],
        [1, 0, 3, 4],
        [1, 0, 3, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    back = curve_inputs(X, BLACK, most_relevant_first(MAP), 2, "insertion")
    assert [one.ravel().tolist() for one in back] == [[0, 0, 0, 0], [0, 2, 0, 4], [1, 2, 3, 4]]
    # sums 10, 8, 4, 1, 0: trapezoids 9, 6, 2.5, 0.5 a quarter wide
    assert area_under(inputs.sum(axis=(1, 2, 3))) == pytest.approx(18 / 4)
    # 0, 6, 10: 3 and 8, a half wide
    assert area_under(back.sum(axis=(1, 2, 3))) == pytest.approx(5.5)


def test_the_areas_of_a_linear_model_are_known():
    # f(x) = w x, pixel of rank r (from 0) is gone after its step: area = sum of w x (r + 1/2) / n.
    random = np.random.default_rng(0)
    x, weights = random.random((1, 5, 6)).astype(np.float32), random.normal(size=(5, 6))
    order = most_relevant_first(random.random((5, 6)))
    rank = np.argsort(order).reshape(5, 6)
    parts = weights * x[0]
    for curve, expected in (
        ("deletion", (parts * (rank + 0.5)).sum() / 30),
        ("insertion", (parts * (30 - rank - 0.5)).sum() / 30),
    ):
        inputs = curve_inputs(x, np.zeros_like(x), order, 30, curve)
        assert area_under((inputs * weights).sum(axis=(1, 2, 3))) == pytest.approx(expected, abs=1e-5)


def test_the_true_order_is_the_best_order():
    random = np.random.default_rng(1)
    x, weights = np.ones((1, 4, 4), np.float32), random.normal(size=(4, 4))

    def area(attribution, curve):
        inputs = curve_inputs(x, np.zeros_like(x), most_relevant_first(attribution), 16, curve)
        return area_under((inputs * weights).sum(axis=(1, 2, 3)))

    others = [random.random((4, 4)) for _ in range(50)]
    assert all(area(weights, "deletion") < area(attribution, "deletion") for attribution in others)
    assert all(area(weights, "insertion") > area(attribution, "insertion") for attribution in others)


def test_steps_are_equal_and_reach_both_ends():
    assert step_counts(10, 4).tolist() == [0, 2, 5, 8, 10]
    assert step_counts(3, 6).tolist() == [0, 0, 1, 2, 2, 2, 3]
    masks = leading_masks(np.array([2, 0, 1, 3]), np.array([0, 1, 3]), (2, 2))
    assert masks.reshape(3, 4).astype(int).tolist() == [[0, 0, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: step_counts(4, 0), "at least one step; got 0"),
        (
            lambda: curve_inputs(X, BLACK, np.arange(4), 2, "erasing"),
            "'deletion' or 'insertion'; got 'erasing'",
        ),
        (lambda: area_under([1.0]), "at least two points"),
        (lambda: most_relevant_first(np.array([[np.inf, 0.0]])), "1 infinite"),
        (lambda: most_relevant_first(np.zeros(4)), r"got shape \(4,\)"),
        (lambda: noisy_linear_imputation(X, np.ones((2, 2), bool)), "remove fewer"),
        (lambda: noisy_linear_imputation(X, np.ones((2, 3), bool)), r"\(2, 3\) for \(2, 2\)"),
    ],
)
def test_invalid_arguments_are_refused(call, words):
    with pytest.raises(OptionError, match=words):
        call()


class TestRoad:
    def test_a_corner_is_the_mean_of_its_three_neighbours(self):
        filled = noisy_linear_imputation(X, np.array([[True, False], [False, False]]))
        # (2/6 + 3/6 + 4/12) / (5/12)
        np.testing.assert_allclose(filled[0], [[(2 / 6 + 3 / 6 + 4 / 12) / (5 / 12), 2], [3, 4]])
        assert X[0, 0, 0] == 1

    def test_a_plane_is_filled_with_itself(self):
        y, x = np.mgrid[:9, :9]
        plane = (2.0 * x - 3.0 * y + 1)[None]
        removed = np.zeros((9, 9), bool)
        removed[2:7, 3:6] = True
        np.testing.assert_allclose(noisy_linear_imputation(plane, removed), plane, atol=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(hnp.arrays(bool, (4, 5)), st.integers(0, 5))
    def test_it_equals_the_slow_replica(self, removed, seed):
        if removed.all():
            return
        x = np.random.default_rng(seed).random((2, 4, 5))
        np.testing.assert_allclose(
            noisy_linear_imputation(x, removed), slow_road.imputed(x, removed), atol=1e-9
        )

    def test_kept_pixels_are_unchanged_and_the_noise_has_the_stated_width(self):
        x, removed = np.full((3, 40, 40), 0.5), np.zeros((40, 40), bool)
        removed[5:35, 5:35] = True
        filled = noisy_linear_imputation(x, removed, noise=0.1, seed=3)
        np.testing.assert_array_equal(filled[:, ~removed], 0.5)
        assert filled[:, removed].std() == pytest.approx(0.1, rel=0.05)
        np.testing.assert_array_equal(filled, noisy_linear_imputation(x, removed, noise=0.1, seed=3))
        by_channel = noisy_linear_imputation(x, removed, noise=np.array([0.0, 0.1, 0.2]).reshape(3, 1, 1))
        np.testing.assert_allclose(by_channel[:, removed].std(axis=1), [0, 0.1, 0.2], rtol=0.1, atol=1e-12)
