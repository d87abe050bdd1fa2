"""Pairs: the same place hidden in both photos, against a loop that says it in five lines."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from canonface import functional
from canonface.demo import demo_folder
from canonface.errors import ConfigurationChangedError, LabelsError, OptionError
from canonface.explanation import explain_pair
from canonface.models import load_model, prepare
from canonface.pipeline import verify
from canonface.run import Run
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(32, 32))
WEIGHTS = np.random.default_rng(2).normal(size=(6, 3, 32, 32))
FRONT, PROFILE, OTHER = "op_P001_studio.jpg", "op_P001_view_profile_a.jpg", "op_P005_studio.jpg"


def features(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


@pytest.fixture(scope="module")
def model():
    return load_model(features, spec=SPEC, outputs="embedding", name="toy features")


@pytest.fixture(scope="module")
def faces(aligner):
    return {name: aligner(demo_folder() / "photos" / name)[0] for name in (FRONT, PROFILE, OTHER)}


@pytest.fixture
def pairs(tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    for name in (FRONT, PROFILE, OTHER, "cc0_lisa2.jpg"):
        shutil.copy(demo_folder() / "photos" / name, folder)
    lines = ["path_a,path_b,same,light", f"{FRONT},{PROFILE},1,studio", f"{FRONT},{OTHER},0,studio"]
    lines += [f"cc0_lisa2.jpg,{OTHER},0,day", "gone.jpg,cc0_lisa2.jpg,0,day"]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    return folder / "pairs.csv"


def run_of(pairs, model, out, **options):
    return verify(pairs, model, out, **({"stride": 60, "threshold": 0.2} | options))


@pytest.mark.parametrize("hide", ["both", "first", "second"])
@pytest.mark.parametrize("same", [True, False])
def test_drops_are_those_of_a_plain_loop(faces, model, hide, same):
    first, second = faces[FRONT], faces[PROFILE]
    got, other = explain_pair(first, second, model, same=same, threshold=0.2, hide=hide, stride=50, patch=7)
    shown = [prepare(face, SPEC) for face in (first, second)]
    whole = [features(s.x[None])[0] for s in shown]
    confidence = functional.verification_confidence(*whole, same, 0.2)
    assert got.confidence == pytest.approx(confidence)
    assert got.target == ("same" if same else "different")
    for probe, drop in zip(got.probes, got.drops, strict=True):
        needed = {"both": (0, 1), "first": (0,), "second": (1,)}[hide]
        if not all(shown[i].visible[probe] for i in needed):
            assert np.isnan(drop)
            continue
        seen = list(whole)
        for i in needed:
            box = functional.occlusion_boxes(shown[i].vertices_xy[[probe]], 7, (32, 32))
            fill = shown[i].x.mean(axis=(1, 2), keepdims=True)
            seen[i] = features(functional.occlude(shown[i].x, box, fill))[0]
        expected = confidence - functional.verification_confidence(*seen, same, 0.2)
        assert drop == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(got.drops, other.drops)
    assert other.face is second


def test_a_place_that_either_photo_hides_is_not_asked(faces, model):
    both, _ = explain_pair(faces[FRONT], faces[PROFILE], model, stride=20, threshold=0.2)
    front, _ = explain_pair(faces[FRONT], faces[PROFILE], model, stride=20, threshold=0.2, hide="first")
    assert np.isnan(both.drops).mean() > np.isnan(front.drops).mean() + 0.2


def test_the_papers_sign_is_the_other_one(faces, model):
    ours, _ = explain_pair(
        faces[FRONT], faces[OTHER], model, same=True, threshold=0.2, stride=80, fill="black"
    )
    paper, _ = explain_pair(
        faces[FRONT], faces[OTHER], model, same=True, threshold=0.2, stride=80, preset="paper"
    )
    np.testing.assert_allclose(ours.drops, -paper.drops, atol=1e-9)


def test_a_run_keeps_genuine_and_impostor_pairs_apart(pairs, model, tmp_path):
    run = run_of(pairs, model, tmp_path / "run")
    assert (run.faces.num_rows, run.failures.num_rows) == (3, 1)
    assert run.failures.column("reason").to_pylist() == ["photo-unreadable"]
    assert run.labels("target") == ["same", "different", "different"]
    maps = run.cms(by="target")
    assert {name: cms.faces for name, cms in maps.items()} == {"same": 1, "different": 2}
    assert run.labels("light") == ["studio", "studio", "day"]
    row = run.faces.to_pylist()[0]
    assert (row["path"], row["path_b"]) == (FRONT, PROFILE)
    assert -1 <= row["similarity"] <= 1
    assert row["confidence"] == pytest.approx(row["similarity"] - 0.2)
    assert len(row["outputs"]) == len(row["outputs_b"]) == 6
    assert len(row["sha256_b"]) == 64


def test_a_pair_comes_back_from_its_row(pairs, model, tmp_path, faces):
    run = run_of(pairs, model, tmp_path / "run")
    first, second = Run.open(tmp_path / "run").pair(0)
    direct = explain_pair(faces[FRONT], faces[PROFILE], model, same=True, threshold=0.2, stride=60)
    for stored, made in zip((first, second), direct, strict=True):
        np.testing.assert_allclose(stored.map, made.map, atol=1e-6)
        np.testing.assert_allclose(stored.face.vertices_xy, made.face.vertices_xy, atol=1e-3)
        np.testing.assert_allclose(stored.on_photo()[0], made.on_photo()[0], atol=1e-4)
    assert run.of_pairs


def test_a_second_start_asks_nothing_again_and_another_question_is_refused(pairs, model, tmp_path):
    run = run_of(pairs, model, tmp_path / "run")
    states = []
    again = run_of(pairs, model, tmp_path / "run", progress=states.append)
    assert states == []
    np.testing.assert_array_equal(run.drops(), again.drops())
    with pytest.raises(ConfigurationChangedError, match='hide: "both" then, "first" now'):
        run_of(pairs, model, tmp_path / "run", hide="first")


def test_the_threshold_is_fitted_at_a_false_match_rate(pairs, model, tmp_path):
    run = run_of(pairs, model, tmp_path / "run", threshold=None, fmr=0.5)
    value = run.manifest.fitted["threshold"]["value"]
    impostors = sorted(row["similarity"] for row in run.faces.to_pylist() if row["target"] == "different")
    assert impostors[0] < value <= impostors[1], "just above the impostor that it turns away"
    assert run.faces.column("confidence")[0].as_py() == pytest.approx(
        run.faces.column("similarity")[0].as_py() - value
    )


def test_without_labels_the_models_own_decision_is_asked_about(pairs, model, tmp_path):
    pairs.write_text(f"path_a,path_b\n{FRONT},{PROFILE}\n{FRONT},{OTHER}\n")
    assert set(run_of(pairs, model, tmp_path / "low", threshold=-1.0).labels("target")) == {"same"}
    assert set(run_of(pairs, model, tmp_path / "high", threshold=1.0).labels("target")) == {"different"}
    with pytest.raises(OptionError, match="say in a column 'same'"):
        run_of(pairs, model, tmp_path / "none", threshold=None)


def test_what_cannot_be_asked_is_refused_before_anything_is(pairs, model, tmp_path):
    with pytest.raises(OptionError, match="hide is 'both', 'first' or 'second'"):
        run_of(pairs, model, tmp_path / "run", hide="left")
    classes = load_model(features, spec=SPEC, outputs="logits", name="classes")
    with pytest.raises(OptionError, match="logits"):
        run_of(pairs, classes, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path_a,path_c\na,b\n", "lacks 'path_b'"),
        ("path_a,path_b\n", "at least one pair"),
        ("path_a,path_b\na.jpg,\n", "line 2"),
        ("path_a,path_b\na.jpg,a.jpg\n", "with itself"),
    ],
)
def test_a_file_of_pairs_that_is_none(tmp_path, model, text, words):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(LabelsError, match=words):
        verify(tmp_path / "pairs.csv", model, tmp_path / "run", threshold=0.0)


def test_no_file_of_pairs(tmp_path, model):
    with pytest.raises(LabelsError, match="there is no"):
        verify(tmp_path / "none.csv", model, tmp_path / "run")
    with pytest.raises(LabelsError, match="is a folder"):
        verify(tmp_path, model, tmp_path / "run")


def test_a_column_same_that_says_neither_is_refused_before_anything_is_asked(pairs, model, tmp_path):
    pairs.write_text(f"path_a,path_b,same\n{FRONT},{OTHER},0\n{FRONT},{PROFILE},maybe\n")
    with pytest.raises(LabelsError, match="pair 2 has 'maybe'"):
        run_of(pairs, model, tmp_path / "run")


def test_the_models_own_decisions_are_called_so(pairs, model, tmp_path, caplog):
    pairs.write_text(f"path_a,path_b\n{FRONT},{OTHER}\n")
    with caplog.at_level("WARNING", logger="canonface"):
        run_of(pairs, model, tmp_path / "run")
    assert "own decision at the threshold" in caplog.text


def test_a_fitted_threshold_is_kept_when_the_run_goes_on(pairs, model, tmp_path):
    (pairs.parent / "gone.jpg").unlink(missing_ok=True)
    first = run_of(pairs, model, tmp_path / "run", threshold=None, fmr=0.5)
    assert first.faces.num_rows == 3
    shutil.copy(demo_folder() / "photos" / OTHER, pairs.parent / "gone.jpg")
    again = run_of(pairs, model, tmp_path / "run", threshold=None, fmr=0.5, retry_failed=True)
    assert again.faces.num_rows == 4
    assert again.manifest.fitted == first.manifest.fitted
    with pytest.raises(ConfigurationChangedError, match=r"fitted at a false match rate of 0\.5"):
        run_of(pairs, model, tmp_path / "run", threshold=None, fmr=0.4)


def test_a_pair_without_a_common_place_is_a_row_with_its_reason(faces, model, pairs, tmp_path):
    class Halves:
        """Shows one half of the first photo and the other half of the second."""

        name = "halves"

        def __init__(self):
            self.mesh = faces[FRONT].mesh

        def describe(self):
            return {"name": self.name}

        def __call__(self, photo, path=""):
            face = faces[photo.name] if photo.name in faces else faces[OTHER]
            left = face.mesh.vertices[:, 0] > 0
            return [replace(face, visible=left if photo.name == FRONT else ~left)]

    run = run_of(pairs, model, tmp_path / "run", aligner=Halves())
    assert run.failures.column("reason").to_pylist()[:2] == ["nothing-asked", "nothing-asked"]


def test_the_same_file_twice_is_no_pair(pairs, model, tmp_path):
    shutil.copy(pairs.parent / FRONT, pairs.parent / "copy.jpg")
    pairs.write_text(f"path_a,path_b,same\n{FRONT},copy.jpg,1\n{FRONT},{OTHER},0\n")
    run = run_of(pairs, model, tmp_path / "run")
    assert "byte by byte" in run.failures.column("message")[0].as_py()
    pairs.write_text(f"path_a,path_b,same\n{FRONT},./{FRONT},1\n")
    with pytest.raises(LabelsError, match="with itself"):
        run_of(pairs, model, tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hide": "left"}, "hide is 'both'"),
        (
            {"confidence": "logit"},
            "The confidence of a pair is that of verification .*got confidence='logit'",
        ),
        ({"target": "ada"}, "got target='ada'"),
        ({"same": None, "threshold": None}, r"needs threshold=\.\.\. too"),
    ],
)
def test_options_that_mean_nothing_to_a_pair_are_refused(faces, model, options, words):
    with pytest.raises(OptionError, match=words):
        explain_pair(faces[FRONT], faces[OTHER], model, **({"same": True, "stride": 400} | options))
