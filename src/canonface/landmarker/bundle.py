"""The networks inside a face landmarker's file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from canonface.errors import AssetError

DETECTOR, LANDMARKS = "face_detector.tflite", "face_landmarks_detector.tflite"


def read_networks(path: Path) -> dict[str, bytes]:
    """The detector's and the landmarker's ``.tflite`` files in a ``.task`` file, by name.

    Raises:
        AssetError: the file is missing, or another one.
    """
    try:
        with zipfile.ZipFile(path) as task:
            return {name: task.read(name) for name in (DETECTOR, LANDMARKS)}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"The landmarker's weights are a .task file, a zip archive of .tflite networks; {path} is not one: "
            f"{error}. Reinstall canonface, or give the right file."
        ) from error
