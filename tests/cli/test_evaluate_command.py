"""``canonface evaluate`` as its user meets it."""

import csv
import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from canonface.demo import demo_folder
from canonface.models import load_model
from canonface.pipeline import audit

PHOTOS = [str(demo_folder() / "photos" / f"op_P00{i}_studio.jpg") for i in (1, 4, 5)]
LOWER = """
import numpy as np
from canonface import InputSpec


def lower(batch):
    p = np.clip(batch[:, :, 16:].mean(axis=(1, 2, 3)), 0, 1)
    return np.stack([1 - p, p], axis=1)


def upper(batch):
    return lower(batch[:, :, ::-1])


for made in (lower, upper):
    made.spec, made.labels, made.outputs = InputSpec(size_hw=(32, 32)), ("dark", "light"), "probabilities"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a module that holds two models, and a run about the first."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "lower_model.py").write_text(LOWER)
    before = Path.cwd()
    os.chdir(folder)
    try:
        audit(PHOTOS, load_model("lower_model:lower"), "run", target="light", stride=10)
    finally:
        os.chdir(before)
        sys.modules.pop("lower_model", None)
    return folder


@pytest.fixture
def canonface(place, tmp_path, monkeypatch, command_line):
    """Runs ``canonface`` there; returns exit code, stdout and stderr."""
    monkeypatch.chdir(place)

    def run(*arguments, width=100):
        return command_line(*arguments, width=width)

    yield run
    sys.modules.pop("lower_model", None)


def test_tables_files_and_figure(canonface, tmp_path):
    names = {"--csv": "t.csv", "--scores": "s.csv", "--latex": "t.tex", "--figure": "bars.png"}
    files = [text for option, name in names.items() for text in (option, str(tmp_path / name))]
    code, out, err = canonface("evaluate", "run", "--against", "random, centre", *files)
    assert code == 0, err
    assert "3 photos; 95% confidence intervals (Student's t over so few photos)" in out
    for words in (
        "Average Drop % ↑",
        "Increase % ↓",
        "Win % ↑",
        "Deletion ↓",
        "ROAD ↑",
        "CMS",
        "CIS",
        "centre",
    ):
        assert words in out
    assert "wins shared between methods: 0.0% of the images" in out
    assert "--held-out" in out
    assert max(map(len, out.splitlines())) <= 110
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert {row["method"] for row in rows} == {"cms", "cis", "random", "centre"}
    assert len(list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))) == 3 * 4 * 7
    assert (tmp_path / "t.tex").read_text().count(r"\\") == 5
    with Image.open(tmp_path / "bars.png") as picture:
        assert min(picture.size) > 400


def test_json_holds_the_numbers(canonface):
    code, out, _ = canonface(
        "evaluate", "run", "--against", "random", "--metrics", "average-drop,win", "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert {row["metric"] for row in found["results"]} == {"average-drop", "win"}
    assert sum(row["value"] for row in found["results"] if row["metric"] == "win") == pytest.approx(100)
    assert found["images"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--against", "gradcamm"], "did you mean 'gradcam"),
        (["--figure", "bars.jpg"], ".png or .svg or .pdf; got 'bars.jpg'"),
        (["--csv", "nowhere/t.csv"], "a folder that exists"),
        (["--total", "all"], "smallest, median, largest, cms"),
        (["--total", "7"], "up to 1"),
        (["-m", "lower_model:upper"], "differs from that of run"),
    ],
)
def test_what_cannot_be_evaluated_is_one_message(canonface, arguments, words):
    code, out, err = canonface("evaluate", "run", *arguments)
    assert code == 2
    assert words in " ".join(err.split())
    assert out == ""


def test_a_model_that_its_name_does_not_find(canonface, tmp_path):
    from canonface.imports import import_attribute

    made = load_model(import_attribute("lower_model:lower"), name="mine")
    audit(PHOTOS[:1], made, tmp_path / "run", target="light", stride=10)
    code, _, err = canonface("evaluate", str(tmp_path / "run"))
    assert code == 2
    assert "Give the model with --model, as it was given to the audit" in " ".join(err.split())


def test_a_folder_that_is_no_run(canonface):
    code, _, err = canonface("evaluate", "elsewhere")
    assert code == 2
    assert "has none" in err
