"""Loading of models from names, paths and objects, and the errors when that fails."""

import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from toy_networks import SPEC, batch, by_hand, torch_network, write_onnx

from canonface.errors import MissingDependencyError, ModelError, OptionError
from canonface.models import (
    CallableModel,
    OnnxModel,
    TorchModel,
    available_models,
    checked_outputs,
    load_model,
)
from canonface.types import InputSpec

SOURCE = """
import numpy as np
from canonface.types import InputSpec

def model(batch):
    return batch.mean(axis=(2, 3))

model.spec = InputSpec(size_hw=(6, 8))
model.labels = ["a", "b", "c"]
model.outputs = "probabilities"

def make():
    return model

class Network:
    def __call__(self, batch):
        return batch.mean(axis=(2, 3)) * 2

class inner:
    deep = staticmethod(model)

def broken():
    raise RuntimeError("no weights")

number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current directory with a module in it."""
    (tmp_path / "my_models.py").write_text(SOURCE)
    (tmp_path / "my_broken.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("my_models", "my_broken"):
        sys.modules.pop(name, None)


class TestAttribute:
    @pytest.mark.parametrize("name", ["model", "make", "inner.deep"])
    def test_a_callable_or_its_factory(self, here, name):
        path = list(sys.path)
        model = load_model(f"my_models:{name}")
        assert sys.path == path
        assert isinstance(model, CallableModel)
        assert model.name == f"my_models:{name}"
        assert model.labels == ("a", "b", "c")
        assert model.outputs == "probabilities"
        assert model.spec.size_hw == (6, 8)
        np.testing.assert_allclose(checked_outputs(model, batch()), batch().mean(axis=(2, 3)))

    def test_a_class_is_made(self, here):
        model = load_model("my_models:Network")
        np.testing.assert_allclose(checked_outputs(model, batch()), 2 * batch().mean(axis=(2, 3)))

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("my_modules:model", "There is no module 'my_modules' .*in the current directory, /"),
            ("my_broken:model", "my_broken needs the module 'no_such_package', which is not installed"),
            ("my_models:modell", "no attribute 'modell'. did you mean 'model'"),
            ("my_models:broken", "'my_models:broken' is to make a model; it raised RuntimeError: no weights"),
            ("my_models:number", "A model is a name, a path.*got int"),
        ],
    )
    def test_errors_are_reported(self, here, name, text):
        path = list(sys.path)
        with pytest.raises(ModelError, match=text):
            load_model(name)
        assert sys.path == path


class TestPath:
    def test_a_file(self, tmp_path):
        path = write_onnx(tmp_path / "Toy.ONNX")
        for given in (path, str(path)):
            assert isinstance(load_model(given), OnnxModel)

    def test_a_missing_file_lists_its_neighbours(self, tmp_path):
        write_onnx(tmp_path / "gender_small.onnx")
        with pytest.raises(ModelError, match=r"there is no file .*did you mean 'gender_small.onnx'"):
            load_model(tmp_path / "gender_smal.onnx")

    def test_a_missing_folder(self, tmp_path):
        with pytest.raises(ModelError, match=r"there is no file .*x.onnx, nor any"):
            load_model(tmp_path / "none" / "x.onnx")


class TestName:
    @pytest.mark.parametrize(
        ("name", "text"),
        [("gendre", "did you mean 'gender'"), ("", "Known: gender, age"), ("no/such.py", "got 'no/")],
    )
    def test_an_unknown_name_lists_the_known_ones(self, name, text):
        with pytest.raises(ModelError, match=text):
            load_model(name)

    def test_the_cards_are_complete(self):
        cards = {card.name: card for card in available_models()}
        assert {"gender", "age", "expression"} <= set(cards)
        for card in cards.values():
            for text in (card.task, card.source, card.licence_weights, card.citation, card.input):
                assert len(text) > 2
            assert len(set(card.labels)) == len(card.labels)
            assert len(card.labels) > 1 or card.outputs in ("embedding", "values")
        assert cards["expression"].input.startswith("64 x 64 grey, face crop, margin ")

    def test_a_measured_accuracy_is_stated(self):
        for card in available_models():
            assert "n=" in card.accuracy

    def test_wrong_options_for_a_zoo_model(self):
        with pytest.raises(OptionError, match="'gender' has 2 outputs; got 3 labels"):
            load_model("gender", labels=["a", "b", "c"])
        with pytest.raises(OptionError, match="'gender' returns logits"):
            load_model("gender", outputs="probabilities")


