"""All metrics on one input, for models with known outputs."""

import numpy as np
import pytest

from canonface.confidence import BoundConfidence
from canonface.errors import OptionError
from canonface.evaluation import (
    METRICS,
    PAPER,
    CentreAttribution,
    EvaluationOptions,
    RandomAttribution,
    Subject,
    common_total,
    score,
)
from canonface.evaluation.metrics import chosen_metrics
from canonface.evaluation.scores import pixels_of, whole_fill
from canonface.models import load_model
from canonface.types import Face, InputSpec, Mesh, ModelInput, Pose

SIZE = 8
READ = (5, 2)
FACES = tuple(metric for metric in METRICS.values() if metric.needs != "decisions")
REMOVAL = tuple(metric for metric in FACES if metric.needs == "removal")


def shown_as(x, spec):
    """Return an input of these pixels without a face, which is all that the metrics read."""
    mesh = Mesh(
        "none/1",
        np.zeros((1, 3)),
        np.zeros((0, 3), int),
        np.zeros((1, 2)),
        np.zeros(1, int),
        {},
        None,
        np.ones(1),
    )
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    xy = np.zeros((1, 2))
    face = Face(image, xy, np.zeros(1), np.ones(1, bool), Pose(0, 0, 0), 1.0, mesh)
    return ModelInput(face, spec, x, xy, np.ones(1, bool), np.eye(2, 3))


def subject_of(prediction, spec=None, pixels=None):
    """Return a subject whose confidence is a function of the batch; by default a bright pixel on a dark ground."""
    spec = spec or InputSpec(size_hw=(SIZE, SIZE), crop="image")
    if pixels is None:
        pixels = np.full((SIZE, SIZE, 3), 50.0)
        pixels[READ] = 250
    shown = shown_as(spec.from_pixels(pixels), spec)
    model = load_model(
        lambda batch: prediction(np.asarray(batch, float))[:, None], spec=spec, outputs="values"
    )
    return Subject.of_face("toy", shown, BoundConfidence("it", "it", lambda outputs: outputs[:, 0]), model)


def read(batch):
    return batch[:, :, READ[0], READ[1]].mean(axis=1)


def at(place, value=1.0):
    attribution = np.zeros((SIZE, SIZE))
    attribution[place] = value
    return attribution


def scores(subject, attributions, metrics=FACES, **choices):
    found = score(
        subject,
        {name: (attribution,) for name, attribution in attributions.items()},
        metrics,
        EvaluationOptions(**choices),
    )
    return found, {
        metric: dict(zip(attributions, values.tolist(), strict=True))
        for metric, values in found.scores.items()
    }


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(size_hw=(SIZE, SIZE), crop="image"),
        InputSpec(
            size_hw=(SIZE, SIZE), crop="image", colour="bgr", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)
        ),
        InputSpec(size_hw=(SIZE, SIZE), crop="image", colour="grey", scale=1.0, mean=(128.0,), std=(64.0,)),
    ],
    ids=["rgb", "bgr", "grey"],
)
@pytest.mark.parametrize("fill", ["mean", "black", "blur"])
def test_a_perfect_map_beats_a_wrong_map_by_every_metric(spec, fill):
    def confident(batch):
        return 1 / (1 + np.exp(-4 * read(batch)))

    subject = subject_of(confident, spec)
    _, found = scores(
        subject,
        {"right": at(READ), "wrong": at((1, 6))},
        deletion_fill=fill,
        insertion_fill=fill,
        steps=SIZE * SIZE,
        road_shares=(0.05, 0.5),
    )
    assert set(found) == {metric.name for metric in FACES}
    for metric in FACES:
        right, wrong = found[metric.name]["right"], found[metric.name]["wrong"]
        if metric.name == "increase":
            assert right == wrong == 0
        else:
            assert right > wrong if metric.better == "higher" else right < wrong, metric.name


