"""Randomised weights: layers, maps, verdicts, and a model that stays unchanged."""

import csv

import numpy as np
import pytest
import torch
from torch import nn

from canonface import studies
from canonface.errors import OptionError
from canonface.models import load_model
from canonface.run import Run
from canonface.studies.aligners import NoisyCopies
from canonface.studies.layers import grouped, layers_of, randomised, require_torch
from canonface.studies.randomization import Likeness, cascade, verdict_of
from canonface.studies.targets import SelfSimilarity, likeness, with_confidence
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(24, 24))


class Named(nn.Module):
    """Layers registered in another order than they compute in, a raw parameter, and one that shares its weights."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)
        self.second = nn.Conv2d(4, 8, 3)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(3, 4, 3)
        self.scale = Scale()

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        return self.head(self.scale(torch.relu(self.second(x)).mean(dim=(2, 3))))


class Scale(nn.Module):
    """A layer without an initialisation of its own."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.arange(1.0, 9.0))

    def forward(self, x):
        return x * self.factor


def network(seed=0):
    torch.manual_seed(seed)
    return Named()


def bright_mouth():
    """Return a network whose confidence rises with the brightness of a frontal crop's mouth."""
    layer = nn.Linear(3 * 24 * 24, 2)
    weight = torch.zeros(2, 3, 24, 24)
    weight[1, :, 15:18, 9:15] = 0.1
    with torch.no_grad():
        layer.weight.copy_(weight.reshape(2, -1))
        layer.bias.zero_()
    return nn.Sequential(nn.Flatten(), layer)


def model_of(module, name="net", **options):
    options = {"labels": ("no", "yes"), "outputs": "logits"} | options
    return load_model(module, spec=SPEC, name=name, **options)


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_layers_stand_in_the_order_in_which_they_compute():
    layers = layers_of(model_of(network()))
    assert [layer.name for layer in layers] == ["first", "second", "scale", "head"]
    assert layers[0].modules == ("first", "norm"), "a norm belongs to the layer before it"
    assert [layer.parameters for layer in layers] == [4 * 27 + 4 + 8, 8 * 36 + 8, 8, 18]
    assert [layer.shuffled for layer in layers] == [(), (), ("scale",), ()]


def test_a_module_that_is_not_called_leaves_the_order_of_registration():
    class ByHand(Named):
        def forward(self, x):
            return torch.nn.functional.linear(x.mean(dim=(2, 3)), self.head.weight[:, :3])

    layers = layers_of(model_of(ByHand()))
    assert [layer.name for layer in layers] == ["head", "second", "first", "scale"]


def test_randomised_layers_use_their_own_initialisation_and_the_rest_stays():
    module = network()
    model = model_of(module)
    layers = layers_of(model)
    with torch.no_grad():
        module.norm.running_var.fill_(9.0)
    before, random = state(module), torch.get_rng_state()
    drawn = randomised(model, layers[:1], seed=4)
    after = state(drawn.module)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"first.weight", "first.bias", "norm.running_var"}
    assert after["norm.running_var"].tolist() == [1.0] * 4
    bound = 1 / np.sqrt(27)
    assert after["first.weight"].abs().max() <= bound
    assert after["first.weight"].std() == pytest.approx(bound / np.sqrt(3), rel=0.25)
    for name, tensor in state(module).items():
        assert torch.equal(tensor, before[name]), "the model itself is left as it was"
    assert torch.equal(torch.get_rng_state(), random), "and so are PyTorch's random numbers"


def test_a_layer_without_initialisation_is_shuffled():
    model = model_of(network())
    [scale] = [layer for layer in layers_of(model) if layer.name == "scale"]
    factor = randomised(model, [scale], seed=1).module.scale.factor
    assert factor.tolist() != list(range(1, 9))
    assert sorted(factor.tolist()) == list(range(1, 9))


def test_draws_depend_on_seed_and_name_alone():
    model = model_of(network())
    layers = layers_of(model)
    both = state(randomised(model, layers, seed=3).module)
    again = state(randomised(model, layers[::-1], seed=3).module)
    alone = state(randomised(model, layers[1:2], seed=3).module)
    other = state(randomised(model, layers, seed=5).module)
    for name, tensor in both.items():
        assert torch.equal(tensor, again[name])
    assert torch.equal(alone["second.weight"], both["second.weight"])
    assert not torch.equal(other["second.weight"], both["second.weight"])


def test_the_cascades_end_in_the_same_networks():
    layers = layers_of(model_of(network()))
    networks = cascade(layers, 3, 2)
    assert [(one.direction, [layer.name for layer in one.layers]) for one in networks] == [
        ("output", ["head"]),
        ("output", ["scale", "head"]),
        ("input", ["first", "second"]),
        ("input", ["first", "second", "scale"]),
        ("all", ["first", "second", "scale", "head"]),
        ("all", ["first", "second", "scale", "head"]),
    ]
    assert [one.draw for one in networks] == [0, 0, 0, 0, 0, 1]
    assert networks[0].name == "output 1, from head on"
    assert len(grouped(layers, 99)) == 4
    with pytest.raises(OptionError, match="at least one step"):
        grouped(layers, 0)


