"""The demo: two real models on the bundled photos, and what is known to be true of one of them."""

import json
import sys

import numpy as np
import pytest

from canonface.cli.main import main
from canonface.errors import AssetError
from canonface.mesh import REGION_GROUPS, load_mesh
from canonface.models import load_model


@pytest.mark.slow
def test_the_demo_ends_with_pictures_and_happy_is_highest_around_the_mouth(tmp_path, monkeypatch, capsys):
    try:
        load_model("expression")
        load_model("gender")
    except AssetError as error:
        pytest.skip(f"the zoo's weights cannot be had here: {error}")
    monkeypatch.setattr(
        sys, "argv", ["canonface", "demo", "-o", str(tmp_path), "--subdivision", "0", "--json"]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    happy, gender = json.loads(capsys.readouterr().out)["runs"]
    assert (happy["faces"], happy["failed"]) == (19, {})
    assert (gender["faces"], gender["failed"]) == (40, {})
    for run in (happy, gender):
        names = {path.rsplit("/", 1)[1] for path in run["pictures"]}
        assert names == {"cms.png", "cms.npy", "cms.glb", "cms-by-gender.png", "examples.png"}
    assert set(list(happy["regions"])[:3]) <= {*REGION_GROUPS["mouth"], "philtrum"}
    mesh = load_mesh(0)
    mouth = np.unique(np.concatenate([mesh.regions[name] for name in REGION_GROUPS["mouth"]]))
    from_mouth_cm = np.linalg.norm(
        mesh.vertices[mouth] - mesh.vertices[happy["peak"]["vertex"]], axis=1
    ).min()
    assert from_mouth_cm < 1, "the peak lies at the mouth or on the fold beside its corner"
    assert happy["peak"]["value"] > 0.03
