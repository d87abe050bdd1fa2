"""The differentiable score, against autograd of the same confidence in PyTorch."""

import numpy as np
import pytest
import slow_methods
import torch
from small_models import (
    class_confidence,
    class_model,
    clean_prediction,
    embedding_model,
    identity_confidence,
    picture,
)
from torch.nn import functional

from canonface.confidence import (
    BoundConfidence,
    CleanPrediction,
    Gallery,
    RecognitionConfidence,
    VerificationConfidence,
)
from canonface.methods.score import Score, logit_index, slopes


def by_autograd(of, values):
    given = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    [found] = torch.autograd.grad(of(given).sum(), given)
    return found.numpy()


def test_the_slope_of_a_recognition_is_that_of_autograd():
    rng = np.random.default_rng(0)
    values, features = rng.normal(size=(3, 64)), rng.normal(size=(9, 64)).astype(np.float32)
    gallery = Gallery(("ann",) * 4 + ("bob",) * 5, features, ("",) * 9)
    known = torch.tensor(gallery.features, dtype=torch.float64)

    def closest(given, chosen):
        return (functional.normalize(given) @ functional.normalize(known[chosen]).T).max(dim=1).values

    for form in ("closest", "margin"):
        confidence_fn = RecognitionConfidence(gallery, "ann", form).bind(
            CleanPrediction(values[:1], "embedding")
        )

        def of(given, form=form):
            ann = closest(given, slice(0, 4))
            return ann if form == "closest" else ann - closest(given, slice(4, 9))

        expected = by_autograd(of, values)
        found = slopes(confidence_fn, values)
        np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("confidence", ["probability", "logit", "log-odds"])
def test_the_slope_of_a_class_is_that_of_autograd(confidence):
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x, confidence=confidence)
    values = np.random.default_rng(1).normal(size=(5, 3)) * 3

    def of(given):
        p = given.softmax(dim=1)[:, 1]
        return {"probability": p, "logit": given[:, 1], "log-odds": torch.log(p) - torch.log1p(-p)}[
            confidence
        ]

    expected = by_autograd(of, values)
    np.testing.assert_allclose(slopes(confidence_fn, values), expected, atol=1e-8 * np.abs(expected).max())


def test_slopes_in_pieces_are_those_of_one_output_at_a_time(monkeypatch):
    values = np.random.default_rng(2).normal(size=(4, 7))
    values[1] = 0.0

    def of(rows):
        return np.sin(rows).prod(axis=1) + (rows**2).sum(axis=1) * np.arange(1, 8)[None].sum()

    whole = slopes(of, values)
    np.testing.assert_allclose(whole, slow_methods.slopes(of, values), rtol=1e-6, atol=1e-6)
    monkeypatch.setattr("canonface.methods.score._AT_ONCE", 2 * 7 * 2)
    np.testing.assert_array_equal(slopes(of, values), whole)


def test_a_score_is_the_logit_of_the_class_or_the_confidence():
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)
    model.module.eval()
    prediction = clean_prediction(model, x).outputs[0]
    with torch.no_grad():
        given = model.to_device(x)[None]
        assert Score(model, confidence_fn)(given).item() == pytest.approx(prediction[1], rel=1e-6)
        assert Score(model, confidence_fn, "confidence")(given).item() == pytest.approx(
            confidence_fn(prediction[None])[0], rel=1e-6
        )
    assert logit_index(model, confidence_fn, "auto") == 1
    assert logit_index(model, confidence_fn, "confidence") is None


@pytest.mark.parametrize("kind", ["auto", "confidence"])
def test_the_gradient_of_a_score_is_that_of_the_network_and_the_confidence(kind):
    model, x = embedding_model(), picture()
    confidence_fn = identity_confidence(model, x)
    model.module.eval()
    given = model.to_device(x)[None].requires_grad_()
    [found] = torch.autograd.grad(Score(model, confidence_fn, kind)(given).sum(), given)
    prediction = model.module(given)
    slope = torch.tensor(slow_methods.slopes(confidence_fn, prediction.detach().numpy()), dtype=torch.float32)
    [expected] = torch.autograd.grad((prediction * slope).sum(), given)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-3, atol=1e-7)


def test_a_verification_with_the_other_face_as_it_is_has_a_gradient():
    model, x = embedding_model(), picture()
    other = clean_prediction(model, picture(seed=8))
    bound = VerificationConfidence(0.4, "same").bind(clean_prediction(model, x), other)
    confidence_fn = BoundConfidence(bound.target, bound.unit, lambda outputs: bound(outputs, other.outputs))
    values = clean_prediction(model, x).outputs.astype(np.float64)
    fixed = torch.tensor(other.outputs, dtype=torch.float64)
    expected = by_autograd(lambda given: functional.cosine_similarity(given, fixed), values)
    np.testing.assert_allclose(slopes(confidence_fn, values), expected, atol=1e-8)
