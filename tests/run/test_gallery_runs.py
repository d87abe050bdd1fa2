"""Recognition against a gallery (eq. 7): computed once, never with the photo itself."""

import shutil

import numpy as np
import pytest

from canonface import functional
from canonface.confidence import Gallery, RecognitionConfidence
from canonface.demo import demo_folder
from canonface.errors import LabelsError, OptionError, TargetError
from canonface.explanation import explain, explain_regions, make_gallery
from canonface.models import load_model, prepare
from canonface.pipeline import audit, audit_regions
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(32, 32))
WEIGHTS = np.random.default_rng(3).normal(size=(6, 3, 32, 32))
PEOPLE = {
    "op_P001_studio.jpg": "one",
    "op_P001_view_profile_a.jpg": "one",
    "op_P005_studio.jpg": "five",
    "op_P007_emo_happy.jpg": "seven",
}


def features(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


@pytest.fixture(scope="module")
def model():
    return load_model(features, spec=SPEC, outputs="embedding", name="toy features")


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in PEOPLE:
        shutil.copy(demo_folder() / "photos" / name, folder)
    lines = ["path,identity", *(f"{name},{who}" for name, who in PEOPLE.items())]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


def test_the_confidence_is_eq_7_without_the_photo_itself(table, model, tmp_path, aligner):
    run = audit(table, model, tmp_path / "run", gallery=table, stride=100)
    rows = {row["path"]: row for row in run.table.to_pylist()}
    faces = {name: aligner(table.parent / name)[0] for name in PEOPLE}
    vector = {name: features(prepare(face, SPEC).x[None])[0] for name, face in faces.items()}
    front, profile = "op_P001_studio.jpg", "op_P001_view_profile_a.jpg"
    expected = functional.recognition_confidence(vector[front], vector[profile][None])
    assert rows[front]["confidence"] == pytest.approx(expected, abs=1e-6)
    assert rows[front]["target"] == "one"
    assert rows[front]["predicted"] is None
    # Of these two the gallery holds no other photo: rows with a reason, not a cosine of 1.
    assert rows["op_P005_studio.jpg"]["status"] == "failed"
    assert rows["op_P005_studio.jpg"]["reason"] == "bad-target"


def test_the_margin_form_takes_the_closest_other_away(table, model, tmp_path):
    run = audit(table, model, tmp_path / "run", gallery=table, stride=400, confidence="recognition-margin")
    plain = audit(table, model, tmp_path / "plain", gallery=table, stride=400)
    gallery = make_gallery(table, model)
    row, before = run.faces.to_pylist()[0], plain.faces.to_pylist()[0]
    query = np.array(row["outputs"])
    others = [f for who, f in zip(gallery.identities, gallery.features, strict=True) if who != "one"]
    closest = max(functional.recognition_confidence(query, f[None]) for f in others)
    assert row["confidence"] == pytest.approx(before["confidence"] - closest, abs=1e-5)


def test_people_are_named_by_folders_where_there_are_no_labels(table, model, tmp_path):
    for name, who in PEOPLE.items():
        (tmp_path / "people" / who).mkdir(parents=True, exist_ok=True)
        shutil.copy(table.parent / name, tmp_path / "people" / who)
    by_folder, by_table = make_gallery(tmp_path / "people", model), make_gallery(table, model)
    assert sorted(by_folder.identities) == sorted(by_table.identities) == sorted(PEOPLE.values())
    assert isinstance(by_table, Gallery)
    run = audit(tmp_path / "people", model, tmp_path / "run", gallery=tmp_path / "people", stride=400)
    assert run.faces.column("target").to_pylist() == ["one", "one"], "the others have one photo each"
    assert run.labels("identity") == ["one", "one"]


def test_a_gallery_photo_that_cannot_be_used_is_left_out_with_a_word(table, model, caplog):
    (table.parent / "op_P005_studio.jpg").write_bytes(b"no photo")
    with caplog.at_level("WARNING", logger="canonface"):
        gallery = make_gallery(table, model)
    assert "five" not in gallery.identities
    assert "1 of 4 gallery photos are left out" in caplog.text


def test_what_makes_no_gallery_is_refused(table, model, tmp_path):
    with pytest.raises(OptionError, match="feature vectors"):
        make_gallery(table, load_model(features, spec=SPEC, outputs="logits"))
    with pytest.raises(LabelsError, match="no column 'person'"):
        make_gallery(table, model, identity="person")
    with pytest.raises(OptionError, match="give gallery="):
        audit(table, model, tmp_path / "run", confidence="recognition")
    with pytest.raises(OptionError, match="A gallery is for"):
        audit(table, model, tmp_path / "run", gallery=table, confidence="logit")
    table.write_text("path,identity\nop_P001_studio.jpg,\nop_P005_studio.jpg,five\n")
    with pytest.raises(LabelsError, match="has no value in the column 'identity'"):
        make_gallery(table, model)


def test_a_person_known_by_the_very_photo_alone_is_a_failed_row(table, model, tmp_path):
    run = audit(table, model, tmp_path / "run", gallery=table, target="five", stride=400)
    status = dict(
        zip(run.table.column("path").to_pylist(), run.table.column("reason").to_pylist(), strict=True)
    )
    assert status == dict.fromkeys(PEOPLE) | {"op_P005_studio.jpg": "bad-target"}
    with pytest.raises(TargetError, match="no identity 'six'"):
        audit(table, model, tmp_path / "other", gallery=table, target="six")


def test_a_gallery_knows_its_model_and_the_input(table, model):
    made = make_gallery(table, model).model
    assert (
        made == make_gallery(table, load_model(features, spec=SPEC, outputs="embedding", name="again")).model
    )
    half = InputSpec(size_hw=(32, 32), scale=1 / 2)
    assert made != make_gallery(table, load_model(features, spec=half, outputs="embedding")).model
    assert (
        made != make_gallery(table, load_model(lambda x: -features(x), spec=SPEC, outputs="embedding")).model
    )


def test_a_gallery_of_another_model_is_refused(table, model, tmp_path, aligner):
    """Also one of equal width, whose cosines would look plausible."""
    gallery = make_gallery(table, model)
    other = load_model(lambda batch: features(batch)[:, ::-1], spec=SPEC, outputs="embedding", name="other")
    with pytest.raises(OptionError, match="made with another model than 'other'"):
        audit(table, other, tmp_path / "run", gallery=gallery)
    assert not (tmp_path / "run").exists()
    face = aligner(table.parent / "op_P001_studio.jpg")[0]
    confidence_fn = RecognitionConfidence(gallery, "one")
    with pytest.raises(OptionError, match="make it anew with this model"):
        explain(face, other, confidence=confidence_fn, stride=400)
    with pytest.raises(OptionError, match="make it anew with this model"):
        explain_regions(face, other, confidence=confidence_fn)
    with pytest.raises(OptionError, match="make it anew with this model"):
        audit_regions([face], other, confidence=confidence_fn)
    assert explain(face, model, confidence=confidence_fn, stride=400).confidence < 0.999, (
        "without the photo itself"
    )
