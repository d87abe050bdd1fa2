"""The heads that ship: small, on FaceNet, their classes in the right order."""

import csv
import json

import numpy as np
import pytest

from canonface.assets import asset_path
from canonface.confidence.pose_bins import POSE_BINS
from canonface.demo import demo_folder
from canonface.errors import AssetError, ModelError
from canonface.models import checked_outputs, load_model, prepare
from canonface.models.finetuned import DESCRIPTION, WEIGHTS, read_description
from canonface.models.zoo import ZOO
from canonface.models.zoo.facenet_heads import NAMES


@pytest.fixture(scope="module")
def rows():
    with (demo_folder() / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def predictions(rows, aligner):
    """Most likely class of each bundled photo, by each head; and the poses that were measured."""
    try:
        models = {name: load_model(name, device="cpu") for name in NAMES}
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")
    faces = [aligner(demo_folder() / row["path"])[0] for row in rows]
    found = {}
    for name, model in models.items():
        x = model.to_device(np.stack([prepare(face, model.spec).x for face in faces]))
        found[name] = [model.labels[i] for i in checked_outputs(model, x).argmax(axis=1)]
    return found, [face.pose_deg for face in faces]


def test_they_are_small_and_hold_no_path():
    files = [path for name in NAMES for path in asset_path(name).iterdir()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    for name in NAMES:
        folder = asset_path(name)
        assert {path.name for path in folder.iterdir()} == {DESCRIPTION, WEIGHTS, "card.md"}
        text = (folder / DESCRIPTION).read_text() + (folder / "card.md").read_text()
        assert "/home" not in text
        assert "shared" not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_its_head(name):
    said = read_description(asset_path(name))
    card = said.card
    assert (said.name, said.backbone, said.whole) == (name, "facenet", False)
    assert list(said.labels) == list(card["counts"]) == card["scores"]["labels"]
    assert sum(card["counts"].values()) == card["photos"] == card["scores"]["accuracy"]["photos"]
    assert card["held_out"], "judged on photos of sets that it was not fitted to"
    assert card["data_licence"] != "not stated"
    assert "benchmarks/fit_heads.py" in card["command"]
    assert f"{100 * card['scores']['accuracy']['value']:.1f}%" in ZOO[name].card.accuracy


def test_the_classes_of_poses_are_the_bins():
    assert read_description(asset_path("facenet-pose")).labels == POSE_BINS


def test_genders_are_distinguished(predictions, rows):
    for gender in ("female", "male"):
        hits = [
            prediction == gender
            for prediction, row in zip(predictions[0]["facenet-gender"], rows, strict=True)
            if row["gender"] == gender
        ]
        assert np.mean(hits) > 0.5, f"{gender}: {np.mean(hits):.2f} of {len(hits)}"


def test_sides_are_the_subjects(predictions):
    found, poses = predictions
    sides = [
        (prediction.partition("-")[0], pose.yaw)
        for prediction, pose in zip(found["facenet-pose"], poses, strict=True)
        if abs(pose.yaw) > 25
    ]
    assert len(sides) >= 3
    right = [side == ("left" if yaw > 0 else "right") for side, yaw in sides]
    assert np.mean(right) > 0.75, sides


def test_children_are_not_taken_for_the_old(predictions, rows):
    for prediction, row in zip(predictions[0]["facenet-age"], rows, strict=True):
        assert prediction in read_description(asset_path("facenet-age")).labels
        if row["age"] == "35-45":
            assert int(prediction.partition("-")[0].rstrip("+")) >= 10


def test_happy_faces_are_found(predictions, rows):
    hits = [
        prediction == "happy"
        for prediction, row in zip(predictions[0]["facenet-expression"], rows, strict=True)
        if row["expression"] == "happy"
    ]
    assert len(hits) >= 3
    assert np.mean(hits) > 0.5


def test_a_head_knows_its_backbone(tmp_path, predictions):
    for name in (DESCRIPTION, WEIGHTS):
        (tmp_path / name).write_bytes((asset_path("facenet-gender") / name).read_bytes())
    same, there = load_model(tmp_path, device="cpu"), load_model("facenet-gender", device="cpu")
    assert same.fingerprint() == there.fingerprint()
    content = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps(content | {"digest": "0" * 64}))
    with pytest.raises(ModelError, match="belongs to the backbone"):
        load_model(tmp_path, device="cpu")
