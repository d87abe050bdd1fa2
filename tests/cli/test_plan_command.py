"""``canonface plan`` as its user meets it: what every layer costs, what is chosen, and why."""

import json
import re
import sys

import pytest

from canonface.demo import demo_folder
from canonface.engine import Plan, native
from canonface.engine import plan as engine_plan
from canonface.engine.incremental.torch_kernels import TorchKernels

PHOTO = str(demo_folder() / "photos" / "op_P001_studio.jpg")
NETWORKS = """
import torch
from random_networks import SqueezeExcite
from small_network import SIDE, SmallNetwork
from torch import nn

from canonface import InputSpec


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.words, self.head = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 48), nn.Linear(16, 4)

    def forward(self, x):
        query, key, value = self.words(self.patches(x).flatten(2).transpose(1, 2)).chunk(3, -1)
        return self.head(torch.softmax(query @ key.transpose(1, 2) / 4, -1) @ value).mean(1)


class Winding(SmallNetwork):
    def forward(self, x):
        return super().forward(x) if x.sum() > -1e9 else x


def shown(network):
    network.spec, network.labels = InputSpec(size_hw=(SIDE, SIDE)), ("a", "b", "c", "d")
    return network.eval()


torch.manual_seed(0)
enlarging = shown(nn.Sequential(
    nn.Conv2d(3, 16, 3, 2, 1), nn.ConvTranspose2d(16, 16, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Linear(16, 4),
))
convolutional, winding, attention = shown(SmallNetwork(4)), shown(Winding(4)), shown(Attention())
squeezing = shown(nn.Sequential(
    nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), SqueezeExcite(16), nn.Conv2d(16, 16, 3, 1, 1), nn.AdaptiveAvgPool2d(1),
    nn.Flatten(), nn.Linear(16, 4),
))


def box(batch):
    return batch.mean(axis=(2, 3))


box.spec, box.outputs = convolutional.spec, "logits"
"""


