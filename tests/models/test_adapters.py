"""Adapters: common behaviour of all kinds of models, and special behaviour of each."""

import functools
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from toy_networks import SPEC, batch, by_hand, torch_network, weights, write_onnx

from canonface.errors import ModelError, ModelOutputError, OptionError
from canonface.models import (
    CallableModel,
    Model,
    TorchModel,
    checked_outputs,
    load_model,
    looks_like_probabilities,
)
from canonface.types import InputSpec


@pytest.fixture(
    params=["torch", "torch-training", "onnx", "onnx-frozen-1", "onnx-frozen-3", "onnx-nhwc", "callable"]
)
def model(request, tmp_path):
    kind, _, variant = request.param.partition("-")
    if kind == "torch":
        network = torch_network(dropout=True)
        return load_model(network.train(variant == "training"), spec=SPEC, device="cpu")
    if kind == "onnx":
        frozen = {"frozen-1": 1, "frozen-3": 3}.get(variant, "n")
        path = write_onnx(tmp_path / "toy.onnx", batch=frozen, channels_last=variant == "nhwc")
        return load_model(path, spec=SPEC, device="cpu")
    return load_model(by_hand, spec=SPEC)


class TestEveryModel:
    """By hand; what holds for every model is in test_model_contract.py."""

    def test_is_a_model(self, model):
        assert isinstance(model, Model)
        assert model.name
        assert model.spec == SPEC
        assert model.labels == ()
        assert model.outputs == "logits"

    @pytest.mark.parametrize("n", [1, 2, 7])
    def test_returns_one_row_per_input(self, model, n):
        x = batch(n)
        prediction = checked_outputs(model, model.to_device(x))
        assert prediction.shape == (n, 4)
        assert prediction.dtype == np.float32
        np.testing.assert_allclose(prediction, by_hand(x), atol=1e-6)


def answering(value):
    return CallableModel(lambda batch: value, "toy", SPEC)


