"""What holds for every confidence: one class that every kind of question passes."""

import json
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from canonface.confidence import BoundConfidence, BoundPairConfidence, Confidence, PairConfidence
from canonface.errors import CanonfaceError

AGES = tuple(map(str, range(0, 100, 5)))
POSE = ("yaw", "pitch", "roll")
# What a model may be: its kind of outputs and their names.
MODELS = (
    ("logits", AGES),
    ("probabilities", AGES),
    ("values", POSE),
    ("values", ("age",)),
    ("embedding", ()),
)


def suits(confidence, kind, names):
    try:
        confidence.check(kind, names)
    except CanonfaceError:
        return False
    return True


def outputs_of(kind, width, n, seed=0):
    """Answers that a model of this kind may give."""
    values = np.random.default_rng(seed).normal(size=(n, width)) * 3
    if kind in ("logits", "probabilities"):
        values[:1, 0] += 9  # the first class leads in the first answer
    if kind == "probabilities":
        values = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    return values.astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A question, a model that it suits and answers of that model.

    Attributes:
        confidence: the question.
        kind: of the model's outputs.
        original: ``(1, d)`` the answer to the face as it is.
        occluded: ``(n, d)`` answers to occluded faces.
        worse: ``(1, d)`` the answer of a model that lost what it relied on; None: the drop has no preferred sign.
        bind: from the original outputs to a bound confidence ``of`` one array.
    """

    confidence: Any
    kind: str
    original: np.ndarray
    occluded: np.ndarray
    worse: np.ndarray | None
    bind: Any


class ConfidenceContract:
    """A subclass has a fixture ``case``."""

    def test_is_a_question_in_words(self, case):
        assert isinstance(case.confidence, Confidence | PairConfidence)
        assert case.confidence.unit.strip()
        bound = case.bind(case.original)
        assert isinstance(bound, BoundConfidence | BoundPairConfidence)
        assert bound.target.strip()
        assert bound.unit.strip()

    @pytest.mark.parametrize("n", [0, 1, 7])
    def test_one_finite_number_an_answer(self, case, n):
        got = case.bind(case.original)(case.occluded[:n])
        assert got.shape == (n,)
        assert got.dtype == np.float64
        assert np.isfinite(got).all()

    def test_pieces_answer_as_the_whole(self, case):
        of = case.bind(case.original)
        pieces = np.concatenate([of(case.occluded[i : i + 3]) for i in range(0, 7, 3)])
        np.testing.assert_allclose(pieces, of(case.occluded), rtol=1e-9, atol=1e-12)

    def test_it_sees_a_difference(self, case):
        got = case.bind(case.original)(case.occluded)
        assert np.ptp(got) > 0

    def test_nothing_is_changed_for_the_caller(self, case):
        original, occluded = case.original.copy(), case.occluded.copy()
        case.bind(original)(occluded)
        np.testing.assert_array_equal(original, case.original)
        np.testing.assert_array_equal(occluded, case.occluded)

    def test_what_was_bound_stays_when_the_caller_reuses_its_arrays(self, case):
        original = case.original.copy()
        bound = case.bind(original)
        before = bound(case.occluded)
        original[:] = case.occluded[3]
        np.testing.assert_array_equal(bound(case.occluded), before)

    def test_it_travels_to_workers(self, case):
        again = pickle.loads(pickle.dumps(case.confidence))
        assert again.describe() == case.confidence.describe()
        assert again.unit == case.confidence.unit
        assert suits(again, case.kind, ())

    def test_it_describes_itself_in_json(self, case):
        described = case.confidence.describe()
        assert described["name"]
        assert json.loads(json.dumps(described, allow_nan=False)) == dict(described)

    def test_losing_what_it_relied_on_is_a_positive_drop(self, case):
        if case.worse is None:
            assert case.confidence.describe()["form"] == "change"
            return
        of = case.bind(case.original)
        assert of(case.original)[0] - of(case.worse)[0] > 0.05

    def test_what_does_not_suit_is_refused_in_words(self, case):
        refused = [model for model in MODELS if not suits(case.confidence, *model)]
        if case.confidence.describe()["name"] == "function":
            assert not refused
            return
        assert refused
        for model in refused:
            with pytest.raises(CanonfaceError, match=r"[.:;].*\w"):
                case.confidence.check(*model)
