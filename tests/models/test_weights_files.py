"""Weights files: read without running code, recognised, loaded, and misfits reported."""

import logging

import numpy as np
import pytest
import safetensors.torch
import torch
from toy_networks import SPEC, batch, by_hand, torch_network

from canonface.errors import ModelError, OptionError
from canonface.models import ARCHITECTURES, TorchModel, checked_outputs, load_model

RESNET = ARCHITECTURES["resnet18"]


def state_of(name="resnet18", seed=0, **options):
    """Random weights of a narrow network, under the names of its public files."""
    architecture = ARCHITECTURES[name]
    torch.manual_seed(seed)
    network = architecture.network(**{**architecture.small, **options})
    return {architecture.file_name(key): tensor for key, tensor in network.state_dict().items()}


def pixels(model, n=2):
    return model.to_device(np.random.default_rng(0).random((n, 3, *model.spec.size_hw), np.float32))


@pytest.fixture
def resnet(tmp_path):
    """Path of a narrow ResNet-18's weights, and its outputs."""
    path = tmp_path / "mine.pt"
    torch.save(state_of(), path)
    return path


def predict(path, **options):
    model = load_model(path, device="cpu", **options)
    return checked_outputs(model, pixels(model))


class TestRecognised:
    @pytest.mark.parametrize("name", list(ARCHITECTURES))
    def test_by_its_names(self, name, tmp_path):
        safetensors.torch.save_file(state_of(name), tmp_path / "small.safetensors")
        model = load_model(tmp_path / "small.safetensors", device="cpu")
        architecture = ARCHITECTURES[name]
        assert isinstance(model, TorchModel)
        assert (model.name, model.spec, model.outputs) == ("small", architecture.spec, architecture.outputs)
        network = architecture.network(**architecture.small).eval()
        network.load_state_dict(
            {architecture.network_name(key): tensor for key, tensor in state_of(name).items()}
        )
        x = pixels(model)
        with torch.no_grad():
            np.testing.assert_array_equal(checked_outputs(model, x), network(x).numpy())

    @pytest.mark.parametrize(
        "wrapped",
        [
            lambda state: {"state_dict": state, "epoch": 3},
            lambda state: {"model": {"state_dict": state}, "optimizer": {"lr": 0.1}},
            lambda state: {"model_state_dict": state},
            lambda state: {"net": state},
            lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
            lambda state: {f"_orig_mod.module.{key}": tensor for key, tensor in state.items()},
            lambda state: {"state_dict": {f"model.backbone.{key}": tensor for key, tensor in state.items()}},
            lambda state: {key: tensor for key, tensor in state.items() if "num_batches" not in key},
        ],
    )
    def test_in_the_wrappings_of_training(self, wrapped, resnet, tmp_path):
        torch.save(wrapped(state_of()), tmp_path / "other.ckpt")
        np.testing.assert_array_equal(predict(tmp_path / "other.ckpt"), predict(resnet))

    def test_in_the_old_format_and_in_half_precision(self, resnet, tmp_path):
        torch.save(state_of(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        np.testing.assert_array_equal(predict(tmp_path / "old.pth"), predict(resnet))
        halves = {k: v.half() if v.is_floating_point() else v for k, v in state_of().items()}
        torch.save(halves, tmp_path / "half.bin")
        np.testing.assert_allclose(predict(tmp_path / "half.bin"), predict(resnet), atol=1e-2)

    def test_by_the_architectures_own_name(self, resnet):
        for given in (load_model(resnet, architecture="resnet18"), load_model("resnet18", weights=resnet)):
            assert checked_outputs(given, pixels(given)).shape == (2, 5)
        with pytest.raises(ModelError, match=r"'resnet18' is an architecture without weights.*weights=PATH"):
            load_model("resnet18")
        with pytest.raises(OptionError, match=r"architecture is one that is known.*did you mean 'resnet18'"):
            load_model(resnet, architecture="resnet-18")

    def test_unknown_names_are_refused(self, tmp_path):
        torch.save({"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)}, tmp_path / "odd.pt")
        with pytest.raises(
            ModelError, match=r"(?s)vgg16, .*the 2 names in odd.pt.*a.weight, b.weight.*factory"
        ):
            load_model(tmp_path / "odd.pt")

    def test_options_go_first(self, resnet):
        model = load_model(resnet, spec=SPEC, labels=list("abcde"), outputs="values", name="x")
        assert (model.spec, model.outputs, model.name) == (SPEC, "values", "x")

    def test_the_fingerprint_is_that_of_the_weights(self, resnet, tmp_path):
        torch.save({"state_dict": state_of()}, tmp_path / "same.pt")
        torch.save(state_of(seed=1), tmp_path / "other.pt")
        one, same, other = (
            load_model(path, device="cpu").fingerprint()
            for path in (resnet, tmp_path / "same.pt", tmp_path / "other.pt")
        )
        assert one == same != other

    def test_no_random_number_is_drawn(self, resnet):
        torch.manual_seed(3)
        state = torch.get_rng_state()
        load_model(resnet, device="cpu")
        assert torch.equal(torch.get_rng_state(), state)


class TestWhatDoesNotFit:
    def test_is_counted_and_named(self, tmp_path):
        state = state_of()
        del state["layer2.0.conv1.weight"], state["layer2.0.bn1.bias"]
        state["layer9.extra"] = torch.zeros(1)
        state["layer3.0.bn1.weight"] = torch.zeros(3)
        torch.save(state, tmp_path / "odd.pt")
        with pytest.raises(ModelError) as caught:
            load_model(tmp_path / "odd.pt", device="cpu")
        text = str(caught.value)
        for part in (
            "odd.pt and resnet18 do not fit: of the network's 122 tensors",
            "2 missing (layer2.0.bn1.bias, layer2.0.conv1.weight)",
            "1 unexpected (layer9.extra)",
            "1 of another shape (layer3.0.bn1.weight 3 for 8)",
            "strict=False",
        ):
            assert part in text

    def test_names_are_the_files_own(self, tmp_path):
        state = state_of("vgg-face")
        del state["conv_3_2.bias"]
        torch.save(state, tmp_path / "vgg.pt")
        with pytest.raises(ModelError, match=r"vgg-face do not fit.*1 missing \(conv_3_2.bias\)"):
            load_model(tmp_path / "vgg.pt", device="cpu")

    def test_only_strict_false_loads_a_part(self, tmp_path, caplog):
        state = state_of()
        del state["layer2.0.conv1.weight"]
        torch.save(state, tmp_path / "part.pt")
        torch.manual_seed(1)
        first = predict(tmp_path / "part.pt", strict=False)
        assert "part.pt fills resnet18 only in part" in caplog.text
        assert "1 missing (layer2.0.conv1.weight)" in caplog.text
        torch.manual_seed(2)
        np.testing.assert_array_equal(first, predict(tmp_path / "part.pt", strict=False))

    def test_where_nothing_fits_that_does_not_help(self, tmp_path):
        torch.save({"odd": torch.zeros(1)}, tmp_path / "odd.pt")
        with pytest.raises(ModelError, match="of the network's 30 tensors, 30 missing"):
            load_model(tmp_path / "odd.pt", architecture="vgg16", strict=False, device="cpu")

    @pytest.mark.parametrize("name", ["resnet18", "vgg16", "vgg-face", "mobilenet_v2", "resnet50-vggface2"])
    def test_without_its_classifier_it_returns_features(self, name, tmp_path, caplog):
        architecture = ARCHITECTURES[name]
        head = architecture.file_name(f"{architecture.head}.weight").removesuffix(".weight")
        state = {key: tensor for key, tensor in state_of(name).items() if not key.startswith(f"{head}.")}
        torch.save(state, tmp_path / "bare.pt")
        model = load_model(tmp_path / "bare.pt", device="cpu")
        assert model.outputs == "embedding"
        assert f"bare.pt has no last layer ({head})" in caplog.text
        assert checked_outputs(model, pixels(model)).shape[1] != 5

    def test_any_number_of_classes(self, tmp_path):
        torch.save(state_of(classes=11), tmp_path / "eleven.pt")
        assert predict(tmp_path / "eleven.pt").shape == (2, 11)

    def test_the_classifier_of_training_is_left_out_where_the_usual_file_has_one(self, tmp_path):
        state = state_of("inception_resnet_v1")
        state |= {"logits.weight": torch.zeros(8631, 6), "logits.bias": torch.zeros(8631)}
        torch.save(state, tmp_path / "facenet.pt")
        prediction = predict(tmp_path / "facenet.pt")
        np.testing.assert_allclose(np.linalg.norm(prediction, axis=1), 1, rtol=1e-5)

    def test_no_tensors(self, tmp_path):
        torch.save({"epoch": 3}, tmp_path / "empty.pt")
        with pytest.raises(ModelError, match=r"holds tensors by name; there are none in empty.pt"):
            load_model(tmp_path / "empty.pt")


FACTORY = """
from toy_networks import SPEC, torch_network

def make():
    network = torch_network()
    network.spec = SPEC
    return network

shared = make()

def function(batch):
    return batch.mean(axis=(2, 3))
"""


class TestOwnNetworks:
    @pytest.fixture
    def weights(self, tmp_path, monkeypatch):
        (tmp_path / "my_networks.py").write_text(FACTORY)
        monkeypatch.chdir(tmp_path)
        state = torch_network().state_dict()
        state["4.weight"] = state["4.weight"] * 2
        torch.save({"state_dict": {f"module.{key}": tensor for key, tensor in state.items()}}, "twice.pth")
        yield "twice.pth"
        import sys

        sys.modules.pop("my_networks", None)

    def test_are_made_and_filled(self, weights):
        model = load_model("my_networks:make", weights=weights, device="cpu")
        np.testing.assert_allclose(
            checked_outputs(model, model.to_device(batch())), 2 * by_hand(batch()), atol=1e-5
        )
        assert model.fingerprint() != load_model("my_networks:make", device="cpu").fingerprint()

    def test_that_others_hold_are_not_changed(self, weights):
        import importlib

        network = torch_network()
        for given in (network, "my_networks:shared"):
            model = load_model(given, weights=weights, spec=SPEC, device="cpu")
            prediction = checked_outputs(model, model.to_device(batch()))
            np.testing.assert_allclose(prediction, 2 * by_hand(batch()), atol=1e-5)
        shared = importlib.import_module("my_networks").shared
        for kept in (network, shared):
            assert torch.equal(kept.state_dict()["4.weight"], torch_network().state_dict()["4.weight"])

    def test_whose_own_names_begin_as_a_wrapper_does(self, tmp_path):
        network = torch.nn.ModuleDict({"backbone": torch.nn.Linear(2, 2)})
        torch.save({key: tensor + 1 for key, tensor in network.state_dict().items()}, tmp_path / "own.pt")
        from canonface.models.weights import load_weights

        before = network["backbone"].weight.clone()
        load_weights(network, tmp_path / "own.pt", strict=True)
        assert torch.equal(network["backbone"].weight, before + 1)

    def test_that_do_not_fit_are_refused(self, weights):
        with pytest.raises(ModelError, match=r"twice.pth and Linear do not fit"):
            load_model(torch.nn.Linear(3, 3), weights=weights)

    @pytest.mark.parametrize(
        ("given", "options", "text"),
        [
            (
                "my_networks:function",
                {"weights": "twice.pth"},
                "weights= means nothing to an object that is no torch.nn.Module",
            ),
            ("my_networks:make", {"architecture": "vgg16"}, "architecture= means nothing to an object"),
            ("twice.pth", {"weights": "twice.pth"}, "weights= means nothing to a model file"),
            ("twice.pth", {"takes": "images"}, "takes= means nothing to a model file"),
            ("gender", {"weights": "twice.pth"}, "weights= means nothing to 'gender'"),
        ],
    )
    def test_options_that_make_no_sense(self, weights, given, options, text):
        with pytest.raises(OptionError, match=text):
            load_model(given, **options)


def test_a_counter_that_lacks_is_no_loss(tmp_path, caplog):
    state = {key: tensor for key, tensor in state_of().items() if "num_batches" not in key}
    torch.save(state, tmp_path / "old.pt")
    with caplog.at_level(logging.WARNING):
        model = load_model(tmp_path / "old.pt", device="cpu")
    assert not caplog.records
    assert not any(tensor.is_meta for tensor in model.module.state_dict().values())
