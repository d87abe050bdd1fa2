"""What a backbone answered is asked once."""

import numpy as np
from toy_photos import Colours, aligner, write_photos

from canonface.finetuning import assess, finetune
from canonface.finetuning.remembering import make_memory
from canonface.types import InputSpec, Pose

ASKED = []


class Counting(Colours):
    def forward(self, x):
        ASKED.append(len(x))
        return super().forward(x)


def test_a_second_head_asks_nothing_and_is_the_same(tmp_path):
    photos = write_photos(tmp_path, n=40)
    usual = {"aligner": aligner(), "device": "cpu", "epochs": 5, "cache": tmp_path / "cache"}
    first = finetune(photos / "labels.csv", Counting(), "colour", tmp_path / "first", **usual)
    ASKED.clear()
    again = finetune(photos / "labels.csv", Counting(), "colour", **usual)
    assert ASKED == []
    assert again.model.fingerprint() == first.model.fingerprint()
    mirrored = finetune(photos / "labels.csv", Counting(), "colour", mirror=True, **usual)
    assert sum(ASKED) == 80, "mirror images are new, and come with their photos"
    assert mirrored.card["settings"]["mirror"]


def test_scores_are_the_same_with_and_without(tmp_path):
    photos = write_photos(tmp_path, n=40)
    usual = {"aligner": aligner(), "device": "cpu", "epochs": 5}
    model = finetune(photos / "labels.csv", Colours(), "colour", **usual).model
    table = photos / "labels.csv"
    assert assess(table, model, "colour", aligner=aligner()) == assess(
        table, model, "colour", aligner=aligner(), cache=tmp_path / "cache"
    )


def test_another_question_or_photo_has_another_place(tmp_path):
    spec = InputSpec()
    one = make_memory(tmp_path, "digest", (), spec, "mesh")
    one.put("photo", np.ones((1, 3), np.float32), Pose(1.0, 2.0, 3.0))
    predictions, pose = one.get("photo")
    assert (predictions.tolist(), pose) == ([[1, 1, 1]], Pose(1.0, 2.0, 3.0))
    assert one.get("other") is None
    for other in (
        make_memory(tmp_path, "other", (), spec, "mesh"),
        make_memory(tmp_path, "digest", ("fc",), spec, "mesh"),
        make_memory(tmp_path, "digest", (), InputSpec(margin=0.1), "mesh"),
        make_memory(tmp_path, "digest", (), spec, "other"),
    ):
        assert other.get("photo") is None
