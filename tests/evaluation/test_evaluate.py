"""Evaluation of runs: a model that reads one place, other confidences, changed models and photos."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_methods import Fixed, box_map

import canonface.evaluation
from canonface import functional
from canonface.confidence import RecognitionConfidence
from canonface.demo import demo_folder
from canonface.errors import ConfigurationChangedError, ModelError, OptionError, RunError
from canonface.evaluation import (
    METRICS,
    Evaluation,
    EvaluationOptions,
    content,
    csv_text,
    evaluate,
    image_scores_text,
    latex_text,
)
from canonface.evaluation.model_maps import ModelMaps, without_rows
from canonface.evaluation.run_subjects import people_of
from canonface.evaluation.tables import caption
from canonface.explanation import make_gallery
from canonface.maps import CMS
from canonface.methods import AttributionFiles
from canonface.models import load_model, prepare
from canonface.pipeline import audit, verify
from canonface.run import Run
from canonface.types import InputSpec

SIZE = (32, 32)
SPEC = InputSpec(size_hw=SIZE)
PHOTOS = ("op_P001_studio", "op_P001_emo_happy", "op_P004_studio", "op_P005_studio", "op_P008_studio")
MOUTH = ((20, 26), (11, 21))
BROW = ((4, 10), (11, 21))


def reads_the_mouth(batch):
    """Return logits that rise with the brightness of the mouth and depend on nothing else."""
    (top, bottom), (left, right) = MOUTH
    bright = 8 * batch[:, :, top:bottom, left:right].mean(axis=(1, 2, 3)) - 2
    return np.stack([np.zeros_like(bright), bright], axis=1)


def model(prediction=reads_the_mouth, **options):
    return load_model(
        prediction, **({"spec": SPEC, "labels": ("no", "yes"), "outputs": "logits", "name": "toy"} | options)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("photos")
    for name in PHOTOS:
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", target)
    lines = [f"{name}.jpg,{name[3:7]},{'a' if i < 3 else 'b'}" for i, name in enumerate(PHOTOS)]
    (target / "labels.csv").write_text("\n".join(["path,identity,set", *lines]) + "\n")
    return target


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    options = {"target": "yes", "stride": 4, "fill": "black", "patch": 5}
    return audit(folder / "labels.csv", model(), out, **options)


RIGHT, WRONG = Fixed("right", box_map(SIZE, *MOUTH)), Fixed("wrong", box_map(SIZE, *BROW))


@pytest.fixture(scope="module")
def found(run):
    return evaluate(run, model(), [RIGHT, WRONG], deletion_fill="black", insertion_fill="black", draws=300)


def means(evaluation):
    return {(e.metric.name, e.method): e.interval.value for e in evaluation.estimates()}


def test_maps_of_the_read_place_beat_a_map_of_another_place(found):
    assert len(found) == 5
    assert found.methods == ("cms", "cis", "right", "wrong")
    by = means(found)
    # The neighbours of the mouth are as bright as the mouth: ROAD is uninformative for a model of brightness.
    for metric in (metric for metric in found.metrics if metric.name != "road"):
        for method in ("cms", "cis", "right"):
            here, there = by[metric.name, method], by[metric.name, "wrong"]
            if metric.name == "increase" or (metric.name == "win" and method != "right"):
                assert here == there == 0
            else:
                assert here > there if metric.better == "higher" else here < there, (metric.name, method)
    assert by["drop", "wrong"] == pytest.approx(0, abs=1e-6)
    assert by["win", "right"] == 100, "the same total, all of it on the pixels that the model reads"


def test_options_are_keywords_or_an_object(run, found):
    options = EvaluationOptions(deletion_fill="black", insertion_fill="black", draws=200)
    again = evaluate(run, model(), [RIGHT, WRONG], options=options, draws=300)
    assert again.choices == found.choices
    assert again.estimates() == found.estimates()
    with pytest.raises(OptionError, match="did you mean 'steps'"):
        evaluate(run, model(), step=3)


def test_the_level_of_0_1_0_is_the_confidence_level(run, found):
    with pytest.warns(DeprecationWarning, match="confidence_level"):
        narrow = evaluate(run, model(), [], metrics=["drop"], draws=300, level=0.5)
    assert narrow.confidence_level == 0.5
    assert content(narrow)["level"] == 0.5
    with pytest.warns(DeprecationWarning, match="confidence_level"):
        assert found.level == found.confidence_level == 0.95


def test_a_result_has_a_short_line_and_five_numbers(found):
    assert repr(found) == "Evaluation('toy', 5 photos, 4 methods, 7 metrics)"
    by = means(found)
    assert found.summary() == {
        "images": 5,
        "people": 4,
        "average-drop of cms": pytest.approx(by["average-drop", "cms"]),
        "average-drop of cis": pytest.approx(by["average-drop", "cis"]),
        "average-drop of right": pytest.approx(by["average-drop", "right"]),
    }


def test_names_of_0_1_0_are_found_with_a_warning():
    import canonface.evaluation.ranking as ranking

    with pytest.warns(DeprecationWarning, match="curves.most_relevant_first"):
        assert ranking.hottest_first([[2.0, 1.0]]).tolist() == [0, 1]
    with pytest.warns(DeprecationWarning, match="EvaluationOptions"):
        assert canonface.evaluation.Choices is EvaluationOptions


def test_every_method_removes_the_same_total_from_the_same_image(found):
    np.testing.assert_allclose(found.taken, np.repeat(found.taken[:, :1], 4, axis=1), atol=1e-9)
    assert (found.taken > 0).all()


def test_the_scores_are_those_of_the_pure_functions(found):
    by = means(found)
    for k, method in enumerate(found.methods):
        left = found.left[:, k]
        assert by["average-drop", method] == pytest.approx(functional.average_drop(found.original, left))
    rates = functional.win_rate(dict(zip(found.methods, found.left.T, strict=True)))
    assert {method: by["win", method] for method in found.methods} == pytest.approx(rates)
    np.testing.assert_allclose(found.scores["win"].sum(axis=1), 100)
    assert found.ties == 0


def test_people_are_resampled_where_they_are_known(found):
    assert found.by_identity
    assert sorted(found.people) == ["P001", "P001", "P004", "P005", "P008"]
    assert {e.people for e in found.estimates()} == {4}
    assert {e.images for e in found.estimates()} == {5}


def test_differences_are_paired(found):
    by = means(found)
    for d in found.differences():
        assert d.interval.value == pytest.approx(by[d.metric.name, "cms"] - by[d.metric.name, d.method])
        assert d.reference == "cms"
        if d.method == "wrong" and d.metric.name in ("drop", "deletion", "insertion"):
            assert d.clear
            assert d.better
    assert {d.method for d in found.differences("right")} == {"cms", "cis", "wrong"}
    with pytest.raises(OptionError, match="did not score 'gradcam'"):
        found.differences("gradcam")
    with pytest.raises(OptionError, match="did not compute"):
        found.metric("deletion-accuracy")


def test_ties_share_the_win_and_are_reported(run):
    twin = replace(RIGHT, name="twin")
    evaluation = evaluate(run, model(), [RIGHT, twin], metrics=["win"], draws=300)
    assert evaluation.ties == 100
    assert means(evaluation)["win", "twin"] == 50


def test_the_caption_names_the_kind_of_interval(found):
    few = replace(found, by_identity=True, people=("a", *"b" * (len(found) - 1)))
    assert "Student's t over so few people" in caption(few)
    six = replace(few, people=tuple("abcdef"), names=tuple("uvwxyz"))
    assert "95% confidence intervals (bootstrap over people)" in caption(six)


def test_the_tables_hold_the_same_numbers(found):
    by = means(found)
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert len(rows) == 7 * 4
    for row in rows:
        assert float(row["value"]) == pytest.approx(by[row["metric"], row["method"]])
        assert (row["difference"] == "") == (row["method"] == "cms")
        assert row["people"] == "4"
    scored = list(csv.DictReader(io.StringIO(image_scores_text(found))))
    drops = [float(row["score"]) for row in scored if (row["metric"], row["method"]) == ("drop", "cis")]
    assert np.mean(drops) == pytest.approx(by["drop", "cis"])
    held = json.loads(json.dumps(content(found), allow_nan=False))
    assert held["ties_percent"] == {"all": 0}
    assert held["resampled"] == "people"
    assert held["choices"]["against"] == [{"name": "right"}, {"name": "wrong"}]
    latex = latex_text(found, {"cms": "CMS_1"})
    assert latex.count(r"\\") == 5
    assert r"CMS\_1" in latex
    assert r"\textbf{100.0}" in latex


def test_some_of_the_photos(run):
    few = evaluate(run, model(), ["random"], photos=2, metrics=["drop"], draws=300)
    assert len(few) == 2
    named = evaluate(run, model(), [], photos=["op_P004_studio.jpg"], metrics=["drop"], draws=300)
    assert named.names == ("op_P004_studio.jpg#0",)
    assert np.isnan(named.estimates()[0].interval.low), "one person has no interval"
    with pytest.raises(OptionError, match=r"no 'op_P004_studio.png'.*did you mean 'op_P004_studio.jpg'"):
        evaluate(run, model(), [], photos=["op_P004_studio.png"])


class TestModelMaps:
    def test_a_person_is_left_out_of_their_own_map(self, run):
        people, _ = people_of(run, None)
        maps = ModelMaps(run, None, held_out=True, people=people)
        others = CMS.of(run.cis(row) for row, name in enumerate(people) if name != "P001")
        mine = maps.of(people.index("P001"))
        assert mine.faces == others.faces == 3
        np.testing.assert_allclose(mine.map, others.map, atol=1e-9)
        np.testing.assert_array_equal(mine.seen, others.seen)
        assert mine.canonical_patch == pytest.approx(others.canonical_patch)
        assert np.nanmax(np.abs(mine.map - run.cms().map)) > 1e-4

    def test_each_photo_takes_the_map_of_its_group(self, run):
        people, _ = people_of(run, None)
        maps = ModelMaps(run, "set", held_out=False, people=people)
        groups = run.labels("set")
        for row, group in enumerate(groups):
            np.testing.assert_array_equal(maps.of(row).map, run.cms(by="set")[group].map)

    def test_a_map_without_its_only_person_is_refused(self, run):
        with pytest.raises(RunError, match="all of these show the same one"):
            without_rows(run.cms(), run, range(5))

    def test_an_estimated_map_cannot_leave_a_person_out(self, folder, tmp_path):
        part = audit(folder, model(), tmp_path / "run", target="yes", stride=4, share=0.5)
        with pytest.raises(OptionError, match="without --share"):
            evaluate(part, model(), [], held_out=True)
        assert len(evaluate(part, model(), [], metrics=["drop"], draws=300)) == 5


class TestChangedRuns:
    def test_another_model_is_refused(self, run):
        with pytest.raises(ConfigurationChangedError, match="fingerprint"):
            evaluate(run, model(lambda batch: reads_the_mouth(batch) + 1), [])
        with pytest.raises(ConfigurationChangedError, match=r"spec\.margin: 0\.3 then, 0\.5 now"):
            evaluate(run, model(spec=InputSpec(size_hw=SIZE, margin=0.5)), [])

    def test_a_model_whose_name_cannot_be_loaded(self, run):
        with pytest.raises(ModelError, match=r"'toy', which cannot be loaded by that name.*--model"):
            evaluate(run)

    def test_a_changed_or_missing_photo_is_left_out(self, folder, tmp_path):
        photos = shutil.copytree(folder, tmp_path / "photos")
        made = audit(photos, model(), tmp_path / "run", target="yes", stride=10)
        (photos / "op_P001_studio.jpg").unlink()
        shutil.copy(photos / "op_P005_studio.jpg", photos / "op_P004_studio.jpg")
        found = evaluate(made.folder, model(), [], metrics=["drop"], draws=300)
        assert len(found) == 3
        assert dict(found.failed) == {
            "op_P001_studio.jpg#0": "photo-unreadable",
            "op_P004_studio.jpg#0": "photo-unreadable",
        }
        for path in photos.glob("*.jpg"):
            path.unlink()
        with pytest.raises(RunError, match=r"none of 5 .*could be scored, e\.g\.:"):
            evaluate(made, model(), [])

    def test_another_confidence_is_refused(self, run):
        from canonface.confidence import ClassConfidence

        with pytest.raises(ConfigurationChangedError, match='target: "yes" then, "no" now'):
            evaluate(run, model(), [], confidence=ClassConfidence("no"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"against": ["gradcamm"]}, "did you mean 'gradcam"),
        ({"against": ["gradcam"]}, "(?i)gradient|torch"),
        ({"against": ["cms"]}, "scored in any case"),
        ({"against": ["random", "random"]}, "random comes twice"),
        ({"metrics": ["avg-drop"]}, "A metric has a known name"),
        ({"metrics": ["deletion-accuracy"]}, "about decisions on pairs"),
        ({"photos": 0}, "At least one photo"),
        ({"total": "all"}, "smallest, median, largest, cms"),
        ({"draws": 10}, "200 draws"),
        ({"confidence_level": 2.0}, "between 0 and 1"),
        ({"by": "hair"}, "'hair'"),
        ({"cluster": "hair"}, "'hair'"),
        ({"against": [Fixed("small", np.zeros((4, 4)))]}, "32 x 32 pixels; 'small'"),
    ],
)
def test_invalid_options_are_refused(run, options, words):
    with pytest.raises(OptionError, match=words):
        evaluate(run, model(), **options)


WEIGHTS = np.random.default_rng(5).normal(size=(6, 3, *SIZE))


def embeds(batch):
    return np.einsum("nchw,kchw->nk", batch - 0.5, WEIGHTS)


def embedder():
    return model(embeds, outputs="embedding", labels=None)


class TestRecognition:
    def test_the_gallery_is_required_and_must_be_the_same(self, folder, tmp_path):
        gallery = make_gallery(folder / "labels.csv", embedder())
        options = {"labels": folder / "labels.csv", "gallery": gallery, "stride": 10}
        made = audit(folder / "op_P001*.jpg", embedder(), tmp_path / "run", **options)
        with pytest.raises(OptionError, match="--gallery"):
            evaluate(made, embedder(), [])
        confidence_fn = RecognitionConfidence(gallery)
        evaluation = evaluate(made, embedder(), ["random"], confidence=confidence_fn, draws=300)
        assert len(evaluation) == 2
        assert evaluation.unit == made.unit
        np.testing.assert_allclose(evaluation.original, made.faces.column("confidence"), atol=1e-5)
        fewer = make_gallery([folder / "op_P001_studio.jpg"], embedder(), labels=folder / "labels.csv")
        with pytest.raises(ConfigurationChangedError, match="gallery"):
            evaluate(made, embedder(), [], confidence=RecognitionConfidence(fewer))


@pytest.fixture(scope="module")
def pairs(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs")
    rows = [(0, 1, 1), (0, 2, 0), (1, 3, 0), (2, 4, 0), (3, 4, 0)]
    lines = [f"{folder}/{PHOTOS[a]}.jpg,{folder}/{PHOTOS[b]}.jpg,{same}" for a, b, same in rows]
    (out / "pairs.csv").write_text("\n".join(["path_a,path_b,same", *lines]) + "\n")
    return verify(out / "pairs.csv", embedder(), out / "run", threshold=0.3, stride=10)


class TestPairs:
    def test_similarity_and_dissimilarity_are_scored_separately(self, pairs):
        found = evaluate(pairs, embedder(), ["random"], draws=300)
        assert found.of_pairs
        assert found.group_names == ("same", "different")
        assert [len(found.of_group(group)) for group in found.group_names] == [1, 4]
        groups = {row["group"] for row in csv.DictReader(io.StringIO(csv_text(found)))}
        assert groups == {"same", "different"}
        assert found.choices["by"] == "target"
        np.testing.assert_allclose(found.original, pairs.faces.column("confidence"), atol=1e-5)
        with pytest.raises(OptionError, match="group 'perhaps'"):
            found.of_group("perhaps")

    def test_the_accuracy_area_is_a_mean_over_steps(self, pairs):
        found = evaluate(pairs, embedder(), ["random"], steps=2, draws=300)
        for name in ("deletion-accuracy", "insertion-accuracy"):
            # of three points, weights 1/4, 1/2, 1/4, and the mean over both faces
            assert set(np.unique(found.scores[name])) <= set(np.arange(0, 100.1, 12.5))
        whole = (found.original >= 0) * 25.0
        assert (found.scores["deletion-accuracy"] >= whole[:, None]).all()
        assert (found.scores["insertion-accuracy"] >= whole[:, None]).all()

    def test_pairs_that_share_a_photo_are_drawn_together(self, pairs):
        people, known = people_of(pairs, None)
        assert not known
        # 0-1, 0-2, 1-3, 2-4, 3-4 are connected
        assert len(set(people)) == 1
        assert people_of(pairs, "same") == (["1", "0", "0", "0", "0"], True)

    def test_the_papers_sign_of_eq_8_is_refused(self, folder, tmp_path):
        (tmp_path / "p.csv").write_text(
            f"path_a,path_b,same\n{folder}/{PHOTOS[0]}.jpg,{folder}/{PHOTOS[1]}.jpg,1\n"
        )
        options = {"threshold": 0.3, "preset": "paper", "stride": 10}
        made = verify(tmp_path / "p.csv", embedder(), tmp_path / "run", **options)
        with pytest.raises(OptionError, match="falls as the model grows more confident"):
            evaluate(made, embedder(), [])
        with pytest.raises(OptionError, match="leave confidence= out"):
            evaluate(made, embedder(), [], confidence="probability")


def test_maps_from_files_are_resampled_to_the_input(run, tmp_path):
    for row in range(run.faces.num_rows):
        face = run.cis(row).face
        height, width = face.image.shape[:2]
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        np.save(tmp_path / f"{Path(face.path).stem}.npy", columns + 2.0 * rows)
    files = AttributionFiles(tmp_path)
    shown = prepare(run.cis(0).face, SPEC)
    attribution = files.over_input(shown)
    inverse = np.linalg.inv(np.vstack([shown.matrix, [0, 0, 1]]))
    x, y, _ = inverse @ [10, 20, 1]
    assert attribution[20, 10] == pytest.approx(x + 2 * y)
    evaluation = evaluate(run, model(), [files], metrics=["drop"], draws=300)
    assert evaluation.methods == ("cms", "cis", "files")
    (tmp_path / f"{PHOTOS[0]}.npy").unlink()
    assert len(evaluate(run, model(), [files], metrics=["drop"], draws=300).failed) == 1


def test_two_photos_do_not_share_a_map_from_a_file(folder, tmp_path):
    for place, name in (("a", PHOTOS[0]), ("b", PHOTOS[2])):
        (tmp_path / place).mkdir()
        shutil.copy(folder / f"{name}.jpg", tmp_path / place / "x.jpg")
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "x.npy", np.eye(32))
    photos = [tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.jpg"]
    made = audit(photos, model(), tmp_path / "run", target="yes", stride=10)
    files = AttributionFiles(tmp_path / "maps", over="input")
    with pytest.raises(OptionError, match=r"a/x\.jpg and b/x\.jpg would both take x\.npy"):
        evaluate(made, model(), [files], metrics=["drop"], draws=300)
    one = evaluate(made, model(), [files], photos=["a/x.jpg"], metrics=["drop"], draws=300)
    assert len(one) == 1


def test_a_run_is_opened_by_its_folder(run):
    assert isinstance(Run.open(run.folder), Run)
    assert len(evaluate(str(run.folder), model(), (), photos=1, metrics=["drop"], draws=300)) == 1


def test_winning_on_two_people_is_not_clearly_better():
    win = METRICS["win"]
    two = Evaluation(
        model="toy",
        unit="probability",
        methods=("cms", "other"),
        metrics=(win,),
        names=("a", "b"),
        people=("a", "b"),
        groups=("yes", "yes"),
        scores={"win": np.array([[100.0, 0.0], [100.0, 0.0]])},
        original=np.ones(2),
        left=np.ones((2, 2)),
        taken=np.ones((2, 2)),
        choices={},
    )
    [difference] = two.differences()
    # 0.025^(1/2) of the scale from -100 to 100
    assert difference.interval == pytest.approx((100, 100 - 200 * (1 - 0.025**0.5), 100))
    assert not difference.clear