def test_a_model_without_layers_is_refused():
    with pytest.raises(OptionError, match="only the outputs are known"):
        require_torch(load_model(lambda x: x.mean(axis=(2, 3)), spec=SPEC, name="box"))
    with pytest.raises(OptionError, match="holds none"):
        layers_of(model_of(nn.Sequential(nn.AvgPool2d(24), nn.Flatten())))


@pytest.fixture(scope="module")
def sanity(people_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "sanity"
    module = bright_mouth()
    before = state(module)
    found = studies.randomize(
        sorted(people_folder.glob("*studio.jpg"))[:3], model_of(module), out, target="yes", spacing=1.2, smooth=2,
        seed=1,
    )  # fmt: skip
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    return found, out


def test_the_map_of_a_randomised_model_differs(sanity):
    found, out = sanity
    plain, smooth = found.verdicts
    assert plain.passed
    assert plain.spearman < 0.5
    assert "passed; with every layer randomised |rank correlation| is 0." in plain.words
    assert smooth.smooth
    assert smooth.passed
    first = found.likenesses[0]
    assert (first.network, first.spearman, first.share) == ("trained", 1.0, 0.0)
    assert first.ssim == pytest.approx(1)
    assert {like.network for like in found.likenesses} == {
        "trained", "all layers", "all layers, draw 2", "all layers, draw 3"
    }  # fmt: skip
    assert found.faces == 3
    assert "A map passes if the mean |rank correlation|" in found.words()[0]
    assert (out / "canonical-trained" / "run.json").exists()
    assert (out / "canonical-smooth-all-layers" / "run.json").exists()


def test_complexity_rises_as_the_efficient_test_expects(sanity):
    """The trained map has one sharp place, the random maps have values everywhere."""
    plain = sanity[0].verdicts[0]
    ends = [like.entropy for like in sanity[0].likenesses if like.direction == "all" and not like.smooth][1:]
    trained = sanity[0].likenesses[0].entropy
    assert plain.rise == pytest.approx(np.mean(ends) / trained - 1)
    assert plain.rise > 0.2


def test_each_face_is_explained_for_the_class_of_the_trained_model(people_folder, tmp_path):
    """The targets are frozen, since random networks would predict other classes."""
    module = bright_mouth()
    with torch.no_grad():
        module[1].bias[1] = -2.5
    photos = sorted(people_folder.glob("*studio.jpg"))[:3]
    found = studies.randomize(photos, model_of(module), tmp_path, spacing=2.5, draws=2)
    with (tmp_path / "targets.csv").open() as file:
        chosen = [row["explained"] for row in csv.DictReader(file)]
    assert set(chosen) <= {"no", "yes"}
    for name in ("canonical-trained", "canonical-all-layers", "canonical-all-layers-draw-2"):
        from canonface.run import Run

        assert Run.open(tmp_path / name).faces.column("target").to_pylist() == chosen
    assert found.verdicts[0].draws == 2


def test_methods_whose_names_differ_by_signs_alone_have_runs_of_their_own(people_folder, tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    photos = sorted(people_folder.glob("*studio.jpg"))[:2]
    options = {"target": "yes", "spacing": 2.5, "draws": 1, "steps": 1}
    found = studies.randomize(photos, model_of(module), tmp_path, methods=["gradcam", "gradcam++"], **options)
    assert len(found.verdicts) == 2
    assert {"gradcam-trained", "gradcam++-trained"} < {path.name for path in tmp_path.iterdir()}


def test_an_embedding_is_explained_by_self_similarity(people_folder, tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 8))
    photos = sorted(people_folder.glob("*studio.jpg"))[:2]
    model = model_of(module, outputs="embedding", labels=())
    found = studies.randomize(photos, model, tmp_path, spacing=2.5, draws=1, steps=1)
    assert next(iter(found.maps.values())).unit == "likeness to the whole face (cosine)"
    assert likeness(np.array([[3.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])) == pytest.approx(
        [1, 0.5**0.5]
    )


def test_self_similarity_is_described_as_in_0_1_0():
    """Runs of 0.1.0 can be continued: the description is that of the function under its old name."""
    model = model_of(nn.Flatten(), outputs="embedding", labels=())
    assert isinstance(with_confidence(model, {"target": "yes"})["confidence"], SelfSimilarity)
    assert with_confidence(model, {"gallery": "people"}) == {"gallery": "people"}
    assert SelfSimilarity().describe() == {
        "name": "function",
        "function": "canonface.studies.fixing:likeness",
        "fingerprint": "ebc426065d2c5d625e1c60013fbf1210472c2590b7568a46d0ac81a4426be8fd",
        "unit": "likeness to the whole face (cosine)",
        "target": "the same face",
    }


def like(network, spearman, draw=0, entropy=2.0):
    direction = "all"
    return Likeness("m", False, network, direction, 3, 1.0, draw, spearman, 0.1, 0.5, entropy)


def test_verdicts_by_hand():
    trained = like("trained", 1.0, entropy=1.6)
    stays = verdict_of([trained, like("all layers", 0.98), like("all layers, draw 2", -0.96, 1)])
    assert stays.passed is False
    assert stays.spearman == pytest.approx(0.97), "a map turned into its negative has not forgotten"
    assert "FAILED; with every layer randomised |rank correlation| is 0.97, not below 0.5" in stays.words
    assert stays.rise == pytest.approx(0.25)
    half = verdict_of([trained, like("all layers", 0.3), like("all layers, draw 2", np.nan, 1)])
    assert half.passed
    assert "1 of 2 maps flat" in half.words
    gone = verdict_of([trained, like("all layers", np.nan)])
    assert gone.passed
    assert "the map is flat" in gone.words
    nothing = verdict_of([like("trained", np.nan), like("all layers", np.nan)])
    assert nothing.passed is None
    assert "cannot be judged" in nothing.words


def test_noisy_copies_are_seen_in_the_models_input(aligner, people_folder):
    from canonface.models import prepare

    photo = next(iter(sorted(people_folder.glob("*studio.jpg"))))
    copies = NoisyCopies(aligner, SPEC, copies=3, noise=0.1, seed=2)
    first, again = copies(photo), copies(photo)
    assert [face.index for face in first] == [0, 1, 2]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].image, first[1].image)
    clean = aligner(photo)[0]
    shown = prepare(clean, SPEC).x
    noise = np.stack([prepare(face, SPEC).x - shown for face in first])
    spread = 0.1 * np.ptp(clean.image) / 255
    assert noise.std() == pytest.approx(spread, rel=0.5), "enlarged, so that shrinking the photo leaves it"
    assert copies.describe()["copies"] == 3
    with pytest.raises(OptionError, match="at least one"):
        NoisyCopies(aligner, SPEC, copies=0)


