"""The contract, for every confidence of the registry and for those that take more than a name."""

import copy
import json

import numpy as np
import pytest
from confidence_contract import AGES, MODELS, Case, ConfidenceContract, outputs_of, suits

from canonface.confidence import (
    CONFIDENCES,
    BinConfidence,
    Bins,
    BoundConfidence,
    ClassConfidence,
    CleanPrediction,
    ExpectedValue,
    FunctionConfidence,
    Gallery,
    PoseBinConfidence,
    RecognitionConfidence,
    Threshold,
    ValueConfidence,
    VerificationConfidence,
)
from canonface.errors import CanonfaceError

WIDTH = 6


def of_one(confidence, kind, names, labels=None):
    width = len(names) or WIDTH
    original, occluded = outputs_of(kind, width, 1, seed=1), outputs_of(kind, width, 7)

    def bind(outputs):
        return confidence.bind(CleanPrediction(outputs, kind, names, labels or {}))

    worse = None if confidence.describe().get("form") == "change" else opposite(original, kind)
    return Case(confidence, kind, original, occluded, worse, bind)


def opposite(outputs, kind):
    """Return outputs after a total loss: other classes, another pose, the opposite direction."""
    if kind == "values":
        return outputs + np.float32(40.0)
    return np.roll(outputs, outputs.shape[1] // 2, axis=1) if kind == "probabilities" else -outputs


def own(original, occluded):
    return -np.abs(occluded - original).sum(axis=1)


def registered():
    """Yield every name of the registry, with each suitable model, for the default target and the first output."""
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
        """Return a case whose second face has the outputs of the first, negated for an impostor pair."""
        confidence = VerificationConfidence(0.2)
        original, occluded = outputs_of("embedding", WIDTH, 1, seed=1), outputs_of("embedding", WIDTH, 7)
        other = original.copy() if same == "1" else -original

        def bind(outputs):
            pair = (CleanPrediction(x, "embedding", (), {"same": same}) for x in (outputs, other))
            bound = confidence.bind(*pair)

            def confidence_fn(a):
                both = np.concatenate([np.repeat(other, len(a), axis=0), other + 0.1])[: len(a)]
                return bound(a, other if request.param == "first" else both)

            return BoundConfidence(bound.target, bound.unit, confidence_fn)

        return Case(confidence, "embedding", original, occluded, -original, bind)


THRESHOLD = Threshold(0.5, 0.1, 0.1, 0.9, 10, 10)
CONFIDENCE_OBJECTS = [
    *(make(None) for make in CONFIDENCES.values()),
    *(ClassConfidence(target, scale) for target in (0, "0", "label:a") for scale in ("logit", "log-odds")),
    *(ExpectedValue(form, values) for form in ("change", "distance") for values in ((0, 1), (0, 2))),
    *(ValueConfidence(target, form) for target in (0, "yaw") for form in ("change", "distance")),
    BinConfidence(Bins((0, 1, 2))),
    BinConfidence(Bins((0, 1, 2), ("low", "high"))),
    BinConfidence(Bins((0, 1, 2)), target="1"),
    BinConfidence(Bins((0, 1, 2)), values=(0, 1)),
    PoseBinConfidence("left-up"),
    PoseBinConfidence(yaw_edges=(-20, 20)),
    PoseBinConfidence(pitch_edges=(-20, 20)),
    PoseBinConfidence(sigma=4),
    PoseBinConfidence(yaw=0),
    PoseBinConfidence(pitch=0),
    *(
        RecognitionConfidence(GALLERY, who, how)
        for who in ("Ada", "predicted")
        for how in ("closest", "margin")
    ),
    RecognitionConfidence(Gallery(GALLERY.identities, GALLERY.features, GALLERY.photos, "m"), "Ada"),
    RecognitionConfidence(Gallery(GALLERY.identities, GALLERY.features), "Ada"),
    *(
        VerificationConfidence(t, s, p)
        for t in (0.5, THRESHOLD)
        for s in ("same", "predicted")
        for p in (False, True)
    ),
    *(FunctionConfidence(own, unit, target) for unit in ("a", "b") for target in ("c", "d")),
]


def test_two_confidences_describe_themselves_differently():
    texts = [json.dumps(confidence.describe(), sort_keys=True) for confidence in CONFIDENCE_OBJECTS]
    assert [text for text in texts if texts.count(text) > 1] == []


def unchecked(confidence, **fields):
    """Return the confidence with other fields, without the tests' check of annotations."""
    made = copy.copy(confidence)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    made.__post_init__()
    return made


@pytest.mark.parametrize(
    ("of_numpy", "plain"),
    [
        (unchecked(ExpectedValue(), values=np.arange(3)), ExpectedValue(values=(0, 1, 2))),
        (unchecked(ExpectedValue(), values=tuple(np.arange(3))), ExpectedValue(values=(0, 1, 2))),
        (
            BinConfidence(unchecked(Bins((0, 1, 2)), edges=np.float32([3, 4, 5]), names=())),
            BinConfidence(Bins((3, 4, 5))),
        ),
        (unchecked(BinConfidence(), values=np.float32([5, 15])), BinConfidence(values=(5, 15))),
        (unchecked(PoseBinConfidence(), yaw_edges=np.int64([-9, 9])), PoseBinConfidence(yaw_edges=(-9, 9))),
        (
            unchecked(PoseBinConfidence(), sigma=np.int64(4), yaw=np.int64(0)),
            PoseBinConfidence(sigma=4, yaw=0),
        ),
        (unchecked(ClassConfidence(), target=np.int64(1)), ClassConfidence(1)),
        (unchecked(ValueConfidence(), target=np.int64(1)), ValueConfidence(1)),
        (unchecked(VerificationConfidence(0), threshold=np.float32(0.5)), VerificationConfidence(0.5)),
    ],
    ids=lambda confidence: type(confidence).__name__,
)
def test_numbers_of_numpy_become_plain_ones(of_numpy, plain):
    assert of_numpy == plain
    assert json.loads(json.dumps(of_numpy.describe())) == json.loads(json.dumps(plain.describe()))
