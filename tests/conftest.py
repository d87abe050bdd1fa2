"""What every test may use."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from canonface.alignment import LandmarkerAligner
from canonface.demo import demo_folder
from canonface.mesh import load_mesh

settings.register_profile("untimed", deadline=None)  # a busy machine fails no test
settings.load_profile("untimed")

DATA = Path(os.environ.get("CANONFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def data():
    """Folder of the data sets that may not be shipped; skips with a word where there is none."""
    if not DATA.is_dir():
        pytest.skip(f"no data sets at {DATA}: set CANONFACE_DATA to the folder that holds them")
    return DATA


@pytest.fixture
def command_line(monkeypatch, capsys):
    """Runs canonface by the words of a command line; returns exit code, stdout and stderr."""
    from canonface.cli.main import main

    def run(*words, width=200):
        monkeypatch.setattr(sys, "argv", ["canonface", *map(str, words)])
        monkeypatch.setenv("COLUMNS", str(width))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def aligner():
    """The landmarker on the default mesh."""
    return LandmarkerAligner(load_mesh(1))


@pytest.fixture(scope="session")
def demo_faces(aligner):
    """The bundled photos, aligned."""
    return [face for path in sorted((demo_folder() / "photos").iterdir()) for face in aligner(path)]
