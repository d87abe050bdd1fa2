"""Fine-tuning from pictures to a stored model, with classes that are linear in the features."""

import copy
import json
import sys

import numpy as np
import pytest
import torch
from toy_photos import SPEC, Colours, aligner, write_photos

import canonface
from canonface.assets import asset_path
from canonface.demo import demo_folder
from canonface.errors import LabelsError, ModelError, OptionError
from canonface.finetuning import FinetuneOptions, assess, finetune
from canonface.finetuning.cards import card_page
from canonface.models import checked_outputs, load_model, prepare
from canonface.models.finetuned import DESCRIPTION, WEIGHTS, read_description

USUAL = {"task": "colour", "device": "cpu", "rate": 0.03, "epochs": 40, "patience": 10}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), people=[f"p{i // 3}" for i in range(60)])


def fitted(photos, backbone=None, out=None, **changes):
    options = {**USUAL, "aligner": aligner(), **changes}
    return finetune(photos / "labels.csv", backbone or Colours(), out=out, **options)


@pytest.fixture(scope="module")
def head(photos):
    return fitted(photos, by=["hand"])


def x_of(photos, n=6):
    place = aligner()
    return np.stack([prepare(place(photos / f"{i:03d}.png")[0], SPEC).x for i in range(n)])


def test_a_linear_class_is_learnt(head):
    assert head.scores.accuracy.value > 0.95
    assert head.scores.accuracy.photos == 60
    assert head.scores.accuracy.people == 20
    assert (head.model.labels, head.model.outputs, head.model.spec) == (("blue", "red"), "logits", SPEC)
    assert set(head.scores.by_group["hand"]) == {"left", "right"}


def test_the_model_predicts_the_right_names(head, photos):
    truth = [line.split(",")[1] for line in (photos / "labels.csv").read_text().splitlines()[1:7]]
    predictions = checked_outputs(head.model, head.model.to_device(x_of(photos)))
    assert [head.model.labels[i] for i in predictions.argmax(axis=1)] == truth


def test_accuracy_on_other_photos(head, tmp_path):
    other = write_photos(tmp_path, seed=5)
    scores = assess(other / "labels.csv", head.model, "colour", aligner=aligner(), by=["hand"])
    assert scores.accuracy.value > 0.9
    assert set(scores.by_group["hand"]) == {"left", "right"}


def test_noise_is_not_learnt(photos):
    result = fitted(photos, task="hand")
    assert result.scores.accuracy.value < 0.75, "hand does not depend on the picture"


def test_the_card_states_data_and_command(head):
    card = head.card
    assert (card["photos"], card["people"], sum(card["parts"]), card["left_out"]) == (60, 20, 60, {})
    assert card["counts"] == {name: share.photos for name, share in head.scores.by_class.items()}
    assert (card["data_licence"], card["backbone_licence"]) == ("not stated", "not stated")
    assert "--task colour" in card["command"]
    json.dumps(card, allow_nan=False)


def test_the_same_seed_gives_the_same_bits(head, photos):
    again, other = fitted(photos, by=["hand"]), fitted(photos, seed=1)
    assert again.model.fingerprint() == head.model.fingerprint()
    assert again.card == head.card
    assert other.model.fingerprint() != head.model.fingerprint()


def test_options_are_keywords_or_an_object(head, photos):
    options = FinetuneOptions(device="cpu", rate=0.03, epochs=40, patience=99)
    again = finetune(
        photos / "labels.csv",
        Colours(),
        "colour",
        by=["hand"],
        aligner=aligner(),
        options=options,
        patience=10,
    )
    assert again.card == head.card
    with pytest.raises(OptionError, match="did you mean 'epochs'"):
        fitted(photos, epoch=3)


def test_the_shipped_cards_are_pages_of_their_json():
    for name in ("age", "expression", "gender", "pose"):
        folder = asset_path(f"facenet-{name}")
        assert (folder / "card.md").read_text() == card_page(read_description(folder).card)


def test_pictures_without_a_label_or_a_face_are_counted(photos, tmp_path):
    table = (photos / "labels.csv").read_text().splitlines()
    rows = [f"{photos}/{line}" for line in table[1:]]
    rows[0] = rows[0].replace("red", "").replace("blue", "")
    rows.append(f"{tmp_path}/missing.png,red,left,x,nobody")
    (tmp_path / "labels.csv").write_text("\n".join([table[0], *rows]) + "\n")
    result = fitted(tmp_path)
    assert result.card["left_out"] == {"no-label": 1, "photo-unreadable": 1}
    assert result.card["photos"] == 59


