"""Bundled photos, each with a licence that lets it ship: labels.csv names source and licence of every one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def demo_folder() -> Path:
    """Folder that holds ``photos/`` and ``labels.csv``."""
    return Path(str(files("canonface.demo")))
