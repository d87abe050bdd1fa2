"""Studies of one setting: runs, maps and correlations, with models whose map is known."""

import csv

import numpy as np
import pytest
from slow_reliability import correlation

from canonface import studies
from canonface.errors import NoFaceError, OptionError, RunError
from canonface.mesh import load_mesh, region_mask
from canonface.models import load_model
from canonface.pipeline import audit
from canonface.run import Run
from canonface.studies.aligners import CachedAligner
from canonface.studies.comparison import agreement, compare
from canonface.studies.settings import EVEN, EVERY_VERTEX, SUMMED
from canonface.studies.sweep import Setting, vary
from canonface.types import InputSpec
from conftest import toy_model

SPEC = InputSpec(size_hw=(48, 48))


class ReadsTheMouth:
    """Model whose confidence rises with the brightness of a window at the mouth of a frontal crop."""

    spec, labels, outputs = SPEC, ("no", "yes"), "logits"

    def __call__(self, batch):
        mouth = batch[:, :, 32:36, 20:28].mean(axis=(1, 2, 3))
        return np.stack([np.zeros(len(batch)), 20 * mouth], axis=1)


@pytest.fixture(scope="session")
def mouth_study(people_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "patch"
    model = load_model(ReadsTheMouth(), spec=SPEC, labels=("no", "yes"), outputs="logits", name="mouth")
    return studies.patch(
        people_folder / "labels.csv", model, out, sizes=[5, 7, "9px"], strides=[12], target="yes", fill="black",
        spacing=1.2,
    )  # fmt: skip


def test_a_model_that_reads_the_mouth_peaks_there_at_every_size(mouth_study):
    assert mouth_study.names == ("5 px", "7 px", "9px", "9 px, every 12th vertex")
    mesh = load_mesh(1)
    mouth = region_mask(mesh, "mouth") | region_mask(mesh, "philtrum") | region_mask(mesh, "chin")
    for column in mouth_study.columns:
        assert mouth[column.peak.vertex], column.name
    assert (mouth_study.correlations > 0.6).all()


def test_correlations_are_pearsons_at_the_probes_of_the_sparsest_run(mouth_study):
    probes = [len(column.run.probes) for column in mouth_study.columns]
    sparsest = mouth_study.columns[int(np.argmin(probes))].run.probes
    assert set(mouth_study.places) <= set(sparsest)
    a, b = (mouth_study.columns[i].map.vertex_values[mouth_study.places] for i in (0, 2))
    assert mouth_study.correlations[0, 2] == pytest.approx(correlation(a, b))
    np.testing.assert_allclose(np.diag(mouth_study.correlations), 1)
    np.testing.assert_allclose(mouth_study.correlations, mouth_study.correlations.T)


def test_a_study_reports_its_findings(mouth_study):
    words = mouth_study.words()
    assert words[0] == "4 maps of the same 14 faces."
    assert words[1].startswith("5 px: highest at ")
    assert "reliability" in words[1]
    assert words[5].startswith("Least similar: ")
    table = mouth_study.table()
    assert [row["people"] for row in table] == [7] * 4
    assert table[0]["r with 5 px"] == pytest.approx(1)
    assert table[0]["model_calls"] > 0
    regions = mouth_study.regions()
    assert {row["region"] for row in regions} == set(load_mesh(1).regions)
    assert set(regions[0]) == {"region", *mouth_study.names}


def test_each_setting_is_a_run_that_continues(mouth_study, people_folder, tmp_path):
    folder = mouth_study.columns[0].run.folder
    assert folder.name == "5-px"
    assert Run.open(folder).faces.num_rows == 14
    settings = [Setting("a", {"patch": 5}), Setting("b", {"patch": 7})]
    said = []
    photos = people_folder / "labels.csv"

    def go():
        progress = lambda name, state: said.append((name, state.done))  # noqa: E731
        return vary(photos, settings, tmp_path, model=toy_model(), target="yes", stride=20, progress=progress)

    runs = go()
    assert [run.settings["occluder"]["patch"] for run in runs] == [5, 7]
    assert said[0] == ("a", 1)
    assert said[-1] == ("b", 14)
    assert len(said) == 28
    again = go()
    assert len(said) == 28, "the second time no model is run"
    np.testing.assert_array_equal(again[1].drops(), runs[1].drops())


def test_faces_that_one_setting_cannot_explain_are_left_out_of_all(toy_run, people_folder, tmp_path):
    photos = sorted(people_folder.glob("*.jpg"))[:6]
    fewer = audit(photos, toy_model(), tmp_path / "few", target="yes", stride=10)
    found = compare("test", [("all", toy_run), ("few", fewer)])
    assert found.faces == 6
    assert found.left_out == 8
    assert all(column.map.faces == 6 for column in found.columns)
    assert found.correlations[0, 1] == pytest.approx(1)
    assert "8 more could not be explained under every setting" in found.words()[0]
    assert found.columns[1].reliability < 1 or np.isnan(found.columns[1].reliability)


def test_runs_that_share_no_face_are_refused(toy_run, people_folder, tmp_path):
    names = sorted(people_folder.glob("*.jpg"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "other.jpg").write_bytes(names[0].read_bytes())
    other = audit(tmp_path / "photos", toy_model(), tmp_path / "other", target="yes", stride=20)
    with pytest.raises(RunError, match="every setting has explained, and there is none"):
        compare("test", [("a", toy_run), ("b", other)])
    with pytest.raises(OptionError, match="at least one run"):
        compare("test", [])


def test_maps_that_are_flat_or_on_other_meshes_have_no_correlation(toy_run):
    from canonface.maps import CMS
    from canonface.mesh import pixel_mesh

    cms = toy_run.cms()
    places, found = agreement([cms, CMS.empty(pixel_mesh(), "x")], [toy_run.probes, toy_run.probes])
    assert len(places) == 0
    assert np.isnan(found).all()
    flat = CMS.empty(cms.mesh, cms.unit).add(0 * cms.map, cms.seen, 10.0)
    _, found = agreement([cms, flat], [toy_run.probes, toy_run.probes])
    assert np.isnan(found[0, 1])
    assert found[0, 0] == pytest.approx(1)


def test_density_draws_the_same_drops_divided_and_summed(people_folder, tmp_path):
    photos = sorted(people_folder.glob("*studio.jpg"))[:4]
    found = studies.density(photos, toy_model(), tmp_path, target="yes", subdivision=0)
    assert found.names == (EVERY_VERTEX, SUMMED, EVEN)
    divided, summed, even = found.columns
    np.testing.assert_array_equal(divided.run.drops(), summed.run.drops())
    assert len(divided.run.probes) == 468
    assert len(even.run.probes) < 468
    assert np.nanmax(np.abs(summed.map.map)) > 3 * np.nanmax(np.abs(divided.map.map)), "a sum of many probes"
    assert summed.map.unit == "probability of yes, summed"
    assert divided.run.settings["normalise"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evenly-spaced", "every-vertex-divided"]
    assert "evenly spaced map correlates with r = " in found.notes[0]
    with pytest.raises(OptionError, match="leave out share, stride"):
        studies.density(photos, toy_model(), tmp_path, share=0.5, stride=3)


def test_confidences_fit_the_outputs_of_the_model(people_folder, tmp_path):
    photos = sorted(people_folder.glob("*studio.jpg"))[:2]
    found = studies.confidence(photos, toy_model(), tmp_path / "logits", target="yes", stride=40)
    assert found.names == ("probability", "logit", "log-odds")
    assert [column.map.unit for column in found.columns] == [f"{name} of yes" for name in found.names]

    def sure(batch):
        outputs = np.exp(toy_model()(batch))
        return outputs / outputs.sum(axis=1, keepdims=True)

    model = load_model(sure, spec=InputSpec(size_hw=(24, 24)), outputs="probabilities", name="sure")
    found = studies.confidence(photos, model, tmp_path / "probabilities", target=1, stride=40)
    assert found.names == ("probability", "log-odds")
    assert "No logit" in found.notes[0]
    embedding = load_model(sure, spec=InputSpec(size_hw=(24, 24)), outputs="embedding", name="embedding")
    with pytest.raises(OptionError, match="name the confidences to compare"):
        studies.confidence(photos, embedding, tmp_path / "embedding")


def test_fills_are_compared_and_unknown_ones_refused(people_folder, tmp_path):
    photos = sorted(people_folder.glob("*studio.jpg"))[:2]
    found = studies.fill(photos, toy_model(), tmp_path, fills=["mean", "#ff0000"], target="yes", stride=40)
    assert found.names == ("mean", "#ff0000")
    assert found.columns[1].run.settings["occluder"]["fill"] == "#ff0000"
    assert np.isnan(found.columns[0].reliability), "two people are too few for halves"
    with pytest.raises(OptionError, match="'paint'"):
        studies.fill(
            photos, toy_model(), tmp_path / "other", fills=["mean", "paint"], target="yes", stride=40
        )
    assert not (tmp_path / "other").exists(), "an invalid option is reported before the first run"
    assert "reliability unknown: it needs four people" in found.words()[1]
    with pytest.raises(OptionError, match="at least two settings"):
        studies.fill(photos, toy_model(), tmp_path, fills=["mean"], target="yes")
    with pytest.raises(OptionError, match="different names"):
        studies.fill(photos, toy_model(), tmp_path, fills=["mean", "mean"], target="yes")


class Counting:
    name, mesh = "counting", load_mesh(0)

    def __init__(self, aligner):
        self.aligner, self.calls = aligner, 0

    def describe(self):
        return {"name": self.name}

    def __call__(self, photo, path=""):
        self.calls += 1
        if "nobody" in str(photo):
            raise NoFaceError("nobody there")
        return self.aligner(photo, path)


def test_faces_and_failures_are_cached(aligner, people_folder):
    counting = Counting(aligner)
    cached = CachedAligner(counting)
    photo = next(iter(sorted(people_folder.glob("*.jpg"))))
    first, second = cached(photo), cached(photo)
    assert counting.calls == 1
    assert first[0] is second[0]
    assert first is not second, "a new list each time"
    for _ in range(3):
        with pytest.raises(NoFaceError, match="nobody there"):
            cached("nobody.jpg")
    assert counting.calls == 2
    assert cached.describe() == {"name": "counting"}
    forgetful = CachedAligner(counting, max_bytes=1)
    forgetful(photo)
    forgetful(photo)
    assert counting.calls == 4
    assert len(cached(first[0].image)) == 1, "a picture in memory is not cached"


TOY = """
import numpy as np
from canonface import InputSpec

WEIGHTS = np.random.default_rng(3).normal(size=(2, 3, 24, 24)) / 40


def model(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


model.spec, model.labels = InputSpec(size_hw=(24, 24)), ("no", "yes")
"""


@pytest.fixture
def say(people_folder, tmp_path, monkeypatch, capsys):
    from canonface.cli.main import main

    (tmp_path / "toy_study_models.py").write_text(TOY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["canonface", "study", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    return run


def test_the_command_writes_a_figure_and_tables(people_folder, tmp_path, say):
    options = ("-m", "toy_study_models:model", "-t", "yes", "--stride", "80", "-o", "out")
    code, out, err = say("fill", people_folder / "labels.csv", *options, "--fills", "mean,black")
    assert code == 0, err
    assert "2 maps of the same 14 faces." in out
    assert "mean and black correlate with r = " in out or "black and mean correlate" in out
    folder = tmp_path / "out"
    assert (folder / "fill.png").stat().st_size > 20_000
    with (folder / "fill.csv").open() as file:
        assert [row["setting"] for row in csv.DictReader(file)] == ["mean", "black"]
    assert (folder / "fill-regions.csv").exists()
    assert (folder / "mean" / "run.json").exists()
    assert "14/14" in err or "photos/s" in err, "progress goes to stderr"


def test_options_that_a_study_varies_itself_are_refused(people_folder, say):
    options = ("-m", "toy_study_models:model", "-t", "yes", "--stride", "40", "-o", "out")
    code, _, err = say("fill", people_folder / "labels.csv", *options, "--format", "gif")
    assert code == 2
    assert "'gif'" in err
    code, _, err = say("density", people_folder / "labels.csv", *options)
    assert code == 2
    assert "leave out stride" in err
