"""The contract of methods: one class of tests for every entry of the registry."""

import json
import pickle

import numpy as np
import pytest
import torch
from small_models import (
    SPEC,
    Network,
    class_confidence,
    class_model,
    embedding_model,
    identity_confidence,
    own_confidence,
    picture,
)

from canonface.errors import ModelError, OptionError
from canonface.methods import FOR_ANY_MODEL, Method
from canonface.models import load_model

CONFIDENCES = {
    "class": (class_model, class_confidence),
    "log-odds": (class_model, lambda model, x: class_confidence(model, x, confidence="log-odds")),
    "recognition": (embedding_model, identity_confidence),
    "margin": (embedding_model, lambda model, x: identity_confidence(model, x, "margin")),
    "function of one's own": (embedding_model, own_confidence),
}


def state_of(module):
    """Return everything in a module that a method might leave changed."""
    layers = [
        (
            layer.training,
            getattr(layer, "inplace", None),
            *(len(hooks) for name, hooks in vars(layer).items() if name.endswith("_hooks")),
        )
        for layer in module.modules()
    ]
    tensors = {name: value.clone() for name, value in module.state_dict().items()}
    return layers, tensors, [(p.requires_grad, p.grad) for p in module.parameters()]


def assert_same_state(before, after):
    assert before[0] == after[0]
    assert before[2] == after[2]
    assert all(torch.equal(before[1][name], after[1][name]) for name in before[1])


class Breaks(Network):
    """Fails in the forward pass, after all preparations."""

    def forward(self, x):
        super().forward(x)
        raise RuntimeError("the network is broken")


class MethodContract:
    """A subclass has a fixture ``method``."""

    @pytest.fixture(params=CONFIDENCES)
    def case(self, request):
        make_model, make_confidence = CONFIDENCES[request.param]
        model, x = make_model(), picture()
        return model, x, make_confidence(model, x)

    def test_is_a_method_that_describes_itself_in_json(self, method):
        assert isinstance(method, Method)
        described = method.describe()
        assert described["name"] == method.name
        assert json.loads(json.dumps(described, allow_nan=False)) == dict(described)

    def test_a_finite_map_of_the_input_for_every_confidence(self, method, case):
        model, x, confidence_fn = case
        assert method.check(model, confidence_fn) is None
        assert method.check(model, None) is None
        attribution = method.attribute(model, x, confidence_fn)
        assert attribution.shape == SPEC.size_hw
        assert attribution.dtype == np.float64
        assert np.isfinite(attribution).all()
        assert np.ptp(attribution) > 0

    def test_it_gives_the_same_result_again_also_in_another_process(self, method):
        model, x = class_model(), picture()
        confidence_fn = class_confidence(model, x)
        first = method.attribute(model, x, confidence_fn)
        torch.manual_seed(99)
        again = pickle.loads(pickle.dumps(method))
        assert again.describe() == method.describe()
        np.testing.assert_array_equal(again.attribute(model, x, confidence_fn), first)

    def test_everything_is_put_back(self, method):
        model, x = class_model(), picture()
        confidence_fn = class_confidence(model, x)
        model.module.train()
        model.module.norm.eval()
        model.module.head.weight.requires_grad_(False)
        before = state_of(model.module)
        # Not those of `random`: the type checker of the tests draws from it.
        np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        states = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        with torch.no_grad():
            method.check(model, confidence_fn)
            method.attribute(model, x, confidence_fn)
            assert not torch.is_grad_enabled()
        np.testing.assert_array_equal(np.random.get_state()[1], states[0])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), states[1])
        assert_same_state(before, state_of(model.module))
        np.testing.assert_array_equal(x, picture())

    def test_the_map_does_not_depend_on_the_mode_of_the_module(self, method):
        model, x = class_model(), picture()
        confidence_fn = class_confidence(model, x)
        model.module.eval()
        expected = method.attribute(model, x, confidence_fn)
        model.module.train()
        np.testing.assert_array_equal(method.attribute(model, x, confidence_fn), expected)

    def test_everything_is_put_back_after_a_failure(self, method):
        confidence_fn = class_confidence(class_model(), picture())
        model = class_model(Breaks())
        model.module.train()
        before = state_of(model.module)
        drawn = torch.get_rng_state()
        with pytest.raises(ModelError, match="the network is broken"):
            method.attribute(model, picture(), confidence_fn)
        assert_same_state(before, state_of(model.module))
        assert torch.equal(torch.get_rng_state(), drawn)
        assert torch.is_grad_enabled()

    def test_a_black_box_has_the_same_map_or_is_refused_with_a_sentence(self, method):
        white = class_model()
        x = picture()
        confidence_fn = class_confidence(white, x)

        def prediction(batch):
            return white(white.to_device(batch))

        black = load_model(prediction, spec=SPEC, outputs="logits", labels=white.labels, name="box")
        if method.name in FOR_ANY_MODEL:
            method.check(black, confidence_fn)
            attribution = method.attribute(black, x, confidence_fn)
            np.testing.assert_allclose(attribution, method.attribute(white, x, confidence_fn), atol=1e-6)
            return
        for call in (lambda: method.check(black, None), lambda: method.attribute(black, x, confidence_fn)):
            with pytest.raises(OptionError, match="'box' gives outputs only") as error:
                call()
            assert "occlusion and rise" in str(error.value)
