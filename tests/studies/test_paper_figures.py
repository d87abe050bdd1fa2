"""The paper's figures: data sets as they are distributed, command lines, and missing data."""

import csv

import pytest

from canonface.cli import reproduce as command
from canonface.cli.main import main
from canonface.demo import demo_folder
from canonface.errors import LabelsError, OptionError, PhotoError
from canonface.studies.figures import FIGURES, FigureRequest, figure_of, write_list
from canonface.studies.photo_sets import PhotoSet, open_photo_set

ZOO = ("gender", "gender-wrn", "age", "expression", "facenet", "facenet-gender")


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no photo is read here")
    return path


@pytest.fixture
def celeba(tmp_path):
    """CelebA as it is distributed: five photos, two of them in the test partition's list."""
    root = tmp_path / "CelebA"
    for number in range(1, 6):
        touch(root / "img_align_celeba" / f"00000{number}.jpg")
    (root / "list_attr_celeba.txt").write_text(
        "5\nEyeglasses Male Smiling\n"
        + "".join(f"00000{n}.jpg  -1 {1 if n % 2 else -1:2d} {1 if n > 3 else -1:2d}\n" for n in range(1, 6))
    )
    (root / "identity_CelebA.txt").write_text("".join(f"00000{n}.jpg {n // 2}\n" for n in range(1, 6)))
    (root / "list_eval_partition.txt").write_text(
        "".join(f"00000{n}.jpg {2 if n > 2 else 0}\n" for n in range(1, 6))
    )
    return root


@pytest.fixture
def lfw(tmp_path):
    root = tmp_path / "lfw"
    for name, count in (("Ann_A", 3), ("Bob_B", 2), ("Cid_C", 1)):
        for number in range(1, count + 1):
            touch(root / name / f"{name}_{number:04}.jpg")
    return root


def test_celeba_is_recognised_with_its_test_partition(celeba):
    found = open_photo_set(celeba)
    assert found.kind == "CelebA"
    assert [row["path"][-10:] for row in found.rows] == ["000003.jpg", "000004.jpg", "000005.jpg"]
    assert [row["identity"] for row in found.rows] == ["1", "2", "2"]
    assert [row["gender"] for row in found.rows] == ["male", "female", "male"]
    assert [row["smiling"] for row in found.rows] == ["no", "yes", "yes"]
    assert found.missing == ()
    assert found.people(2) == ("2",)


def test_celeba_as_other_copies_hold_it(celeba):
    (celeba / "list_attr_celeba.txt").unlink()
    (celeba / "list_attr_celeba.csv").write_text("image_id,Male,Smiling\n000003.jpg,-1,1\n")
    (celeba / "list_eval_partition.txt").write_text("000003.jpg 0\n")
    with pytest.raises(LabelsError, match="none of the photos"):
        open_photo_set(celeba)
    (celeba / "list_eval_partition.txt").unlink()
    (celeba / "identity_CelebA.txt").unlink()
    found = open_photo_set(celeba)
    assert len(found.rows) == 5
    assert found.rows[2]["gender"] == "female"
    assert [line.partition(":")[0] for line in found.missing] == [
        "identity_CelebA.txt", "list_eval_partition.txt"
    ]  # fmt: skip
    (celeba / "list_attr_celeba.csv").write_text("image_id,Young\n000003.jpg,-1\n")
    with pytest.raises(LabelsError, match="Male among them"):
        open_photo_set(celeba)


def test_lfw_is_recognised_with_its_pairs(lfw):
    found = open_photo_set(lfw.parent)
    assert found.kind == "LFW"
    assert found.people() == ("Ann_A", "Bob_B", "Cid_C")
    assert found.pairs == ()
    assert any(line.startswith("pairs.txt: ") for line in found.missing)
    (lfw / "pairs.txt").write_text("1\t2\nAnn_A\t1\t3\nAnn_A\t2\tBob_B\t1\nAnn_A\t1\t9\n")
    found = open_photo_set(lfw)
    ends = [(pair["path_a"][-14:], pair["path_b"][-14:], pair["same"]) for pair in found.pairs]
    assert ends == [
        ("Ann_A_0001.jpg", "Ann_A_0003.jpg", "1"), ("Ann_A_0002.jpg", "Bob_B_0001.jpg", "0")
    ], "a pair whose photo is not there is left out"  # fmt: skip


def test_tables_and_folders(tmp_path, lfw):
    touch(tmp_path / "some" / "a.jpg")
    found = open_photo_set(tmp_path / "some")
    assert (found.kind, len(found.rows), found.columns) == ("folder", 1, ())
    (tmp_path / "some" / "labels.csv").write_text("path,gender\na.jpg,female\n")
    found = open_photo_set(tmp_path / "some")
    assert (found.kind, found.columns) == ("table", ("gender",))
    assert found.rows[0]["path"] == str((tmp_path / "some" / "a.jpg").resolve())
    with pytest.raises(PhotoError):
        open_photo_set(tmp_path / "nowhere")


