"""Methods of others on the command line."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from canonface.cli.loading import method_options, options_by_method
from canonface.cli.main import main
from canonface.demo import demo_folder
from canonface.errors import OptionError
from canonface.run import Run

TOY = """
import numpy as np
import torch
from canonface import InputSpec


class Net(torch.nn.Module):
    spec = InputSpec(size_hw=(24, 24))
    labels = ("no", "yes")

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv, self.act, self.head = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Linear(4, 2)
        with torch.no_grad():
            for weights in self.parameters():
                weights.copy_(torch.randn(weights.shape, generator=generator) / 3)

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean(dim=(2, 3)))


def net():
    return Net()


WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 24, 24)) / 60


def box(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


box.spec = InputSpec(size_hw=(24, 24))
box.labels = ("no", "yes")


def edges(model, x, question):
    return np.abs(np.diff(x.mean(axis=0), axis=0, prepend=0))


def moody(model, x, question):
    raise RuntimeError("no map today")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "toy_nets.py").write_text(TOY)
    (tmp_path / "photos").mkdir()
    for name in ("op_P001_studio", "op_P005_studio"):
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def say(monkeypatch, capsys):
    def said(*words):
        monkeypatch.setattr("sys.argv", ["canonface", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, " ".join(printed.err.split())

    return said


def test_an_audit_by_a_method_says_heat_and_not_drop(place, say):
    words = (
        "audit",
        "photos",
        "-m",
        "toy_nets:net",
        "-t",
        "yes",
        "--stride",
        "10",
        "-o",
        "run",
        "--method",
        "gradcam++",
    )
    code, out, _ = say(*words, "--layer", "conv")
    assert code == 0
    assert "GradCAM++ attribution for yes" in out
    assert "drop" not in out
    assert "hiding" not in out
    assert Run.open("run").settings["method"]["layer"] == "conv"
    code, out, _ = say("draw", "run", "--json")
    found = json.loads(out)
    assert (found["method"], found["unit"]) == ("gradcam++", "GradCAM++ attribution for yes")
    code, _, err = say(*words, "--layer", "act")
    assert code == 2
    assert 'settings.method.layer: "conv" then, "act" now' in err


def test_an_explanation_by_a_method(place, say):
    words = (
        "explain",
        "photos/op_P001_studio.jpg",
        "-m",
        "toy_nets:net",
        "--stride",
        "10",
        "-o",
        "one",
        "--json",
    )
    code, out, _ = say(
        *words, "--method", "rise", "--method-option", "masks=50", "--method-option", "cells=4"
    )
    assert code == 0
    [face] = json.loads(out)["faces"]
    assert face["method"] == "rise"
    assert face["unit"].startswith("RISE attribution for ")
    assert face["model_calls"] == 51
    code, out, _ = say(*words, "--method", "toy_nets:edges")
    assert json.loads(out)["faces"][0]["unit"].startswith("edges attribution for ")


def test_what_does_not_fit_is_said_before_any_photo(place, say):
    words = ("audit", "photos", "-m", "toy_nets:box", "--stride", "10", "-o", "run")
    code, _, err = say(*words, "--method", "gradcam")
    assert code == 2
    assert "GradCAM needs the gradients of a PyTorch module" in err
    code, _, err = say(*words, "--method", "rise", "--fill", "black")
    assert code == 2
    assert "fill is an option of occlusion" in err
    code, _, err = say(*words, "--layer", "conv")
    assert code == 2
    assert "and no method" in err
    assert not (place / "run").exists()


def test_maps_from_a_folder_make_an_audit(place, say):
    (place / "maps").mkdir()
    np.save(place / "maps" / "op_P001_studio.npy", np.random.default_rng(0).normal(size=(24, 24, 3)))
    words = (
        "audit",
        "photos",
        "-m",
        "toy_nets:box",
        "-t",
        "yes",
        "--stride",
        "10",
        "-o",
        "run",
        "--method",
        "files:maps",
    )
    code, out, err = say(*words, "--method-option", "over=input")
    assert code == 1
    assert "1 x no-heat" in out
    assert "there is no op_P005_studio.npy" in err
    assert Run.open("run").faces.num_rows == 1


def test_methods_are_compared_and_their_numbers_written(place, say):
    words = ("compare-methods", "photos", "-m", "toy_nets:net", "-t", "yes", "--stride", "10", "-o", "out")
    options = ("--method-option", "rise.masks=40", "--layer", "conv")
    code, out, _ = say(*words, "--methods", "gradcam,rise", *options)
    assert code == 0
    assert "rank r: Spearman's correlation" in out
    assert (place / "out" / "methods.png").stat().st_size > 10_000
    with (place / "out" / "methods.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["canonical", "gradcam", "rise"] * 2
    assert rows[2]["model_calls"] == "40"
    with np.load(place / "out" / "methods.npz") as file:
        assert file["methods"].tolist() == ["canonical", "gradcam", "rise"]
        assert file["values"].shape == (2, 3, len(file["vertices"]))
        assert file["heat_gradcam"].shape == (2, 24, 24)
        assert np.isfinite(file["values"]).any(axis=2).all()


def test_a_class_that_is_not_there_is_said_once(place, say):
    code, _, err = say(
        "compare-methods", "photos", "-m", "toy_nets:net", "-t", "maybe", "--methods", "gradcam"
    )
    assert code == 2
    assert err.count("no class 'maybe'") == 1
    assert "op_P0" not in err


def test_an_interrupted_comparison_does_not_promise_to_go_on(place, say, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("canonface.explanation.comparison.explain_face", interrupted)
    code, _, err = say("compare-methods", "photos", "-m", "toy_nets:net", "--methods", "gradcam", "-o", "out")
    assert code == 130
    assert "interrupted. Nothing is kept." in err
    assert not (place / "out").exists()


def test_a_black_box_is_compared_by_what_works_and_the_rest_is_explained(place, say):
    words = (
        "compare-methods",
        "photos/op_P001_studio.jpg",
        "-m",
        "toy_nets:box",
        "--stride",
        "10",
        "-o",
        "out",
    )
    code, out, err = say(*words, "--methods", "gradcam,occlusion", "--json", "--format", "svg")
    assert code == 0
    found = json.loads(out)
    assert [line["method"] for line in found["maps"]] == ["canonical", "occlusion"]
    assert "gives outputs only" in found["left_out"]["gradcam"]
    assert "left out: GradCAM: needs the gradients" in err
    drawn = " ".join((place / "out" / "methods.svg").read_text().split())
    assert "Not shown: GradCAM: needs the gradients" in drawn


def test_methods_of_which_none_works_are_no_comparison(place, say):
    code, _, err = say("compare-methods", "photos", "-m", "toy_nets:box", "--methods", "gradcam", "-o", "out")
    assert code == 2
    assert "none of the methods named works for 'toy_nets:box'" in err
    assert not (place / "out").exists()


def test_many_methods_of_a_single_photo_are_set_in_lines(place, say):
    methods = "gradient,smoothgrad,gradcam,gradcam++,scorecam,occlusion,integrated-gradients"
    words = ("-m", "toy_nets:net", "--stride", "10", "--methods", methods)
    say("compare-methods", "photos/op_P001_studio.jpg", *words, "-o", "one")
    say("compare-methods", "photos", *words, "-o", "two")
    sizes = []
    for name in ("one", "two"):
        with Image.open(place / name / "methods.png") as picture:
            sizes.append(picture.size)
    (one_width, one_height), (two_width, two_height) = sizes
    assert one_width < 0.6 * two_width
    assert one_height > 0.9 * two_height


def test_a_finished_run_shows_no_bar_that_never_moves(place, say):
    words = ("audit", "photos", "-m", "toy_nets:net", "-t", "yes", "--stride", "10", "-o", "run")
    say(*words)
    code, _, err = say(*words)
    assert code == 0
    assert "?" not in err


def test_a_method_without_a_map_of_a_photo_is_an_error_and_not_a_gap(place, say):
    words = (
        "compare-methods",
        "photos/op_P001_studio.jpg",
        "-m",
        "toy_nets:net",
        "--stride",
        "10",
        "-o",
        "out",
    )
    code, out, err = say(*words, "--methods", "gradient,toy_nets:moody", "--json")
    assert code == 1
    [missing] = json.loads(out)["no_map"]
    assert missing["method"] == "toy_nets:moody"
    assert "no map today" in missing["reason"]
    assert "op_P001_studio.jpg: no map by toy_nets:moody: " in err


def test_an_evaluation_of_a_run_by_a_method_says_whose_maps_and_what_is_measured(place, say):
    words = ("-m", "toy_nets:net", "-t", "yes", "--stride", "10", "-o", "run", "--method", "gradcam++")
    say("audit", "photos", *words)
    files = ("--latex", "t.tex", "--figure", "bars.svg")
    code, out, _ = say("evaluate", "run", "--against", "random", "--metrics", "drop", *files)
    assert code == 0
    assert "toy_nets:net, probability of yes" in out
    assert "CMS and CIS are canonical maps by GradCAM++" in " ".join(out.split())
    assert "CMS and CIS are canonical maps by GradCAM++" in (place / "t.tex").read_text()
    drawn = " ".join(re.findall(r"<text[^>]*>(.*?)</text>", (place / "bars.svg").read_text(), re.DOTALL))
    assert "Red: canonical maps by GradCAM++." in " ".join(drawn.split())
    code, out, _ = say("evaluate", "run", "--against", "random", "--metrics", "drop", "--json")
    found = json.loads(out)
    assert {row["unit"] for row in found["results"]} == {"probability of yes"}
    assert found["choices"]["maps"] == "gradcam++"


def test_options_of_methods_are_read_from_texts():
    assert method_options(None, None) is None
    given = ["masks=100", "noise=0.2", "centred=no", "centred-too=False", "fill=#010203"]
    assert method_options("conv", given) == {
        "layer": "conv",
        "masks": 100,
        "noise": 0.2,
        "centred": "no",
        "centred_too": False,
        "fill": "#010203",
    }
    found = options_by_method("conv", ["rise.masks=7", "gradcam++.score=logit"], ["rise", "gradcam++"])
    assert found == {"gradcam++": {"layer": "conv", "score": "logit"}, "rise": {"masks": 7}}
    for texts in (["masks"], ["=3"], ["a=1", "a=2"]):
        with pytest.raises(OptionError, match="method"):
            method_options(None, texts)
    for texts in (["masks=7"], ["rise=7"], ["rise.a=1", "rise.a=2"]):
        with pytest.raises(OptionError, match="method"):
            options_by_method(None, texts, None)
