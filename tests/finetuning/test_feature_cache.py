"""The cache of features: each photo is shown to the backbone once."""

import numpy as np
from toy_photos import Colours, aligner, write_photos

from canonface.finetuning import assess, finetune
from canonface.finetuning.feature_cache import make_feature_cache
from canonface.types import InputSpec, Pose

BATCHES = []


class Counting(Colours):
    def forward(self, x):
        BATCHES.append(len(x))
        return super().forward(x)


def test_a_second_head_runs_no_forward_pass_and_is_the_same(tmp_path):
    photos = write_photos(tmp_path, n=40)
    usual = {"aligner": aligner(), "device": "cpu", "epochs": 5, "cache": tmp_path / "cache"}
    first = finetune(photos / "labels.csv", Counting(), "colour", tmp_path / "first", **usual)
    BATCHES.clear()
    again = finetune(photos / "labels.csv", Counting(), "colour", **usual)
    assert BATCHES == []
    assert again.model.fingerprint() == first.model.fingerprint()
    mirrored = finetune(photos / "labels.csv", Counting(), "colour", mirror=True, **usual)
    assert sum(BATCHES) == 80, "mirror images are computed together with their photos"
    assert mirrored.card["settings"]["mirror"]


def test_scores_are_the_same_with_and_without_a_cache(tmp_path):
    photos = write_photos(tmp_path, n=40)
    usual = {"aligner": aligner(), "device": "cpu", "epochs": 5}
    model = finetune(photos / "labels.csv", Colours(), "colour", **usual).model
    table = photos / "labels.csv"
    assert assess(table, model, "colour", aligner=aligner()) == assess(
        table, model, "colour", aligner=aligner(), cache=tmp_path / "cache"
    )


def test_another_photo_backbone_or_input_has_another_file(tmp_path):
    spec = InputSpec()
    one = make_feature_cache(tmp_path, "digest", (), spec, "mesh")
    one.put("photo", np.ones((1, 3), np.float32), Pose(1.0, 2.0, 3.0))
    predictions, pose = one.get("photo")
    assert (predictions.tolist(), pose) == ([[1, 1, 1]], Pose(1.0, 2.0, 3.0))
    assert one.get("other") is None
    for other in (
        make_feature_cache(tmp_path, "other", (), spec, "mesh"),
        make_feature_cache(tmp_path, "digest", ("fc",), spec, "mesh"),
        make_feature_cache(tmp_path, "digest", (), InputSpec(margin=0.1), "mesh"),
        make_feature_cache(tmp_path, "digest", (), spec, "other"),
    ):
        assert other.get("photo") is None


def test_a_cache_of_0_1_0_is_read(tmp_path):
    cache = make_feature_cache(tmp_path, "digest", (), InputSpec(), "mesh")
    cache.path("photo").parent.mkdir(parents=True)
    np.savez(cache.path("photo"), answers=np.ones((1, 3), np.float32), pose=np.array([1.0, 2.0, 3.0]))
    features, pose = cache.get("photo")
    assert (features.tolist(), pose) == ([[1, 1, 1]], Pose(1.0, 2.0, 3.0))
    cache.put("other", features, pose)
    with np.load(cache.path("other")) as stored:
        assert set(stored) == {"answers", "pose"}
