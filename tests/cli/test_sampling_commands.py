"""Fewer questions from the command line: what is said of what was asked."""

import json
import re
import shutil

import pytest

from canonface.cli.main import main
from canonface.cli.pictures import sampling_words
from canonface.demo import demo_folder
from canonface.sampling import band, interim_looks

TOY = """
import numpy as np
from canonface import InputSpec

WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 24, 24)) / 60


def model(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


model.spec = InputSpec(size_hw=(24, 24))
model.labels = ("no", "yes")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "toy_models.py").write_text(TOY)
    (tmp_path / "photos").mkdir()
    for photo in sorted((demo_folder() / "photos").glob("op_P00*_studio.jpg"))[:7]:
        shutil.copy(photo, tmp_path / "photos")
    monkeypatch.setattr(interim_looks, "FIRST_LOOK", 4)
    monkeypatch.setattr(band, "FEW_EFFECTIVE", 1.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def say(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["canonface", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    return end.value.code, printed.out, printed.err


def audit(*more):
    return ["audit", "photos", "-m", "toy_models:model", "-t", "yes", "--stride", "10", "-o", "run", *more]


def test_an_audit_with_a_design_says_what_was_asked(place, monkeypatch, capsys):
    code, out, _ = say(monkeypatch, capsys, *audit("--design", "stratified", "--share", "0.2"))
    assert code == 0
    assert "stratified design: 2" in out
    assert "drops measured, the map inferred from them" in out
    assert "95% band of the map: ±" in out
    assert (place / "run" / "pictures" / "cms.png").exists()


def test_an_audit_that_stops_says_what_it_reached(place, monkeypatch, capsys):
    words = audit("--share", "0.2", "--precision", "1000")
    code, out, _ = say(monkeypatch, capsys, *words, "--json")
    assert code == 0
    sampling = json.loads(out)["sampling"]
    assert sampling["stopped"] == "precision"
    assert sampling["faces"] == 4
    assert 0 < sampling["half_width"] <= 1000
    assert sampling_words(sampling)[-1].startswith("stopped: precise to ±1000.0 (map), after ")
    words = audit("--share", "0.2", "--precision", "0.000001", "--precision-of", "regions")
    code, out, _ = say(monkeypatch, capsys, *words)
    assert re.search(
        r"every photo was taken, after [\d,]+ forward passes; the precision of ±1e-06 was not reached", out
    )
    assert "unfinished" not in out


def test_a_precision_that_few_faces_carry_is_not_reached_and_the_words_say_why(place, monkeypatch, capsys):
    monkeypatch.setattr(band, "FEW_EFFECTIVE", 100.0)
    _, out, _ = say(monkeypatch, capsys, *audit("--share", "0.2", "--precision", "1000"))
    assert "±1000.0 was not reached: a band that rests on few faces does not count" in out


def test_a_budget(place, monkeypatch, capsys):
    code, out, _ = say(monkeypatch, capsys, *audit("--max-forward-passes", "300"))
    assert code == 0
    assert "stopped: the budget of forward passes is spent, after " in out
    assert "design" not in out


def test_a_full_audit_says_nothing_of_it(place, monkeypatch, capsys):
    _, out, _ = say(monkeypatch, capsys, *audit("--json"))
    assert "sampling" not in json.loads(out)


def test_one_photo_coarse_to_fine(place, monkeypatch, capsys):
    photo = "photos/op_P001_studio.jpg"
    words = ["explain", photo, "-m", "toy_models:model", "-t", "yes", "--stride", "8", "-o", "one"]
    code, out, _ = say(monkeypatch, capsys, *words, "--design", "adaptive")
    assert code == 0
    assert "probes were interpolated, not evaluated: typical error 0.0" in out
    assert "too few to trust" not in out
    _, out, _ = say(monkeypatch, capsys, *words, "--design", "adaptive", "--share", "0.2")
    assert re.search(r"typical error [\d.e-]+; only (1\d|2[0-4])% were evaluated: too few to trust", out)
    _, out, _ = say(monkeypatch, capsys, *words, "--design", "adaptive", "--json")
    found = json.loads(out)["faces"][0]
    assert found["inferred"] > 50
    assert found["inferred_error"] > 0
    _, out, _ = say(monkeypatch, capsys, *words)
    assert "interpolated" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (audit("--design", "adaptive"), "use it with explain"),
        (audit("--precision", "0"), "half-width above 0"),
        (["explain", "photos", "-m", "gender", "--design", "random"], "A single face is sampled by"),
        (["explain", "photos", "-m", "gender", "--design", "adaptive", "--share", "2"], "four of ten"),
        (["explain", "photos", "-m", "gender", "--precision", "0.1"], "go with design='adaptive'"),
        (audit("--share", "2"), "above 0 and at most 1; got 2.0"),
        (audit("--precision-of", "regions"), "give both, or neither"),
    ],
)
def test_what_does_not_fit_is_refused(place, monkeypatch, capsys, words, message):
    code, _, err = say(monkeypatch, capsys, *words)
    assert code == 2
    assert message in " ".join(err.split())
