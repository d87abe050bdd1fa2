"""TorchScript files and exported programs: what is special to them."""

import numpy as np
import pytest
import torch
from toy_networks import SPEC, batch, by_hand, exported, scripted, torch_network

from canonface.errors import ModelError, OptionError
from canonface.models import TorchModel, checked_outputs, load_model
from canonface.types import InputSpec

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


class Ends(torch.nn.Module):
    """A network whose output goes through a function."""

    def __init__(self, end):
        super().__init__()
        self.network, self.end = torch_network(), end

    def forward(self, x):
        return self.end(self.network(x), x)


def export_of(network, path, n=1, dynamic=False, channels=3):
    shapes = ({0: torch.export.Dim("n", min=1, max=64)},) if dynamic else None
    program = torch.export.export(network.eval(), (torch.zeros(n, channels, 6, 8),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


def script_of(network, path, n=1):
    torch.jit.trace(network.eval(), torch.zeros(n, 3, 6, 8), strict=False).save(str(path))
    return path


@pytest.mark.filterwarnings("ignore")
class TestPrograms:
    @pytest.mark.parametrize("frozen", [False, True])
    @pytest.mark.parametrize(
        ("write", "name"), [(scripted, "toy.pt"), (scripted, "toy.ts"), (exported, "toy.pt2")]
    )
    def test_outputs_equal_those_of_the_network(self, write, name, frozen, tmp_path):
        model = load_model(write(tmp_path / name, frozen), spec=SPEC, device="cpu", trust=True)
        assert isinstance(model, TorchModel)
        assert model.name == "toy"
        np.testing.assert_allclose(
            checked_outputs(model, model.to_device(batch(7))), by_hand(batch(7)), atol=1e-6
        )

    @pytest.mark.parametrize(("write", "name"), [(scripted, "toy.pt"), (exported, "toy.pt2")])
    def test_a_fixed_batch_size_is_logged_once(self, write, name, tmp_path, caplog):
        model = load_model(write(tmp_path / name, frozen=True), spec=SPEC, device="cpu", trust=True)
        for _ in range(3):
            checked_outputs(model, model.to_device(batch(2)))
        said = [r.getMessage() for r in caplog.records if r.name.startswith("canonface")]
        assert said == [f"{name} has a fixed batch size of 1: it is run piece by piece, which is slow."]

    def test_a_frozen_batch_of_three(self, tmp_path):
        path = export_of(torch_network(), tmp_path / "three.pt2", n=3)
        model = load_model(path, device="cpu", trust=True)
        assert model.module.batch_size == 3
        for n in (1, 3, 4):
            np.testing.assert_allclose(
                checked_outputs(model, model.to_device(batch(n))), by_hand(batch(n)), atol=1e-6
            )

    def test_a_batch_that_mixes_runs_one_by_one(self, tmp_path):
        path = script_of(Ends(lambda y, x: y - y.mean(dim=0)), tmp_path / "mixes.pt")
        model = load_model(path, spec=SPEC, device="cpu", trust=True)
        assert model.module.batch_size == 1
        np.testing.assert_allclose(checked_outputs(model, model.to_device(batch(3))), 0, atol=1e-6)

    @pytest.mark.parametrize("frozen", [False, True])
    @pytest.mark.parametrize(
        ("end", "output"),
        [
            (lambda y, x: {"logits": y, "means": x.mean(dim=(2, 3))}, "means"),
            (lambda y, x: (y, x.mean(dim=(2, 3))), 1),
        ],
    )
    def test_one_of_several_outputs(self, end, output, frozen, tmp_path):
        export = export_of(Ends(end), tmp_path / "several.pt2", n=1 if frozen else 2, dynamic=not frozen)
        for path in (export, script_of(Ends(end), tmp_path / "several.pt")):
            model = load_model(path, spec=SPEC, device="cpu", output=output, trust=True)
            prediction = checked_outputs(model, model.to_device(batch(3)))
            np.testing.assert_allclose(prediction, batch(3).mean(axis=(2, 3)), atol=1e-6)

    def test_size_and_channels_come_from_an_exported_program(self, tmp_path):
        assert load_model(exported(tmp_path / "toy.pt2"), device="cpu", trust=True).spec == InputSpec(
            size_hw=(6, 8)
        )
        grey = torch.nn.Sequential(torch.nn.Flatten())
        model = load_model(export_of(grey, tmp_path / "grey.pt2", channels=1), device="cpu", trust=True)
        assert (model.spec.colour, model.spec.size_hw) == ("grey", (6, 8))
        path = export_of(grey, tmp_path / "four.pt2", channels=4)
        with pytest.raises(ModelError, match=r"of 1 or 3 channels; four.pt2 wants \(1, 4, 6, 8\)"):
            load_model(path, device="cpu", trust=True)
        assert load_model(scripted(tmp_path / "toy.pt"), device="cpu", trust=True).spec == InputSpec()

    def test_dropout_of_a_script_sleeps_and_the_mode_is_put_back(self, tmp_path):
        torch.jit.script(torch_network(dropout=True).train()).save(str(tmp_path / "train.pt"))
        model = load_model(tmp_path / "train.pt", spec=SPEC, device="cpu", trust=True)
        x = model.to_device(batch())
        model.module.train()
        np.testing.assert_allclose(checked_outputs(model, x), by_hand(batch()), atol=1e-6)
        assert all(layer.training for layer in model.module.modules())

    def test_the_fingerprint_is_that_of_the_file_and_the_output(self, tmp_path):
        import hashlib

        path = scripted(tmp_path / "toy.pt")
        model = load_model(path, spec=SPEC, device="cpu", trust=True)
        assert model.fingerprint() == hashlib.sha256(path.read_bytes()).hexdigest()
        assert load_model(model, output="a").fingerprint() == f"{model.fingerprint()}:a"

    @pytest.mark.parametrize("name", ["toy.pt", "toy.pt2"])
    def test_options_that_make_no_sense(self, name, tmp_path):
        path = (scripted if name.endswith("pt") else exported)(tmp_path / name)
        with pytest.raises(OptionError, match="architecture= means nothing to a program"):
            load_model(path, architecture="vgg16")
        with pytest.raises(ModelError, match=r"holds a whole program: load it by itself|A weights file"):
            load_model(torch_network(), weights=path)

    def test_probabilities_are_found_out(self, tmp_path):
        path = script_of(Ends(lambda y, x: y.softmax(dim=1)), tmp_path / "sure.pt")
        assert load_model(path, spec=SPEC, device="cpu", trust=True).outputs == "probabilities"
