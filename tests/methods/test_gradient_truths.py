"""Gradient methods on networks whose gradients are known by hand."""

import numpy as np
import pytest
import torch
from small_models import SPEC, Linear, class_confidence, class_model, picture
from torch import nn
from torch.nn import functional

from canonface.errors import AttributionError, OptionError
from canonface.methods import make_method
from canonface.models import load_model
from canonface.types import InputSpec

GREY = InputSpec(size_hw=(4, 5), colour="grey")
WEIGHTS = np.random.default_rng(2).normal(size=(3, 1, 4, 5)).astype(np.float32)


def linear():
    model, x = class_model(Linear(WEIGHTS), GREY), picture(GREY)
    return model, x, class_confidence(model, x)


def test_the_gradient_of_a_linear_model_is_its_weights():
    model, x, confidence_fn = linear()
    np.testing.assert_allclose(
        make_method("gradient", reduce="sum").attribute(model, x, confidence_fn), WEIGHTS[1, 0], rtol=1e-6
    )
    found = make_method("gradient").attribute(model, x, confidence_fn)
    np.testing.assert_allclose(found, np.abs(WEIGHTS[1, 0]), rtol=1e-6)


def test_the_gradient_of_a_probability_by_hand():
    model, x, confidence_fn = linear()
    logits = np.einsum("chw,kchw->k", x.astype(np.float64), WEIGHTS)
    p = np.exp(logits) / np.exp(logits).sum()
    expected = p[1] * (WEIGHTS[1, 0] - np.einsum("k,khw->hw", p, WEIGHTS[:, 0]))
    found = make_method("gradient", score="confidence", reduce="sum").attribute(model, x, confidence_fn)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_noise_does_not_move_the_gradient_of_a_linear_model():
    model, x, confidence_fn = linear()
    found = make_method("smoothgrad", samples=7, reduce="sum").attribute(model, x, confidence_fn)
    np.testing.assert_allclose(found, WEIGHTS[1, 0], rtol=1e-5)


def test_smoothgrad_is_the_mean_gradient_of_noisy_copies_and_its_seed_decides():
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)
    options = {"samples": 6, "batch": 3, "noise": 0.2, "reduce": "sum"}
    found = make_method("smoothgrad", seed=4, **options).attribute(model, x, confidence_fn)
    assert (
        np.abs(found - make_method("smoothgrad", seed=5, **options).attribute(model, x, confidence_fn)).max()
        > 1e-6
    )
    model.module.eval()
    total = np.zeros(SPEC.size_hw)
    deviation = float(0.2 * (x.max() - x.min()))
    with torch.random.fork_rng():
        torch.manual_seed(4)
        for _ in range(2):
            noisy = torch.normal(torch.tensor(np.repeat(x[None], 3, axis=0)), deviation).requires_grad_()
            model.module(noisy)[:, 1].sum().backward()
            total += noisy.grad.sum(dim=(0, 1)).numpy()
    np.testing.assert_allclose(found, total / 6, rtol=1e-3, atol=1e-6)