def test_the_papers_metrics_by_hand():
    found, by = scores(
        subject_of(read), {"right": at(READ), "wrong": at((1, 6)), "half": at(READ) + at((1, 6))}
    )
    original = 250 / 255
    assert found.original == pytest.approx(original)
    # The smallest sum is 1 pixel; 'half' has two pixels and removes half of each.
    assert found.left == pytest.approx({"right": 0, "wrong": original, "half": original / 2}, abs=1e-6)
    assert by["average-drop"] == pytest.approx({"right": 100, "wrong": 0, "half": 50}, abs=1e-4)
    assert by["increase"] == {"right": 0, "wrong": 0, "half": 0}
    assert by["win"] == {"right": 100, "wrong": 0, "half": 0}
    assert by["drop"] == pytest.approx({"right": original, "wrong": 0, "half": original / 2}, abs=1e-6)
    assert found.taken == pytest.approx(dict.fromkeys(found.taken, 1 / 64))


def test_the_removed_total_is_equal_or_reported():
    attributions = {"narrow": at(READ), "wide": np.arange(64.0).reshape(8, 8)}
    wide = 32.0  # sum of 0..63 over 63
    found, _ = scores(subject_of(read), attributions, REMOVAL)
    assert found.taken == pytest.approx({"narrow": 1 / 64, "wide": 1 / 64})
    found, _ = scores(subject_of(read), attributions, REMOVAL, total="largest")
    assert found.taken == pytest.approx({"narrow": 1 / 64, "wide": wide / 64})
    found, _ = scores(subject_of(read), attributions, REMOVAL, total="median")
    assert found.taken["narrow"] == pytest.approx(1 / 64)
    found, _ = scores(subject_of(read), attributions, REMOVAL, total=0.25)
    assert found.taken["wide"] == pytest.approx(0.25)


def test_totals_by_name():
    attributions = {
        "cms": np.eye(4),
        "flat": np.ones((4, 4)),
        "one": at((0, 0))[:4, :4],
        "wide": 1 - np.eye(4),
    }
    assert common_total(attributions, "smallest") == 1
    assert common_total(attributions, "median") == 4
    assert common_total(attributions, "largest") == 12
    assert common_total(attributions, "cms") == 4
    assert common_total(attributions, 0.5) == 8
    assert common_total({"flat": np.ones((4, 4))}, "smallest") == 0
    with pytest.raises(OptionError, match="not among the methods"):
        common_total({"flat": np.eye(4)}, "cms")


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0, np.nan])
def test_a_constant_map_changes_nothing(value):
    _, by = scores(subject_of(read), {"flat": np.full((SIZE, SIZE), value), "right": at(READ)})
    assert by["drop"]["flat"] == 0
    assert by["average-drop"]["flat"] == 0
    assert by["increase"]["flat"] == 0
    assert by["win"] == {"flat": 0, "right": 100}
    assert all(np.isfinite(list(values.values())).all() for values in by.values())


def test_tied_maps_share_the_win():
    _, by = scores(subject_of(read), {"a": at(READ), "b": at(READ, 7.0), "c": at((1, 6))}, REMOVAL)
    assert by["win"] == {"a": 50, "b": 50, "c": 0}


def test_nan_removes_nothing_and_comes_last():
    attribution = np.full((SIZE, SIZE), np.nan)
    attribution[READ], attribution[0, 0] = 2.0, 1.0
    found, by = scores(subject_of(read), {"seen": attribution, "right": at(READ)}, deletion_fill="black")
    assert found.taken["seen"] == pytest.approx(1 / 64)
    assert by["average-drop"]["seen"] == pytest.approx(100)
    assert by["deletion"]["seen"] == by["deletion"]["right"]


def test_negative_attribution_is_shifted_or_clipped():
    attribution = at(READ) - at((1, 6))
    # shifted: 1/2 everywhere else; clipped: nothing anywhere else
    shifted, _ = scores(subject_of(read), {"signed": attribution}, REMOVAL)
    clipped, _ = scores(subject_of(read), {"signed": attribution}, REMOVAL, clip_negative=True)
    assert shifted.taken["signed"] == pytest.approx((1 + 62 / 2) / 64)
    assert clipped.taken["signed"] == pytest.approx(1 / 64)


def test_an_image_with_confidence_zero_has_none_to_lose():
    _, by = scores(subject_of(lambda batch: np.zeros(len(batch))), {"right": at(READ), "wrong": at((1, 6))})
    assert by["average-drop"] == {"right": 0, "wrong": 0}
    assert by["win"] == {"right": 50, "wrong": 50}


