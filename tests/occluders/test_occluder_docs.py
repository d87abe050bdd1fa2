"""The pages about occluders: their code runs, and their tables hold every name."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from occluder_contract import OccluderContract
from toy_faces import RGB, toy_face

import canonface
from canonface.errors import OptionError
from canonface.occluders import FILLS, OCCLUDERS

DOCS = Path(__file__).parents[2] / "docs"
OVERVIEW, OWN = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("occluders.md", "extending/occluder.md")
)


def code_of(page):
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return code


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Import the page's file as a module."""
    (tmp_path / "own_occluder.py").write_text(code_of(OWN))
    monkeypatch.syspath_prepend(tmp_path)
    import own_occluder

    yield own_occluder
    sys.modules.pop("own_occluder", None)


def test_the_example_is_short():
    assert len(code_of(OWN).strip().splitlines()) < 30


class TestOwnOccluder(OccluderContract):
    @pytest.fixture(params=["mean", "inpaint", "black+blur"])
    def occluder(self, own, request):
        return own.Bar(20, request.param)

    def test_it_describes_its_class_and_fields(self, own):
        assert own.Bar("25%", "blur").describe() == {"name": "bar", "patch": "25%", "fill": "blur"}

    def test_its_errors(self, own):
        with pytest.raises(OptionError, match="got 'wide'"):
            own.Bar("wide")
        with pytest.raises(OptionError, match="did you mean 'noise'"):
            own.Bar("100%", "nois")


def test_it_explains_a_face(own):
    def lightness(batch):
        return batch[:, :, 20:30].mean(axis=(1, 2, 3))[:, None]

    model = canonface.load_model(
        lightness, spec=replace(RGB, size_hw=(48, 48)), outputs="values", labels=["light"]
    )
    face = toy_face(pixels_per_cm=5.0)
    cis = canonface.explain(
        face, model, "light", confidence="value", occluder=own.Bar("80%", "black"), stride=20
    )
    assert np.nanmax(cis.drops) > 0.05
    assert 5 < cis.patch < 48


@pytest.mark.parametrize("name", [*OCCLUDERS, *FILLS])
def test_the_tables_know_every_name(name):
    assert f"| `{name}` |" in OVERVIEW


def test_the_overviews_python_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(canonface, "align", lambda photo: [toy_face(pixels_per_cm=5.0)])

    def load(name):
        def prediction(batch):
            bright = batch.mean(axis=(1, 2, 3))
            return np.stack([bright, 1 - bright], axis=1)

        spec = replace(RGB, size_hw=(32, 32), mean=(0.0,), std=(1.0,))
        return canonface.models.load_model(
            prediction, spec=spec, outputs="probabilities", labels=["happy", "sad"]
        )

    monkeypatch.setattr(canonface, "load_model", load)
    names = {}
    exec(code_of(OVERVIEW), names)
    assert names["effects"].drops.shape == (3,)
    assert names["cis"].patch > 1


@pytest.mark.parametrize("page", ["occluders.md", "extending/occluder.md"])
def test_links_lead_somewhere(page):
    path = DOCS / page
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), target
