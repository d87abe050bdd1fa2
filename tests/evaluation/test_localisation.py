"""Pointing game, mass and ROC area by hand, on four places and on regions of the mesh."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from canonface.errors import OptionError
from canonface.evaluation import at_region, localisation
from canonface.mesh import load_mesh

INSIDE = np.array([[True, False], [False, True]])


def test_four_places_by_hand():
    found = localisation([[4.0, 1.0], [2.0, 1.0]], INSIDE)
    # the maximum is inside; 5 of 8; half of the places; 4 beats both, 1 ties with one and loses to one: (2 + 0.5) / 4
    assert found == (1, 5 / 8, 1 / 2, 2.5 / 4)


def test_a_map_that_points_elsewhere_misses():
    found = localisation([[0.0, 3.0], [1.0, 0.0]], INSIDE)
    assert found == (0, 0, 1 / 2, 0)


def test_negative_attribution_is_no_mass_but_keeps_its_order():
    found = localisation([[1.0, -5.0], [3.0, -1.0]], INSIDE)
    assert found == (0, 1 / 4, 1 / 2, 2 / 4)


@pytest.mark.parametrize("value", [0.0, 2.0, -1.0])
def test_a_constant_map_scores_as_chance(value):
    found = localisation(np.full((2, 2), value), INSIDE)
    assert found.hit == 0.5
    assert found.auc == 0.5
    assert np.isnan(found.mass) if value <= 0 else found.mass == found.area


def test_unknown_places_are_left_out():
    found = localisation([[np.nan, 1.0], [2.0, 4.0]], INSIDE)
    assert found == (1, 4 / 7, 1 / 3, 1)


def test_a_region_of_all_places_has_no_roc_area():
    assert np.isnan(localisation([1.0, 2.0], [True, True]).auc)


@pytest.mark.parametrize(
    ("attribution", "region", "words"),
    [
        ([1.0, 2.0], [True], r"\(1,\) for \(2,\)"),
        ([1.0, np.inf], [True, False], "1 are infinite"),
        ([np.nan, 1.0], [True, False], "it has none in this one"),
        ([1.0, 1.0], [False, False], "it has none in this one"),
    ],
)
def test_invalid_maps_and_regions_are_refused(attribution, region, words):
    with pytest.raises(OptionError, match=words):
        localisation(attribution, region)


@given(hnp.arrays(np.float64, 12, elements=st.integers(-3, 3).map(float)), hnp.arrays(bool, 12))
def test_the_roc_area_counts_pairs(attribution, inside):
    if inside.all() or not inside.any():
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in attribution[inside] for b in attribution[~inside]]
    assert localisation(attribution, inside).auc == pytest.approx(np.mean(pairs))


def test_regions_are_named_by_the_mesh():
    mesh = load_mesh(0)
    values = np.zeros(len(mesh.vertices))
    values[mesh.regions["nose_tip"]] = 1.0
    assert at_region(values, mesh, "nose_tip") == (1, 1, len(mesh.regions["nose_tip"]) / len(values), 1)
    assert at_region(values, mesh, mesh.regions["nose_tip"]) == at_region(values, mesh, "nose_tip")
    assert at_region(values, mesh, "chin").hit == 0
    with pytest.raises(OptionError, match="did you mean 'nose_tip'"):
        at_region(values, mesh, "nose_tipp")
