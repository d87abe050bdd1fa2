"""The manifest and the parts: whole or absent, readable by anyone, refused when they are another run's."""

import errno
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from canonface.errors import ConfigurationChangedError, RunError
from canonface.run import Run
from canonface.run.manifest import Manifest, differences
from canonface.run.parts import part_paths, part_schema, read_parts, write_part

SCHEMA = part_schema(["gender"])


def a_row(photo, face=0, **values):
    return {
        "photo": photo,
        "face": face,
        "face_id": f"{photo}#{face}",
        "path": f"{photo}.jpg",
        "status": "ok",
    } | values


def test_parts_come_back_in_the_order_of_photos_and_faces(tmp_path):
    write_part(tmp_path, [a_row(3), a_row(1, 1), a_row(1, 0)], SCHEMA)
    write_part(tmp_path, [a_row(0, drops=[0.5, float("nan")], label_gender="male")], SCHEMA)
    table = read_parts(tmp_path)
    assert table.column("face_id").to_pylist() == ["0#0", "1#0", "1#1", "3#0"]
    assert table.column("drops")[0].as_py()[0] == 0.5
    assert table.column("label_gender").to_pylist() == ["male", None, None, None]


def test_of_a_photo_that_was_redone_the_later_part_holds(tmp_path):
    write_part(tmp_path, [a_row(1, 0, status="failed"), a_row(1, 1), a_row(2)], SCHEMA)
    write_part(tmp_path, [a_row(1, 0)], SCHEMA)
    table = read_parts(tmp_path)
    assert table.select(["face_id", "status"]).to_pylist() == [
        {"face_id": "1#0", "status": "ok"},
        {"face_id": "2#0", "status": "ok"},
    ]


def test_a_half_written_part_is_not_a_part(tmp_path):
    write_part(tmp_path, [a_row(0)], SCHEMA)
    (tmp_path / ".part-000002.parquet.77.tmp").write_bytes(b"PAR1 half")
    assert read_parts(tmp_path).num_rows == 1


def test_parts_are_plain_parquet(tmp_path):
    path = write_part(tmp_path, [a_row(0)], SCHEMA)
    assert pq.read_table(path).column("path").to_pylist() == ["0.jpg"]


def test_a_full_disk_leaves_what_was_written_and_no_rubbish(tmp_path, monkeypatch):
    write_part(tmp_path, [a_row(0)], SCHEMA)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(RunError, match=r"room on the disk.*start the same command again"):
        write_part(tmp_path, [a_row(1)], SCHEMA)
    assert list(tmp_path.iterdir()) == part_paths(tmp_path)
    assert len(part_paths(tmp_path)) == 1


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        with pytest.raises(RunError, match="and that failed: Permission denied"):
            write_part(tmp_path, [a_row(0)], SCHEMA)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        with pytest.raises(RunError, match=r"can be written to; .* cannot: Permission denied.*-o"):
            Manifest.new({}, tmp_path).write(tmp_path)


def test_two_writers_never_take_each_others_part(tmp_path):
    for photo in range(3):
        write_part(tmp_path, [a_row(photo)], SCHEMA, number=1)
    assert read_parts(tmp_path).num_rows == 3


def test_a_damaged_part_is_named(tmp_path):
    path = write_part(tmp_path, [a_row(0)], SCHEMA)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"part-000001-\w+\.parquet cannot be read"):
        read_parts(tmp_path)
    assert read_parts(tmp_path / "empty") is None
    assert part_paths(tmp_path / "empty") == []


def test_a_manifest_comes_back_as_it_was(tmp_path):
    manifest = Manifest.new({"patch": 5.0, "size": (1, 2)}, Path("/photos"))
    manifest.write(tmp_path / "new")
    again = Manifest.read(tmp_path / "new")
    assert again == manifest
    assert "numpy" in again.versions
    manifest.require_same(again, tmp_path)


def test_another_configuration_is_refused_with_what_differs(tmp_path):
    mine = Manifest.new({"settings": {"patch": 5, "fill": "mean"}, "mesh": "m"}, tmp_path)
    other = Manifest.new({"settings": {"patch": 7, "fill": "mean"}, "mesh": "m"}, tmp_path)
    with pytest.raises(ConfigurationChangedError, match=r"settings\.patch: 5 then, 7 now"):
        mine.require_same(other, tmp_path)
    assert differences({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}) == ["a.c: null then, 2 now"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a manifest"),
        ("{}", "not a manifest"),
        ('{"x": 1}', "not a manifest"),
        ("[]", "not a manifest"),
    ],
)
def test_a_broken_manifest(tmp_path, content, words):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=words):
        Run.open(tmp_path)


def test_a_folder_that_is_no_run_and_a_run_of_the_future(tmp_path):
    with pytest.raises(RunError, match=r"a folder with a run\.json"):
        Run.open(tmp_path)
    Manifest.new({}, tmp_path).write(tmp_path)
    content = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(content | {"schema_version": 99}))
    with pytest.raises(RunError, match="update canonface"):
        Run.open(tmp_path)


def test_a_run_without_a_finished_photo(tmp_path):
    Manifest.new({}, tmp_path).write(tmp_path)
    with pytest.raises(RunError, match="no finished photo yet"):
        _ = Run.open(tmp_path).table


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"a folder that can be written to.*-o"):
        Manifest.new({}, tmp_path).write(tmp_path / "file" / "run")
