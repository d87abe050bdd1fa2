"""The page about custom aligners: its code runs unchanged, is short, and passes the contract."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from contract import AlignerContract, Case

import canonface
from canonface.alignment import ALIGNERS
from canonface.mesh import five_point_mesh

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "extending" / "aligner.md").read_text(encoding="utf-8")
POINTS = "photo,point,x,y\nme.jpg,right_eye,60,80\nme.jpg,left_eye,120,80\nme.jpg,nose_tip,90,115\n"
PHOTO = np.full((200, 180, 3), 99, dtype=np.uint8)


def code():
    [found] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "clicked_points.py").write_text(code())
    (folder / "points.csv").write_text(POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        kind = importlib.import_module("clicked_points").ClickedPoints
        yield lambda points=folder / "points.csv": kind(points)
    sys.modules.pop("clicked_points", None)


def test_the_example_is_short():
    assert len(code().splitlines()) <= 40


class TestOwn(AlignerContract):
    @pytest.fixture
    def case(self, own, tmp_path):
        def other():
            points = tmp_path / "points.csv"
            points.write_text(POINTS.replace("90,115", "91,115"))
            return own(points)

        return Case(make=own, mesh=five_point_mesh(), photo=PHOTO, others={"points": other})


def test_the_face_lies_at_the_clicked_points(own):
    [face] = own()(PHOTO, "me.jpg")
    eyes = [face.mesh.landmark_xy(f"{side}_eye", face.vertices_xy) for side in ("right", "left")]
    np.testing.assert_allclose(eyes, [(60, 80), (120, 80)], atol=2)


def test_audit_accepts_the_aligner(own, tmp_path):
    from PIL import Image

    Image.fromarray(PHOTO).save(tmp_path / "me.jpg")
    Image.fromarray(PHOTO).save(tmp_path / "unclicked.jpg")

    def model(batch):
        return batch[:, :, 20:40, 20:40].mean(axis=(1, 2, 3))[:, None] * np.ones((1, 2))

    run = canonface.audit([tmp_path / "me.jpg", tmp_path / "unclicked.jpg"], model, tmp_path / "run", target=0,
                          aligner=own(), stride=50, patch=9)  # fmt: skip
    assert run.faces.num_rows == 1
    assert run.failures.column("reason").to_pylist() == ["alignment-failed"]
    assert np.isnan(run.faces.column("yaw")[0].as_py())
    assert run.cis(0).face.mesh.name == "five-point/33"


def test_the_page_names_every_aligner():
    page = (DOCS / "alignment.md").read_text(encoding="utf-8")
    for name in ALIGNERS:
        assert f"`{name}`" in page, name
