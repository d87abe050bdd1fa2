"""The contract of confidences: one class of tests for every kind."""

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
# Models: kind of the outputs and their names.
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
    """Return possible outputs of a model of this kind."""
    values = np.random.default_rng(seed).normal(size=(n, width)) * 3
    if kind in ("logits", "probabilities"):
        values[:1, 0] += 9  # the first class leads in the first row
    if kind == "probabilities":
        values = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    return values.astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A confidence, and outputs of a model that it suits.

    Attributes:
        confidence: the confidence.
        kind: of the model's outputs.
        original: ``(1, d)`` outputs for the face without occlusion.
        occluded: ``(n, d)`` outputs for occluded faces.
        worse: ``(1, d)`` outputs without the relied-on part; None: the drop has no preferred sign.
        bind: from the original outputs to a bound confidence of one array.
    """

    confidence: Any
    kind: str
    original: np.ndarray
    occluded: np.ndarray
    worse: np.ndarray | None
    bind: Any


class ConfidenceContract:
    """A subclass has a fixture ``case``."""

    def test_has_a_target_and_a_unit(self, case):
        assert isinstance(case.confidence, Confidence | PairConfidence)
        assert case.confidence.unit.strip()
        bound = case.bind(case.original)
        assert isinstance(bound, BoundConfidence | BoundPairConfidence)
        assert bound.target.strip()
        assert bound.unit.strip()

    @pytest.mark.parametrize("n", [0, 1, 7])
    def test_one_finite_number_a_row(self, case, n):
        got = case.bind(case.original)(case.occluded[:n])
        assert got.shape == (n,)
        assert got.dtype == np.float64
        assert np.isfinite(got).all()

    def test_pieces_equal_the_whole(self, case):
        confidence_fn = case.bind(case.original)
        pieces = np.concatenate([confidence_fn(case.occluded[i : i + 3]) for i in range(0, 7, 3)])
        np.testing.assert_allclose(pieces, confidence_fn(case.occluded), rtol=1e-9, atol=1e-12)

    def test_it_sees_a_difference(self, case):
        got = case.bind(case.original)(case.occluded)
        assert np.ptp(got) > 0

    def test_nothing_is_changed_for_the_caller(self, case):
        original, occluded = case.original.copy(), case.occluded.copy()
        case.bind(original)(occluded)
        np.testing.assert_array_equal(original, case.original)
        np.testing.assert_array_equal(occluded, case.occluded)

    def test_a_bound_confidence_keeps_its_own_arrays(self, case):
        original = case.original.copy()
        bound = case.bind(original)
        before = bound(case.occluded)
        original[:] = case.occluded[3]
        np.testing.assert_array_equal(bound(case.occluded), before)

    def test_it_can_be_pickled(self, case):
        again = pickle.loads(pickle.dumps(case.confidence))
        assert again.describe() == case.confidence.describe()
        assert again.unit == case.confidence.unit
        assert suits(again, case.kind, ())

    def test_it_describes_itself_in_json(self, case):
        described = case.confidence.describe()
        assert described["name"]
        assert json.loads(json.dumps(described, allow_nan=False)) == dict(described)

    def test_losing_the_relied_on_part_is_a_positive_drop(self, case):
        if case.worse is None:
            assert case.confidence.describe()["form"] == "change"
            return
        confidence_fn = case.bind(case.original)
        assert confidence_fn(case.original)[0] - confidence_fn(case.worse)[0] > 0.05

    def test_unsuitable_models_are_refused_with_a_sentence(self, case):
        refused = [model for model in MODELS if not suits(case.confidence, *model)]
        if case.confidence.describe()["name"] == "function":
            assert not refused
            return
        assert refused
        for model in refused:
            with pytest.raises(CanonfaceError, match=r"[.:;].*\w"):
                case.confidence.check(*model)
