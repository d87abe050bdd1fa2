"""Accuracy of the default aligner against hand-placed points, and its rate on labelled sets."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from canonface.alignment import LandmarkerAligner
from canonface.errors import CanonfaceError
from canonface.mesh import load_mesh

TEMPLATE_TO_VERTEX = {18: 33, 22: 133, 23: 362, 27: 263, 87: 61, 93: 291, 55: 2}
"""Eye corners, mouth corners, lower end of the nose tip: docs/alignment.md has the figures."""

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def base_aligner():
    return LandmarkerAligner(load_mesh(0))


def test_error_against_the_london_templates(data, base_aligner):
    """Measured: mean 1.98, 95th percentile 4.00 percent of the distance between the pupils; 42 of 42 aligned."""
    folder = data / "london_frl"
    templates = np.load(folder / "landmarks189.npz")
    points, vertices = list(TEMPLATE_TO_VERTEX), list(TEMPLATE_TO_VERTEX.values())
    errors = []
    for name in templates:
        truth = templates[name]
        [face] = base_aligner(folder / "images" / name)
        between_pupils = np.linalg.norm(truth[1] - truth[0])
        errors.append(
            np.linalg.norm(face.vertices_xy[vertices] - truth[points], axis=1) / between_pupils * 100
        )
    assert len(errors) == 42
    assert np.mean(errors) < 2.1
    assert np.percentile(errors, 95) < 4.3
    assert np.mean(errors, axis=0).max() < 2.4


@pytest.mark.parametrize(
    ("name", "least"), [("csm_celeba100", 51), ("london_frl", 84), ("openpeople_synth", 190)]
)
def test_rate_of_alignment(data, base_aligner, name, least):
    with (data / name / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    refused = []
    for row in rows:
        try:
            base_aligner(data / name / row["path"])
        except CanonfaceError:
            refused.append(row)
    assert len(rows) - len(refused) >= least
    assert all("profile" in row.get("view", "") for row in refused)  # nothing but full profiles
