"""``canonface finetune`` as its user meets it."""

import json
import sys

import pytest

from canonface.demo import demo_folder

BACKBONE = """
import torch
from canonface import InputSpec


class Quarters(torch.nn.Module):
    spec = InputSpec(size_hw=(32, 32))
    outputs = "embedding"

    def forward(self, x):
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
"""


@pytest.fixture
def canonface(tmp_path, monkeypatch, command_line):
    """Runs ``canonface`` beside a module with a backbone; returns exit code, stdout and stderr."""
    (tmp_path / "my_quarters.py").write_text(BACKBONE)
    rows = (demo_folder() / "labels.csv").read_text().splitlines()
    lines = [rows[0], *(f"{demo_folder()}/{line}" for line in rows[1:])]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)

    yield command_line
    sys.modules.pop("my_quarters", None)


FIT = ["finetune", "labels.csv", "--backbone", "my_quarters:Quarters", "--folds", "3", "--device", "cpu"]


def test_a_head_is_fitted_told_and_used(canonface, tmp_path):
    code, out, err = canonface(*FIT, "--task", "gender", "--by", "pose", "-o", "mine")
    assert code == 0, err
    assert "a linear head on my_quarters:Quarters" in out.splitlines()[0]
    assert {"class female", "class male"} <= {" ".join(line.split()[:2]) for line in out.splitlines()}
    assert "pose front" in out
    assert "always predicting" in out
    assert "photos" in err, "the bar is on stderr"
    assert "--model mine" in err
    assert "Command:" in (tmp_path / "mine" / "card.md").read_text()
    photo = str(demo_folder() / "photos" / "op_P001_studio.jpg")
    code, _, err = canonface("explain", photo, "-m", "mine", "--stride", "60", "-o", "map.png")
    assert code == 2
    assert "--trust" in err
    code, _, err = canonface("explain", photo, "-m", "mine", "--trust", "--stride", "60", "-o", "map.png")
    assert code == 0, err


def test_a_head_that_stopped_at_once_is_said_to_know_little(canonface, tmp_path):
    told = "the first pass was the best"
    code, _, err = canonface(*FIT, "--task", "gender", "--rate", "1e-30", "-o", "still")
    assert code == 0, err
    assert json.loads((tmp_path / "still" / "model.json").read_text())["card"]["best_epoch"] == 1
    assert told in err
    _, _, err = canonface(*FIT, "--task", "gender", "--epochs", "1", "-o", "short")
    assert told not in err, "one pass was asked for"


def test_an_interrupted_fit_says_what_is_kept(canonface, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("canonface.finetuning.finetune", interrupted)
    code, _, err = canonface(*FIT, "--task", "gender", "-o", "mine")
    assert code == 130
    assert "interrupted. Nothing is kept." in err
    code, _, err = canonface(*FIT, "--task", "gender", "-o", "mine", "--cache", "features")
    assert "start the same command again" in err


def test_json_holds_the_card(canonface):
    code, out, _ = canonface(*FIT, "--task", "gender", "-o", "mine", "--seed", "3", "--json")
    assert code == 0
    card = json.loads(out)
    assert card["settings"]["seed"] == 3
    assert card["scores"]["accuracy"]["photos"] == card["photos"] <= 40


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--task", "hats"], "column 'hats'"),
        (["--task", "gender", "--identity", "who"], "no column 'who'"),
        (["--task", "gender", "--classes", "male"], "at least two classes"),
        (["--task", "gender", "--without", "fc"], "there is no 'fc'"),
    ],
)
def test_what_cannot_be_is_exit_code_2(canonface, more, words):
    code, out, err = canonface(*FIT, *more, "-o", "mine")
    assert (code, out) == (2, "")
    assert words in " ".join(err.split())
