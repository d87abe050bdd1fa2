"""Class activation maps known by hand, and the choice of their layer."""

import numpy as np
import pytest
import torch
from slow_methods import enlarged
from small_models import SPEC, Network, class_confidence, class_model, picture
from torch import nn

from canonface.errors import OptionError
from canonface.methods import make_method
from canonface.methods.layers import target_layer
from canonface.models import load_model
from canonface.types import InputSpec

GREY = InputSpec(size_hw=(3, 4), colour="grey")
MIXES = np.array([2.0, -1.0, 0.5], dtype=np.float32)
"""Factor of a pixel in each of three channels."""
HEAD = np.array([[1.0, 0.5, -1.0], [0.3, -0.2, 0.8], [0.0, 1.0, 1.0]], dtype=np.float32)


class OneConvolution(nn.Module):
    """``logit = HEAD mean(relu(MIXES x))``."""

    def __init__(self):
        super().__init__()
        self.mix, self.act, self.head = (
            nn.Conv2d(1, 3, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(3, 3, bias=False),
        )
        with torch.no_grad():
            self.mix.weight.copy_(torch.tensor(MIXES).reshape(3, 1, 1, 1))
            self.head.weight.copy_(torch.tensor(HEAD))

    def forward(self, x):
        return self.head(self.act(self.mix(x)).mean(dim=(2, 3)))


@pytest.fixture
def model_x_confidence():
    model, x = class_model(OneConvolution(), GREY), picture(GREY) - np.float32(0.5)
    return model, x, class_confidence(model, x)


def test_gradcam_by_hand(model_x_confidence):
    model, x, confidence_fn = model_x_confidence
    activations = np.maximum(MIXES[:, None, None] * x[0], 0)
    weights = HEAD[1] / 12
    expected = np.maximum(np.einsum("k,khw->hw", weights, activations), 0)
    assert 0 < (expected == 0).sum() < 12
    np.testing.assert_allclose(
        make_method("gradcam").attribute(model, x, confidence_fn), expected, rtol=1e-5, atol=1e-8
    )


def test_gradcam_of_the_convolution_itself_takes_its_output_before_the_relu_in_place(model_x_confidence):
    model, x, confidence_fn = model_x_confidence
    activations = MIXES[:, None, None] * x[0]
    slopes = HEAD[1][:, None, None] / 12 * (activations > 0)
    expected = np.maximum(np.einsum("k,khw->hw", slopes.mean(axis=(1, 2)), activations), 0)
    found = make_method("gradcam", layer="mix").attribute(model, x, confidence_fn)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


def test_gradcam_plus_plus_by_hand(model_x_confidence):
    model, x, confidence_fn = model_x_confidence
    activations = np.maximum(MIXES[:, None, None] * x[0], 0).astype(np.float64)
    gradients = HEAD[1] / 12
    weights = np.zeros(3)
    for k, g in enumerate(gradients):
        total = activations[k].sum()
        for _ in range(12):
            alpha = g**2 / (2 * g**2 + total * g**3)
            weights[k] += alpha * max(g, 0)
    expected = np.maximum(np.einsum("k,khw->hw", weights, activations), 0)
    np.testing.assert_allclose(
        make_method("gradcam++").attribute(model, x, confidence_fn), expected, rtol=1e-4, atol=1e-8
    )


def test_scorecam_by_hand(model_x_confidence):
    model, x, confidence_fn = model_x_confidence
    activations = np.maximum(MIXES[:, None, None] * x[0], 0)
    scores = []
    for activation in activations:
        low, high = activation.min(), activation.max()
        mask = (activation - low) / (high - low + 1e-8)
        scores.append(model(model.to_device((x * mask)[None]))[0, 1])
    weights = np.exp(scores) / np.exp(scores).sum()
    expected = np.maximum(np.einsum("k,khw->hw", weights, activations), 0)
    np.testing.assert_allclose(
        make_method("scorecam").attribute(model, x, confidence_fn), expected, rtol=1e-4
    )


def test_a_small_map_is_enlarged_bilinearly():
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)
    found = make_method("gradcam", layer="second").attribute(model, x, confidence_fn)
    small = {}
    handle = model.module.second.register_forward_hook(lambda _m, _i, out: small.update(a=out))
    model.module.eval()
    given = model.to_device(x)[None].requires_grad_()
    score = model.module(given)[0, 1]
    handle.remove()
    [slope] = torch.autograd.grad(score, small["a"])
    cam = torch.relu((slope.mean(dim=(2, 3), keepdim=True) * small["a"]).sum(dim=1))[0].detach().numpy()
    assert cam.shape == (8, 10)
    np.testing.assert_allclose(found, enlarged(cam, 16, 20), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("plus", ["", "++"])
def test_guided_maps_are_products(plus):
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)
    guided, cam, both = (
        make_method(name).attribute(model, x, confidence_fn)
        for name in ("guided-backprop", f"gradcam{plus}", f"guided-gradcam{plus}")
    )
    np.testing.assert_allclose(both, guided * cam, rtol=1e-6)


