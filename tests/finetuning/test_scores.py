"""Accuracy by hand, and intervals against their formulas and in simulations."""

import numpy as np
import pytest

from canonface.finetuning import interval, make_scores
from canonface.finetuning.cards import card_page  # noqa: F401 - the module loads without torch


def test_four_photos_by_hand():
    scores = make_scores(
        np.array([0, 0, 0, 1]),
        np.array([0, 1, 0, 1]),
        ["a", "b"],
        ["p", "p", "q", "r"],
        {"g": ["x", "x", "y", ""]},
    )
    assert scores.accuracy.value == 0.75
    assert scores.balanced == pytest.approx((2 / 3 + 1) / 2)
    assert (scores.baseline, scores.commonest) == (0.75, "a")
    assert {name: share.value for name, share in scores.by_class.items()} == {
        "a": pytest.approx(2 / 3),
        "b": 1.0,
    }
    assert {value: share.value for value, share in scores.by_group["g"].items()} == {"x": 0.5, "y": 1.0}
    assert scores.by_group["g"]["x"].people == 1
    assert scores.confusion == ((2, 1), (0, 1))


def test_a_class_that_does_not_occur_is_left_out():
    scores = make_scores(np.array([0, 0]), np.array([0, 2]), ["a", "b", "c"], ["p", "q"], {})
    assert list(scores.by_class) == ["a"]
    assert scores.balanced == 0.5


def test_groups_that_begin_with_numbers_are_sorted_by_them():
    values = ["10-19", "3-9", "more"]
    scores = make_scores(np.array([0, 0, 1]), np.array([0, 0, 1]), ["a", "b"], list("pqr"), {"age": values})
    assert list(scores.by_group["age"]) == ["3-9", "10-19", "more"]


def test_one_photo_each_is_wilsons_interval():
    low, high = interval(np.arange(10) < 8, [str(i) for i in range(10)])
    # Wilson, E. B. (1927), for 8 of 10.
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_photos_of_one_person_that_agree_count_once():
    correct = np.repeat(np.arange(10) < 8, 7)
    people = [str(i // 7) for i in range(70)]
    low, high = interval(correct, people)
    alone = interval(np.arange(10) < 8, [str(i) for i in range(10)])
    # G / (G - 1) makes it a little wider than ten photos would be.
    assert low < alone[0] < high < 1
    assert low == pytest.approx(alone[0], abs=0.03)


def test_where_all_are_correct_people_count():
    people = [str(i // 5) for i in range(20)]
    assert interval(np.ones(20, dtype=bool), people) == pytest.approx(
        interval(np.ones(4, dtype=bool), list("abcd"))
    )


@pytest.mark.parametrize("photos", [1, 6])
def test_intervals_cover_the_truth_at_their_level(photos):
    draw = np.random.default_rng(0)
    held = []
    for _ in range(200):
        # Each person is recognised with a chance of their own, 0.75 on the mean.
        chance = draw.beta(3, 1, 40)
        correct = (draw.random((40, photos)) < chance[:, None]).ravel()
        low, high = interval(correct, np.repeat([str(i) for i in range(40)], photos).tolist())
        held.append(low <= 0.75 <= high)
    assert 0.9 <= np.mean(held) <= 0.99