class TestObject:
    def test_a_module_and_a_callable(self):
        module = load_model(
            torch_network(), spec=SPEC, labels=["a", "b", "c", "d"], outputs="logits", name="mine"
        )
        assert isinstance(module, TorchModel)
        assert (module.name, module.labels) == ("mine", ("a", "b", "c", "d"))
        assert load_model(by_hand).name == "by_hand"
        assert load_model(by_hand).spec == InputSpec()

    def test_a_model_is_itself_unless_something_is_changed(self):
        model = load_model(by_hand, spec=SPEC)
        assert load_model(model) is model
        wider = replace(SPEC, margin=1.0)
        changed = load_model(model, spec=wider, name="wider")
        assert (changed.spec, changed.name, model.spec) == (wider, "wider", SPEC)
        assert changed.fingerprint() == model.fingerprint()

    def test_a_model_is_not_moved_or_filled(self):
        for model in (load_model(torch_network(), spec=SPEC, device="cpu"), load_model(by_hand, spec=SPEC)):
            assert load_model(model, device="cpu") is model
            with pytest.raises(OptionError, match=r"is a Model already, on cpu; got device='cuda:7'"):
                load_model(model, device="cuda:7")
            with pytest.raises(OptionError, match="strict= means nothing to a Model"):
                load_model(model, strict=False)

    def test_the_output_of_a_model_of_a_file_is_looked_up_as_when_it_is_loaded(self, tmp_path):
        model = load_model(write_onnx(tmp_path / "toy.onnx", extra_output=True), device="cpu")
        for output in ("features", 1, "1"):
            changed = load_model(model, output=output)
            assert changed.output == "features"
            np.testing.assert_allclose(
                checked_outputs(changed, batch()), batch().mean(axis=(2, 3)), atol=1e-6
            )
        for output in ("feature", 2, -1):
            with pytest.raises(OptionError, match=r"output is one that toy\.onnx has, by name or position"):
                load_model(model, output=output)

    def test_a_foreign_model_keeps_its_word(self):
        class Foreign:
            name, labels, outputs = "foreign", (), "logits"
            spec: ClassVar = SPEC

            def __call__(self, batch):
                return by_hand(batch)

            def to_device(self, x):
                return x

            def fingerprint(self):
                return "1"

        foreign = Foreign()
        assert load_model(foreign) is foreign
        with pytest.raises(
            OptionError, match="'foreign' is a Model of its own kind, which states spec itself"
        ):
            load_model(foreign, spec=SPEC)

    @pytest.mark.parametrize("thing", [3, None, dict, np.zeros(3)])
    def test_other_objects_are_refused(self, thing):
        with pytest.raises(ModelError, match="A model is a name, a path"):
            load_model(thing)

    def test_attributes_of_another_kind_are_the_objects_own(self):
        @dataclass
        class Busy:
            labels: int = 3
            spec: str = "x"

            def __call__(self, batch):
                return by_hand(batch)

        assert load_model(Busy()).labels == ()

    def test_wrong_options(self):
        with pytest.raises(
            OptionError, match="outputs is 'logits', 'probabilities', 'embedding' or 'values'; got 'scores'"
        ):
            load_model(by_hand, outputs="scores")
        with pytest.raises(
            OptionError, match="labels is a sequence of names, one per output; got the text 'happy'"
        ):
            load_model(by_hand, labels="happy")


@pytest.mark.parametrize(
    ("package", "given", "extra"), [("onnxruntime", "toy.onnx", "onnx"), ("torch", "gender", "zoo")]
)
def test_a_missing_package_names_its_extra(package, given, extra, tmp_path, monkeypatch):
    write_onnx(tmp_path / "toy.onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{package}.*pip install 'canonface\[{extra}\]'"):
        load_model(given)
