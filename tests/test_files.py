"""The SHA-256 of a file, and writes that leave the old file or the whole new one."""

import os
import subprocess
import sys
import threading
from hashlib import sha256

import numpy as np
import pytest

from canonface.files import atomic_write, sha256_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 5000], ids=len)
def test_the_digest_is_that_of_the_bytes(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert sha256_file(path) == sha256_file(str(path)) == sha256(content).hexdigest()


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_file(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        sha256_file(tmp_path)


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"\x00\r\n\xff", b"\x00\r\n\xff"),
        ("a line\r\nNaïve − 顔\n", "a line\r\nNaïve − 顔\n".encode()),
        (lambda file: file.writelines([b"one ", b"two"]), b"one two"),
        ("", b""),
    ],
)
def test_bytes_text_and_writers(tmp_path, content, written):
    path = tmp_path / "file"
    for _ in range(2):  # a new file, and one that replaces it
        atomic_write(path, content)
        assert path.read_bytes() == written
        assert names(tmp_path) == ["file"]


def test_a_writer_may_seek(tmp_path):
    atomic_write(tmp_path / "arrays", lambda file: np.savez_compressed(file, a=np.arange(3)))
    with np.load(tmp_path / "arrays") as held:
        np.testing.assert_array_equal(held["a"], [0, 1, 2])


def test_the_file_has_the_usual_permissions(tmp_path):
    atomic_write(tmp_path / "ours", b"")
    (tmp_path / "usual").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("length", [250, 255])
def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path, length):
    atomic_write(tmp_path / ("n" * length), b"x")
    assert names(tmp_path) == ["n" * length]


def half_then(error):
    def write(file):
        file.write(b"half")
        raise error

    return write


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), ValueError("no"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(type(error)) as caught:
        atomic_write(path, half_then(error))
    assert caught.value is error
    assert names(tmp_path) == ([] if old is None else ["file"])
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_of_the_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_args):
        raise OSError(5, "Input/output error")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_content_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    path.write_bytes(b"old")

    def fsync(number):
        (temporary,) = set(names(tmp_path)) - {"file"}
        seen.append(((tmp_path / temporary).read_bytes(), path.read_bytes()))
        assert os.fstat(number).st_ino == (tmp_path / temporary).stat().st_ino

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write(path, b"new")
    assert seen == [(b"new", b"old")]


def test_a_missing_folder_and_a_folder_in_its_place_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "missing" / "file", b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_bytes(b"kept")
    with pytest.raises(IsADirectoryError):
        atomic_write(tmp_path / "folder", b"x")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["inside"]


def test_two_writers_at_once_do_not_mix(tmp_path):
    """Both hold half a file when the other begins; the last to finish wins, whole."""
    path = tmp_path / "file"
    both_half, first_done = threading.Barrier(2), threading.Event()

    def write(name, last):
        def content(file):
            file.write(name)
            both_half.wait(10)
            if last:
                first_done.wait(10)
            file.write(name)

        atomic_write(path, content)
        first_done.set()

    first = threading.Thread(target=write, args=(b"first", False))
    first.start()
    write(b"second", True)
    first.join()
    assert path.read_bytes() == b"secondsecond"
    assert names(tmp_path) == ["file"]


def test_readers_see_whole_files_only(tmp_path):
    path, stop, wrong = tmp_path / "file", threading.Event(), []
    contents = [letter * 200_000 for letter in (b"a", b"b")]
    atomic_write(path, contents[0])

    def read():
        while not stop.is_set():
            if (found := path.read_bytes()) not in contents:
                wrong.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    writers = [
        threading.Thread(target=lambda c=content: [atomic_write(path, c) for _ in range(20)])
        for content in contents
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert not wrong
    assert names(tmp_path) == ["file"]


def test_a_process_that_dies_while_it_writes_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import os, sys; from pathlib import Path; from canonface.files import atomic_write\n"
        "atomic_write(Path(sys.argv[1]), lambda file: (file.write(b'half'), file.flush(), os._exit(9)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert path.read_bytes() == b"old"
