"""The command line as its user meets it: output, exit codes, refusals."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from canonface.demo import demo_folder
from canonface.models import available_models

TOY = """
import numpy as np
from canonface import InputSpec

WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 24, 24)) / 60


def model(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


model.spec = InputSpec(size_hw=(24, 24))
model.labels = ("no", "yes")


def sure(batch):
    return np.tile([0.9, 0.1], (len(batch), 1))


sure.spec, sure.labels, sure.outputs = model.spec, model.labels, "probabilities"


def broken(batch):
    raise RuntimeError("no licence")


broken.spec = model.spec
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with photos, labels and a module that holds models."""
    (tmp_path / "toy_models.py").write_text(TOY)
    folder = tmp_path / "my photos"
    folder.mkdir()
    for name in ("op_P001_studio", "op_P005_studio", "op_P007_emo_happy"):
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", folder)
    rows = [
        "path,gender",
        "op_P001_studio.jpg,female",
        "op_P005_studio.jpg,male",
        "op_P007_emo_happy.jpg,male",
    ]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("toy_models", None)


@pytest.fixture
def canonface(command_line):
    """Runs a command line; returns exit code, stdout and stderr."""
    return command_line


AUDIT = ("audit", "my photos", "-m", "toy_models:model", "-t", "yes", "--stride", "20", "-o", "out")


def test_audit_ends_with_pictures_and_the_places_relied_on(place, canonface):
    code, out, err = canonface(*AUDIT, "--labels", "my photos/labels.csv", "--by", "gender")
    assert code == 0, err
    assert "3 faces explained, 0 failed" in out
    assert "drop in probability of yes" in out
    pictures = {path.name for path in (place / "out" / "pictures").iterdir()}
    assert pictures == {"cms.png", "cms.npy", "cms.glb", "cms-by-gender.png", "examples.png"}
    assert np.load(place / "out" / "pictures" / "cms.npy").shape == (512, 512)
    assert "photos/s" in err or "3/3" in err, "progress goes to stderr"


def test_json_goes_to_stdout_alone(place, canonface):
    code, out, _ = canonface(*AUDIT, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["faces"] == 3
    assert found["failed"] == {}
    assert len(found["regions"]) >= 25
    assert set(found["peak"]) == {"value", "regions", "vertex"}


def test_a_second_start_continues_and_another_configuration_is_refused(place, canonface):
    assert canonface(*AUDIT)[0] == 0
    assert canonface(*AUDIT)[0] == 0
    code, out, err = canonface(*AUDIT, "--patch", "5")
    assert code == 2
    assert "settings.occluder.patch: null then, 5.0 now" in err
    assert out == ""


def test_failed_photos_mean_exit_code_1_unless_they_are_allowed(place, canonface):
    (place / "my photos" / "empty.png").write_bytes(b"")
    code, out, err = canonface(*AUDIT)
    assert code == 1
    assert "3 faces explained, 1 failed" in out
    assert "photo-unreadable" in out
    assert "empty.png:" in err
    assert canonface(*AUDIT, "--allow-failures")[0] == 0


def test_a_model_that_always_fails(place, canonface):
    code, out, err = canonface("audit", "my photos", "-m", "toy_models:broken", "-o", "out")
    assert code == 1
    assert "3 x model-failed" in out
    assert "no licence" in err


def test_every_face_of_a_photo_on_request(place, canonface):
    from PIL import Image

    pair = Image.new("RGB", (820, 420), "grey")
    for x, name in ((0, "op_P001_studio"), (420, "op_P005_studio")):
        pair.paste(Image.open(place / "my photos" / f"{name}.jpg").resize((400, 400)), (x, 10))
    pair.save(place / "pair.png")
    arguments = ("pair.png", "-m", "toy_models:model", "-t", "yes", "--stride", "50")
    found = json.loads(canonface("audit", *arguments, "-o", "all", "--all-faces", "--json")[1])
    assert found["faces"] == 2
    code, out, _ = canonface("explain", *arguments, "--all-faces", "--json")
    assert code == 0
    assert len({face["pictures"][0] for face in json.loads(out)["faces"]}) == 2


def test_failed_photos_are_asked_again_on_request(place, canonface):
    photo = place / "my photos" / "op_P005_studio.jpg"
    content = photo.read_bytes()
    photo.write_bytes(b"")
    assert canonface(*AUDIT)[0] == 1
    photo.write_bytes(content)
    assert canonface(*AUDIT)[0] == 1
    assert canonface(*AUDIT, "--retry-failed")[0] == 0


def test_the_papers_choices_reach_the_map(place, canonface):
    from canonface.run import Run

    assert canonface(*AUDIT[:-1], "omit", "--no-normalise")[0] == 0
    assert canonface(*AUDIT[:-1], "zero", "--unseen", "zero")[0] == 0
    assert Run.open("omit").cms().normalise is False
    assert Run.open("zero").cms().unseen == "zero"


def test_maps_are_drawn_on_the_face_that_was_asked_for(place, canonface):
    canonface(*AUDIT)
    photo = "my photos/op_P001_studio.jpg"
    pictures = []
    for number, draw_on in enumerate(("shaded", "average", photo)):
        assert canonface("draw", "out", "-o", f"new{number}", "--draw-on", draw_on)[0] == 0
        pictures.append((place / f"new{number}" / "cms.png").read_bytes())
    assert len(set(pictures)) == 3


def test_photos_of_one_name_keep_their_own_pictures(place, canonface):
    for folder in ("a", "b"):
        (place / folder).mkdir()
        shutil.copy(place / "my photos" / "op_P001_studio.jpg", place / folder / "x.jpg")
    shutil.copy(place / "a" / "x.jpg", place / "a-x.jpg")
    code, out, _ = canonface(
        "explain", "a/x.jpg", "b/x.jpg", "a-x.jpg", "-m", "toy_models:model", "--stride", "50", "--json"
    )
    pictures = [path for face in json.loads(out)["faces"] for path in face["pictures"]]
    assert code == 0
    assert len(set(pictures)) == 9


def test_a_csv_of_photos_is_its_own_labels(place, canonface):
    arguments = ("-m", "toy_models:model", "--stride", "50", "--by", "gender", "-o", "out")
    code, _, err = canonface("audit", "my photos/labels.csv", *arguments)
    assert code == 0, err
    assert (place / "out" / "pictures" / "cms-by-gender.png").exists()
    assert "24 x 24 rgb, values 0 to 1; its outputs are read as logits of classes no, yes" in err


def test_a_model_that_nothing_moves_is_said_to_be_still(place, canonface):
    code, out, _ = canonface("audit", "my photos", "-m", "toy_models:sure", "--stride", "50", "-o", "out")
    assert code == 0
    assert "no occlusion changed the prediction" in out
    assert "relied on most" not in out


def test_a_file_gets_a_line_of_progress_now_and_then(place, canonface, monkeypatch):
    monkeypatch.setattr("canonface.cli.console.LINE_EVERY_SECONDS", 0.0)
    err = canonface(*AUDIT)[2]
    assert "toy_models:model: 2 of 3, " in err


def test_sigterm_is_an_interruption(place, canonface, monkeypatch):
    import os
    import signal

    def ended(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("canonface.pipeline.photos.explain_face", ended)
    before = signal.getsignal(signal.SIGTERM)
    code, _, err = canonface(*AUDIT)
    assert code == 130
    assert "start the same command again" in err
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_run_inside_the_folder_of_its_photos_can_be_continued(place, canonface):
    arguments = ("audit", "my photos", "-m", "toy_models:model", "--stride", "50", "-o", "my photos/run")
    assert canonface(*arguments)[0] == 0
    assert canonface(*arguments)[0] == 0


def test_draw_makes_the_pictures_again(place, canonface):
    canonface(*AUDIT)
    code, out, _ = canonface("draw", "out", "--format", "svg", "-o", "new")
    assert code == 0
    assert (place / "new" / "cms.svg").read_text().startswith("<?xml")
    assert "new/cms.svg" in out


def test_explain_single_photos(place, canonface):
    code, out, err = canonface(
        "explain", "my photos/op_P001_studio.jpg", "missing.jpg", "-m", "toy_models:model", "--stride", "20"
    )
    assert code == 1
    assert "relied on most" in out
    assert "missing.jpg" in err
    names = {path.name for path in (place / "explained").iterdir()}
    assert len(names) == 3
    assert any(name.endswith("-photo.png") for name in names)


def test_explain_as_json(place, canonface):
    code, out, _ = canonface(
        "explain", "my photos/op_P001_studio.jpg", "-m", "toy_models:model", "--stride", "20", "--json"
    )
    [face] = json.loads(out)["faces"]
    assert code == 0
    assert face["photo"] == "op_P001_studio.jpg"
    assert face["target"] in ("yes", "no")
    assert set(face["pose_deg"]) == {"yaw", "pitch", "roll"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("audit", "my photos", "-m", "expresion", "-o", "out"), "did you mean 'expression'"),
        (("audit", "my photos", "-m", "toy_models:modl", "-o", "out"), "did you mean 'model'"),
        ((*AUDIT[:4], "-t", "maybe", "-o", "out"), "no class 'maybe'"),
        ((*AUDIT, "--fill", "gray"), "A fill is one of"),
        ((*AUDIT, "--confidence", "softmax"), "A confidence has a known name"),
        ((*AUDIT, "--preset", "papers"), "did you mean 'paper'"),
        ((*AUDIT, "--by", "gender"), "needs a labels file"),
        ((*AUDIT, "--labels", "none.csv"), "cannot be read"),
        ((*AUDIT, "--format", "gif"), "png, svg or pdf"),
        ((*AUDIT, "--draw-on", "avarage"), "'shaded', 'average' or the photo"),
        ((*AUDIT, "--confidence", "logit", "-m", "toy_models:sure"), "use 'log-odds' or 'probability'"),
        ((*AUDIT, "--stride", "99999"), "stride"),
        (("audit", "nowhere/*.jpg", "-m", "toy_models:model", "-o", "out"), "at least one photo"),
        ((*AUDIT[:-1], "toy_models.py/out"), "a folder that can be written to"),
        (("draw", "my photos"), "a folder with a run.json"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_exit_code_2(place, canonface, arguments, words):
    code, out, err = canonface(*arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert out == ""


def test_an_interruption_says_how_to_go_on(place, canonface, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("canonface.pipeline.photos.explain_face", interrupted)
    code, _, err = canonface(*AUDIT)
    assert code == 130
    assert "start the same command again" in err


def test_models_lists_the_zoo(canonface):
    code, out, _ = canonface("models")
    assert code == 0
    for word in ("gender", "age", "expression", "licence weights", "MIT"):
        assert word in out
    listed = json.loads(canonface("models", "--json")[1])["models"]
    assert [card["name"] for card in listed] == [card.name for card in available_models()]
    assert {"gender", "age", "expression", "facenet", "dlib-face", "head-pose"} <= {c["name"] for c in listed}


@pytest.mark.parametrize("command", [[], ["audit"], ["explain"], ["draw"], ["models"], ["demo"]])
def test_help_has_an_example(canonface, command):
    code, out, _ = canonface(*command, "--help")
    assert code == 0
    assert "Example: canonface" in out or not command
    assert "Exit codes" in out or command


def test_the_installed_command_and_the_module_are_the_same():
    by_module = subprocess.run(
        [sys.executable, "-m", "canonface", "--version"], capture_output=True, text=True, check=True
    )
    assert by_module.stdout.startswith("canonface 0.")


EMBEDDING = """

def features(batch):
    return np.einsum("nchw,kchw->nk", batch, np.random.default_rng(2).normal(size=(6, 3, 24, 24)))


features.spec, features.outputs = model.spec, "embedding"
"""


@pytest.fixture
def people(place):
    """Pairs and names of the photos, and a model of feature vectors."""
    (place / "toy_models.py").write_text(TOY + EMBEDDING)
    shutil.copy(demo_folder() / "photos" / "op_P001_view_profile_a.jpg", place / "my photos")
    lines = ["path_a,path_b,same", "op_P001_studio.jpg,op_P001_view_profile_a.jpg,1"]
    lines += ["op_P001_studio.jpg,op_P005_studio.jpg,0"]
    (place / "my photos" / "pairs.csv").write_text("\n".join(lines) + "\n")
    names = [
        "path,identity",
        "op_P001_studio.jpg,ada",
        "op_P001_view_profile_a.jpg,ada",
        "op_P005_studio.jpg,ben",
    ]
    (place / "my photos" / "people.csv").write_text("\n".join(names) + "\n")
    return place


VERIFY = ("verify", "my photos/pairs.csv", "-m", "toy_models:features", "--stride", "60", "-o", "pairs")


def test_verify_draws_genuine_and_impostor_pairs_apart(people, canonface):
    code, out, err = canonface(*VERIFY, "--threshold", "0.3")
    assert code == 0, err
    assert "2 pairs explained, 0 failed" in out
    assert "a feature vector" in err
    pictures = {path.name for path in (people / "pairs" / "pictures").iterdir()}
    assert pictures == {"cms.png", "cms.npy", "cms.glb", "cms-by-target.png", "examples.png"}


def test_a_gallery_makes_a_recognition_run(people, canonface):
    arguments = (
        "audit",
        "my photos/people.csv",
        "-m",
        "toy_models:features",
        "--gallery",
        "my photos/people.csv",
    )
    code, out, err = canonface(*arguments, "--stride", "60", "-o", "known", "--json", "--allow-failures")
    found = json.loads(out)
    assert code == 0, err
    assert (found["faces"], found["failed"]) == (2, {"bad-target": 1}), "ben has one photo only"
    assert found["unit"] == "drop in cosine to the closest photo of ada"


def test_other_ways_to_place_a_face(place, canonface):
    for options, size in (
        (("--halo",), 551),
        (("--aligner", "five-point"), 500),
        (("--aligner", "none"), 500),
    ):
        code, out, err = canonface(
            *AUDIT[:-1], f"out{size}{options[-1]}", *options, "--json", "--stride", "40"
        )
        assert code == 0, err
        found = json.loads(out)
        assert found["faces"] == 3
        assert ("off_face" in found) == ("--halo" in options)


def test_vertices_from_files(place, canonface):
    from canonface import align
    from canonface.mesh import load_mesh, make_mesh, save_mesh

    kept = np.arange(0, 1833, 9)
    save_mesh(make_mesh("mine/1", load_mesh(1).vertices[kept]), place / "mine.npz")
    (place / "vertices").mkdir()
    for path in sorted((place / "my photos").glob("*.jpg")):
        np.savez(place / "vertices" / f"{path.stem}.npz", vertices=align(path)[0].vertices_xy[kept])
    arguments = (*AUDIT, "--vertices", "vertices")
    code, _, err = canonface(*arguments)
    assert code == 2
    assert "--mesh FILE.npz" in err
    code, out, err = canonface(*arguments, "--mesh", "mine.npz", "--json")
    assert code == 0, err
    assert json.loads(out)["faces"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--aligner", "landmarks"), "did you mean 'landmarker'"),
        (("--aligner", "none", "--halo"), "--halo belongs to the landmarker's mesh"),
        (("--mesh", "mine.npz"), "give both, or neither"),
        (("--spacing", "1"), "by stride or by spacing"),
        (("--gallery", "my photos", "--confidence", "logit"), "A gallery is for"),
        (("--confidence", "recognition"), "give gallery="),
        (("--output", "left"), "output picks one of several"),
    ],
)
def test_options_that_do_not_fit_one_another(place, canonface, options, words):
    code, out, err = canonface(*AUDIT, *options)
    assert code == 2
    assert words in " ".join(err.split())
    assert out == ""


def test_no_command_takes_more_than_twenty_parameters():
    import inspect

    from canonface.cli.main import app
    from canonface.cli.study import study

    for command in [*app.registered_commands, *study.registered_commands]:
        function = inspect.unwrap(command.callback)
        assert (
            len(
                function.__code__.co_varnames[
                    : function.__code__.co_argcount + function.__code__.co_kwonlyargcount
                ]
            )
            <= 20
        )


def test_options_of_0_1_0_are_understood_and_the_new_name_is_told(canonface):
    code, _, err = canonface(
        "audit", "photos", "-m", "no-such-model", "-o", "run", "--level=0", "--max-questions", "5"
    )
    assert code == 2
    assert "--level is now --subdivision" in err
    assert "--max-questions is now --max-forward-passes" in err
    assert "no-such-model" in err
