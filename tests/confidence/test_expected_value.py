"""Expected value: by hand, against the slow replica, both forms, classes that are no numbers."""

import numpy as np
import pytest
import slow_confidences as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.confidence import CleanPrediction, ExpectedValue
from canonface.errors import ModelOutputError, OptionError, TargetError

AGES = ("0", "10", "20", "30")


def predict(outputs, form="change", kind="probabilities", names=AGES, values=None):
    outputs = np.asarray(outputs, np.float32)
    bound = ExpectedValue(form, values).bind(CleanPrediction(outputs[:1], kind, names))
    return bound, bound(outputs)


def test_signed_change_and_distance_by_hand():
    outputs = [[0, 0.5, 0.5, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    bound, got = predict(outputs)
    np.testing.assert_allclose(got, [15, 30, 0], atol=1e-5)
    assert (bound.target, bound.unit) == ("expected value", "expected value")
    # Drops: hiding made the face 15 older (a negative drop), then 15 younger.
    np.testing.assert_allclose(got[0] - got, [0, -15, 15], atol=1e-5)
    bound, got = predict(outputs, "distance")
    np.testing.assert_allclose(got[0] - got, [0, 15, 15], atol=1e-5)
    assert bound.unit == "closeness to the original expected value"
    assert not np.signbit(got[0])


@settings(deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=4, max_size=4))
def test_of_logits_it_equals_the_slow_replica(logits):
    _, got = predict([logits], kind="logits")
    expected = slow.expected(np.float32(logits).tolist(), [0, 10, 20, 30])
    np.testing.assert_allclose(got, [expected], atol=1e-9)


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=5))
def test_a_distance_is_never_a_negative_drop(logits):
    _, got = predict(logits, "distance", "logits")
    assert (got[0] - got >= 0).all()


def test_classes_that_are_no_numbers_are_left_out():
    _, got = predict([[0.5, 0.25, 0.25]], names=("no face", "20", "40"))
    np.testing.assert_allclose(got, [30], atol=1e-5)
    _, got = predict([[1, 0, 0]], names=("no face", "20", "40"))
    np.testing.assert_allclose(got, [30])
    # "nan" and "inf" are words here.
    _, got = predict([[0.5, 0.25, 0.25]], names=("nan", "20", "40"))
    np.testing.assert_allclose(got, [30], atol=1e-5)


def test_numbers_may_be_given_for_a_model_without_names():
    _, got = predict([[0.5, 0.5]], names=(), values=(18.0, 40.0))
    np.testing.assert_allclose(got, [29])


def test_errors():
    with pytest.raises(OptionError, match="form is one of change, distance; got 'signed'"):
        ExpectedValue("signed")
    with pytest.raises(OptionError, match="finite numbers"):
        ExpectedValue(values=(1.0, np.nan))
    with pytest.raises(TargetError, match="names are: female, male"):
        ExpectedValue().check("logits", ("female", "male"))
    with pytest.raises(OptionError, match=r"names are: none\. Give the names"):
        predict([[0.5, 0.5]], names=())
    with pytest.raises(TargetError, match="got 3 for 4"):
        ExpectedValue(values=(1.0, 2.0, 3.0)).check("logits", AGES)
    with pytest.raises(OptionError, match=r"'expected-distance' is about a class.*feature vector"):
        ExpectedValue("distance").check("embedding", ())
    with pytest.raises(ModelOutputError, match="outputs='logits'"):
        predict([[3.0, 0.5, 0, 0]])
