"""Logits or probabilities: guessed from one grey input where nobody states it."""

import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from toy_networks import SPEC, batch, by_hand, torch_network

from canonface.errors import ModelError, ModelOutputError
from canonface.models import CallableModel, TorchModel, checked_outputs, load_model
from canonface.models.outputs import guess_outputs


class Ends(nn.Module):
    """A network that ends in a function, which no list of its layers shows."""

    def __init__(self, end):
        super().__init__()
        self.network, self.end = torch_network(dropout=True), end

    def forward(self, x):
        return self.end(self.network(x))


def sure(batch):
    return np.tile([0.99, 0.01], (len(batch), 1))


def kind(model, **options):
    return load_model(model, spec=SPEC, **options).outputs


class TestCallables:
    def test_probabilities_are_not_softmaxed_again(self):
        from canonface.confidence.classification import class_confidence

        model = load_model(sure, spec=SPEC)
        assert model.outputs == "probabilities"
        prediction = checked_outputs(model, batch(1))
        np.testing.assert_allclose(class_confidence(prediction, 0, "probability", model.outputs), [0.99])

    @pytest.mark.parametrize(
        "prediction", [[[2.0, -1.0]], [[0.5, 0.6]], [[1.0]], [[0.7]], [0.5, 0.5], "no", None, [[np.nan, 1]]]
    )
    def test_everything_else_is_logits(self, prediction):
        assert kind(lambda batch: np.array(prediction)) == "logits"

    def test_its_exception_is_raised_at_the_first_real_forward_pass(self):
        def broken(batch):
            warnings.warn("soon", stacklevel=1)
            raise KeyError("weights")

        model = load_model(broken, spec=SPEC)
        assert model.outputs == "logits"
        with pytest.warns(UserWarning, match="soon"), pytest.raises(ModelError, match="KeyError: 'weights'"):
            checked_outputs(model, batch(1))

    def test_it_runs_once_on_its_own_input(self):
        seen = []

        def counting(batch):
            seen.append(batch)
            return sure(batch)

        load_model(counting, spec=SPEC)
        assert [x.shape for x in seen] == [(1, 3, 6, 8)]
        np.testing.assert_allclose(seen[0], 127 / 255, rtol=1e-6)

    def test_stated_outputs_are_not_guessed(self):
        def never(batch):
            raise AssertionError

        def stating(batch):
            raise AssertionError

        stating.outputs = "probabilities"
        assert kind(never, outputs="probabilities") == "probabilities"
        assert kind(sure, outputs="logits") == "logits"
        assert kind(stating) == "probabilities"
        assert CallableModel(sure, "x").outputs == TorchModel(Ends(torch.relu), "x").outputs == "logits"

    def test_an_attribute_of_another_meaning_is_not_a_statement(self):
        def stating(batch):
            return sure(batch)

        stating.outputs = "two"
        assert kind(stating) == "probabilities"

    @pytest.mark.parametrize("fails", [False, True])
    def test_no_random_number_is_missed(self, fails):
        def drawing(batch):
            random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
            assert not fails
            return sure(batch)

        model = CallableModel(drawing, "x", SPEC)
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        expected = random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        assert guess_outputs(model) == ("logits" if fails else "probabilities")
        assert (random.random(), np.random.random(), torch.rand(1)) == expected  # noqa: NPY002


class TestModules:
    @pytest.mark.parametrize(
        ("end", "outputs"),
        [
            (lambda y: functional.softmax(y, dim=1), "probabilities"),
            (nn.Softmax(1), "probabilities"),
            (lambda y: y, "logits"),
            (lambda y: functional.log_softmax(y, dim=1), "logits"),
            (nn.Sigmoid(), "probabilities"),
        ],
    )
    def test_the_prediction_decides(self, end, outputs):
        assert kind(Ends(end), device="cpu") == outputs

    def test_a_softmax_that_is_registered_last_but_used_first_does_not(self):
        class Attends(nn.Module):
            def __init__(self):
                super().__init__()
                self.network, self.attention = torch_network(), nn.Softmax(1)

            def forward(self, x):
                return self.network(self.attention(x) * x)

        assert kind(Attends(), device="cpu") == "logits"

    def test_a_sigmoid_that_is_registered_last_but_used_first_does_not(self):
        class Gates(nn.Module):
            def __init__(self):
                super().__init__()
                self.network, self.gate = torch_network(), nn.Sigmoid()

            def forward(self, x):
                return self.network(self.gate(x) * x)

        assert kind(Gates(), device="cpu") == "logits"

    def test_one_output_in_0_to_1_is_a_probability_only_after_a_sigmoid(self):
        one = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
        nn.init.constant_(one[-1].weight, 0.1)
        assert kind(nn.Sequential(one, nn.Sigmoid()), device="cpu") == "probabilities"
        assert kind(nn.Sequential(one, nn.ReLU()), device="cpu") == "logits"

    def test_modes_statistics_and_random_numbers_are_as_before(self):
        network = Ends(lambda y: functional.dropout(y, training=True)).train()
        network.network[0].eval()
        modes = [layer.training for layer in network.modules()]
        weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        torch.manual_seed(1)
        state = torch.get_rng_state()
        load_model(network, spec=SPEC, device="cpu")
        assert [layer.training for layer in network.modules()] == modes
        assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.is_grad_enabled()


class TestLabels:
    @pytest.mark.parametrize("labels", [["a", "b", "c", "d", "e", "f"], ["a"]])
    def test_a_label_an_output(self, labels):
        model = load_model(by_hand, spec=SPEC, labels=labels)
        with pytest.raises(
            ModelOutputError, match=rf"'by_hand' returns 4 outputs and has {len(labels)} labels: 'a'.*labels="
        ) as caught:
            checked_outputs(model, batch(2))
        assert "'f'" not in str(caught.value)

    def test_the_right_number_or_none(self):
        for labels in (["a", "b", "c", "d"], []):
            assert checked_outputs(load_model(by_hand, spec=SPEC, labels=labels), batch(2)).shape == (2, 4)
