"""Runs and single faces by methods of others: the heat at the probes, what is written down, what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from canonface import plots
from canonface.confidence import Gallery
from canonface.demo import demo_folder
from canonface.errors import ConfigurationChangedError, OptionError
from canonface.explanation import compare_methods, explain, explain_pair, make_settings, usable_methods
from canonface.explanation.view import FaceView
from canonface.maps import CMS
from canonface.methods import at_vertices, make_method
from canonface.models import checked_outputs, load_model, prepare
from canonface.pipeline import audit, verify
from canonface.run import Run
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(32, 32))
PHOTOS = ("op_P001_studio", "op_P005_studio", "op_P009_view_profile_a")


class Network(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.conv, self.head = nn.Conv2d(3, 5, 5, stride=2, padding=2), nn.Linear(5, outputs)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).amax(dim=(2, 3)))


@pytest.fixture(scope="module")
def model():
    return load_model(Network(2), spec=SPEC, labels=("no", "yes"), outputs="logits", name="toy")


@pytest.fixture(scope="module")
def embedder():
    return load_model(Network(6), spec=SPEC, outputs="embedding", name="faces")


@pytest.fixture(scope="module")
def black(model):
    def prediction(batch):
        return model(model.to_device(batch))

    return load_model(prediction, spec=SPEC, labels=("no", "yes"), outputs="logits", name="box")


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "photos"
    target.mkdir()
    for name in PHOTOS:
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", target)
    return target


@pytest.fixture(scope="module")
def face(aligner):
    return aligner(demo_folder() / "photos" / "op_P005_studio.jpg")[0]


def by_hand(name, model, face, target="yes", **options):
    """A method's heat at all vertices, without a run."""
    shown = prepare(face, model.spec)
    confidence_fn = make_settings(target=target).confidence_fn()
    from canonface.confidence import CleanPrediction

    outputs = checked_outputs(model, model.to_device(shown.x)[None])
    bound = confidence_fn.bind(CleanPrediction(outputs, model.outputs, model.labels))
    return at_vertices(make_method(name, **options).attribute(model, shown.x, bound), shown)


def test_an_explanation_by_a_method_is_its_heat_at_the_probes(model, face):
    cis = explain(face, model, "yes", stride=10, method="gradcam++", method_options={"layer": "conv"})
    np.testing.assert_array_equal(cis.values, by_hand("gradcam++", model, face, layer="conv")[cis.probes])
    assert cis.method == "gradcam++"
    assert cis.unit == "GradCAM++ attribution for yes"
    assert cis.confidence == pytest.approx(explain(face, model, "yes", stride=10).confidence)
    assert cis.model_calls == 3
    assert explain(face, model, "yes", stride=10).method == ""


def test_a_run_by_a_method_holds_heat_and_says_so(folder, model, tmp_path, aligner):
    run = audit(folder, model, tmp_path / "run", target="yes", stride=10, method="gradient")
    assert run.method == "gradient"
    assert run.unit == "Gradient attribution for yes"
    stated = json.loads((tmp_path / "run" / "run.json").read_text())
    assert stated["configuration"]["settings"]["method"] == {
        "name": "gradient",
        "score": "auto",
        "reduce": "max-abs",
    }
    assert stated["configuration"]["unit"] == "Gradient attribution"
    assert {"torch", "captum", "torchcam"} <= set(stated["versions"])
    for row, name in enumerate(PHOTOS):
        face = aligner(folder / f"{name}.jpg")[0]
        expected = by_hand("gradient", model, face)[run.probes]
        np.testing.assert_allclose(run.drops()[row], expected, rtol=1e-5)
        assert (np.isnan(expected).mean() > 0.3) == (name == "op_P009_view_profile_a")
    again = Run.open(tmp_path / "run")
    cis = again.cis(1)
    assert (cis.method, cis.unit) == ("gradient", "Gradient attribution for yes")
    cms = again.cms()
    assert cms.method == "gradient"
    np.testing.assert_allclose(cms.map, CMS.of([again.cis(row) for row in range(3)]).map, atol=1e-9)
    assert set(again.cms(by="pose-bin")) <= set(again.labels("pose-bin"))
    assert cms.region_values()
    assert again.estimate().faces == 3


def test_a_run_goes_on_with_its_own_method_alone(folder, model, tmp_path):
    options = {"target": "yes", "stride": 10}
    first = audit(folder, model, tmp_path / "run", method="gradcam", **options)
    again = audit(folder, model, tmp_path / "run", method=make_method("gradcam"), **options)
    np.testing.assert_array_equal(first.drops(), again.drops())
    for other in ({"method": "gradcam++"}, {"method": "gradcam", "method_options": {"layer": "conv"}}, {}):
        with pytest.raises(ConfigurationChangedError, match=r"settings\.method"):
            audit(folder, model, tmp_path / "run", **options, **other)