@pytest.fixture
def plan(tmp_path, monkeypatch, command_line):
    """Runs ``canonface plan`` on a photo beside a module with networks; returns exit code, stdout and stderr."""
    (tmp_path / "some_networks.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)

    def run(model, *arguments):
        return command_line("plan", PHOTO, "-m", model, "--stride", "17", "--device", "cpu", *arguments)

    yield run
    sys.modules.pop("some_networks", None)


@pytest.fixture
def measured(monkeypatch):
    """Windows are three times faster, whatever the clock says."""
    timed = engine_plan._timed
    times = iter([3.0, 0.25] * 9)

    def known(ask):
        return next(times) * 4, timed(ask)[1]

    monkeypatch.setattr(engine_plan, "_timed", known)


def row(out, layer):
    """Columns of a layer in the table."""
    [line] = [line for line in out.splitlines() if line.split("  ")[0] == layer]
    return re.split(r"\s{2,}", line.strip())


def test_every_layer_has_a_row_and_the_choice_its_reason(plan, measured):
    code, out, err = plan("some_networks:convolutional")
    assert code == 0, err
    assert out.splitlines()[0].startswith("Multiply-adds of a forward pass, in millions")
    # 16 filters of 3 x 3 x 3 at 24 x 24 places.
    assert row(out, "stem.0")[:3] == ["stem.0", "convolution 3x3", "16x24x24"]
    assert row(out, "stem.0")[4] == "0.25"
    assert row(out, "depthwise.0")[1] == "depthwise 3x3"
    assert row(out, "head")[1:3] == ["linear by cells", "4"]
    whole, needed = (float(number) for number in row(out, "all")[1:3])
    assert whole == pytest.approx(1.79, abs=0.01)
    assert needed < whole / 10
    assert re.search(
        r"memory: \d+ MiB of weights .*, \d+ MiB per photo, [\d.]+ MiB per forward pass; whole images: ", out
    )
    assert "whole maps from" not in out
    assert re.search(r"would run on the (native|incremental) engine: [\d.]+ times fewer multiply-adds", out)
    assert re.search(r"^dense: [\d.]+ ms per forward pass$", out, re.MULTILINE)


def test_every_exact_engine_that_there_is_is_timed(plan):
    found = json.loads(plan("some_networks:convolutional", "--json")[1])
    there = {"dense", "incremental"} | ({"native"} if native.library() else set())
    assert set(found["seconds"]) == there
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert found["engine"] in there
    assert found["error"] < 1e-4
    assert found["costs"]["layers"][0][0] == "stem.0"
    assert found["dense_from"] == []


def test_a_squeeze_is_named_with_the_reason_for_whole_maps(plan):
    code, out, _ = plan("some_networks:squeezing")
    assert code == 0
    assert "whole maps from 2.mul on: mul combines a map with a value that changes everywhere" in out
    assert row(out, "3")[1] == "dense conv2d"
    assert row(out, "3")[-1] == "100%"
    assert "would run on the dense engine: a patch changes so much that only 1.2 times fewer" in out


def test_attention_is_counted_token_by_token_and_named(plan):
    code, out, _ = plan("some_networks:attention")
    assert code == 0
    assert "whole maps from flatten on: " in out
    # 36 tokens of 16 numbers into 48: whole, for every question.
    assert row(out, "words") == ["words", "dense linear", "48x36x1", "36x1", "0.03", "0.03", "100%"]
    assert "not counted, and computed as a whole: matmul, matmul" in out


def test_what_multiplies_and_is_not_counted_is_named(plan, measured):
    code, out, _ = plan("some_networks:enlarging")
    assert code == 0
    assert "not counted, and computed as a whole: 1 (ConvTranspose2d)" in out
    assert "times fewer multiply-adds of the layers that are counted, " in out
    assert "not counted" not in plan("some_networks:convolutional")[1]


def test_a_faster_engine_than_the_chosen_one_is_named(plan, monkeypatch):
    seconds = {"dense": 0.002, "incremental": 0.001, "native": 0.0015}
    settled = Plan("native", "so it is", seconds=seconds)
    monkeypatch.setattr("canonface.explanation.plan.make_plan", lambda *given: settled)
    assert (
        "incremental was faster just now: --engine incremental uses it"
        in plan("some_networks:convolutional")[1]
    )
    seconds["native"] = 0.00105
    assert "faster just now" not in plan("some_networks:convolutional")[1]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("winding", "torch.fx cannot follow it"),
        ("box", "it has no layers that can be traced: only its outputs are known"),
    ],
)
def test_without_layers_to_count_there_is_a_reason_and_a_time(plan, model, why):
    code, out, _ = plan(f"some_networks:{model}")
    assert code == 0
    assert "Multiply-adds" not in out
    assert re.search(r"^dense: [\d.]+ ms per forward pass$", out, re.MULTILINE)
    assert f"would run on the dense engine: {why}" in out


def test_without_a_compiler_the_table_is_there_without_native(plan, monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    code, out, _ = plan("some_networks:convolutional")
    assert code == 0
    assert "native: " not in out
    assert "incremental: " in out


def test_where_windows_fail_the_plan_is_dense_and_says_why(plan, monkeypatch):
    def broken(self, work):
        raise RuntimeError("the kernel is broken")

    monkeypatch.setattr(native, "library", lambda: None)
    monkeypatch.setattr(TorchKernels, "step", broken)
    code, out, _ = plan("some_networks:convolutional")
    assert code == 0
    assert "would run on the dense engine: the local engine failed: RuntimeError: the kernel is broken" in out
    assert re.search(r"^dense: [\d.]+ ms per forward pass$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("some_networks:convolutionel", (), "convolutionel"),
        ("some_networks:convolutional", ("--patch", "-3"), "-3"),
        ("some_networks:convolutional", ("--occluder", "sqare"), "did you mean 'square' or 'surface'?"),
    ],
)
def test_what_cannot_be_planned_is_one_error(plan, model, arguments, words):
    code, out, err = plan(model, *arguments)
    assert code == 2
    assert out == ""
    assert err.count("error:") == 1
    assert words in err


def test_a_photo_without_a_face_is_one_error(plan, tmp_path, monkeypatch):
    from PIL import Image

    Image.new("RGB", (200, 200), (90, 120, 90)).save(tmp_path / "meadow.png")
    monkeypatch.setattr(f"{__name__}.PHOTO", str(tmp_path / "meadow.png"))
    code, out, err = plan("some_networks:convolutional")
    assert code == 2
    assert out == ""
    assert "error:" in err
