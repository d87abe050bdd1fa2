"""The halo: positions of its rings, symmetry, regions, and the larger canvas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from canonface.errors import OptionError
from canonface.mesh import (
    HALO_SOURCES,
    Canvas,
    add_halo,
    boundary_loop,
    load_mesh,
    make_mesh,
    mesh_named,
    region_mask,
)
from canonface.mesh.halo import REACH_CM


@pytest.fixture(scope="module", params=[0, 1, 2])
def pair(request):
    return load_mesh(request.param), load_mesh(request.param, halo=True)


def test_face_vertices_come_before_halo_vertices(pair):
    plain, mesh = pair
    assert (mesh.face_count, mesh.base_count) == (len(plain.vertices), 468)
    np.testing.assert_array_equal(mesh.vertices[: mesh.face_count], plain.vertices)
    np.testing.assert_array_equal(mesh.triangles, plain.triangles)
    assert mesh.from_base is plain.from_base
    assert mesh_named(mesh.name) is mesh
    assert mesh.name == plain.name.replace("/", "+halo/")
    for name, members in plain.regions.items():
        np.testing.assert_array_equal(mesh.regions[name], members)


def test_distance_and_spacing_of_rings(pair):
    plain, mesh = pair
    spacing = 1.6 / 2 ** int(plain.name[-1])
    rim = plain.vertices[boundary_loop(plain.triangles), :2]
    ends = np.roll(rim, -1, axis=0)
    outline = np.concatenate([rim + (ends - rim) * t for t in np.linspace(0, 1, 200, endpoint=False)])
    halo = mesh.vertices[mesh.face_count :, :2]
    away = cKDTree(outline).query(halo)[0]
    ring = np.rint(away / spacing)
    assert set(ring) == set(range(1, int(REACH_CM / spacing + 1e-9) + 1))
    np.testing.assert_allclose(away, ring * spacing, rtol=0.03)
    nearest = cKDTree(halo).query(halo, k=2)[0][:, 1]
    assert 0.75 * spacing < nearest.min()
    assert nearest.max() < 1.25 * spacing


def test_the_mirror_is_exact_and_swaps_the_sides(pair):
    _, mesh = pair
    np.testing.assert_array_equal(mesh.vertices[mesh.mirror], mesh.vertices * (-1, 1, 1))
    np.testing.assert_array_equal(mesh.mirror[mesh.mirror], np.arange(len(mesh.vertices)))
    np.testing.assert_array_equal(np.sort(mesh.mirror[mesh.regions["right_ear"]]), mesh.regions["left_ear"])
    assert (mesh.vertices[mesh.regions["right_ear"], 0] < 0).all()


def test_every_halo_vertex_has_one_region_and_none_has_a_triangle(pair):
    _, mesh = pair
    members = np.concatenate([mesh.regions[name] for name in HALO_SOURCES])
    np.testing.assert_array_equal(np.sort(members), np.arange(mesh.face_count, len(mesh.vertices)))
    np.testing.assert_array_equal(np.flatnonzero(region_mask(mesh, "off_face")), np.sort(members))
    assert region_mask(mesh, "ears").sum() == 2 * len(mesh.regions["right_ear"])
    assert mesh.triangles.max() < mesh.face_count


def test_regions_lie_where_their_names_imply(pair):
    _, mesh = pair
    middle = {name: mesh.vertices[mesh.regions[name]].mean(axis=0) for name in HALO_SOURCES}
    assert middle["hair"][1] > 8
    assert middle["neck"][1] < -9
    assert middle["right_ear"][0] < -8
    assert abs(middle["background"][0]) < 1e-9
    chin = mesh.vertices[152]
    assert (mesh.vertices[mesh.regions["neck"], 2] < chin[2] - 2).all()  # the neck lies behind the chin


def test_the_canvas_contains_the_halo_and_keeps_the_face_rule(pair):
    plain, mesh = pair
    canvas = Canvas.of(mesh)
    xy = canvas.project(mesh)
    assert Canvas.of(plain) == Canvas()
    assert (xy > 0).all()
    assert (xy < 511).all()
    assert canvas.pixels_per_unit(mesh) == canvas.pixels_per_unit(plain)
    face, probed = canvas.face_mask(mesh), canvas.probed_mask(mesh)
    assert (face <= probed).all()
    assert probed.sum() > 1.5 * face.sum()
    np.testing.assert_array_equal(Canvas().probed_mask(plain), Canvas().face_mask(plain))


def test_a_custom_mesh_gets_a_halo():
    own = make_mesh("points", load_mesh(0).vertices)
    mesh = add_halo(own, 1.0, "points+halo")
    assert mesh.halo > 100
    assert set(mesh.regions) == set(HALO_SOURCES)


@pytest.mark.parametrize(
    ("mesh", "spacing", "message"),
    [
        (load_mesh(0, halo=True), 1.0, "A mesh has at most one halo"),
        (load_mesh(0), 0.0, "at most 4 cm; got 0"),
        (load_mesh(0), 5.0, "at most 4 cm; got 5"),
    ],
)
def test_invalid_halo_options_raise(mesh, spacing, message):
    with pytest.raises(OptionError, match=message):
        add_halo(mesh, spacing, "x")
