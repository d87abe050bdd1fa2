"""Studies of models, tasks and alignments."""

import numpy as np
import pytest

from canonface import studies
from canonface.errors import OptionError
from canonface.models import load_model
from canonface.studies import ModelTask
from canonface.studies.models import SAME_SIZE
from canonface.types import InputSpec
from conftest import toy_model


def other_model(size=24, outputs="logits", labels=("no", "yes")):
    weights = np.random.default_rng(8).normal(size=(2, 3, size, size)) / 40
    return load_model(
        lambda batch: np.einsum("nchw,kchw->nk", batch, weights),
        spec=InputSpec(size_hw=(size, size)), labels=labels, outputs=outputs, name=f"other-{size}-{outputs}",
    )  # fmt: skip


@pytest.fixture
def photos(people_folder):
    return sorted(people_folder.glob("*studio.jpg"))[:4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gender", ("gender", None, None)),
        ("gender=female", ("gender", "female", None)),
        ("gender=female/log-odds", ("gender", "female", "log-odds")),
        ("age/expected-value", ("age", None, "expected-value")),
        ("models/net.onnx=label:gender", ("models/net.onnx", "label:gender", None)),
        ("models/net.onnx", ("models/net.onnx", None, None)),
    ],
)
def test_a_task_in_words(text, expected):
    task = ModelTask.parse(text)
    assert (task.model, task.target, task.confidence) == expected


def test_a_task_without_a_model_is_refused():
    with pytest.raises(OptionError, match="names a model"):
        ModelTask.parse("=female")


def test_models_share_the_target_and_each_has_a_map(photos, tmp_path):
    found = studies.models(photos, [toy_model(), other_model()], tmp_path, target="yes", stride=30)
    assert found.names == ("toy", "other-24-logits")
    assert found.study == "models"
    assert [column.run.settings["confidence"]["target"] for column in found.columns] == ["yes", "yes"]
    assert np.isfinite(found.correlations).all()
    assert found.notes == ()
    with pytest.raises(OptionError, match="at least two; got 1"):
        studies.models(photos, [toy_model()], tmp_path)


def test_patches_of_different_width_are_pointed_out(photos, tmp_path):
    models = [toy_model(), other_model(96)]
    found = studies.models(photos[:2], models, tmp_path / "own", target="yes", stride=60)
    widths = [float(np.mean(column.run.canonical_patches)) for column in found.columns]
    assert max(widths) > SAME_SIZE * min(widths)
    assert "cm wide on the canonical face" in found.notes[0]
    found = studies.models(photos[:2], models, tmp_path / "one", target="yes", stride=60, patch="3cm")
    assert found.notes == ()


def test_each_task_has_its_own_target_and_confidence(photos, tmp_path):
    embedding = other_model(outputs="embedding", labels=())
    tasks = [
        ModelTask(toy_model(), "no", "log-odds"),
        ModelTask(toy_model(), name="predicted"),
        ModelTask(embedding),
    ]
    found = studies.tasks(photos, tasks, tmp_path, stride=60)
    assert found.names == ("toy, no", "predicted", "other-24-embedding")
    assert found.columns[0].map.unit == "log-odds of no"
    assert found.columns[2].map.unit == "likeness to the whole face (cosine)"
    assert "similarity of the occluded face to the whole face" in found.notes[-1]


@pytest.fixture(scope="module")
def alignments(people_folder, tmp_path_factory):
    photos = sorted(people_folder.glob("*studio.jpg"))[:4]
    out = tmp_path_factory.mktemp("studies") / "alignment"
    return studies.alignment(photos, toy_model(), out, target="yes", stride=25, scored=3)


def test_alignments_lie_on_their_own_meshes(alignments):
    assert alignments.names == ("none", "five-point", "landmarker")
    assert [column.map.mesh.name for column in alignments.columns] == [
        "pixels/33", "five-point/33", "landmarker-468/1"
    ]  # fmt: skip
    assert np.isnan(alignments.correlations).all()
    assert alignments.faces == 4
    assert "none are correlated" in alignments.notes[0]
    assert "its input differs too" in alignments.notes[1]
    assert alignments.columns[0].peak_words == "(no named regions)"


def test_alignments_are_scored_by_the_three_metrics(alignments):
    assert {scores.photos for scores in alignments.scores.values()} == {3}
    assert sum(scores.win for scores in alignments.scores.values()) == pytest.approx(100)
    for row in alignments.table():
        assert 0 <= row["average_drop"] <= 100
        assert 0 <= row["increase"] <= 100
    assert alignments.words()[-1].startswith("Average Drop, Increase, Win in percent, 3 photos: none ")


def test_an_unknown_alignment_is_refused(photos, tmp_path):
    with pytest.raises(OptionError, match="'six-point'"):
        studies.alignment(photos, toy_model(), tmp_path, alignments=["six-point"])


def test_their_figure_says_what_differs(alignments):
    from canonface import plots

    column = alignments.columns[1]
    grey = np.full((*column.map.canvas.size_hw, 3), 128, dtype=np.uint8)
    figure = plots.comparison_figure(alignments, {column.name: grey}, title="By alignment")
    said = " ".join(text.get_text() for text in figure.texts)
    assert "By alignment" in said
    assert "1  none" in said
    assert "its input differs too" in said
    assert "Average Drop, Increase, Win in percent, 3 photos: none " in said
