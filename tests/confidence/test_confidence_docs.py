"""The pages about confidences: their code runs, and their tables hold every name."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from confidence_contract import AGES, Case, ConfidenceContract, outputs_of

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.confidence import CONFIDENCES, CleanPrediction, make_confidence
from canonface.demo import demo_folder
from canonface.errors import OptionError, TargetError
from canonface.mesh import load_mesh
from canonface.types import InputSpec

DOCS = Path(__file__).parents[2] / "docs"
OVERVIEW, OWN = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("confidences.md", "extending/confidence.md")
)


def code_of(page):
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return code


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write the page's file into the current directory, as a reader would."""
    (tmp_path / "own.py").write_text(code_of(OWN))
    monkeypatch.chdir(tmp_path)
    yield "own"
    sys.modules.pop("own", None)


def test_the_example_is_short():
    assert len(code_of(OWN).strip().splitlines()) <= 40


def test_both_kinds_explain_a_face(own):
    [face] = LandmarkerAligner(load_mesh(0))(demo_folder() / "photos" / "op_P005_studio.jpg")

    def lightness(batch):
        return np.stack([batch.mean(axis=(1, 2, 3)), batch[:, :, 12:20, 12:20].mean(axis=(1, 2, 3))], axis=1)

    spec = InputSpec(size_hw=(32, 32))
    values = canonface.load_model(lightness, spec=spec, outputs="values", labels=["yaw", "pitch"])
    by_function = canonface.explain(face, values, confidence="own:yaw_kept", stride=20)
    assert by_function.unit == "yaw kept"
    assert np.nanmin(by_function.drops) >= 0
    assert np.nanmax(by_function.drops) > 0

    def adult(batch):
        p = lightness(batch)[:, :1]
        return np.concatenate([1 - p, p / 2, p / 2], axis=1)

    ages = canonface.load_model(adult, spec=spec, outputs="probabilities", labels=["0", "18", "40"])
    by_class = canonface.explain(face, ages, "18", confidence="own:AtLeast", stride=20)
    assert by_class.unit == "probability of 18 or more"
    np.testing.assert_allclose(by_class.confidence, lightness_of(by_class), rtol=1e-5)
    np.testing.assert_allclose(np.abs(by_class.drops), by_function.drops, atol=1e-6)


def lightness_of(cis):
    return cis.outputs[1] + cis.outputs[2]


class TestOwnClass(ConfidenceContract):
    @pytest.fixture
    def case(self, own):
        confidence = make_confidence("own:AtLeast", "5")
        original, occluded = (
            outputs_of("probabilities", len(AGES), 1),
            outputs_of("probabilities", len(AGES), 7, 1),
        )
        original = original[:, ::-1].copy()  # sure of a high age

        def bind(outputs):
            return confidence.bind(CleanPrediction(outputs, "probabilities", AGES))

        return Case(confidence, "probabilities", original, occluded, original[:, ::-1].copy(), bind)

    def test_it_can_be_pickled(self, case):
        assert make_confidence("own:AtLeast", "5") == case.confidence

    def test_its_errors(self, case):
        with pytest.raises(OptionError, match="this model returns values"):
            case.confidence.check("values", ())
        with pytest.raises(TargetError, match="no class '5'"):
            case.confidence.check("probabilities", ("a", "b"))


def test_the_gallery_of_the_overview_is_made_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code_of(OVERVIEW), names)
    assert names["confidence"].form == "margin"
    assert Path("gallery.npz").is_file()


@pytest.mark.parametrize("name", CONFIDENCES)
def test_the_tables_know_every_name(name):
    assert OVERVIEW.count(f"`{name}`") >= 2


@pytest.mark.parametrize("page", ["confidences.md", "extending/confidence.md"])
def test_links_lead_somewhere(page):
    path = DOCS / page
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), target
