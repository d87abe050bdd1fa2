"""Verification of pairs: eq. 8 by hand, labels in words, both signs."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from canonface import functional as F
from canonface.confidence import (
    BoundPairConfidence,
    CleanPrediction,
    Confidence,
    PairConfidence,
    VerificationConfidence,
    fit_threshold,
    is_same,
    make_confidence,
)
from canonface.errors import ModelOutputError, OptionError, TargetError

A, B = np.array([[2.0, 0.0]]), np.array([[4.0, 3.0]])  # cosine 0.8


def bind(same="label:same", label="1", threshold=0.5, paper_sign=False):
    labels = {} if label is None else {"same": label}
    pair = (CleanPrediction(outputs, "embedding", (), labels) for outputs in (A, B))
    return VerificationConfidence(threshold, same, paper_sign).bind(*pair)


@pytest.mark.parametrize(
    ("label", "paper_sign", "target", "expected"),
    [
        ("1", False, "same", 0.3),
        ("0", False, "different", -0.3),
        ("1", True, "same", -0.3),
        ("0", True, "different", 0.3),
    ],
)
def test_eq_8_by_hand(label, paper_sign, target, expected):
    bound = bind(label=label, paper_sign=paper_sign)
    assert isinstance(bound, BoundPairConfidence)
    assert bound.target == target
    np.testing.assert_allclose(bound(A, B), [expected])
    assert F.verification_confidence(A[0], B[0], target == "same", 0.5, paper_sign) == pytest.approx(expected)


def test_units_name_the_side():
    assert bind(label="1").unit == "cosine above the threshold"
    assert bind(label="0").unit == "cosine below the threshold"
    assert bind(paper_sign=True).unit == "eq. 8 as printed"
    assert VerificationConfidence(0.5).unit == "cosine on the right side of the threshold"


def test_hidden_in_both_or_in_one():
    many = np.array([[2.0, 0.0], [0.0, 1.0], [4.0, 3.0]])
    bound = bind()
    np.testing.assert_allclose(bound(many, np.repeat(B, 3, axis=0)), [0.3, 0.1, 0.5])
    np.testing.assert_allclose(bound(many, B), bound(many, np.repeat(B, 3, axis=0)))
    np.testing.assert_allclose(bound(A, many), [0.5, -0.5, 0.3])


def test_a_drop_is_positive_where_a_correct_decision_relied_on_the_hidden_part():
    apart, alike = np.array([[0.0, 5.0]]), np.array([[4.0, 3.0]])
    genuine = bind(label="1")(np.vstack([A, apart]), B)
    assert genuine[0] - genuine[1] > 0
    impostor = bind(label="0")(np.vstack([A, alike]), B)
    assert impostor[0] - impostor[1] > 0


@pytest.mark.parametrize("text", ["1", "1.0", "true", "True", " yes ", "SAME", "genuine"])
def test_words_for_one_person(text):
    assert is_same(text) is True
    assert bind(label=text).target == "same"


@pytest.mark.parametrize("text", ["0", "0.0", "False", "no", "different", "impostor"])
def test_words_for_two_persons(text):
    assert is_same(text) is False
    assert bind(label=text).target == "different"


@pytest.mark.parametrize("text", ["", "2", "maybe", "nan", "-1"])
def test_words_for_neither(text):
    assert is_same(text) is None


def test_without_labels_the_model_decides_at_the_threshold():
    assert bind("predicted", None, threshold=0.8 - 1e-9).target == "same"
    assert bind("predicted", None, threshold=0.81).target == "different"
    assert bind("different", None).target == "different"


def test_a_fitted_threshold_is_written_down():
    fitted = fit_threshold([0.9, 0.8, 0.3, 0.1], np.array([True, True, False, False]), 0.5)
    confidence = VerificationConfidence(fitted)
    assert confidence.describe()["fitted"]["impostors"] == 2
    assert confidence.describe()["threshold"] == fitted.value
    assert VerificationConfidence(0.5).describe()["fitted"] is None


def test_it_is_about_pairs_only(monkeypatch):
    confidence = VerificationConfidence(0.5)
    assert isinstance(confidence, PairConfidence)
    assert not isinstance(confidence, Confidence)
    monkeypatch.setitem(sys.modules, "own_pairs", SimpleNamespace(confidence=confidence))
    with pytest.raises(OptionError, match="VerificationConfidence is about two faces"):
        make_confidence("own_pairs:confidence")


def test_errors():
    with pytest.raises(OptionError, match=r"within -1\.\.1; got 1.4"):
        VerificationConfidence(1.4)
    with pytest.raises(OptionError, match=r"within -1\.\.1; got nan"):
        VerificationConfidence(np.nan)
    with pytest.raises(TargetError, match=r"A pair is one of 1, true.*got 'maybe'"):
        VerificationConfidence(0.5, "maybe")
    with pytest.raises(TargetError, match=r"A pair is one of 1, true.*got '2'"):
        bind(label="2")
    with pytest.raises(TargetError, match=r"'same', and this photo has none: .* use 'predicted'"):
        bind(label=None)
    with pytest.raises(OptionError, match="'verification' compares feature vectors"):
        VerificationConfidence(0.5).check("probabilities", ())
    with pytest.raises(ModelOutputError, match="zeros alone"):
        bind()(A * 0, B)
    pair = [CleanPrediction(A, "embedding", (), {"same": label}) for label in "10"]
    with pytest.raises(TargetError, match="say different things"):
        VerificationConfidence(0.5).bind(*pair)
