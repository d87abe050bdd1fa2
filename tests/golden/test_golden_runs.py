"""Runs of canonface 0.1.0 open, give the maps that 0.1.0 made of them, and can be continued.

``make_golden.py`` made them. Each is copied to a temporary folder first. The photos lie elsewhere than in 0.1.0,
which is allowed: a run knows its photos by their names and their content, and ``photo_root`` may move between starts.
"""

import json
import shutil

import golden_cases
import golden_models
import numpy as np
import pytest
from golden_cases import CASES, DATA, results

from canonface.errors import AssetError, ConfigurationChangedError
from canonface.run import Run

# The keywords and names of 0.1.0 are what is tested here, deprecated or not.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TOLERANCE = 1e-5
"""Of a drop, or of the largest one where that is above 1: networks compute in float32, whose sums (eps 6e-8, up to
some hundred terms a place) round differently with the order that a CPU and a version of its libraries take."""


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def copied(case, state, folder):
    shutil.copytree(DATA / case / state, folder / state)
    return folder / state


def carried_on(case, folder, **more):
    """The call of a case with today's code."""
    try:
        return CASES[case](folder, **more)
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")


def stored(case):
    with np.load(DATA / f"{case}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_a_finished_run_gives_the_maps_of_0_1_0(case, tmp_path):
    run, expected = Run.open(copied(case, "finished", tmp_path)), stored(case)
    assert run.manifest.versions["canonface"] == "0.1.0"
    assert run.manifest.schema_version == 1
    assert not run.failures.num_rows
    found = dict(results(run))
    assert found.keys() == expected.keys()
    assert np.isfinite(expected["drops"]).any()
    groups = run.cms(by="target" if run.of_pairs else "gender")
    maps = {"map": run.cms(), **{f"by/{name}": cms for name, cms in groups.items()}}
    for name, array in found.items():
        drawn = array
        if name in maps:
            # A map of 0.1.0 is 0, and is now NaN, where no face showed the place, unless such places count as 0.
            unknown = (maps[name].seen == 0) & (maps[name].unseen == "omit")
            np.testing.assert_array_equal(np.isnan(array), unknown, err_msg=name)
            drawn = np.nan_to_num(array, nan=0.0)
        np.testing.assert_allclose(drawn, expected[name], atol=1e-6, rtol=1e-6, err_msg=name)


def test_an_unfinished_run_gives_the_drops_of_its_photos(case, tmp_path):
    run = Run.open(copied(case, "unfinished", tmp_path))
    whole = {row["face_id"]: row for row in Run.open(DATA / case / "finished").faces.to_pylist()}
    rows = run.faces.to_pylist()
    assert len(rows) == 2 < len(whole)
    for row in rows:
        np.testing.assert_allclose(row["drops"], whole[row["face_id"]]["drops"], atol=1e-6)


def test_an_unfinished_run_is_continued_to_the_drops_of_0_1_0(case, tmp_path):
    folder = copied(case, "unfinished", tmp_path)
    before = (folder / "run.json").read_text()
    kept = {path.name: path.read_bytes() for path in (folder / "parts").iterdir()}
    states = []
    run = carried_on(case, folder, progress=states.append)
    assert (states[0].resumed, states[0].done) == (2, 3)
    assert all((folder / "parts" / name).read_bytes() == content for name, content in kept.items())
    now, then = json.loads((folder / "run.json").read_text()), json.loads(before)
    assert {**now, "photo_root": ""} == {**then, "photo_root": ""}, "the manifest stays as it was written"
    assert now["photo_root"] != "/photos"

    golden = Run.open(DATA / case / "finished")
    np.testing.assert_array_equal(golden.drops().astype(np.float32), stored(case)["drops"])
    assert run.faces.column("face_id").to_pylist() == golden.faces.column("face_id").to_pylist()
    assert not run.failures.num_rows
    assert (run.reached is None) == (golden.reached is None)
    if run.reached is not None:
        assert run.reached.stopped == golden.reached.stopped
    tolerance = TOLERANCE * max(1.0, np.nanmax(np.abs(golden.drops())))
    for found, expected, place, its_place in zip(
        run.drops(), golden.drops(), run.vertices_xy(), golden.vertices_xy(), strict=True
    ):
        np.testing.assert_allclose(place, its_place, atol=0.01)
        same = np.isclose(found, expected, atol=tolerance, rtol=0, equal_nan=True)
        # Another CPU may place a vertex some 1e-4 pixels aside, which can move a patch by a whole pixel.
        assert same.all() if np.array_equal(place, its_place) else same.mean() > 0.9


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_a_run_of_another_method_has_a_unit_of_today(state, tmp_path):
    folder = copied("gradients", state, tmp_path)
    units = set(Run.open(folder).faces.column("unit").to_pylist())
    run = carried_on("gradients", folder)
    assert any("heat" in unit for unit in units), "0.1.0 stored another word"
    assert run.unit.startswith("SmoothGrad attribution")
    assert run.cms().unit.startswith("SmoothGrad attribution")
    if state == "finished":
        assert run.unit == run.cms().unit == "SmoothGrad attribution for yes"


def test_a_finished_run_is_not_computed_again(case, tmp_path):
    folder, states = copied(case, "finished", tmp_path), []
    run = carried_on(case, folder, progress=states.append)
    assert states == []
    np.testing.assert_array_equal(run.drops().astype(np.float32), stored(case)["drops"])


@pytest.mark.parametrize("case", CASES)
def test_another_patch_is_refused(case, tmp_path):
    changed = {"patch": 9} if case != "torch_module" else {"unseen": "zero"}
    folder = copied(case, "unfinished", tmp_path)
    with pytest.raises(ConfigurationChangedError, match="another configuration"):
        carried_on(case, folder, **changed)


class TestAnotherModel:
    """A model that differs in one number or in one word of its code is refused, of 0.1.0's runs too."""

    def refused(self, case, folder, match):
        with pytest.raises(ConfigurationChangedError, match=match):
            carried_on(case, copied(case, "unfinished", folder))

    def test_another_weight(self, tmp_path, monkeypatch):
        make = golden_models.by_formula
        monkeypatch.setattr(golden_models, "by_formula", lambda *given: make(*given) * 1.001)
        self.refused("torch_module", tmp_path, "model.fingerprint: ")

    def test_another_weight_in_a_file(self, tmp_path, monkeypatch):
        for name in ("weights_file", "gallery"):
            path = golden_cases.WEIGHTS[{"weights_file": "resnet18", "gallery": "iresnet18"}[name]]
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            (tmp_path / name).mkdir()
            other = tmp_path / name / path.name
            other.write_bytes(content)
            monkeypatch.setitem(golden_cases.WEIGHTS, path.stem, other)
            self.refused(name, tmp_path / name, "model.fingerprint: ")

    def test_another_function(self, tmp_path, monkeypatch):
        def turn(original, occluded):
            return -golden_models.turn(original, occluded)

        turn.__module__, turn.__qualname__ = "golden_models", "turn"
        monkeypatch.setattr(golden_cases, "turn", turn)
        self.refused("own_function", tmp_path, r"settings.confidence.fingerprint: ")
