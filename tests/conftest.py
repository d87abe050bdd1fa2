"""What every test may use."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("CANONFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def data():
    """Folder of the data sets that may not be shipped; skips with a word where there is none."""
    if not DATA.is_dir():
        pytest.skip(f"no data sets at {DATA}: set CANONFACE_DATA to the folder that holds them")
    return DATA