class TestStored:
    """Models on a backbone that is named by module and attribute."""

    @pytest.fixture
    def folder(self, photos, tmp_path, monkeypatch):
        source = (
            "from toy_photos import Colours\n\n\ndef network():\n    return Colours()\n\n\nheld = Colours()\n"
        )
        (tmp_path / "my_backbone.py").write_text(source)
        monkeypatch.chdir(tmp_path)
        yield tmp_path
        sys.modules.pop("my_backbone", None)

    def test_it_comes_back_with_the_same_bits(self, photos, folder):
        result = fitted(photos, "my_backbone:network", "out")
        assert {path.name for path in (folder / "out").iterdir()} == {DESCRIPTION, WEIGHTS, "card.md"}
        back = load_model("out", trust=True, device="cpu")
        x = back.to_device(x_of(photos))
        np.testing.assert_array_equal(back(x), result.model(x))
        assert back.fingerprint() == result.model.fingerprint()
        assert (back.name, back.labels, back.spec) == (result.model.name, ("blue", "red"), SPEC)

    def test_code_named_by_a_directory_needs_trust(self, photos, folder):
        fitted(photos, "my_backbone:network", "out")
        sys.modules.pop("my_backbone")
        with pytest.raises(ModelError, match=r"runs the code that it names, my_backbone:network.*--trust"):
            load_model("out")
        assert "my_backbone" not in sys.modules

    def test_a_head_refuses_another_backbone(self, photos, folder):
        fitted(photos, "my_backbone:held", "out")
        with torch.no_grad():
            sys.modules["my_backbone"].held.scale[0] = 2
        with pytest.raises(
            ModelError, match=r"belongs to the backbone that it was fitted on.*fit the head again"
        ):
            load_model("out", trust=True)

    def test_nothing_is_overwritten(self, photos, folder):
        fitted(photos, "my_backbone:network", "out")
        with pytest.raises(OptionError, match="never written over"):
            fitted(photos, "my_backbone:network", "out")
        with pytest.raises(OptionError, match="is a file"):
            fitted(photos, "my_backbone:network", "my_backbone.py")

    def test_a_whole_network_comes_back_as_it_was_fitted(self, photos, folder):
        before = copy.deepcopy(load_model("my_backbone:held").module)
        result = fitted(photos, "my_backbone:held", "out", whole=True, rate=0.01, epochs=3)
        held = sys.modules["my_backbone"].held
        assert torch.equal(held.scale, before.scale), "the caller's module is untouched"
        assert held.training
        assert not torch.equal(result.model.module.backbone.scale, before.scale)
        back = load_model("out", trust=True, device="cpu")
        x = back.to_device(x_of(photos))
        np.testing.assert_array_equal(back(x), result.model(x))
        assert back.fingerprint() == result.model.fingerprint()

    @pytest.mark.parametrize("damage", ["weights", "description", "format", "labels"])
    def test_a_damaged_directory_is_a_model_error(self, photos, folder, damage):
        fitted(photos, "my_backbone:network", "out")
        weights, said = folder / "out" / WEIGHTS, folder / "out" / DESCRIPTION
        content = json.loads(said.read_text())
        if damage == "weights":
            weights.write_bytes(weights.read_bytes()[:-8])
        elif damage == "description":
            said.write_text("{")
        elif damage == "format":
            said.write_text(json.dumps(content | {"format": "canonface-finetuned/9"}))
        else:
            said.write_text(json.dumps(content | {"labels": ["a", "b", "c"]}))
        with pytest.raises(ModelError, match=r"out/|weights.safetensors"):
            load_model("out", trust=True)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"labels": ["a"]}, "2 outputs; got 1 labels"),
            ({"outputs": "embedding"}, "returns logits"),
            ({"architecture": "vgg16"}, "architecture= means nothing to a fine-tuned model"),
        ],
    )
    def test_options_that_do_not_fit_are_refused(self, photos, folder, options, words):
        fitted(photos, "my_backbone:network", "out")
        with pytest.raises(OptionError, match=words):
            load_model("out", trust=True, **options)


def test_a_model_on_an_unnamed_object_cannot_be_loaded_again(photos, tmp_path):
    result = fitted(photos, out=tmp_path / "out")
    assert result.model(result.model.to_device(x_of(photos))).shape == (6, 2)
    with pytest.raises(ModelError, match="an object without a name"):
        load_model(tmp_path / "out")