def test_the_command_prints_the_verdict_and_draws_figure_8(people_folder, tmp_path, monkeypatch, capsys):
    from canonface.cli.main import main

    (tmp_path / "toy_torch_models.py").write_text(
        "import torch\nfrom torch import nn\nfrom canonface import InputSpec\n"
        "torch.manual_seed(2)\n"
        "model = nn.Sequential(nn.Conv2d(3, 4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, 2))\n"
        "model.spec, model.labels = InputSpec(size_hw=(24, 24)), ('no', 'yes')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    photos = people_folder / "op_P001_studio.jpg"
    words = ["study", "randomize", photos, "-m", "toy_torch_models:model", "--spacing", "2.5", "-o", "out"]
    words += ["--draws", "1", "--steps", "2"]
    monkeypatch.setattr("sys.argv", ["canonface", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    with (tmp_path / "out" / "randomize.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == [
        "trained", "output 1, from 3 on", "input 1, up to 0", "all layers"
    ]  # fmt: skip
    passed = abs(float(rows[-1]["spearman"])) < 0.5
    assert (end.value.code or 0) == (0 if passed else 1), said.err
    assert f"canonical: {'passed' if passed else 'FAILED'};" in said.out
    assert (tmp_path / "out" / "randomize.png").stat().st_size > 20_000


def edges(model, x, confidence_fn):
    """Return the difference of each pixel to its right neighbour: a map of the photo, independent of the model."""
    grey = x.mean(axis=0).astype(np.float64)
    return np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))


def weights_of(model, x, confidence_fn):
    """Return the class weights of each pixel: a map of the model, independent of the photo."""
    weight = model.module[1].weight.detach().numpy()
    return (weight[1] - weight[0]).reshape(3, 24, 24).sum(axis=0).astype(np.float64)


def test_a_map_that_ignores_the_model_fails(people_folder, tmp_path):
    photos = sorted(people_folder.glob("*studio.jpg"))[:2]
    found = studies.randomize(
        photos, model_of(bright_mouth()), tmp_path, methods=["canonical", edges, weights_of], target="yes",
        spacing=1.2, draws=2, share=0.9, fill="black",
    )  # fmt: skip
    hidden, read = (Run.open(tmp_path / f"{name}-trained") for name in ("canonical", "edges"))
    assert hidden.settings["occluder"]["fill"] == "black"
    assert hidden.manifest.configuration["design"]["share"] == 0.9
    assert not read.manifest.configuration.get("design"), "other methods have no design"
    verdicts = {verdict.method: verdict for verdict in found.verdicts}
    assert list(verdicts) == ["canonical", "edges", "weights_of"]
    assert verdicts["canonical"].passed
    assert verdicts["weights_of"].passed
    assert verdicts["edges"].passed is False
    assert verdicts["edges"].spearman == pytest.approx(1)
    assert verdicts["edges"].ssim == pytest.approx(1)
    assert verdicts["edges"].rise == pytest.approx(0)
    assert any(line.startswith("edges: FAILED; with every layer randomised") for line in found.words())
