"""Which photos, in which order, with which labels."""

import logging

import pytest

from canonface.data.labels import label_columns, read_labels, require_column
from canonface.data.photos import find_photos
from canonface.errors import LabelsError, PhotoError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "sub/c.jpeg", "notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "photos"


def test_a_folder_is_searched_through_in_a_fixed_order(folder):
    found = find_photos(folder)
    assert found.names == ("a.PNG", "b.jpg", "sub/c.jpeg")
    assert found.root == folder
    assert found.path("sub/c.jpeg").is_file()


def test_patterns_lists_and_repeats(folder):
    assert find_photos(str(folder / "*.jpg")).names == ("b.jpg",)
    assert find_photos(str(folder / "**" / "*.jp*g")).names == ("b.jpg", "sub/c.jpeg")
    assert find_photos([folder / "b.jpg", folder, folder / "b.jpg"]).names == ("b.jpg", "a.PNG", "sub/c.jpeg")


def test_a_csv_names_photos_relative_to_itself(folder):
    table = folder / "list.csv"
    table.write_text("\ufeffpath,age\nsub/c.jpeg,3\nb.jpg,4\n", encoding="utf-8")
    assert find_photos(table).names == ("sub/c.jpeg", "b.jpg")


def test_a_file_that_is_named_stays_in_the_list_even_if_it_is_missing(folder):
    assert find_photos([folder / "b.jpg", folder / "gone.jpg"]).names == ("b.jpg", "gone.jpg")


def test_the_digest_does_not_depend_on_where_the_folder_lies(folder, tmp_path):
    before = find_photos(folder).digest
    moved = folder.rename(tmp_path / "moved")
    assert find_photos(moved).digest == before
    (moved / "z.jpg").write_bytes(b"")
    assert find_photos(moved).digest != before


def test_a_folder_that_does_not_exist_is_no_photo(tmp_path):
    with pytest.raises(PhotoError, match="there is no"):
        find_photos(tmp_path / "photoes")


@pytest.mark.parametrize("photos", ["*.tif", []])
def test_nothing_found_says_what_can_be_given(folder, photos):
    with pytest.raises(PhotoError, match=r"at least one photo.*a folder, files, a pattern in quotes"):
        find_photos(photos if photos == [] else str(folder / photos))


def labels_for(folder, text):
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_labels(path, find_photos(folder))


def test_labels_are_matched_by_path_then_by_file_name(folder, caplog):
    with caplog.at_level(logging.WARNING, logger="canonface"):
        labels = labels_for(folder, "path,gender\nb.jpg,female\nelsewhere/c.jpeg, male \nunknown.jpg,x\n")
    assert labels == {"a.PNG": {}, "b.jpg": {"gender": "female"}, "sub/c.jpeg": {"gender": "male"}}
    assert label_columns(labels) == ("gender",)
    assert "1 of 3 photos have no row in labels.csv, e.g. a.PNG" in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has none"),
        ("file,age\nb.jpg,3\n", "a column 'path'.*has file, age"),
        ("path,age\n,3\n", "an empty path in line 2"),
        ("path,age\nb.jpg,3\nb.jpg,4\n", "two rows for 'b.jpg'"),
        ("path,age\nx.jpg,3\n", "none of the 1 rows.*like 'a.PNG'"),
        ("path\n", "'no rows'"),
    ],
)
def test_labels_that_do_not_fit(folder, text, words):
    with pytest.raises(LabelsError, match=words):
        labels_for(folder, text)


def test_a_table_of_more_photos_than_these_names_others(tmp_path):
    for name in ("train/1.jpg", "val/1.jpg", "val/2.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    table = tmp_path / "labels.csv"
    table.write_text("path,gender\ntrain/1.jpg,female\nval/1.jpg,male\nval/2.jpg,male\n")
    assert read_labels(table, find_photos(tmp_path / "val"))["1.jpg"] == {"gender": "male"}
    table.write_text("path,gender\ntrain/1.jpg,female\nval/2.jpg,male\n")
    assert read_labels(table, find_photos(tmp_path / "val")) == {"1.jpg": {}, "2.jpg": {"gender": "male"}}


def test_equal_file_names_are_told_apart_by_their_paths(tmp_path):
    for name in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "labels.csv").write_text("path,age\na/1.jpg,3\nb/1.jpg,4\n")
    labels = read_labels(tmp_path / "labels.csv", find_photos(tmp_path))
    assert labels == {"a/1.jpg": {"age": "3"}, "b/1.jpg": {"age": "4"}}


def test_pictures_of_a_run_are_no_photos(folder):
    (folder / "run" / "pictures").mkdir(parents=True)
    (folder / "run" / "run.json").write_text("{}")
    (folder / "run" / "pictures" / "cms.png").write_bytes(b"x")
    assert find_photos(folder).names == ("a.PNG", "b.jpg", "sub/c.jpeg")


def test_a_labels_file_that_is_no_text(folder):
    (folder / "labels.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(LabelsError, match="CSV text in UTF-8"):
        read_labels(folder / "labels.csv", find_photos(folder))
    with pytest.raises(LabelsError, match="cannot be read"):
        read_labels(folder / "missing.csv", find_photos(folder))


def test_an_unknown_column_lists_the_near_ones():
    with pytest.raises(LabelsError, match=r"no column 'gendr': did you mean 'gender'"):
        require_column("gendr", {"a": {"gender": "male"}})
    with pytest.raises(LabelsError, match="needs a labels file"):
        require_column("gender", {"a": {}})