def test_photos_are_drawn_by_the_seed():
    rows = tuple({"path": f"{n}.jpg", "identity": str(n // 2)} for n in range(20))
    found = PhotoSet("folder", rows)
    assert found.sample(99) == rows
    assert found.sample(5, seed=1) == found.sample(5, seed=1)
    assert found.sample(5, seed=1) != found.sample(5, seed=2)
    drawn = found.of_people(3, 2, seed=1)
    assert len(drawn) == 3
    assert all(row["identity"] == name for name, photos in drawn for row in photos)


def request(data, out, **more):
    return FigureRequest(data, out, zoo=ZOO, **more)


@pytest.mark.parametrize("number", sorted(FIGURES))
def test_every_figure_has_command_lines_that_the_program_takes(number, lfw, tmp_path):
    """Each line is parsed by the command that it names; nothing is run."""
    import typer

    from canonface.cli.main import app

    plan = FIGURES[number].plan(request(open_photo_set(lfw), tmp_path / "out"))
    assert plan.lines
    for words in plan.lines:
        parsed = typer.main.get_command(app)
        remaining = list(words)
        while hasattr(parsed, "commands"):
            parsed = parsed.commands[remaining.pop(0)]
        context = parsed.make_context("canonface", remaining, resilient_parsing=False)
        assert str(tmp_path / "out") in str(context.params)


def test_the_issues_figures_are_all_there():
    assert {1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 13, 18, 20, 21} <= set(FIGURES)


def test_missing_data_is_reported(lfw, tmp_path):
    data = PhotoSet("folder", ({"path": "a.jpg"},))
    assert figure_of("figure 7").plan(request(data, tmp_path)).lines == ()
    assert "two photos each of at least two people" in figure_of("7").plan(request(data, tmp_path)).missing[0]
    tasks = figure_of("Fig. 1").plan(request(data, tmp_path))
    assert "facenet-gender=female" in tasks.lines[0]
    assert "expression=happy" in tasks.lines[0]
    assert any(line.startswith("facenet-pose: ") for line in tasks.missing)
    assert (
        "the paper has up to 1000 photos and more; here are 1"
        in figure_of("5").plan(request(data, tmp_path)).missing
    )
    assert figure_of("12").plan(request(data, tmp_path, model="expression")).lines == ()
    with pytest.raises(OptionError, match="'3'"):
        figure_of("3")


def test_pairs_are_drawn_where_the_set_has_none(lfw, tmp_path):
    plan = figure_of("7").plan(request(open_photo_set(lfw), tmp_path))
    assert plan.missing == ("no list of pairs: each person is paired with itself and with the next",)
    with (tmp_path / "pairs.csv").open() as file:
        assert [row["same"] for row in csv.DictReader(file)] == ["1", "0", "1", "0"]


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    lines = []
    monkeypatch.setattr(command, "run_line", lambda words: lines.append(words) or 0)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        lines.clear()
        monkeypatch.setattr("sys.argv", ["canonface", "reproduce", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err, list(lines)

    return run


def test_the_command_lists_runs_and_refuses(say, lfw):
    code, out, _, lines = say()
    assert code == 0
    assert "figure  5  " in out
    assert lines == []
    code, out, _, lines = say("5", demo_folder() / "labels.csv", "-o", "five", "--photos", "10")
    assert code == 0
    assert [words[:2] for words in lines] == [("audit", "five/photos.csv"), ("study", "convergence")]
    assert "missing: the paper has up to 1000 photos and more; here are 40" in out
    assert "was recognised as: table, 40 photos" in out
    code, out, _, lines = say("5", "--dry-run")
    assert lines == []
    assert "canonface study convergence" in out
    code, _, _, [female] = say("4", "-o", "four")
    assert female[female.index("--target") + 1] == "female"
    code, _, _, [own] = say("2", "-o", "two")
    assert "--target" not in own, "each photo is explained for its predicted class"
    code, _, err, _ = say("12", lfw, "--model", "expression")
    assert code == 2
    assert "figure 12 cannot be made of this" in err
    code, _, err, _ = say("3")
    assert code == 2
    code, _, err, lines = say("5", "--model", "gendre", "--dry-run")
    assert code == 2
    assert "did you mean 'gender'" in err.lower()
    assert lines == []


def test_a_list_that_cannot_be_written_is_an_error(tmp_path):
    from canonface.errors import RunError

    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="can be written to"):
        write_list([{"path": "a"}], tmp_path / "file" / "photos.csv")
