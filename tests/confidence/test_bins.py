"""Bins: edges, names, probabilities by hand and against the slow replica, labels that are numbers or bins."""

import math

import numpy as np
import pytest
import slow_confidences as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.confidence import AGE_BINS, BinConfidence, Bins, CleanPrediction
from canonface.errors import OptionError, TargetError

AGES = tuple(map(str, range(81)))


def logits(*peaks):
    """Return one row a peak, with nearly all probability at one age."""
    rows = np.zeros((len(peaks), 81), np.float32)
    rows[range(len(peaks)), peaks] = 12.0
    return rows


def predict(target, outputs, labels=None, **options):
    bound = BinConfidence(target=target, **options).bind(
        CleanPrediction(outputs[:1], "logits", AGES, labels or {})
    )
    return bound, bound(outputs)


def test_ages_fall_into_ten_bins_of_ten_years():
    assert AGE_BINS.names[:2] == ("0-9", "10-19")
    assert AGE_BINS.names[-1] == "90+"
    assert len(AGE_BINS) == 10
    assert AGE_BINS.indices([0, 9, 9.99, 10, 89, 90, 117, -1, np.nan]).tolist() == [
        0,
        0,
        0,
        1,
        8,
        9,
        9,
        -1,
        -1,
    ]


def test_names_come_from_the_edges():
    assert Bins((-math.inf, 1, 2, 4.5, math.inf)).names == ("<1", "1", "2..4.5", "4.5+")
    assert Bins((-20, -10, 0)).names == ("-20..-10", "-10..0")
    assert Bins((0, 3, 10), ("toddler", "child")).index("child") == 1


def test_the_probability_of_a_bin_is_the_sum_of_its_classes():
    outputs = np.log(np.full((1, 81), 1.0, np.float32))
    bound, got = predict("30-39", outputs)
    np.testing.assert_allclose(got, [10 / 81])
    assert (bound.target, bound.unit) == ("30-39", "probability of 30-39")
    _, got = predict("80-89", outputs)
    np.testing.assert_allclose(got, [1 / 81])


@settings(deadline=None)
@given(st.lists(st.floats(-20, 20), min_size=5, max_size=5), st.integers(0, 2))
def test_it_equals_the_slow_replica_and_the_bins_sum_to_one(values, chosen):
    numbers, edges = [1, 4, 5, 9, 20], (0, 5, 10, math.inf)
    row = np.float32([values])
    original = CleanPrediction(row, "logits", tuple(map(str, numbers)))
    got = [BinConfidence(Bins(edges), name).bind(original)(row)[0] for name in Bins(edges).names]
    expected = slow.in_bin(row[0].tolist(), numbers, edges[chosen], edges[chosen + 1])
    assert got[chosen] == pytest.approx(expected, abs=1e-12)
    assert sum(got) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("target", "labels", "expected"),
    [
        ("predicted", {}, "40-49"),
        ("20-29", {}, "20-29"),
        ("25", {}, "20-29"),
        ("label:age", {"age": "33"}, "30-39"),
        ("label:age", {"age": "33.5"}, "30-39"),
        ("label:age", {"age": "30-39"}, "30-39"),
        ("label:age", {"age": "0"}, "0-9"),
    ],
)
def test_a_target_in_each_form(target, labels, expected):
    assert predict(target, logits(41), labels)[0].target == expected


def test_hiding_the_relied_on_part_is_a_positive_drop():
    _, got = predict("predicted", logits(41, 48, 35))
    assert got[0] - got[1] == pytest.approx(0, abs=1e-9)
    assert got[0] - got[2] > 0.9


def test_the_predicted_bin_is_the_most_probable_bin_and_not_that_of_the_top_class():
    names = ("10", "21", "22", "23")
    original = CleanPrediction(np.array([[0.4, 0.2, 0.2, 0.2]]), "probabilities", names)
    assert BinConfidence().bind(original).target == "20-29"


def test_values_may_stand_in_for_names():
    original = CleanPrediction(np.array([[0.25, 0.75]]), "probabilities")
    bound = BinConfidence(values=(5.0, 15.0)).bind(original)
    assert bound.target == "10-19"


def test_errors():
    for edges in ((1,), (2, 1), (1, 1), (0, math.nan)):
        with pytest.raises(OptionError, match="edges of bins rise"):
            Bins(edges)
    with pytest.raises(OptionError, match="one name each, all different"):
        Bins((0, 1, 2), ("a", "a"))
    with pytest.raises(TargetError, match=r"no bin '30-40': did you mean .*'30-39'"):
        BinConfidence(target="30-40")
    with pytest.raises(TargetError, match="no bin '-3'"):
        BinConfidence(target="-3")
    with pytest.raises(TargetError, match="no bin '3-9'"):
        predict("label:age", logits(3), {"age": "3-9"})
    with pytest.raises(TargetError, match="has none: add it, leave the photo out, or name a bin"):
        predict("label:age", logits(3), {"age": ""})
    with pytest.raises(TargetError, match=r"none of the model's numbers lies in '90\+'.*0-9, 10-19"):
        BinConfidence(target="90+").check("logits", AGES)
    unnamed, values = CleanPrediction(np.zeros((1, 2)), "logits", (), {"age": "90"}), (5.0, 15.0)
    # The same for every face where the bin is fixed, this face's own trouble where its label names it.
    with pytest.raises(OptionError, match="none of the model's numbers lies in"):
        BinConfidence(target="90+", values=values).bind(unnamed)
    with pytest.raises(TargetError, match="none of the model's numbers lies in"):
        BinConfidence(target="label:age", values=values).bind(unnamed)
    with pytest.raises(TargetError, match="names are: female, male"):
        BinConfidence().check("logits", ("female", "male"))
    with pytest.raises(OptionError, match="'age-bin' is about a class"):
        BinConfidence().check("values", ("age",))