def test_an_image_with_negative_confidence_is_left_out_of_the_average_drop():
    _, by = scores(subject_of(lambda batch: read(batch) - 2), {"right": at(READ), "wrong": at((1, 6))})
    assert np.isnan(list(by["average-drop"].values())).all()
    assert by["drop"]["right"] > 0.9
    assert by["win"] == {"right": 100, "wrong": 0}


def test_a_model_whose_confidence_rises_without_the_attribution():
    _, by = scores(
        subject_of(lambda batch: 1 - read(batch)), {"right": at(READ), "wrong": at((1, 6))}, REMOVAL
    )
    assert by["increase"] == {"right": 100, "wrong": 0}
    assert by["average-drop"]["right"] == 0
    assert by["drop"]["right"] < -0.9


def test_the_pixels_of_an_input_are_recovered():
    random = np.random.default_rng(0)
    pixels = random.uniform(0, 255, (SIZE, SIZE, 3))
    for colour in ("rgb", "bgr"):
        spec = InputSpec(size_hw=(SIZE, SIZE), colour=colour, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
        found = pixels_of(shown_as(spec.from_pixels(pixels), spec))
        np.testing.assert_allclose(255 * found, pixels, atol=1e-4)
        np.testing.assert_allclose(spec.from_pixels(255 * found), spec.from_pixels(pixels), atol=1e-6)


def test_a_whole_input_of_fill():
    subject = subject_of(read)
    shown = subject.views[0].shown
    assert (whole_fill("black", shown) == 0).all()
    np.testing.assert_allclose(whole_fill("mean", shown), shown.x.mean(), rtol=1e-5)
    assert whole_fill("blur", shown).std() < shown.x.std() / 2
    np.testing.assert_allclose(whole_fill("#ff0000", shown)[:, 0, 0], [1, 0, 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"total": "most"}, "smallest, median, largest, cms"),
        ({"total": 0.0}, "above 0"),
        ({"total": 1.5}, "up to 1"),
        ({"deletion_fill": "inpaint"}, "not by 'inpaint'"),
        ({"insertion_fill": "black+mean"}, "one fill"),
        ({"deletion_fill": "blakc"}, "did you mean 'black'"),
        ({"steps": 0}, "at least one step"),
        ({"road_shares": (0.0,)}, "between 0 and 1"),
        ({"road_noise": -1.0}, "0 or more"),
    ],
)
def test_invalid_options_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        EvaluationOptions(**options).check()


def test_a_map_of_another_size_is_refused():
    with pytest.raises(OptionError, match=r"8 x 8 pixels; 'bad' gave shape \(4, 4\)"):
        scores(subject_of(read), {"bad": np.zeros((4, 4))})


def test_metrics_by_name():
    assert [metric.name for metric in chosen_metrics(["win", "average-drop"], pairs=False)] == [
        "average-drop",
        "win",
    ]
    assert chosen_metrics(None, pairs=False) == FACES
    assert chosen_metrics(None, pairs=True) == tuple(METRICS.values())
    assert set(PAPER) <= set(METRICS)
    with pytest.raises(OptionError, match="did you mean 'deletion'"):
        chosen_metrics(["deletoin"], pairs=False)
    with pytest.raises(OptionError, match="about decisions on pairs"):
        chosen_metrics(["deletion-accuracy"], pairs=False)
    with pytest.raises(OptionError, match="at least one metric"):
        chosen_metrics([], pairs=False)


def test_controls_do_not_depend_on_the_model():
    x = np.random.default_rng(0).random((3, 20, 30)).astype(np.float32)
    random, centre = RandomAttribution(), CentreAttribution()
    model = load_model(
        lambda batch: np.zeros((len(batch), 1)), spec=InputSpec(size_hw=(20, 30)), outputs="values"
    )
    known = (model, x, BoundConfidence("it", "it", lambda outputs: outputs[:, 0]))
    noise, blob = random.attribute(*known), centre.attribute(*known)
    assert noise.shape == blob.shape == (20, 30)
    np.testing.assert_array_equal(noise, random.attribute(*known))
    assert np.abs(noise - random.attribute(model, x + 1, known[2])).max() > 0.1
    assert np.abs(noise - RandomAttribution(seed=1).attribute(*known)).max() > 0.1
    np.testing.assert_allclose(blob, blob[::-1, ::-1])
    assert blob.max() == blob[9:11, 14:16].max()
