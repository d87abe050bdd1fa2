"""The pages about models: their code runs as it stands and keeps the contract, and the tables know every name."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from model_contract import ModelContract

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.demo import demo_folder
from canonface.mesh import load_mesh
from canonface.models import ARCHITECTURES, load_model
from canonface.models.file_kinds import SUFFIXES

DOCS = Path(__file__).parents[2] / "docs"
OVERVIEW, OWN = ((DOCS / name).read_text(encoding="utf-8") for name in ("models.md", "extending/model.md"))


def code():
    [found] = re.findall(r"```python\n(.*?)```", OWN, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The page's file and its weights in the current directory, as a reader would have them."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_models.py").write_text(code())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        network = importlib.import_module("my_models").network()
        safetensors.torch.save_file(network.state_dict(), "network.safetensors")
        yield network
    sys.modules.pop("my_models", None)


@pytest.fixture(params=["vendor", "network", "trained"])
def model(own, request):
    return load_model(f"my_models:{request.param}", device="cpu")


class TestOwnModels(ModelContract):
    """Each of the page's models."""


def test_the_example_is_short():
    assert len(code().strip().splitlines()) <= 40


def test_it_explains_a_face(model):
    [face] = LandmarkerAligner(load_mesh(0))(demo_folder() / "photos" / "op_P005_studio.jpg")
    cis = canonface.explain(face, model, "smiling", stride=20)
    assert np.nanmax(np.abs(cis.drops)) > 0


def test_one_line_says_the_same(own):
    one = load_model("my_models:network", weights="network.safetensors", device="cpu")
    assert one.fingerprint() == load_model("my_models:trained", device="cpu").fingerprint()
    x = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    np.testing.assert_array_equal(one(one.to_device(x)), own.eval()(one.to_device(x)).detach().numpy())


@pytest.mark.parametrize("name", [*ARCHITECTURES, *SUFFIXES])
def test_the_tables_know_every_name(name):
    assert f"`{name}`" in OVERVIEW


def test_links_lead_somewhere():
    path = DOCS / "extending" / "model.md"
    for target in re.findall(r"\]\(([^)#\s]+)\)", OWN):
        assert "://" in target or (path.parent / target).exists(), target
