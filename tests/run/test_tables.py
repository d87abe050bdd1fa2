"""A run as tables: pandas, xarray, and the probes beside the parts."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import canonface
from canonface import InputSpec, load_model
from canonface.demo import demo_folder

PHOTOS = ("op_P001_studio", "op_P005_studio", "op_P002_studio")
ROOT = Path(__file__).parents[2]


def left_half(batch):
    light = batch[:, :, :, : batch.shape[3] // 2].mean(axis=(1, 2, 3))
    return np.stack([light, 1 - light], axis=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    table = folder / "labels.csv"
    rows = [
        f"{demo_folder() / 'photos' / name}.jpg,{name[3:7]},{'female' if i else 'male'}"
        for i, name in enumerate(PHOTOS)
    ]
    missing = f"{folder / 'gone.jpg'},P000,male"
    table.write_text("\n".join(["path,identity,gender", *rows, missing]) + "\n")
    model = load_model(left_half, spec=InputSpec((24, 24)), outputs="probabilities", labels=("light", "dark"))
    return canonface.audit(table, model, folder / "my-run", target="light", subdivision=0, spacing=2.0)


def test_a_row_a_face(run):
    table = run.to_pandas()
    assert len(table) == 3
    assert list(table["label_gender"]) == ["male", "female", "female"]
    assert table["target"].unique().tolist() == ["light"]
    assert "drops" not in table
    assert "vertices" not in table
    np.testing.assert_array_equal(table["confidence"], run.faces.column("confidence").to_numpy())


def test_a_row_a_face_and_probe(run):
    table = run.to_pandas(long=True)
    assert len(table) == run.drops().size
    first = table[table["face_id"] == table["face_id"].iloc[0]]
    np.testing.assert_array_equal(first["drop"], run.drops()[0])
    np.testing.assert_array_equal(first["vertex"], run.probes)
    xy = run.canvas.project(run.mesh)[run.probes]
    np.testing.assert_array_equal(first[["canonical_x", "canonical_y"]], xy)
    for region, vertex in zip(first["region"], first["vertex"], strict=True):
        holds = [name for name, members in run.mesh.regions.items() if vertex in members]
        assert region in holds or (region == "" and not holds)
    assert set(table["label_gender"]) == {"male", "female"}


def test_an_xarray_dataset(run):
    data = run.to_xarray()
    assert dict(data.sizes) == {"face": 3, "probe": len(run.probes)}
    np.testing.assert_array_equal(data["drop"], run.drops())
    of_women = data["drop"].where(data["label_gender"] == "female", drop=True)
    np.testing.assert_array_equal(of_women, run.drops()[1:])
    assert data.attrs["model"] == run.model_name
    assert data["drop"].attrs["units"] == run.unit
    assert {"region", "canonical_x", "canonical_y", "vertex"} <= set(data.coords)


def test_the_probes_stand_beside_the_parts(run):
    table = pq.read_table(run.folder / "probes.parquet")
    assert table.num_rows == run.drops().shape[1]
    assert table.column("vertex").to_pylist() == run.probes.tolist()
    place = np.column_stack([table.column(name) for name in ("x_cm", "y_cm", "z_cm")])
    np.testing.assert_allclose(place, run.mesh.vertices[run.probes], atol=1e-6)
    for names, region in zip(
        table.column("regions").to_pylist(), table.column("region").to_pylist(), strict=True
    ):
        assert region == (names[0] if names else "")
        sizes = [len(run.mesh.regions[name]) for name in names]
        assert sizes == sorted(sizes)


def test_without_xarray_it_is_said_how_to_get_it(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(canonface.errors.MissingDependencyError, match=r"canonface\[xarray\]"):
        run.to_xarray()


def test_the_page_on_runs_is_true(run, monkeypatch):
    monkeypatch.chdir(run.folder.parent)
    names = {}
    text = (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for code in blocks[:2]:
        exec(code, names)
    assert names["drops"].dims == ("face", "probe")


def test_it_shows_itself_in_a_line(run):
    assert repr(run) == f"Run({str(run.folder)!r}, model='left_half', unit='probability of light', photos=4)"
