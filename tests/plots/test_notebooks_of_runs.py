"""A run and an evaluation as notebooks show them."""

import numpy as np
import pytest

import canonface
from canonface import InputSpec, load_model
from canonface.demo import demo_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def halves(batch):
        light = batch[:, :, :, :12].mean(axis=(1, 2, 3))
        return np.stack([light, 1 - light], axis=1)

    model = load_model(
        halves,
        name="<b>halves</b>",
        spec=InputSpec((24, 24)),
        outputs="probabilities",
        labels=("on", "off"),
    )
    photos = [demo_folder() / "photos" / f"{name}.jpg" for name in ("op_P001_studio", "op_P005_studio")]
    folder = tmp_path_factory.mktemp("notebook") / "run"
    return canonface.audit(photos, model, folder, target="on", subdivision=0, spacing=2.5), model


def test_a_run_is_a_picture_and_its_numbers(run):
    html = run[0]._repr_html_()
    assert "<b>halves" not in html
    assert "data:image/png;base64," in html
    assert "<script" not in html
    assert len(html) < 200_000
    for words in ("Faces", "probability of on"):
        assert words.lower() in html.lower()


def test_an_evaluation_is_its_numbers(run):
    found = canonface.evaluate(run[0], run[1], ["random", "centre"], metrics=["drop"])
    html = found._repr_html_()
    assert "Evaluation" in html
    assert "<b>halves" not in html
    assert "\n" not in repr(found)