class TestAnswers:
    """The one place where outputs are checked."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (np.zeros(2), r"got shape \(2,\): return \(n, 1\): outputs.reshape\(-1, 1\)"),
            (np.zeros((2, 3, 1, 1)), r"got shape \(2, 3, 1, 1\): flatten or pool each row"),
            (np.zeros((3, 2)), r"\(2, d\); got shape \(3, 2\): return one row per input"),
            (np.zeros((2, 0)), r"got shape \(2, 0\)"),
            (np.float32(1), r"got shape \(\)"),
            (None, "NoneType of object"),
            ([["a"], ["b"]], "list of <U1: return an array of floats"),
            (np.ones((2, 2), bool), "of bool"),
            (np.ones((2, 2), complex), "of complex128"),
            ([[1.0], [1.0, 2.0]], "that is not an array"),
            (np.array([[1, np.nan], [1, 2]]), "1 of 2 rows hold NaN or infinity"),
            (np.array([[np.inf], [-np.inf]]), "2 of 2 rows hold NaN or infinity"),
        ],
    )
    def test_a_wrong_output_is_reported(self, value, text):
        with pytest.raises(ModelOutputError, match=text) as caught:
            checked_outputs(answering(value), batch(2))
        assert "'toy' is to return one row of numbers per input" in str(caught.value)

    @pytest.mark.parametrize("value", [[[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.float16)])
    def test_other_numbers_become_floats(self, value):
        prediction = checked_outputs(answering(value), batch(2))
        assert prediction.dtype in (np.float32, np.float64)
        assert prediction.tolist() == [[1, 2], [3, 4]]

    def test_double_precision_is_kept(self):
        assert checked_outputs(answering(np.ones((2, 1))), batch(2)).dtype == np.float64

    def test_an_exception_of_the_model_is_chained(self):
        def broken(batch):
            raise KeyError("weights")

        with pytest.raises(
            ModelError, match=r"'toy' raised KeyError: 'weights'.* 2 x 3 x 6 x 8, float32"
        ) as caught:
            checked_outputs(CallableModel(broken, "toy", SPEC), batch(2))
        assert isinstance(caught.value.__cause__, KeyError)

    @pytest.mark.parametrize(
        "error",
        [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("CUDA out of memory"), KeyboardInterrupt()],
    )
    def test_errors_for_the_caller_pass_unchanged(self, error):
        def broken(batch):
            raise error

        with pytest.raises(type(error)) as caught:
            checked_outputs(CallableModel(broken, "toy", SPEC), batch(2))
        assert caught.value is error

    def test_probabilities_are_recognised(self):
        assert looks_like_probabilities(np.array([[0.25, 0.75], [1, 0]]))
        assert not looks_like_probabilities(np.array([[1.0], [1.0]]))
        assert not looks_like_probabilities(np.array([[1.5, -0.5]]))
        assert not looks_like_probabilities(np.array([[0.5, 0.6]]))


class TestTorch:
    def test_modes_are_put_back_layer_by_layer(self):
        network = torch_network(dropout=True).train()
        network[0].eval()
        model = load_model(network, spec=SPEC, device="cpu")
        statistics = network[0].running_mean.clone()
        checked_outputs(model, model.to_device(batch()))
        assert [layer.training for layer in network.modules()] == [True, False, True, True, True, True]
        assert torch.equal(network[0].running_mean, statistics)

    def test_modes_are_put_back_on_failure(self):
        class Broken(nn.Module):
            def forward(self, x):
                assert not self.training
                raise ValueError("no")

        network = Broken().train()
        with pytest.raises(ModelError, match="'Broken' raised ValueError: no"):
            checked_outputs(load_model(network, spec=SPEC, device="cpu"), torch.zeros(1, 3, 6, 8))
        assert network.training

    def test_no_gradients_are_recorded_and_grad_mode_is_put_back(self):
        class Spy(nn.Module):
            def forward(self, x):
                assert torch.is_inference_mode_enabled()
                return x.mean(dim=(2, 3))

        checked_outputs(load_model(Spy(), spec=SPEC, device="cpu"), torch.zeros(1, 3, 6, 8))
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()

    def test_a_first_layer_in_place_does_not_change_the_batch(self):
        network = nn.Sequential(nn.ReLU(inplace=True), torch_network())
        model = load_model(network, spec=SPEC, device="cpu")
        x = model.to_device(-np.ones((1, 3, 6, 8), np.float32))
        checked_outputs(model, x)
        assert (x == -1).all()

    @pytest.mark.parametrize(
        ("prediction", "text"),
        [
            (lambda y: {"logits": y, "features": y}, "a dict with the keys 'logits', 'features'"),
            (lambda y: (y, y), r"a tuple of 2: \(1, 3\), \(1, 3\)"),
            (lambda y: y.tolist(), "a list of 1: list"),
            (lambda y: None, "NoneType"),
        ],
    )
    def test_one_tensor_is_wanted(self, prediction, text):
        class Several(nn.Module):
            def forward(self, x):
                return prediction(x.mean(dim=(2, 3)))

        with pytest.raises(ModelOutputError, match=f"'Several' returned {text}.*output=.*wrap it"):
            checked_outputs(load_model(Several(), spec=SPEC, device="cpu"), torch.zeros(1, 3, 6, 8))

    @pytest.mark.parametrize(
        ("prediction", "output"),
        [
            (lambda y: {"logits": y + 1, "features": y}, "features"),
            (lambda y: {"logits": y + 1, "features": y}, 1),
            (lambda y: (y + 1, y), 1),
            (lambda y: [y + 1, y], "1"),
            (lambda y: Pair(y + 1, y), "second"),
            (lambda y: Output(y, y + 1), "features"),
            (lambda y: {"1": y, "2": y + 1}, "1"),
        ],
    )
    def test_one_of_several_outputs(self, prediction, output):
        class Several(nn.Module):
            def forward(self, x):
                return prediction(x.mean(dim=(2, 3)))

        for model in (
            load_model(Several(), spec=SPEC, device="cpu", output=output),
            load_model(lambda batch: prediction(batch.mean(axis=(2, 3))), spec=SPEC, output=output),
        ):
            x = model.to_device(batch())
            np.testing.assert_allclose(checked_outputs(model, x), batch().mean(axis=(2, 3)), atol=1e-6)
            assert model.fingerprint() != load_model(model, output="other").fingerprint()

    @pytest.mark.parametrize(
        ("prediction", "output", "text"),
        [
            (
                lambda y: {"logits": y},
                "logit",
                r"got 'logit'. did you mean 'logits'.*a dict with the keys 'logits'",
            ),
            (lambda y: (y, y), 2, r"got 2. Known: 0, 1. It returns a tuple of 2: \(1, 3\), \(1, 3\)"),
            (lambda y: (y, y), "logits", "got 'logits'. Known: 0, 1"),
            (lambda y: y, 0, "returns one Tensor: leave it out"),
        ],
    )
    def test_a_missing_output_is_reported_when_loading(self, prediction, output, text):
        class Several(nn.Module):
            def forward(self, x):
                return prediction(x.mean(dim=(2, 3)))

        with pytest.raises(OptionError, match=text):
            load_model(Several(), spec=SPEC, device="cpu", output=output)

    def test_half_precision_weights_are_refused(self):
        with pytest.raises(
            OptionError, match=r"run in float32; 'Linear' holds torch.float16: pass module.float"
        ):
            load_model(nn.Linear(2, 2).half())

    def test_bfloat16_outputs_become_float32(self):
        class Brain(nn.Module):
            def forward(self, x):
                return x.mean(dim=(2, 3)).bfloat16()

        assert checked_outputs(load_model(Brain(), device="cpu"), torch.ones(1, 3, 6, 8)).dtype == np.float32

    @pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpux", "cuda:99"])
    def test_an_absent_device_is_named(self, device):
        with pytest.raises(
            OptionError, match=r"(device is one that this machine has \(auto, |CUDA devices here)"
        ):
            load_model(nn.Identity(), device=device)

    def test_auto_finds_a_device(self):
        model = load_model(torch_network(), spec=SPEC)
        assert next(model.module.parameters()).device.type == model.device.split(":")[0]
        assert model.to_device(batch()).device.type == model.device.split(":")[0]

    def test_a_last_softmax_means_probabilities(self):
        assert load_model(nn.Sequential(nn.Flatten(), nn.Softmax(1)), device="cpu").outputs == "probabilities"
        assert load_model(nn.Sequential(nn.Softmax(1), nn.Flatten()), device="cpu").outputs == "logits"

    def test_the_fingerprint_is_that_of_weights_and_structure(self):
        network = torch_network()
        model = TorchModel(network, "toy")
        first = model.fingerprint()
        assert TorchModel(torch_network(), "other name").fingerprint() == first
        assert TorchModel(nn.Sequential(*network, nn.ReLU()), "toy").fingerprint() != first
        with torch.no_grad():
            network[-1].weight[0, 0] += 1e-3
        assert model.fingerprint() != first


class TestOnnx:
    def test_metadata_of_the_file_is_used(self, tmp_path):
        model = load_model(write_onnx(tmp_path / "toy.onnx", softmax=True, labels='["a", "b", "c", "d"]'))
        assert (model.name, model.labels, model.outputs) == ("toy", ("a", "b", "c", "d"), "probabilities")
        assert (model.spec.size_hw, model.spec.colour) == ((6, 8), "rgb")

    def test_unreadable_labels_are_none(self, tmp_path):
        assert load_model(write_onnx(tmp_path / "toy.onnx", labels="a,b")).labels == ()

    def test_a_fixed_batch_size_is_logged_once(self, tmp_path, caplog):
        model = load_model(write_onnx(tmp_path / "toy.onnx", batch=1, across=True))
        for _ in range(3):
            checked_outputs(model, batch(4))
        assert [r.getMessage() for r in caplog.records] == [
            "toy.onnx has a fixed batch size of 1: it is run piece by piece, which is slow."
        ]

    @pytest.mark.parametrize("size", [1, 3])
    @pytest.mark.parametrize("reshape", [False, True])
    def test_a_frozen_batch_is_freed_where_the_graph_allows(self, tmp_path, caplog, size, reshape):
        path = write_onnx(tmp_path / "toy.onnx", batch=size, reshape=reshape)
        before = path.read_bytes()
        model = load_model(path)
        assert model.is_freed
        assert not caplog.records
        assert model.session.get_inputs()[0].shape[0] == "n"
        np.testing.assert_allclose(checked_outputs(model, batch(7)), by_hand(batch(7)), atol=1e-6)
        assert path.read_bytes() == before
        looped = replace(model, is_freed=False)
        assert looped.fingerprint() == model.fingerprint()
        np.testing.assert_allclose(checked_outputs(looped, batch(7)), by_hand(batch(7)), atol=1e-6)

    def test_without_the_onnx_package_it_runs_piece_by_piece(self, tmp_path, caplog, monkeypatch):
        path = write_onnx(tmp_path / "toy.onnx", batch=1)
        monkeypatch.setitem(sys.modules, "onnx", None)
        model = load_model(path)
        assert not model.is_freed
        assert "toy.onnx has a fixed batch size of 1" in caplog.text
        np.testing.assert_allclose(checked_outputs(model, batch(3)), by_hand(batch(3)), atol=1e-6)

    def test_freed_only_if_outputs_are_the_same(self, tmp_path):
        model = load_model(write_onnx(tmp_path / "toy.onnx", batch=1, across=True))
        assert not model.is_freed
        np.testing.assert_allclose(checked_outputs(model, batch(3)), by_hand(batch(3)), atol=1e-6)

    def test_the_first_of_several_outputs_or_the_named_one(self, tmp_path):
        path = write_onnx(tmp_path / "toy.onnx", extra_output=True)
        assert checked_outputs(load_model(path), batch()).shape == (5, 4)
        for output in ("features", 1, "1"):
            named = load_model(path, output=output)
            assert named.output == "features"
        np.testing.assert_allclose(checked_outputs(named, batch()), batch().mean(axis=(2, 3)), atol=1e-6)
        assert named.fingerprint() != load_model(path).fingerprint()
        for wrong in ("feature", 2, -1):
            with pytest.raises(
                OptionError, match=r"output is one that toy.onnx has.*Known: answer, features"
            ):
                load_model(path, output=wrong)

    def test_trailing_ones_are_dropped(self, tmp_path):
        model = load_model(write_onnx(tmp_path / "toy.onnx", rows=True))
        np.testing.assert_allclose(checked_outputs(model, batch()), by_hand(batch()), atol=1e-6)

    @pytest.mark.parametrize("content", [b"\x08\x0a\x12", b"not a network", None])
    def test_a_damaged_file_is_named(self, tmp_path, content):
        path = write_onnx(tmp_path / "toy.onnx")
        path.write_bytes(path.read_bytes()[:100] if content is None else content)
        with pytest.raises(ModelError, match=r"toy.onnx \(\d+ bytes\) does not.*Export it again"):
            load_model(path)

    def test_other_inputs_are_refused(self, tmp_path):
        import onnx

        network = onnx.load(str(write_onnx(tmp_path / "toy.onnx")))
        network.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
        onnx.save(network, str(tmp_path / "ints.onnx"))
        with pytest.raises(ModelError):
            load_model(tmp_path / "ints.onnx")

    def test_a_wrong_size_is_a_model_error(self, tmp_path):
        model = load_model(write_onnx(tmp_path / "toy.onnx"))
        with pytest.raises(ModelError, match=r"'toy' raised .*another spec=InputSpec"):
            checked_outputs(model, np.zeros((1, 3, 7, 7), np.float32))

    def test_an_absent_device_is_named(self, tmp_path):
        with pytest.raises(OptionError, match=r"onnxruntime has here \(cpu"):
            load_model(write_onnx(tmp_path / "toy.onnx"), device="cuda:7")


@dataclass
class Output:
    features: object
    logits: object


class Pair(NamedTuple):
    first: object
    second: object


class Holder:
    """A callable object with state."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, batch):
        return by_hand(batch) * self.factor

    def method(self, batch):
        return by_hand(batch) * self.factor


