"""Designs: the right number of probes, spread over the mesh and the faces, independent of the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.mesh import load_mesh, poisson_probes
from canonface.sampling import DESIGNS, Design, make_design
from canonface.sampling.designs import strata_of

MESH = load_mesh(1)
PLACES = MESH.vertices[poisson_probes(MESH, 0.8)].astype(float)
ANY = st.sampled_from(sorted(DESIGNS))


@settings(deadline=None, max_examples=60)
@given(ANY, st.floats(0.005, 0.999), st.integers(0, 9), st.integers(0, 10**6), st.integers(0, 3))
def test_a_face_has_its_share_of_probes_each_once(name, share, seed, photo, face):
    design = Design(name, share, seed)
    probed = design.sampler(PLACES)(photo, face)
    assert len(probed) == max(2, round(share * len(PLACES)))
    assert (np.diff(probed) > 0).all()
    assert 0 <= probed[0] <= probed[-1] < len(PLACES)


@settings(deadline=None, max_examples=30)
@given(ANY, st.integers(0, 5), st.randoms())
def test_a_faces_probes_depend_on_no_other_face_and_no_order(name, seed, random):
    design = Design(name, 0.07, seed)
    faces = [(photo, face) for photo in range(12) for face in range(2)]
    whole = design.probed(PLACES, faces)
    order = list(range(len(faces)))
    random.shuffle(order)
    part = order[: random.randint(1, len(order))]
    np.testing.assert_array_equal(design.probed(PLACES, [faces[i] for i in part]), whole[part])
    assert len({row.tobytes() for row in whole}) > 20, "faces have different probes"


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(0, 5), st.data())
def test_strata_hold_every_probe_once_and_are_alike_in_size(points, seed, data):
    count = data.draw(st.integers(1, points))
    strata = strata_of(np.random.default_rng(seed).normal(size=(points, 3)), count)
    assert len(strata) == count
    np.testing.assert_array_equal(np.sort(np.concatenate(strata)), np.arange(points))
    sizes = [len(members) for members in strata]
    assert max(sizes) - min(sizes) <= 2


def test_strata_by_hand():
    line = np.array([[0.0, 0, 0], [5, 0, 0], [1, 0, 0], [4, 0, 0]])
    assert [members.tolist() for members in strata_of(line, 2)] == [[0, 2], [3, 1]]
    with pytest.raises(OptionError, match="1 to 4 strata"):
        strata_of(line, 5)


@pytest.mark.parametrize("name", ["stratified", "low-discrepancy"])
def test_no_stratum_is_left_out(name):
    probed = Design(name, 0.05, 3).probed(PLACES, [(photo, 0) for photo in range(50)])
    for members in strata_of(PLACES, Design("random", 0.05).count(len(PLACES))):
        np.testing.assert_array_equal(probed[:, members].sum(axis=1), 1)


def test_spread_designs_leave_smaller_holes_than_chance():
    """The largest distance from a probe to the nearest chosen one, averaged over faces, is smaller."""
    apart = np.linalg.norm(PLACES[:, None] - PLACES[None], axis=2)

    def hole(name):
        probed = Design(name, 0.05, 1).probed(PLACES, [(photo, 0) for photo in range(40)])
        return np.mean([apart[:, row].min(axis=1).max() for row in probed])

    assert hole("stratified") < 0.85 * hole("random")
    assert hole("low-discrepancy") < 0.85 * hole("random")


def test_low_discrepancy_chooses_every_probe_equally_often():
    """Each of the n probes of a stratum is chosen F / n times, up to the discrepancy of the golden ratio: < 3."""
    faces = [(photo, 0) for photo in range(400)]
    strata = strata_of(PLACES, Design("random", 0.05).count(len(PLACES)))
    worst = {}
    for name in DESIGNS:
        counts = Design(name, 0.05, 2).probed(PLACES, faces).sum(axis=0)
        worst[name] = max(np.abs(counts[m] - 400 / len(m)).max() for m in strata)
    assert worst["low-discrepancy"] < 3
    assert min(worst["random"], worst["stratified"]) > 6


def test_full_chooses_every_probe_and_make_design_fills_in_defaults():
    assert Design().probed(PLACES, [(0, 0), (7, 1)]).all()
    assert make_design() == Design("full", 1.0, 0)
    assert make_design(share=0.2, seed=4) == Design("low-discrepancy", 0.2, 4)
    assert make_design("random") == Design("random", 0.1, 0)
    assert Design("stratified", 0.2, 4).describe() == {"name": "stratified", "share": 0.2, "seed": 4}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"name": "low-discrepency"}, "did you mean 'low-discrepancy'"),
        ({"name": "adaptive"}, "use it with explain"),
        ({"name": "random", "share": 0.0}, "above 0 and at most 1; got 0"),
        ({"name": "random", "share": 1.5}, "above 0 and at most 1"),
        ({"name": "full", "share": 0.5}, "design='full' takes every probe"),
        ({"name": "random", "share": 0.5, "seed": -1}, "whole number, 0 or more; got -1"),
    ],
)
def test_invalid_designs_are_refused(choice, words):
    with pytest.raises(OptionError, match=words):
        Design(**choice)
