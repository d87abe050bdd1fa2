"""``canonface regions`` as its user meets it."""

import json
import sys

import pytest
from PIL import Image

from canonface.demo import demo_folder

PHOTOS = [str(demo_folder() / "photos" / f"{name}.jpg") for name in ("op_P001_studio", "op_P005_studio")]
MOUTH = """
import numpy as np
from canonface import InputSpec


def lower(batch):
    p = np.clip(batch[:, :, 16:].mean(axis=(1, 2, 3)), 0, 1)
    return np.stack([1 - p, p], axis=1)


lower.spec, lower.labels, lower.outputs = InputSpec(size_hw=(32, 32)), ("dark", "light"), "probabilities"
"""


@pytest.fixture
def canonface(tmp_path, monkeypatch, command_line):
    """Runs ``canonface regions`` beside a module with a model; returns exit code, stdout and stderr."""
    (tmp_path / "lower_model.py").write_text(MOUTH)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return command_line("regions", *arguments, "-m", "lower_model:lower")

    yield run
    sys.modules.pop("lower_model", None)


def test_the_table_lists_regions_by_their_drop(canonface):
    code, out, _ = canonface(*PHOTOS, "-t", "light", "--hide", "mouth,forehead,chin", "--fill", "black")
    assert code == 0
    lines = out.splitlines()
    assert "2 faces: drop in probability of light" in lines[0]
    assert [line.split()[0] for line in lines[2:5]][-1] == "forehead"
    assert "mouth and forehead" in out
    assert "of the face" in lines[1]


def test_json_holds_the_numbers(canonface):
    code, out, _ = canonface(*PHOTOS, "-t", "light", "--hide", "mouth,forehead", "--fill", "black", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["faces"] == 2
    drops = {row["region"]: row["drop"] for row in found["regions"]}
    assert drops["mouth"] > 0.01 > abs(drops["forehead"])
    [pair] = found["interactions"]
    assert pair["interaction"] == pytest.approx(pair["joint_drop"] - sum(drops.values()), abs=1e-9)


def test_alone_asks_no_pairs(canonface):
    _, out, _ = canonface(*PHOTOS[:1], "--hide", "mouth,chin", "--alone", "--json")
    found = json.loads(out)
    assert found["interactions"] == []
    assert found["regions"][0]["standard_error"] is None  # one face has no spread


def test_a_photo_that_fails_is_told_and_is_exit_code_1(canonface, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "nobody.png")
    code, out, err = canonface(str(tmp_path / "nobody.png"), *PHOTOS[:1], "--hide", "mouth")
    assert code == 1
    assert "1 face: drop in" in out
    assert "nobody.png: no-face" in err
    assert canonface(str(tmp_path / "nobody.png"), *PHOTOS[:1], "--hide", "mouth", "--allow-failures")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--hide", "mouht"), "did you mean 'mouth'"),
        (("--fill", "blakc"), "did you mean 'black'"),
        (("-t", "lihgt"), "light"),
    ],
)
def test_what_cannot_be_is_refused_in_words(canonface, arguments, words):
    code, _, err = canonface(*PHOTOS[:1], *arguments)
    assert code == 2
    assert words in err


def test_the_picture_takes_a_title_and_a_resolution(canonface, tmp_path):
    from canonface.plots import regions

    arguments = (*PHOTOS[:1], "-t", "light", "--hide", "mouth", "-o", "found", "--all-faces")
    sizes, titled = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "canonface.plots.regions",
            lambda summary, **look: titled.append(look["title"]) or regions(summary, **look),
        )
        for dpi in (80, 160):
            code, _, err = canonface(*arguments, "--title", "Two words", "--dpi", dpi)
            assert code == 0, err
            with Image.open(tmp_path / "found" / "regions.png") as picture:
                sizes.append(picture.size)
    assert titled == ["Two words"] * 2
    assert sizes[1] == (2 * sizes[0][0], 2 * sizes[0][1])
    code, _, err = canonface(*arguments, "--dpi", "19")
    assert code == 2
    assert "pixels per inch, 20 to 1200" in err
    code, _, err = canonface(*arguments, "--cmap", "viridis")
    assert code == 2
    assert "--cmap" in err, "bars have no colour scale"


def test_a_run_with_json_and_a_picture(canonface, tmp_path):
    arguments = (*PHOTOS, "-t", "light", "--hide", "mouth,forehead", "--fill", "black", "-o", "found")
    code, out, _ = canonface(*arguments)
    assert code == 0
    assert "found/regions.png" in out
    numbers = json.loads((tmp_path / "found" / "regions.json").read_text())
    assert numbers["faces"] == 2
    with Image.open(tmp_path / "found" / "regions.png") as picture:
        assert picture.size[0] > 400
    assert (tmp_path / "found" / "run.json").exists()
    code, again, _ = canonface(*arguments, "--json")
    assert code == 0
    assert json.loads(again)["regions"] == numbers["regions"]
    code, _, err = canonface(*arguments[:-2], "-o", "found", "--dilate", "1")
    assert code == 2
    assert "regions.dilate_cm" in err
