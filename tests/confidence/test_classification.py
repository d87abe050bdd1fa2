"""Confidence of a class: values by hand, targets in every form, errors in words."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.confidence import ClassConfidence, CleanPrediction
from canonface.errors import ModelOutputError, OptionError, TargetError

NAMES = ("female", "male")


def bind(target, values, names=NAMES, labels=None, scale="probability", outputs="logits"):
    values = np.asarray(values, np.float32)
    bound = ClassConfidence(target, scale).bind(CleanPrediction(values[:1], outputs, names, labels or {}))
    return bound, bound(values)


def test_softmax_by_hand():
    bound, got = bind("male", [[0.0, np.log(3)], [np.log(4), 0.0]])
    np.testing.assert_allclose(got, [0.75, 0.2], rtol=1e-6)
    assert (bound.target, bound.unit) == ("male", "probability of male")


def test_logit_and_log_odds_by_hand():
    values = [[1.0, 2.0, 3.0]]
    np.testing.assert_allclose(bind(1, values, (), scale="logit")[1], [2.0])
    np.testing.assert_allclose(
        bind(1, values, (), scale="log-odds")[1], [2 - np.log(np.e + np.e**3)], rtol=1e-6
    )


@given(st.lists(st.floats(-40, 40), min_size=2, max_size=6), st.integers(0, 1))
def test_log_odds_is_the_logit_of_the_softmax(values, index):
    _, p = bind(index, [values], ())
    _, log_odds = bind(index, [values], (), scale="log-odds")
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), p, rtol=1e-6, atol=1e-12)


def test_log_odds_move_for_a_confident_model():
    _, got = bind(0, [[80.0, 0.0], [60.0, 0.0]], scale="log-odds")
    np.testing.assert_allclose(got, [80.0, 60.0])


@pytest.mark.parametrize("scale", ["probability", "log-odds"])
def test_rows_beyond_one_batch_have_the_same_confidence(scale):
    values = np.random.default_rng(0).normal(size=(700, 1000)).astype(np.float32) * 9
    p = np.exp(values.astype(float))[:, 7] / np.exp(values.astype(float)).sum(axis=1)
    expected = p if scale == "probability" else np.log(p / (1 - p))
    np.testing.assert_allclose(bind(7, values, (), scale=scale)[1], expected, rtol=1e-9)


@pytest.mark.parametrize("scale", ["probability", "log-odds"])
def test_many_classes_are_not_copied_as_a_whole(scale):
    values = np.zeros((500, 10_000), np.float32)
    bound = ClassConfidence(0, scale).bind(CleanPrediction(values[:1], "logits"))
    tracemalloc.start()
    bound(values)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < values.nbytes / 2


def test_one_output_is_treated_as_two_classes():
    np.testing.assert_allclose(bind(0, [[0.0], [np.log(3)]], ())[1], [0.5, 0.75], rtol=1e-6)
    np.testing.assert_allclose(bind(0, [[2.5]], (), scale="logit")[1], [2.5])


def test_probabilities_are_not_normalised_again():
    np.testing.assert_allclose(bind(0, [[0.8, 0.2]], outputs="probabilities")[1], [0.8], rtol=1e-6)
    _, odds = bind(0, [[0.8, 0.2]], outputs="probabilities", scale="log-odds")
    np.testing.assert_allclose(odds, np.log(4), rtol=1e-6)
    assert np.isfinite(bind(0, [[1.0, 0.0]], outputs="probabilities", scale="log-odds")[1]).all()


@pytest.mark.parametrize(
    ("target", "labels", "expected"),
    [
        ("predicted", {}, "male"),
        ("female", {}, "female"),
        ("FEMALE", {}, "female"),
        (0, {}, "female"),
        ("1", {}, "male"),
        ("label:sex", {"sex": "female"}, "female"),
        ("label:sex", {"sex": "1"}, "male"),
    ],
)
def test_a_target_in_each_form(target, labels, expected):
    assert bind(target, [[0.0, 1.0]], labels=labels)[0].target == expected


def test_a_number_is_an_index_even_where_names_are_numbers():
    assert bind(0, [[0.0, 1.0]], ("1", "0"))[0].target == "1"
    assert bind("0", [[0.0, 1.0]], ("1", "0"))[0].target == "0"


def test_targets_that_fit_no_face_are_refused_at_once():
    with pytest.raises(TargetError, match="no class '20'"):
        ClassConfidence(20).check("logits", ("10", "20"))
    with pytest.raises(TargetError, match="did you mean 'male'"):
        ClassConfidence("mail").check("logits", NAMES)
    for target in ("20", 1, "predicted", "label:decade"):
        ClassConfidence(target).check("logits", ("10", "20"))
    ClassConfidence("anything").check("logits", ())


def test_the_predicted_class_is_fixed_by_the_original():
    bound, got = bind("predicted", [[2.0, 0.0], [0.0, 2.0]])
    assert bound.target == "female"
    assert got[0] > 0.5 > got[1]


def test_errors_list_near_names():
    with pytest.raises(TargetError, match=r"no class 'femal': did you mean 'female'"):
        bind("femal", [[0.0, 1.0]])
    # The same for every face: no failed row.
    with pytest.raises(OptionError, match="an index from 0 to 1"):
        bind("happy", [[0.0, 1.0]], ())
    with pytest.raises(TargetError, match="an index from 0 to 1"):
        bind("label:mood", [[0.0, 1.0]], (), labels={"mood": "happy"})
    with pytest.raises(TargetError, match="no class '2'"):
        bind(2, [[0.0, 1.0]])
    with pytest.raises(TargetError, match=r"column 'gendr'.*did you mean 'gender'"):
        bind("label:gendr", [[0.0, 1.0]], labels={"gender": "male"})
    with pytest.raises(TargetError, match="this photo has none"):
        bind("label:gender", [[0.0, 1.0]], labels={"gender": ""})
    with pytest.raises(OptionError, match="probability, logit, log-odds"):
        ClassConfidence(scale="softmax")
    with pytest.raises(OptionError, match="raw outputs"):
        bind(0, [[0.5, 0.5]], scale="logit", outputs="probabilities")
    with pytest.raises(ModelOutputError, match="outputs='logits'"):
        bind(0, [[3.0, 0.5]], outputs="probabilities")


@pytest.mark.parametrize(
    ("kind", "words"), [("embedding", "canonface verify"), ("values", "'value-distance'")]
)
def test_outputs_without_classes_are_refused_with_a_remedy(kind, words):
    with pytest.raises(OptionError, match=words):
        ClassConfidence().check(kind, ())
