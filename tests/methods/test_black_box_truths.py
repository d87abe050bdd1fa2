"""Methods for any model, against slow replicas and models with a known map."""

import numpy as np
import pytest
import slow_methods
from small_models import SPEC, class_confidence, class_model, embedding_model, identity_confidence, picture

from canonface.confidence import CleanPrediction, make_confidence
from canonface.errors import OptionError
from canonface.methods import counted, make_method
from canonface.methods.perturbation import RandomMasks
from canonface.models import load_model
from canonface.occluders.fills import plain_fill
from canonface.types import InputSpec

GREY = InputSpec(size_hw=(12, 15), colour="grey")


def one_pixel(batch):
    """Return one pixel: a model that reads nothing else."""
    return batch[:, 0, 5:6, 7]


def pixel_model():
    model = load_model(one_pixel, spec=GREY, outputs="values", labels=("pixel",), name="pixel")
    x = picture(GREY)
    return model, x, make_confidence("value").bind(CleanPrediction(one_pixel(x[None]), "values", ("pixel",)))


def test_a_window_changes_a_one_pixel_model_only_where_it_covers_the_pixel():
    model, x, confidence_fn = pixel_model()
    attribution = make_method("occlusion", size=3, stride=1, fill="black").attribute(model, x, confidence_fn)
    drop = float(x[0, 5, 7])
    assert attribution[5, 7] == pytest.approx(drop, rel=1e-6)
    # Of the nine windows over a neighbour, six cover the pixel too.
    assert attribution[5, 8] == pytest.approx(drop * 6 / 9, rel=1e-6)
    assert attribution[3, 9] == pytest.approx(drop / 9, rel=1e-6)
    far = np.ones_like(attribution, dtype=bool)
    far[3:8, 5:10] = False
    assert (attribution[far] == 0).all()


@pytest.mark.parametrize(("side", "step"), [(5, 2), (4, 4), (6, 5)])
@pytest.mark.parametrize("fill", ["mean", "black", "#3060a0"])
def test_the_sliding_window_is_the_slow_one(side, step, fill):
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)

    def score(batch):
        return confidence_fn(model(model.to_device(batch)))

    found = make_method("occlusion", size=side, stride=step, fill=fill, batch=7).attribute(
        model, x, confidence_fn
    )
    expected = slow_methods.sliding(score, x, side, step, plain_fill(fill, x, SPEC))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 17}, "lies within the input of 16 x 20"),
        ({"size": 4, "stride": 5}, "Windows leave no pixel out"),
    ],
)
def test_windows_that_do_not_fit_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        make_method("occlusion", **options).check(class_model(), None)


@pytest.mark.parametrize("fill", ["mean", "black"])
@pytest.mark.parametrize("make", ["class", "embedding"])
def test_rise_is_the_slow_one(fill, make):
    model, x = (class_model() if make == "class" else embedding_model()), picture()
    confidence_fn = class_confidence(model, x) if make == "class" else identity_confidence(model, x)
    masks = RandomMasks.drawn(25, 5, 0.4, SPEC.size_hw, 3)

    def score(batch):
        return confidence_fn(model(model.to_device(batch)))

    options = {"masks": 25, "cells": 5, "share": 0.4, "seed": 3, "fill": fill}
    found = make_method("rise", centred=False, batch=8, **options).attribute(model, x, confidence_fn)
    hidden = plain_fill(fill, x, SPEC)
    expected = slow_methods.rise(score, x, masks.grids, masks.shifts, 0.4, hidden)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    pieces = make_method("rise", centred=False, batch=25, **options).attribute(model, x, confidence_fn)
    np.testing.assert_allclose(pieces, found, atol=1e-6)

    shown = masks.part(0, 25)
    hidden_scores = [score((x * m + hidden * (1 - m))[None])[0] for m in shown]
    mean = np.mean(hidden_scores)
    centred = make_method("rise", **options).attribute(model, x, confidence_fn)
    by_hand = sum((s - mean) * m for s, m in zip(hidden_scores, shown, strict=True)) / (0.4 * 25)
    np.testing.assert_allclose(centred, by_hand, atol=1e-5)


def test_rise_points_at_the_pixel_that_a_model_reads():
    model, x, confidence_fn = pixel_model()
    attribution = make_method("rise", masks=1500, cells=6).attribute(model, x, confidence_fn)
    row, column = np.unravel_index(attribution.argmax(), attribution.shape)
    assert abs(row - 5) <= 1
    assert abs(column - 7) <= 1


def test_masks_follow_their_seed_and_show_the_requested_share():
    masks = RandomMasks.drawn(400, 7, 0.3, (20, 33), 1)
    shown = masks.part(0, 400)
    assert shown.shape == (400, 20, 33)
    assert 0 <= shown.min() <= shown.max() <= 1
    assert shown.mean() == pytest.approx(0.3, abs=0.02)
    np.testing.assert_array_equal(shown[100:120], RandomMasks.drawn(400, 7, 0.3, (20, 33), 1).part(100, 120))
    assert np.abs(shown - RandomMasks.drawn(400, 7, 0.3, (20, 33), 2).part(0, 400)).max() > 0.5


@pytest.mark.parametrize(("name", "images"), [("rise", 40), ("gradient", 1), ("gradcam", 2), ("scorecam", 9)])
def test_images_are_counted_in_modules_and_black_boxes(name, images):
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)
    options = {"masks": 40} if name == "rise" else {"batch": 4} if name == "scorecam" else {}
    with counted(model) as count:
        make_method(name, **options).attribute(count.model, x, confidence_fn)
    assert count.images == images
    assert not model.module._forward_pre_hooks
    if name == "rise":
        black = load_model(
            lambda batch: model(model.to_device(batch)), spec=SPEC, outputs="logits", labels=model.labels
        )
        with counted(black) as count:
            make_method(name, **options).attribute(count.model, x, confidence_fn)
        assert count.images == images
