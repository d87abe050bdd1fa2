"""Manifest of a run: the configuration that decides its result, and its provenance."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from canonface._version import __version__
from canonface.errors import ConfigurationChangedError, RunError
from canonface.files import atomic_write
from canonface.fingerprint import Fingerprint, accepts
from canonface.methods import current_unit

SCHEMA_VERSION = 1
FILE_NAME = "run.json"
_PACKAGES = (
    *("numpy", "scipy", "torch", "captum", "torchcam", "onnxruntime", "ai-edge-litert"),
    *("opencv-python-headless", "pillow"),
)


@dataclass(frozen=True)
class Manifest:
    """Content of ``run.json``.

    Attributes:
        configuration: everything that decides the result; a run is continued only with the same one.
        photo_root: folder that the paths of the rows are relative to; may move between starts.
        created: date and time of the first start, UTC.
        versions: versions of canonface and of the packages that it uses.
        fitted: values fitted on the photos at the first start, e.g. a threshold; later starts use them.
        schema_version: schema version of the files of a run.
    """

    configuration: dict[str, Any]
    photo_root: str
    created: str
    versions: dict[str, str]
    fitted: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def new(
        cls, configuration: dict[str, Any], photo_root: Path, fitted: dict[str, Any] | None = None
    ) -> Manifest:
        """Return a manifest for a run that starts now."""
        versions = {"canonface": __version__, "python": platform.python_version()}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                continue
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(as_stored(configuration), str(photo_root), now, versions, fitted or {})

    def write(self, folder: Path) -> None:
        """Write ``run.json`` into the folder, whole or not at all.

        Raises:
            RunError: the folder cannot be written to.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            atomic_write(folder / FILE_NAME, json.dumps(asdict(self), indent=2) + "\n")
        except OSError as error:
            raise RunError(
                f"A run needs a folder that can be written to; {folder} cannot: {error.strerror or error}. "
                "Name another one with -o."
            ) from error

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read ``run.json``.

        Raises:
            RunError: the folder holds no run, or a run of a newer version.
        """
        path = folder / FILE_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls(**content)
        except FileNotFoundError as error:
            raise RunError(f"A run is a folder with a {FILE_NAME}; {folder} has none.") from error
        except (OSError, ValueError, TypeError) as error:
            raise RunError(
                f"{path} is not a manifest that canonface {__version__} can read: {error}"
            ) from error
        if manifest.schema_version > SCHEMA_VERSION:
            raise RunError(
                f"{path} has schema version {manifest.schema_version}, and canonface {__version__} reads up to "
                f"{SCHEMA_VERSION}: update canonface."
            )
        return manifest

    def require_same(self, other: Manifest, folder: Path) -> None:
        """Raise ConfigurationChangedError, with the differences, if another manifest has another configuration."""
        changes = differences(_with_current_unit(self.configuration), other.configuration)
        if changes:
            raise ConfigurationChangedError(
                f"{folder} holds a run with another configuration:\n  "
                + "\n  ".join(changes)
                + "\nGive the same options to continue it, or another folder with -o."
            )


def _with_current_unit(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration whose unit is worded as today: runs of 0.1.0 by other methods hold another word."""
    if not configuration.get("settings", {}).get("method"):
        return configuration
    return configuration | {"unit": current_unit(configuration["unit"])}


def _plain(value: Any) -> Any:
    """Return a NumPy number as a Python number."""
    if isinstance(value, np.generic):
        return value.item()
    raise RunError(
        f"describe() of a confidence, occluder or aligner returns JSON values: texts, numbers, lists and "
        f"dictionaries; got a {type(value).__name__}."
    )


def as_stored(value: Any) -> Any:
    """Return a value as JSON gives it back, so that it compares with a stored one: tuples become lists.

    A `Fingerprint` stays one, so that what earlier versions wrote for it is accepted.
    """
    return _with_fingerprints(json.loads(json.dumps(value, default=_plain)), value)


def _with_fingerprints(stored: Any, value: Any) -> Any:
    if isinstance(value, Fingerprint):
        return value
    if isinstance(value, dict):
        return {key: _with_fingerprints(item, value.get(key)) for key, item in stored.items()}
    if isinstance(value, list | tuple):
        return [_with_fingerprints(item, given) for item, given in zip(stored, value, strict=True)]
    return stored


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Return the differences of two configurations, one line each: ``settings.patch: 5 then, 7 now``."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if accepts(now, before) else [f"{name}: {json.dumps(before)} then, {json.dumps(now)} now"]