def test_a_whole_network_is_fitted_on_a_copy_and_scored_on_other_people(photos):
    own = Colours()
    result = fitted(photos, own, whole=True, rate=0.01, epochs=4)
    assert torch.equal(own.scale, torch.ones(12))
    assert own.training
    moved = result.model.module.backbone
    assert not torch.equal(moved.scale, own.scale)
    assert torch.equal(moved.norm.running_mean, own.norm.running_mean), "statistics stay"
    assert result.scores.accuracy.value > 0.9
    assert result.scores.accuracy.photos == result.card["parts"][0]
    again = fitted(photos, Colours(), whole=True, rate=0.01, epochs=4)
    assert again.model.fingerprint() == result.model.fingerprint()


def test_a_layer_that_is_left_out_becomes_the_identity(photos):
    network = torch.nn.Sequential(Colours(), torch.nn.Linear(12, 3), torch.nn.Softmax(dim=1))
    network.spec = SPEC
    with pytest.raises(
        OptionError, match=r"features, an embedding; .* returns probabilities: leave its last"
    ):
        fitted(photos, network)
    result = fitted(photos, network, without=["1", "2"])
    assert result.model.module.head.in_features == 12
    assert isinstance(network[1], torch.nn.Linear)
    assert result.card["without"] == ["1", "2"]
    with pytest.raises(OptionError, match=r"there is no 'fc'"):
        fitted(photos, network, without=["fc"])


class Detached(Colours):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


def frozen():
    return Colours().requires_grad_(False)


@pytest.mark.parametrize("make", [Detached, frozen])
def test_a_network_without_gradients_is_not_fitted_whole(photos, make):
    with pytest.raises(OptionError, match=r"none gets any.*--head"):
        fitted(photos, make(), whole=True)
    assert fitted(photos, make()).scores.accuracy.value > 0.95


def test_a_backbone_that_is_no_module_is_refused(photos):
    with pytest.raises(OptionError, match=r"one PyTorch module; .* is none: take facenet"):
        fitted(photos, lambda batch: batch.mean(axis=(2, 3)))


class Flat(torch.nn.Module):
    spec = SPEC

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"task": "size"}, LabelsError, "column 'size', which the labels do not have"),
        ({"task": "one"}, LabelsError, r"have 1 for the task 'one' \(x 60\)"),
        ({"identity": "who"}, LabelsError, "no column 'who'"),
        ({"by": ["race"]}, LabelsError, "no column 'race'"),
        ({"least": 50}, LabelsError, "at least 50 photos"),
        ({"classes": ["red", "green"]}, OptionError, "'green'"),
        ({"folds": 2}, OptionError, "folds is 3 or more; got 2"),
        ({"folds": 21}, OptionError, "21 for 20 people"),
        ({"identity": "colour", "task": "hand", "folds": 3}, OptionError, "3 for 2 people"),
        ({"epochs": 0}, OptionError, "epochs is a whole number"),
        ({"backbone": Flat()}, ModelError, "one row of numbers per input"),
        ({"backbone": "facenett"}, ModelError, "did you mean 'facenet'"),
    ],
)
def test_invalid_options_are_refused(photos, changes, error, words):
    with pytest.raises(error, match=words):
        fitted(photos, **changes)


def test_a_class_of_one_person_is_refused(tmp_path):
    photos = write_photos(tmp_path, people=["ann"] * 20 + [f"p{i}" for i in range(40)])
    lines = (photos / "labels.csv").read_text().splitlines()
    rare = [
        line.replace("red", "green").replace("blue", "green") if "ann" in line else line for line in lines
    ]
    (photos / "labels.csv").write_text("\n".join(rare) + "\n")
    with pytest.raises(LabelsError, match=r"photos of 'green' lie in 1 of 5 parts.*too few people"):
        fitted(photos)
    assert fitted(photos, classes=["red", "blue"]).model.labels == ("red", "blue")


def test_poses_need_no_labels_and_both_sides():
    paths = sorted((demo_folder() / "photos").iterdir())
    with pytest.raises(OptionError, match=r"mirror image of 'left-level' is of class 'right-level'"):
        finetune(
            paths, Colours(), "pose", classes=["front-level", "left-level"], least=1, folds=3, device="cpu"
        )


def test_it_is_explained_like_any_model(head, photos):
    [face] = aligner()(photos / "000.png")
    dense = canonface.explain(face, head.model, "red", engine="dense", patch=3)
    local = canonface.explain(face, head.model, "red", engine="incremental", patch=3)
    assert np.nanmax(np.abs(dense.drops)) > 0
    np.testing.assert_allclose(local.drops, dense.drops, atol=1e-5)