def scaled(batch, factor):
    return by_hand(batch) * factor


def closed_over(factor):
    def inner(batch):
        return by_hand(batch) * factor

    return inner


class TestCallable:
    def test_a_callable_that_works_in_place_does_not_change_the_batch(self):
        def in_place(batch):
            batch -= batch.mean()
            return by_hand(batch)

        x = batch() + 5
        before = x.copy()
        checked_outputs(load_model(in_place, spec=SPEC), x)
        np.testing.assert_array_equal(x, before)

    @pytest.mark.parametrize(
        "make",
        [
            Holder,
            lambda factor: Holder(factor).method,
            lambda factor: functools.partial(scaled, factor=factor),
            closed_over,
            lambda factor: closed_over(np.array([factor])),
        ],
    )
    def test_the_fingerprint_covers_held_values(self, make):
        one, same, other = (load_model(make(factor), name="x").fingerprint() for factor in (1.0, 1.0, 2.0))
        assert one == same != other

    def test_the_fingerprint_is_the_same_in_another_process(self, tmp_path):
        (tmp_path / "mine.py").write_text("def model(batch):\n    return batch.mean(axis=(2, 3))\n")
        program = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from canonface.models import load_model; import mine\n"
            "print(load_model(mine.model).fingerprint(), load_model(lambda b: mine.model(b)).fingerprint())"
        )
        predictions = {
            subprocess.run(
                [sys.executable, "-c", program, str(tmp_path)],
                capture_output=True,
                text=True,
                check=True,
                env={"PYTHONHASHSEED": seed, "PATH": ""},
            ).stdout
            for seed in ("1", "2")
        }
        assert len(predictions) == 1

    def test_pictures_are_those_of_the_input(self):
        seen = []

        def vendor(images):
            seen.extend(images)
            return np.array([image.mean(axis=(0, 1)) for image in images])

        spec = InputSpec(
            size_hw=(6, 8), colour="bgr", scale=1.0, mean=(93.594, 104.7624, 129.1863), std=(2.0,)
        )
        pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8)
        x = np.stack([spec.from_pixels(picture.astype(float)) for picture in pixels])
        model = load_model(vendor, spec=spec, takes="images")
        seen.clear()
        prediction = checked_outputs(model, x)
        np.testing.assert_array_equal(seen, pixels)
        assert all(image.dtype == np.uint8 and image.flags.c_contiguous for image in seen)
        np.testing.assert_allclose(prediction, pixels.mean(axis=(1, 2)))

    @pytest.mark.parametrize("colour", ["rgb", "bgr", "grey"])
    @pytest.mark.parametrize("fill", [0.0, 127.5, 255.0, 88.3])
    def test_a_fill_is_still_one_colour_as_a_picture(self, colour, fill):
        seen = []
        spec = InputSpec(size_hw=(6, 8), colour=colour, mean=(0.45,), std=(0.22,))
        model = load_model(
            lambda images: seen.extend(images) or np.zeros((len(images), 1)), spec=spec, takes="images"
        )
        x = np.stack([spec.from_pixels(np.full((6, 8, 3), 200.0))])
        x[0, :, 2:4, 1:5] = (fill / 255 - 0.45) / 0.22
        seen.clear()
        checked_outputs(model, x)
        expected = np.full((6, 8, 3), 200)
        expected[2:4, 1:5] = np.rint(fill)
        assert np.abs(seen[0].astype(int) - expected).max() <= (fill == 127.5)
        assert len(np.unique(seen[0][2:4, 1:5])) == 1

    def test_the_attribute_takes_is_used(self):
        def vendor(images):
            return np.array([[image.mean()] for image in images])

        plain = load_model(vendor, spec=SPEC, takes="images").fingerprint()
        vendor.takes = "images"
        assert load_model(vendor, spec=SPEC).takes == "images"
        assert load_model(vendor, spec=SPEC, takes="array").takes == "array"
        assert plain != load_model(vendor, spec=SPEC, takes="array").fingerprint()
        vendor.takes = 3
        assert load_model(vendor, spec=SPEC).takes == "array"
        with pytest.raises(OptionError, match="takes is 'array' or 'images'; got 'image'"):
            load_model(vendor, takes="image")
        with pytest.raises(OptionError, match=r"takes= means nothing to a torch.nn.Module"):
            load_model(torch_network(), takes="images")

    def test_only_the_cpu(self):
        with pytest.raises(OptionError, match="NumPy arrays on the CPU; got device='cuda'"):
            load_model(by_hand, device="cuda")


def test_the_toy_networks_are_not_symmetric():
    assert len(np.unique(weights())) == 12
