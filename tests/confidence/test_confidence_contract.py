"""The contract, for every confidence of the registry and for those that take more than a name."""

from dataclasses import replace

import numpy as np
import pytest
from confidence_contract import AGES, MODELS, Case, ConfidenceContract, outputs_of, suits

from canonface.confidence import (
    CONFIDENCES,
    FunctionConfidence,
    Gallery,
    Original,
    RecognitionConfidence,
    VerificationConfidence,
)
from canonface.errors import CanonfaceError

WIDTH = 6


def of_one(confidence, kind, names, labels=None):
    width = len(names) or WIDTH
    original, occluded = outputs_of(kind, width, 1, seed=1), outputs_of(kind, width, 7)

    def bind(outputs):
        return confidence.bind(Original(outputs, kind, names, labels or {}))

    worse = None if confidence.describe().get("form") == "change" else opposite(original, kind)
    return Case(confidence, kind, original, occluded, worse, bind)


def opposite(outputs, kind):
    """What a model answers that lost its answer: other classes, another pose, the opposite direction."""
    if kind == "values":
        return outputs + np.float32(40.0)
    return np.roll(outputs, outputs.shape[1] // 2, axis=1) if kind == "probabilities" else -outputs


def own(original, occluded):
    return -np.abs(occluded - original).sum(axis=1)


def registered():
    """Every name of the registry with every model that it suits, about its default and about a first output."""
    for name, make in CONFIDENCES.items():
        for kind, names in MODELS:
            for target in dict.fromkeys((None, *names[:1])):
                try:
                    confidence = make(target)
                except CanonfaceError:
                    continue
                if suits(confidence, kind, names):
                    key = f"{name}-{kind}-{len(names)}-{target}"
                    yield pytest.param((confidence, kind, names), id=key)


def test_every_name_of_the_registry_is_tried():
    tried = {parameter.values[0][0].describe()["name"] for parameter in registered()}
    assert tried == set(CONFIDENCES)


class TestRegistered(ConfidenceContract):
    @pytest.fixture(params=registered())
    def case(self, request):
        return of_one(*request.param)


FACES = outputs_of("embedding", WIDTH, 3, seed=1)
GALLERY = Gallery(("Ada", "Ada", "Bob"), np.concatenate([FACES[:2], 1 - FACES[:1]]), ("x", "y", "z"))


class TestRecognition(ConfidenceContract):
    @pytest.fixture(params=["closest", "margin"])
    def form(self, request):
        return request.param

    @pytest.fixture(params=["label:identity", "Ada", "predicted"])
    def case(self, request, form):
        # The first gallery photo shows the very same face, the last its opposite.
        confidence = RecognitionConfidence(GALLERY, request.param, form)
        return of_one(confidence, "embedding", (), {"identity": "Ada"})


class TestFunction(ConfidenceContract):
    @pytest.fixture(params=["logits", "values"])
    def case(self, request):
        return of_one(FunctionConfidence(own), request.param, AGES)


class TestVerification(ConfidenceContract):
    @pytest.fixture(params=["1", "0"])
    def same(self, request):
        return request.param

    @pytest.fixture(params=["first", "both"])
    def case(self, request, same):
        """The second face answers with the first's numbers, turned round where the pair is an impostor's."""
        confidence = VerificationConfidence(0.2)
        original, occluded = outputs_of("embedding", WIDTH, 1, seed=1), outputs_of("embedding", WIDTH, 7)
        other = original.copy() if same == "1" else -original

        def bind(outputs):
            pair = (Original(x, "embedding", (), {"same": same}) for x in (outputs, other))
            bound = confidence.bind(*pair)

            def of(a):
                both = np.concatenate([np.repeat(other, len(a), axis=0), other + 0.1])[: len(a)]
                return bound.of(a, other if request.param == "first" else both)

            return replace(bound, of=of)

        return Case(confidence, "embedding", original, occluded, -original, bind)
