"""Bundled photos of seven people, and a small run of them for several studies."""

import csv
import shutil

import numpy as np
import pytest

from canonface.demo import demo_folder
from canonface.models import load_model
from canonface.pipeline import audit
from canonface.types import InputSpec

WEIGHTS = np.random.default_rng(3).normal(size=(2, 3, 24, 24)) / 40
NAMES = [f"op_P{person:03}_{kind}" for person in (1, 2, 4, 5, 6, 7, 8) for kind in ("studio", "emo_happy")]


def toy(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS)


def toy_model():
    return load_model(toy, spec=InputSpec(size_hw=(24, 24)), labels=("no", "yes"), name="toy")


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory):
    """Copy two photos of each of seven people into a folder with their identities."""
    folder = tmp_path_factory.mktemp("people")
    for name in NAMES:
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", folder)
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "identity"])
        rows.writerows([f"{name}.jpg", name[3:7]] for name in NAMES)
    return folder


@pytest.fixture(scope="session")
def toy_run(people_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "toy"
    return audit(people_folder / "labels.csv", toy_model(), out, target="yes", stride=10)
