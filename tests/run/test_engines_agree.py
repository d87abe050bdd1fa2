"""Whatever is asked about whatever is hidden: every exact engine draws the map of the dense one."""

import shutil

import numpy as np
import pytest
from gate import GATE
from small_network import SIDE, SmallNetwork

from canonface.confidence import CONFIDENCES, RecognitionConfidence
from canonface.demo import demo_folder
from canonface.engine import native
from canonface.explanation import explain, explain_pair, explain_regions, make_gallery
from canonface.models import TorchModel, load_model
from canonface.occluders import FILLS, OCCLUDERS
from canonface.pipeline import audit
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(SIDE, SIDE))
AGES, POSE = ("1", "9", "35", "70"), ("yaw", "pitch", "roll")
MODELS = {
    "probability": ("logits", AGES),
    "logit": ("logits", AGES),
    "log-odds": ("logits", AGES),
    "expected-value": ("logits", ("1", "2", "3", "4")),
    "expected-distance": ("logits", ("1", "2", "3", "4")),
    "age-bin": ("logits", AGES),
    "value": ("values", POSE),
    "value-distance": ("values", POSE),
    "pose-bin": ("values", POSE),
}
"""What is asked of which model; a confidence that is added to the registry has to be added here."""
TARGETS = {"value": "yaw", "value-distance": "yaw"}
PEOPLE = {"op_P001_studio.jpg": "one", "op_P001_view_profile_a.jpg": "one", "op_P005_studio.jpg": "five"}


@pytest.fixture(autouse=True, params=["incremental", "native"])
def engine(request):
    if request.param == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    return request.param


@pytest.fixture(autouse=True)
def followed(monkeypatch, engine):
    """A question that another engine answers in the place of the one that is asked for is a failure."""
    from canonface.engine import runner

    settle = runner.ModelRunner._settle

    def settled(self, plan, unexpected=False):
        assert plan.engine == self.engine, plan.why
        return settle(self, plan, unexpected)

    monkeypatch.setattr(runner.ModelRunner, "_settle", settled)


@pytest.fixture(scope="module")
def face(demo_faces):
    return next(face for face in demo_faces if face.path.endswith("op_P001_studio.jpg"))


@pytest.fixture(scope="module")
def other(demo_faces):
    return next(face for face in demo_faces if face.path.endswith("op_P005_studio.jpg"))


def model_of(kind, labels, width=None, spread=2.0):
    return load_model(
        SmallNetwork(width or len(labels), spread), spec=SPEC, labels=labels, outputs=kind, device="cpu"
    )


def assert_alike(ask, engine):
    """The drops by an engine and by the dense one; some of them far above the gate."""
    found, dense = ask(engine), ask("dense")
    assert (np.isnan(found) == np.isnan(dense)).all()
    asked = ~np.isnan(dense)
    assert np.abs(dense[asked]).max() > 20 * GATE, "what is hidden matters"
    np.testing.assert_allclose(found[asked], dense[asked], rtol=0, atol=GATE)


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_every_confidence(face, engine, confidence):
    # A pose is degrees, of which five are the softness of a bin's edge.
    model = model_of(*MODELS[confidence], spread=20.0 if confidence == "pose-bin" else 2.0)
    options = {"confidence": confidence, "target": TARGETS.get(confidence), "stride": 13}
    assert_alike(lambda by: explain(face, model, engine=by, **options).drops, engine)


@pytest.mark.parametrize("fill", [*FILLS, "#b06a30", "mean+black+noise"])
@pytest.mark.parametrize("occluder", OCCLUDERS)
def test_every_occluder_with_every_fill(face, engine, occluder, fill):
    model = model_of("logits", AGES)
    options = {"occluder": occluder, "fill": fill, "stride": 29, "target": 0, "patch": 13}
    assert_alike(lambda by: explain(face, model, engine=by, **options).drops, engine)


@pytest.mark.parametrize("target", range(4))
def test_every_target(face, engine, target):
    model = model_of("logits", AGES)
    assert_alike(lambda by: explain(face, model, target, engine=by, stride=17).drops, engine)


@pytest.mark.parametrize("options", [{"preset": "paper", "stride": 11}, {"patch": "40%"}, {"patch": "2cm"}])
def test_every_size_and_preset(face, engine, options):
    model = model_of("logits", AGES)
    options = {"stride": 17} | options
    assert_alike(lambda by: explain(face, model, 0, engine=by, **options).drops, engine)


@pytest.mark.parametrize("form", ["closest", "margin"])
def test_recognition_against_a_gallery(face, engine, form, tmp_path):
    for name in PEOPLE:
        shutil.copy(demo_folder() / "photos" / name, tmp_path)
    lines = ["path,identity", *(f"{name},{who}" for name, who in PEOPLE.items())]
    (tmp_path / "gallery.csv").write_text("\n".join(lines) + "\n")
    model = model_of("embedding", (), width=12)
    gallery = make_gallery(tmp_path / "gallery.csv", model)
    confidence_fn = RecognitionConfidence(gallery, "one", form)
    assert_alike(
        lambda by: explain(face, model, confidence=confidence_fn, engine=by, stride=13).drops, engine
    )


@pytest.mark.parametrize("hide", ["both", "first", "second"])
@pytest.mark.parametrize("same", [True, False])
def test_verification_with_the_place_hidden_in_both_photos_or_in_one(face, other, engine, hide, same):
    model = model_of("embedding", (), width=12)
    options = {"same": same, "hide": hide, "stride": 17}
    assert_alike(lambda by: explain_pair(face, other, model, engine=by, **options)[0].drops, engine)


@pytest.mark.parametrize("fill", ["mean", "blur", "inpaint"])
def test_regions_one_and_two_at_a_time(face, engine, fill):
    model = model_of("logits", AGES)
    options = {"regions": ["mouth", "eyes", "nose", "left_cheek"], "fill": fill}
    assert_alike(lambda by: explain_regions(face, model, 0, engine=by, **options).joint, engine)


def test_a_run_over_photos(engine, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in PEOPLE:
        shutil.copy(demo_folder() / "photos" / name, folder)
    model = model_of("logits", AGES)

    def ask(by):
        return audit(folder, model, tmp_path / by, target=0, stride=17, engine=by).drops()

    assert_alike(ask, engine)


def test_a_model_of_several_answers_is_read_at_the_right_one(face, engine):
    class Two(SmallNetwork):
        def forward(self, x):
            prediction = super().forward(x)
            return {"first": prediction.flip(1), "second": prediction}

    models = [
        TorchModel(Two(4), "two", SPEC, AGES, "logits", output=output) for output in ("first", "second")
    ]
    first, second = (explain(face, model, 0, engine=engine, stride=29).drops for model in models)
    assert np.nanmax(np.abs(first - second)) > 100 * GATE
    assert_alike(lambda by: explain(face, models[1], 0, engine=by, stride=29).drops, engine)
