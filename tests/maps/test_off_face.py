"""Off-face reliance on maps whose share is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from canonface.maps import CMS, off_face_reliance, peak_of
from canonface.mesh import Canvas, load_mesh

MESH = load_mesh(0, halo=True)
CANVAS = Canvas.of(MESH)
FACE = CANVAS.face_mask(MESH)
HALO = CANVAS.probed_mask(MESH) & ~FACE
ALL = np.ones(CANVAS.size_hw, dtype=np.int64)


def test_the_share_is_that_of_the_positive_part():
    image = np.where(FACE, 3.0 / FACE.sum(), 1.0 / HALO.sum())
    assert off_face_reliance(image, ALL, MESH, CANVAS) == pytest.approx(0.25)
    minus = np.where(FACE, -5.0, 1.0)
    assert off_face_reliance(minus, ALL, MESH, CANVAS) == 1
    assert off_face_reliance(FACE * 1.0, ALL, MESH, CANVAS) == 0


def test_unprobed_pixels_do_not_count():
    image = np.where(FACE | HALO, 1.0, 0.0)
    columns = np.indices(CANVAS.size_hw)[1]
    probed = (FACE | (columns < 256)).astype(np.int64)
    left = (HALO & (columns < 256)).sum()
    assert off_face_reliance(image, probed, MESH, CANVAS) == pytest.approx(left / (left + FACE.sum()))


def test_it_is_unknown_without_halo_without_probes_and_without_reliance():
    image = np.ones(CANVAS.size_hw)
    assert np.isnan(off_face_reliance(np.ones((512, 512)), ALL, load_mesh(0), Canvas()))
    assert np.isnan(off_face_reliance(image, FACE.astype(np.int64), MESH, CANVAS))
    assert np.isnan(off_face_reliance(-image, ALL, MESH, CANVAS))


def test_a_model_map_has_it_and_its_peak_may_lie_on_the_halo():
    image = np.zeros(CANVAS.size_hw)
    x, y = np.rint(CANVAS.project(MESH)[MESH.regions["right_ear"][0]]).astype(int)
    image[y - 3 : y + 4, x - 3 : x + 4] = 1
    cms = CMS.empty(MESH, "drop", canvas=CANVAS).add(image, ALL, 20.0)
    assert cms.off_face == 1
    assert cms.peak() == peak_of(image, ALL, MESH, CANVAS)
    assert cms.peak().regions == ("right_ear",)
    assert next(iter(cms.region_values())) == "right_ear"