def test_integrated_gradients_of_a_linear_model_are_input_times_weights():
    model, x, confidence_fn = linear()
    found = make_method("integrated-gradients", steps=3).attribute(model, x, confidence_fn)
    np.testing.assert_allclose(found, (x * WEIGHTS[1])[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("baseline", ["black", "mean", "#4080c0"])
@pytest.mark.parametrize("score", ["logit", "confidence"])
def test_integrated_gradients_add_up_to_the_change_of_the_score(baseline, score):
    model, x = class_model(), picture()
    model.module.head.weight.data.mul_(20)
    confidence_fn = class_confidence(model, x)
    found = make_method("integrated-gradients", steps=80, batch=40, baseline=baseline, score=score).attribute(
        model, x, confidence_fn
    )
    codes = {"black": np.zeros(3), "mean": np.array(SPEC.mean) * 255, "#4080c0": np.array([64.0, 128, 192])}
    start = np.broadcast_to(SPEC.from_pixels(codes[baseline][None, None]), x.shape)
    predictions = model(model.to_device(np.stack([x, start])))
    ends = predictions[:, 1] if score == "logit" else confidence_fn(predictions)
    assert abs(ends[0] - ends[1]) > 1e-3
    assert found.sum() == pytest.approx(ends[0] - ends[1], rel=0.05)


class OneLayer(nn.Module):
    """``v relu(W x)``: its gradients are worked out by hand."""

    def __init__(self, relu):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(30, 20, generator=generator))
        self.second = nn.Parameter(torch.randn(3, 30, generator=generator))
        self.relu = relu

    def forward(self, x):
        return self.relu(x.flatten(1) @ self.first.T) @ self.second.T


RELUS = {
    "module": nn.ReLU,
    "module in place": lambda: nn.ReLU(inplace=True),
    "function": lambda: functional.relu,
    "function in place": lambda: torch.relu_,
    "method": lambda: torch.Tensor.relu,
}


@pytest.mark.parametrize("kind", RELUS)
def test_guided_backpropagation_drops_negative_gradients_however_a_relu_is_called(kind):
    model, x = class_model(OneLayer(RELUS[kind]()), GREY), picture(GREY)
    confidence_fn = class_confidence(model, x)
    first, second = model.module.first.detach().numpy(), model.module.second.detach().numpy()
    on = first @ x.ravel() > 0
    assert 5 < on.sum() < 25
    plain = (first.T @ (second[1] * on)).reshape(4, 5)
    guided = (first.T @ (np.maximum(second[1], 0) * on)).reshape(4, 5)
    assert np.abs(plain - guided).max() > 0.1
    for name, expected in (("gradient", plain), ("guided-backprop", guided)):
        found = make_method(name, reduce="sum").attribute(model, x, confidence_fn)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_guided_backpropagation_is_refused_where_it_would_be_a_plain_gradient():
    model, x = class_model(OneLayer(nn.Tanh()), GREY), picture(GREY)
    method = make_method("guided-backprop")
    with pytest.raises(OptionError, match="in 'toy' there are no ReLU"):
        method.check(model, None)
    with pytest.raises(OptionError, match="no ReLU"):
        method.attribute(model, x, class_confidence(model, x))


def test_guided_backpropagation_is_refused_where_a_relu_in_place_is_read_later():
    class ReadsLater(OneLayer):
        def forward(self, x):
            y = x.flatten(1) @ self.first.T
            torch.relu_(y)
            return y @ self.second.T

    with pytest.raises(OptionError, match="ReLU"):
        make_method("guided-backprop").check(class_model(ReadsLater(None), GREY), None)


def test_a_network_that_cuts_its_gradient_is_refused_with_a_sentence():
    class Cut(OneLayer):
        def forward(self, x):
            with torch.no_grad():
                return super().forward(x)

    model = class_model(Cut(functional.relu), GREY)
    for name in ("gradient", "smoothgrad", "integrated-gradients", "gradcam", "guided-backprop"):
        with pytest.raises(OptionError, match="'toy' cuts it"):
            make_method(name).check(model, None)


def test_a_confidence_without_a_slope_is_refused():
    model = load_model(Linear(WEIGHTS), spec=GREY, outputs="values", labels=("a", "b", "c"), name="toy")
    x = picture(GREY)
    confidence_fn = class_confidence(model, x, target=None, confidence="value-distance")
    with pytest.raises(AttributionError, match="has no slope at this face"):
        make_method("gradient").attribute(model, x, confidence_fn)


def test_the_logit_of_no_class_is_refused():
    model = load_model(Linear(WEIGHTS), spec=GREY, outputs="values", labels=("a", "b", "c"), name="toy")
    x = picture(GREY)
    confidence_fn = class_confidence(model, x, target="a", confidence="value")
    with pytest.raises(OptionError, match="score='logit' is the logit of one class"):
        make_method("gradient", score="logit").check(model, confidence_fn)
    found = make_method("gradient", reduce="sum").attribute(model, x, confidence_fn)
    np.testing.assert_allclose(found, WEIGHTS[0, 0], rtol=1e-5)