def test_maps_of_drops_and_of_heat_are_not_merged(model, face):
    drops, attribution = (
        CMS.of([explain(face, model, "yes", stride=10, method=method)]) for method in (None, "gradient")
    )
    with pytest.raises(OptionError, match="differs"):
        drops.merge(attribution)


def test_maps_from_files_make_a_run_and_a_missing_one_is_a_row_with_a_reason(
    folder, model, tmp_path, aligner
):
    (tmp_path / "maps").mkdir()
    for name in PHOTOS[:2]:
        image = aligner(folder / f"{name}.jpg")[0].image
        np.save(
            tmp_path / "maps" / f"{name}.npy",
            np.add.outer(np.arange(image.shape[0]), np.zeros(image.shape[1])),
        )
    run = audit(folder, model, tmp_path / "run", target="yes", stride=10, method=f"files:{tmp_path / 'maps'}")
    assert run.faces.num_rows == 2
    [failed] = run.failures.to_pylist()
    assert failed["reason"] == "no-heat"
    assert "there is no op_P009_view_profile_a.npy" in failed["message"]
    rows = run.vertices_xy()[:, run.probes, 1]
    seen = np.isfinite(run.drops())
    np.testing.assert_allclose(run.drops()[seen], rows[seen], rtol=1e-4)
    assert run.faces.column("model_calls").to_pylist() == [1, 1]


