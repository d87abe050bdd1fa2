"""Scores of hand-made maps."""

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.maps import CMS
from canonface.mesh import load_mesh
from canonface.methods import METHODS
from canonface.studies.planted.cue_scores import (
    CueScore,
    Proportion,
    chance,
    distance_to,
    grown,
    pixels_of,
    score,
)
from canonface.studies.planted.marks import Area
from canonface.studies.planted.model_maps import CANONICAL, LOG_ODDS, SIGNS, chosen_methods, read_by

PATCH = 31.0


@pytest.fixture(scope="module")
def mesh():
    return load_mesh(1)


@pytest.fixture(scope="module")
def cheek(mesh):
    return Area.named(mesh, "right_cheek")


def map_with(mesh, image):
    empty = CMS.empty(mesh, "probability")
    return empty.add(image, np.ones(image.shape, dtype=np.int64), PATCH)


def dots(mesh, area, *distances):
    """Return a map of single bright pixels at given distances from the region, in pixels; 0 is well inside."""
    canvas = CMS.empty(mesh, "").canvas
    region = pixels_of(mesh, canvas, area)
    outside, inside = distance_to(region), distance_to(~region)
    image = np.zeros(canvas.size_hw)
    for distance in distances:
        wrong = np.where(canvas.face_mask(mesh), np.abs(outside - distance), np.inf) - 1e-3 * inside
        # Straight to one side, where a square patch's half is its half side.
        image[np.unravel_index(wrong.argmin(), wrong.shape)] = 1.0
    return image


def test_a_map_of_the_region_itself_is_perfect(mesh, cheek):
    canvas = CMS.empty(mesh, "").canvas
    found = score(map_with(mesh, pixels_of(mesh, canvas, cheek).astype(float)), cheek)
    assert found.hit
    assert found.inside
    assert not found.tied
    assert found.distance_cm == 0
    assert found.mass == 1
    assert found.auc > 0.99  # vertices on the border may round to a pixel outside
    assert "right_cheek" in found.peak_regions


@pytest.mark.parametrize(
    ("distance", "hit", "inside"), [(0, True, True), (10, True, False), (60, False, False)]
)
def test_a_peak_may_lie_half_a_patch_off(mesh, cheek, distance, hit, inside):
    cms = map_with(mesh, dots(mesh, cheek, distance))
    found = score(cms, cheek)
    assert (found.hit, found.inside) == (hit, inside)
    assert found.mass == float(inside)
    assert found.distance_cm == pytest.approx(distance / cms.canvas.pixels_per_unit(mesh), abs=0.15)


def test_equal_peaks_on_both_sides_are_a_tie(mesh, cheek):
    found = score(map_with(mesh, dots(mesh, cheek, 0, 100)), cheek)
    assert found.tied
    assert found.mass == pytest.approx(0.5)


@pytest.mark.parametrize("value", [0.0, 0.3, -0.3])
def test_a_flat_map_is_no_hit(mesh, cheek, value):
    found = score(map_with(mesh, np.full((512, 512), value)), cheek)
    assert found.flat
    assert not found.hit
    assert found.auc == pytest.approx(0.5)


def test_a_map_that_is_nowhere_positive_is_no_hit(mesh, cheek):
    canvas = CMS.empty(mesh, "").canvas
    found = score(map_with(mesh, -1.0 - ~pixels_of(mesh, canvas, cheek)), cheek)
    assert found.flat
    assert not found.hit
    assert np.isnan(found.mass)
    assert found.auc > 0.99


def test_mass_counts_only_pixels_that_a_face_shows(mesh, cheek):
    """Half of the map's positive values lie in the region, and pixels without a face are left out."""
    image = dots(mesh, cheek, 0, 60)
    cms = map_with(mesh, image)
    seen = np.ones(image.shape, dtype=np.int64)
    seen[(image > 0) & ~pixels_of(mesh, cms.canvas, cheek)] = 0
    hidden = CMS.empty(mesh, "probability").add(image, seen, PATCH)
    assert score(cms, cheek).mass == pytest.approx(0.5)
    assert score(hidden, cheek).mass == 1


def test_grown_by_half_a_patch_to_each_side():
    region = np.zeros((7, 7), bool)
    region[3, 3] = True
    assert grown(region, 3.0).sum() == 9
    assert grown(region, 4.0).sum() == 25
    assert grown(region, 1.0).sum() == 1


def test_chance_is_the_share_of_the_face(mesh, cheek):
    cms = map_with(mesh, np.zeros((512, 512)))
    found = chance(cms, cheek)
    face = cms.canvas.face_mask(mesh)
    region = pixels_of(mesh, cms.canvas, cheek)
    assert found.mass == (region & face).sum() / face.sum()
    assert 0.08 < found.mass < found.hit < 0.4


def test_a_score_survives_json(mesh, cheek):
    for image in (dots(mesh, cheek, 60), np.zeros((512, 512))):
        found = score(map_with(mesh, image), cheek)
        assert str(CueScore.read(found.describe())) == str(found)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"), [(19, 20, 0.764, 0.991), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0)]
)
def test_wilson(hits, trials, low, high):
    found = Proportion(hits, trials)
    assert found.interval == pytest.approx((low, high), abs=6e-4)
    # By its definition: at both ends the observed share is 1.96 standard errors away.
    for p in found.interval:
        if 0 < p < 1:
            assert abs(found.share - p) / np.sqrt(p * (1 - p) / trials) == pytest.approx(1.96, abs=1e-3)


def test_wilson_of_nothing():
    assert Proportion(0, 0).interval == (0.0, 1.0)
    assert np.isnan(Proportion(0, 0).share)
    with pytest.raises(OptionError, match="got 3 of 2"):
        Proportion(3, 2)


def test_every_method_has_a_rule():
    assert set(SIGNS) == {CANONICAL, LOG_ODDS, *METHODS}
    assert list(chosen_methods(None)) == [CANONICAL, LOG_ODDS, *METHODS]
    assert list(chosen_methods(["gradcam", "canonical"])) == [CANONICAL, LOG_ODDS, "gradcam"]
    with pytest.raises(OptionError, match="known name; got 'gradcamm'"):
        chosen_methods(["gradcamm"])


def test_maps_are_read_by_their_rule():
    np.testing.assert_array_equal(read_by("absolute", np.array([-2.0, 1.0])), [2, 1])
    np.testing.assert_array_equal(read_by("signed", np.array([-2.0, 1.0])), [-2, 1])
