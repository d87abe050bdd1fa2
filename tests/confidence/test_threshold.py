"""Thresholds: by hand, against the slow replica, laws, too few pairs."""

import numpy as np
import pytest
import slow_confidences as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.confidence import Threshold, fit_threshold, verification_accuracy
from canonface.errors import OptionError

# Ten impostors at 0.0, 0.1, ... 0.9 and four genuine pairs.
SIMILARITIES = np.array([*np.arange(10) / 10, 0.95, 0.85, 0.75, 0.05])
SAME = np.array([False] * 10 + [True] * 4)


def test_by_hand():
    fitted = fit_threshold(SIMILARITIES, SAME, 0.2)
    # Two of ten impostors may pass: 0.9 and 0.8; the threshold lies just above 0.7.
    assert 0.7 < fitted.value < 0.7 + 1e-9
    assert fitted == Threshold(fitted.value, 0.2, 0.2, 0.75, 10, 4)


def test_a_rate_between_two_counts_takes_the_lower():
    assert fit_threshold(SIMILARITIES, SAME, 0.29).false_match_rate == 0.2
    assert fit_threshold(SIMILARITIES, SAME, 0.3).false_match_rate == 0.3


def test_a_rate_that_floating_point_rounds_down_is_corrected():
    # 0.29 * 100 is 28.999...
    similarities, same = np.arange(101) / 101, np.arange(101) == 100
    assert fit_threshold(similarities, same, 0.29).false_match_rate == 0.29


def test_ties_are_rejected_together():
    fitted = fit_threshold([0.5, 0.5, 0.5, 0.1, 0.9], np.array([False] * 4 + [True]), 0.5)
    assert fitted.value > 0.5
    assert fitted.false_match_rate == 0.0


@settings(deadline=None)
@given(
    impostors=st.lists(st.sampled_from([-0.5, 0.0, 0.1, 0.2, 0.3, 0.9]), min_size=10, max_size=40),
    genuine=st.lists(st.floats(-1, 1), min_size=1, max_size=10),
    rate=st.floats(0.1, 0.99),
)
def test_it_equals_the_slow_replica_and_keeps_the_rate(impostors, genuine, rate):
    similarities = np.array([*impostors, *genuine])
    same = np.array([False] * len(impostors) + [True] * len(genuine))
    fitted = fit_threshold(similarities, same, rate)
    assert fitted.value == slow.threshold(similarities.tolist(), same.tolist(), rate)
    assert fitted.false_match_rate <= rate + 1e-9
    right = fitted.true_match_rate * len(genuine) + (1 - fitted.false_match_rate) * len(impostors)
    assert verification_accuracy(similarities, same, fitted) == pytest.approx(right / len(similarities))


def test_identical_features_that_the_rate_lets_pass_do_no_harm():
    assert fit_threshold([1.0, 0.1, 0.2, 0.9], [False] * 3 + [True], 0.5).value < 0.2 + 1e-9


def test_accuracy_by_hand():
    # At 0.75: impostors 0.8 and 0.9 pass, the genuine pair at 0.05 fails.
    assert verification_accuracy(SIMILARITIES, SAME, 0.75) == pytest.approx(11 / 14)
    assert verification_accuracy(SIMILARITIES, SAME, -1.0) == pytest.approx(4 / 14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_threshold(SIMILARITIES, SAME, 0.001), "on 1000 pairs of two persons or more; got 10"),
        (lambda: fit_threshold(SIMILARITIES, SAME, 0.0), "above 0 and below 1; got 0"),
        (lambda: fit_threshold(SIMILARITIES, SAME, 1.0), "above 0 and below 1"),
        (lambda: fit_threshold(SIMILARITIES, ~SAME & False, 0.1), "got 0 and 14"),
        (lambda: fit_threshold(SIMILARITIES, SAME | True, 0.1), "got 14 and 0"),
        (lambda: fit_threshold(SIMILARITIES * np.nan, SAME, 0.1), "14 of 14 are not"),
        (lambda: fit_threshold(SIMILARITIES, SAME[1:], 0.1), r"shape \(14,\) and same of shape \(13,\)"),
        (lambda: fit_threshold(SIMILARITIES, SAME.astype(int), 0.1), "one True or False each.*int64"),
        (
            lambda: fit_threshold([1.0, 1.0, 0.2, 0.9], [False] * 3 + [True], 0.5),
            "2 of 3 pairs .* identical features",
        ),
        (lambda: verification_accuracy([], [], 0.5), "takes a pair and a finite threshold; got 0"),
        (lambda: verification_accuracy([0.5], [True], np.nan), "got 1 and nan"),
    ],
)
def test_errors(call, message):
    with pytest.raises(OptionError, match=message):
        call()