def test_a_function_of_ones_own_makes_a_run(folder, model, tmp_path):
    def darkness(_model, x, _question):
        return -x.mean(axis=0)

    run = audit(folder, model, tmp_path / "run", target="yes", stride=10, method=darkness)
    assert run.unit == "darkness attribution for yes"
    assert np.nanmax(run.drops()) <= 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fill": "black"}, "fill is an option of occlusion"),
        ({"occluder": "disc"}, "occluder is an option of occlusion"),
        ({"engine": "dense"}, "engine says how a model is run on occluded faces"),
        ({"share": 0.2}, "design says how a model is run"),
        ({"design": "random", "share": 0.2}, "design says how a model is run"),
        ({"method_options": {"samples": 3}}, "An option of 'gradcam' has a known name; got 'samples'"),
        ({"method": "gradcm"}, "did you mean 'gradcam'"),
        ({"method": None, "method_options": {"layer": "conv"}}, "and no method"),
        ({"method_options": {"layer": "cnv"}}, "did you mean 'conv'"),
    ],
)
def test_what_means_nothing_to_a_method_is_refused_before_any_photo(folder, model, tmp_path, options, words):
    given = {"method": "gradcam", "target": "yes", "stride": 10} | options
    with pytest.raises(OptionError, match=words):
        audit(folder, model, tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_an_adaptive_explanation_is_refused(face, model):
    with pytest.raises(OptionError, match="design says how"):
        explain(face, model, method="gradient", design="adaptive")


def test_the_papers_preset_goes_with_a_method(face, model):
    cis = explain(face, model, "yes", preset="paper", method="gradient")
    np.testing.assert_array_equal(cis.values, by_hand("gradient", model, face))


def test_a_black_box_is_refused_before_any_photo_and_told_what_works(folder, black, tmp_path):
    with pytest.raises(OptionError, match=r"'box' gives outputs only.*occlusion and rise"):
        audit(folder, black, tmp_path / "run", target="yes", method="gradcam")
    assert not (tmp_path / "run").exists()
    options = {"masks": 20, "cells": 4}
    run = audit(
        folder, black, tmp_path / "run", target="yes", stride=10, method="rise", method_options=options
    )
    assert run.faces.column("model_calls").to_pylist() == [21, 21, 21]


def test_recognition_has_maps_by_methods_too(folder, embedder, tmp_path, face):
    features = checked_outputs(embedder, embedder.to_device(prepare(face, SPEC).x)[None])
    moved = features + np.linspace(0, 0.5, 6, dtype=np.float32)
    gallery = Gallery(("ann", "bob"), np.concatenate([moved, -features + 1]), ("", ""))
    run = audit(
        folder, embedder, tmp_path / "run", gallery=gallery, target="ann", stride=10, method="gradcam"
    )
    assert run.unit == "GradCAM attribution for ann"
    assert np.nanmax(np.abs(run.drops()), axis=1).min() > 0


def test_the_heat_of_a_pair_is_that_of_each_face_with_the_other_as_it_is(embedder, aligner, folder):
    faces = [aligner(folder / f"{name}.jpg")[0] for name in PHOTOS[:2]]
    options = {"method": "gradient", "same": True, "stride": 10}
    (first, _), (second, _), (both, other) = (
        explain_pair(*faces, embedder, hide=hide, **options) for hide in ("first", "second", "both")
    )
    seen = np.isfinite(both.values)
    np.testing.assert_allclose(both.values[seen], (first.values + second.values)[seen], rtol=1e-12)
    np.testing.assert_array_equal(both.values, other.values)
    assert both.unit == "Gradient attribution for same"
    assert both.method == "gradient"
    view = FaceView(faces[0], embedder, make_settings())
    fixed = FaceView(faces[1], embedder, make_settings()).original
    given = embedder.to_device(view.shown.x)[None].requires_grad_()
    score = torch.cosine_similarity(embedder.module(given), torch.tensor(fixed)).sum()
    [slope] = torch.autograd.grad(score, given)
    expected = at_vertices(slope[0].abs().amax(dim=0).double().numpy(), view.shown)[first.probes]
    np.testing.assert_allclose(first.values[seen], expected[seen], rtol=1e-3, atol=1e-7)


def test_a_run_of_pairs_by_a_method(folder, embedder, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text(
        f"path_a,path_b,same\nphotos/{PHOTOS[0]}.jpg,photos/{PHOTOS[1]}.jpg,0\nphotos/{PHOTOS[1]}.jpg,photos/{PHOTOS[2]}.jpg,1\n"
    )
    run = verify(table, embedder, tmp_path / "run", threshold=0.4, stride=10, method="gradcam")
    assert run.method == "gradcam"
    assert run.labels("target") == ["different", "same"]
    assert run.faces.column("unit").to_pylist() == [
        "GradCAM attribution for different",
        "GradCAM attribution for same",
    ]
    assert run.unit == "GradCAM attribution"
    assert set(run.cms(by="target")) == {"same", "different"}
    assert all(cis.method == "gradcam" for cis in run.pair(0))


def test_methods_are_compared_on_one_face(model, face):
    options = {"rise": {"masks": 40}}
    found = compare_methods(
        face, model, "yes", methods=["gradcam", "rise"], method_options=options, stride=10
    )
    assert list(found.maps) == ["gradcam", "rise"]
    assert found.failed == {}
    np.testing.assert_array_equal(found.cis.drops, explain(face, model, "yes", stride=10).drops)
    gradcam = found.maps["gradcam"]
    assert gradcam.attribution.shape == (32, 32)
    np.testing.assert_array_equal(gradcam.cis.values, by_hand("gradcam", model, face)[gradcam.cis.probes])
    assert found.maps["rise"].cis.model_calls == 40
    assert -1 <= found.agreement("gradcam") <= 1
    figure = plots.methods([found], {"scorecam": "ScoreCAM needs more."})
    words = [text.get_text() for text in figure.texts]
    assert "GradCAM" in words
    assert "RISE attribution for yes" in words
    assert "drop in probability of yes" in words
    assert any("Not shown: ScoreCAM: needs more." in line for line in words)


def test_a_method_that_was_asked_for_and_does_not_work_is_not_passed_over(black, face):
    found = compare_methods(face, black, "yes", methods=["gradcam", "occlusion"], stride=10)
    assert list(found.maps) == ["occlusion"]
    assert found.failed["gradcam"].startswith("GradCAM needs the gradients")
    with pytest.raises(
        OptionError, match=r"no map by 'gradcam'.*Known: occlusion\. It made none: GradCAM needs"
    ):
        found.agreement("gradcam")


def test_agreement_is_the_correlation_of_ranks(model, face):
    found = compare_methods(face, model, "yes", methods=[], stride=10)
    drops = found.cis.drops

    class Map:
        def __init__(self, values):
            self.cis = type("C", (), {"values": values})

    found.maps.update(same=Map(np.exp(drops)), turned=Map(-drops), flat=Map(np.zeros_like(drops)))
    assert found.agreement("same") == pytest.approx(1)
    assert found.agreement("turned") == pytest.approx(-1)
    assert np.isnan(found.agreement("flat"))


def test_which_methods_work_is_known_before(black, model):
    works, left_out = usable_methods(black)
    assert list(works) == ["occlusion", "rise"]
    assert len(left_out) == 9
    assert left_out["scorecam"].startswith("ScoreCAM needs the activations of a PyTorch module")
    assert len(usable_methods(model)[0]) == 11
    for names, options, words in (
        (["gradcm"], None, "did you mean 'gradcam'"),
        (["rise", "rise"], None, "compared once"),
        (["rise"], {"gradcam": {}}, "Options are those of a method that is compared"),
    ):
        with pytest.raises(OptionError, match=words):
            usable_methods(model, names, options)


@pytest.mark.parametrize("name", ["gradcam", "canonical"])
def test_the_words_of_a_picture_are_true(model, face, name):
    cis = explain(face, model, "yes", stride=10, method=None if name == "canonical" else name)
    for figure in (plots.canonical(cis), plots.overlay(cis), plots.canonical(CMS.of([cis]))):
        words = " ".join(text.get_text() for text in figure.texts)
        assert ("drop in" in words) == (name == "canonical")
        assert ("hidden →" in words) == (name == "canonical")
        assert ("GradCAM attribution for yes, in its own unit" in words) == (name == "gradcam")
        assert ("by GradCAM" in words) == (name == "gradcam")
