"""Files that ship with the package, each with its licence, and folders of fitted models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from canonface.errors import AssetError, near_names


def asset_path(name: str) -> Path:
    """Return the path of a file or folder that ships with the package.

    Args:
        name: name of the file, e.g. ``"face_landmarker.task"``, or of the folder.

    Returns:
        Its path. It is part of the installation: never write to it.

    Raises:
        AssetError: there is no such file.
    """
    folder = Path(str(files(__name__)))
    known = sorted(
        path.name for path in folder.iterdir() if path.suffix != ".py" and path.name[0] not in "._"
    )
    if name not in known:
        raise AssetError(
            f"canonface ships no file {name!r}: {near_names(name, known)} "
            "If one that it should ship is missing, reinstall canonface."
        )
    return folder / name