class Blocks(nn.Module):
    """A residual block, a pool and a head of 1 x 1 convolutions; what runs last is registered first."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(4, 3, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.idle = nn.Conv2d(3, 3, 3)

    def forward(self, x):
        return self.head(self.pool(self.block(self.stem(x)))).flatten(1)


def found_layer(module, layer=None):
    model = class_model(module)
    return target_layer(model, model.to_device(picture())[None], layer)


def test_the_layer_is_the_last_module_with_the_extent_of_the_last_convolution():
    name, layer = found_layer(Blocks())
    assert name == "block"
    assert isinstance(layer, nn.Sequential)
    assert found_layer(Network())[0] == "second"
    assert found_layer(Blocks(), "block.0")[0] == "block.0"


def test_a_head_with_one_channel_a_class_is_skipped():
    class ClassMaps(nn.Module):
        def __init__(self, maps):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
            self.head = nn.Conv2d(4, maps, 3, padding=1)

        def forward(self, x):
            return self.head(self.body(x)).mean(dim=(2, 3))[:, :3]

    assert found_layer(ClassMaps(3))[0] == "body"
    assert found_layer(ClassMaps(5))[0] == "head"
    alone = nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert found_layer(alone)[0] == "0"


class Features(nn.Module):
    """A residual block with as many maps as the network has outputs, flattened into a fully connected layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        )
        self.norm, self.features = nn.BatchNorm2d(8), nn.Linear(8 * 8 * 10, 8)

    def forward(self, x):
        x = self.stem(x)
        return self.features(self.norm(x + self.block(x)).flatten(1))


def test_as_many_channels_as_outputs_before_a_linear_layer_are_no_head():
    assert found_layer(Features())[0] == "norm"


