"""Bundled demo photos with licences that allow distribution; labels.csv states source and licence of each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def demo_folder() -> Path:
    """Return the folder that holds ``photos/`` and ``labels.csv``."""
    return Path(str(files("canonface.demo")))
