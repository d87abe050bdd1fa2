"""The zoo's networks answer as the originals do. They are skipped where no weights can be had."""

from pathlib import Path

import numpy as np
import pytest
import torch

from canonface.errors import AssetError
from canonface.models import checked_outputs, load_model, prepare
from canonface.models.assets import fetch
from canonface.models.zoo import ZOO

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def weights():
    """Paths of the weights."""
    try:
        return {name: fetch(entry.asset) for name, entry in ZOO.items()}
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def inputs(spec, demo_faces, n_noise=8):
    """Noise and real faces."""
    noise = (
        np.random.default_rng(3).normal(0, 0.3, (n_noise, spec.channels, *spec.size_hw)).astype(np.float32)
    )
    return np.concatenate([noise, [prepare(face, spec).x for face in demo_faces[:12]]])


@pytest.mark.parametrize("name", ["gender", "age"])
def test_dlib_networks_equal_onnxruntime(weights, demo_faces, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = load_model(name, device="cpu")
    x = inputs(model.spec, demo_faces)
    theirs = onnxruntime.InferenceSession(str(weights[name])).run(["probabilities"], {"images": x})[0]
    np.testing.assert_allclose(softmax(checked_outputs(model, model.to_device(x))), theirs, atol=1e-5)


def test_mini_xception_equals_keras(weights):
    # The inputs are made by the very script that asked Keras; it imports Keras, which the tests do without.
    source = (HERE / "data" / "make_reference.py").read_text().replace("import keras\n", "")
    scope = {"__name__": "reference"}
    exec(compile(source, "make_reference.py", "exec"), scope)
    x = scope["inputs"]().transpose(0, 3, 1, 2)
    reference = np.load(HERE / "data" / "keras_reference.npz")["probabilities"]
    model = load_model("expression", device="cpu")
    np.testing.assert_allclose(softmax(checked_outputs(model, model.to_device(x))), reference, atol=1e-5)
    assert reference.argmax(axis=1).std() > 0, "the inputs reach several classes"


def test_the_labels_stand_in_the_right_order(weights, aligner):
    """Bundled photos of known people and expressions."""
    from canonface.demo import demo_folder

    rows = [line.split(",") for line in (demo_folder() / "labels.csv").read_text().splitlines()]
    head, rows = rows[0], rows[1:]
    gender, expression = load_model("gender", device="cpu"), load_model("expression", device="cpu")
    hits = {"female": [], "male": [], "happy": []}
    for row in rows:
        label = dict(zip(head, row, strict=False))
        faces = aligner(demo_folder() / label["path"])
        chosen = {}
        for model in (gender, expression):
            answer = checked_outputs(model, model.to_device(prepare(faces[0], model.spec).x[None]))
            chosen[model.name] = model.labels[int(answer.argmax())]
        if label["gender"] in hits:
            hits[label["gender"]].append(chosen["gender"] == label["gender"])
        if label["expression"] == "happy":
            hits["happy"].append(chosen["expression"] == "happy")
    assert {name: len(found) for name, found in hits.items()}["happy"] >= 3
    for name, found in hits.items():
        assert np.mean(found) > 0.5, f"{name}: {np.mean(found):.2f} of {len(found)}"


@pytest.mark.parametrize("name", list(ZOO))
def test_a_zoo_model_is_ready_to_be_asked(weights, name):
    model = load_model(name, device="cpu")
    assert (
        len(model.labels)
        == checked_outputs(model, torch.zeros(1, model.spec.channels, *model.spec.size_hw)).shape[1]
    )
    assert not model.module.training
    assert model.fingerprint() == load_model(name, device="cpu").fingerprint()


@pytest.mark.parametrize(("name", "other"), [("gender", "age"), ("age", "gender"), ("expression", "gender")])
def test_other_weights_do_not_fit(weights, name, other, monkeypatch):
    wrong = weights[other] if name != "expression" else weights["expression"]
    if name == "expression":
        monkeypatch.setattr("canonface.models.zoo.mini_xception.Block", _narrow_block())
    with pytest.raises(AssetError, match="do not fit"):
        ZOO[name].build(wrong)


def _narrow_block():
    from canonface.models.zoo import mini_xception

    class Narrow(mini_xception.Block):
        def __init__(self, channels_in, channels_out):
            super().__init__(channels_in, channels_out)
            self.shortcut = torch.nn.Conv2d(channels_in, channels_out + 1, 1, bias=False)

    return Narrow