class Patches(nn.Module):
    """A transformer of one layer over patches of 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.cut = nn.Conv2d(3, 8, 4, stride=4)
        self.norm, self.attention, self.head = nn.LayerNorm(8), nn.MultiheadAttention(8, 2), nn.Linear(8, 3)

    def forward(self, x):
        tokens = self.norm(self.cut(x).flatten(2).transpose(1, 2))
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(dim=1))


def test_the_patches_of_a_transformer_are_used_only_by_name():
    with pytest.raises(
        OptionError, match=r"'cut', which only cuts the image .*\('norm' gives \(n, 20, 8\)\)"
    ):
        found_layer(Patches())
    assert found_layer(Patches(), "cut")[0] == "cut"
    behind_convolutions = Patches()
    behind_convolutions.cut = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 4, stride=4))
    assert found_layer(behind_convolutions)[0] == "cut"


class TwoOutputs(nn.Module):
    """Two heads with convolutions of their own on one body; ReLUs in place."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.first, self.second = (
            nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(inplace=True)) for _ in range(2)
        )
        self.of_first, self.of_second = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x):
        y = self.body(x)
        predictions = [self.first(y), self.second(y)]
        return self.of_first(predictions[0].mean(dim=(2, 3))), self.of_second(predictions[1].mean(dim=(2, 3)))


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "scorecam"])
def test_the_layer_lies_on_the_path_to_the_selected_output(method):
    model, x = class_model(TwoOutputs(), output=0), picture()
    given = model.to_device(x)[None]
    assert target_layer(model, given)[0] == "first"
    assert target_layer(class_model(model.module, output=1), given)[0] == "second"
    confidence_fn = class_confidence(model, x)
    made = make_method(method)
    made.check(model, confidence_fn)
    expected = make_method(method, layer="first").attribute(model, x, confidence_fn)
    np.testing.assert_array_equal(made.attribute(model, x, confidence_fn), expected)
    with pytest.raises(OptionError, match=r"does not depend on 'second\.1'"):
        make_method(method, layer="second.1").check(model, confidence_fn)


def test_activations_of_a_network_that_cuts_its_gradient_are_still_read():
    class Cut(Network):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)

    with torch.inference_mode():
        inference_only = Network()
    x = picture()
    expected = make_method("scorecam").attribute(class_model(), x, class_confidence(class_model(), x))
    for model in (class_model(Cut()), class_model(inference_only)):
        np.testing.assert_array_equal(
            make_method("scorecam").attribute(model, x, class_confidence(model, x)), expected
        )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("blok", "got 'blok': did you mean 'block'"),
        ("pool", r"spatial extent.* that of 'pool' is \(n, 4, 1, 1\)"),
        ("idle", "'idle' of 'toy' does not run as a module"),
        ("head", r"that of 'head' is \(n, 3, 1, 1\)"),
    ],
)
@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "scorecam", "guided-gradcam"])
def test_an_unusable_layer_is_refused_with_a_sentence(layer, words, method):
    model = class_model(Blocks())
    with pytest.raises(OptionError, match=words):
        make_method(method, layer=layer).check(model, None)


def test_a_network_without_convolutions_or_positions_is_refused_with_a_sentence():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(960, 3), nn.ReLU())
    with pytest.raises(OptionError, match="runs none that can be hooked"):
        make_method("gradcam").check(class_model(flat), None)
    narrow = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 3, 1), nn.Flatten())
    with pytest.raises(OptionError, match=r"the last one of 'toy' gives \(n, 3, 1, 1\)"):
        make_method("gradcam").check(class_model(narrow), None)


@pytest.fixture(params=["script", "export"])
def program(request, tmp_path):
    """Return a network loaded from a file without Python code."""
    network, x = Network().eval(), torch.zeros(2, 3, 16, 20)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.param == "script":
            path = tmp_path / "net.pt"
            torch.jit.trace(network, x).save(str(path))
        else:
            path = tmp_path / "net.pt2"
            torch.export.save(
                torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)), path
            )
    return load_model(path, spec=SPEC, outputs="logits", name="program", trust=True)


def test_a_program_has_gradients_but_no_layers(program):
    x, whole = picture(), class_model()
    confidence_fn = class_confidence(program, x, target=1)
    for name in ("gradient", "integrated-gradients"):
        method = make_method(name)
        method.check(program, confidence_fn)
        expected = method.attribute(whole, x, class_confidence(whole, x))
        np.testing.assert_allclose(
            method.attribute(program, x, confidence_fn), expected, rtol=1e-3, atol=1e-6
        )
    for name in ("gradcam", "gradcam++", "scorecam"):
        with pytest.raises(OptionError, match="take no hooks"):
            make_method(name).check(program, confidence_fn)
    with pytest.raises(OptionError, match="ReLU"):
        make_method("guided-backprop").check(program, confidence_fn)
