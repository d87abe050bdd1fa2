"""Custom meshes: given parts, derived parts, errors; thinning and fitting to the default mesh."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat

from canonface.alignment import LandmarkerAligner
from canonface.errors import OptionError
from canonface.mesh import (
    Canvas,
    fitted_mesh,
    load_mesh,
    make_mesh,
    mesh_edges,
    mesh_named,
    region_area_px,
    region_mask,
)
from canonface.mesh.fit import thinned_triangles

SQUARE = np.array([[-1.0, 0, 0], [1, 0, 0], [0, 1, 0.5], [0, -1, 0]])
DENSE = load_mesh(1)


def picture_of(mesh, scale=20.0, shift=(300.0, 280.0, 50.0)):
    """Return the mesh as a frontal image: x right, y down, z towards the viewer."""
    return mesh.vertices * scale * (1, -1, 1) + shift


def test_missing_parts_are_derived():
    mesh = make_mesh("square", SQUARE)
    assert mesh.triangles.shape == (0, 3)
    np.testing.assert_array_equal(mesh.mirror, [1, 0, 2, 3])
    np.testing.assert_array_equal(mesh.uv, [[0, 0.5], [1, 0.5], [0.5, 0], [0.5, 1]])
    np.testing.assert_array_equal(mesh.from_base @ SQUARE, SQUARE)
    assert mesh.base_count == mesh.face_count == 4
    assert mesh.halo == 0


def test_input_arrays_are_copied_and_unchanged():
    mine = SQUARE.copy()
    mesh = make_mesh("square", mine)
    mine[0] = 9
    np.testing.assert_array_equal(mesh.vertices, SQUARE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vertices": SQUARE * np.nan}, "some of them NaN"),
        ({"name": ""}, "A mesh has a name"),
        ({"triangles": np.array([[1, 2, 4]])}, "below 4; got .* from 1 to 4. Subtract 1"),
        ({"triangles": np.array([[0.0, 1, 2]])}, "float64"),
        ({"mirror": np.arange(3)}, "each of the 4 vertices"),
        ({"uv": np.zeros((3, 2))}, "uv holds two finite numbers for each of 4 vertices"),
        ({"uv": np.full((4, 2), np.nan)}, "some of them NaN or infinite"),
        ({"regions": {"nose": [7]}}, "A region is .* 'nose' has values from 7 to 7"),
        ({"landmarks": {"tip": []}}, "A landmark is .* 'tip' has no values"),
    ],
)
def test_inconsistent_parts_raise(options, message):
    with pytest.raises(OptionError, match=message):
        make_mesh(**({"name": "square", "vertices": SQUARE} | options))


@pytest.mark.parametrize(
    "name", ["landmarker-468/1", "landmarker-468+halo/0", "five-point/33", "five-point/9", "pixels/33"]
)
def test_reserved_names_raise(name):
    assert mesh_named(name).name == name
    with pytest.raises(OptionError, match=r"belongs to a mesh of canonface\. Use e\.g\. 'my-"):
        make_mesh(name, SQUARE)
    first, _, last = name.partition("/")
    with pytest.raises(OptionError, match="belongs to a mesh of canonface"):
        fitted_mesh(first, SQUARE, None, DENSE, stride=int(last) or 1)
    assert make_mesh(f"my-{name}", SQUARE).name == f"my-{name}"


def test_a_mesh_of_points_or_with_an_opening_has_a_face_mask():
    outline = Canvas().face_mask(DENSE)
    points = Canvas().face_mask(make_mesh("points", DENSE.vertices))
    assert (outline & points).sum() / (outline | points).sum() > 0.97
    eye = region_mask(DENSE, "right_eye")[DENSE.triangles].all(axis=1)
    opened = Canvas().face_mask(make_mesh("opened", DENSE.vertices, DENSE.triangles[~eye]))
    hole = outline & ~opened
    assert hole.sum() == pytest.approx(region_area_px(DENSE, "right_eye", Canvas()), rel=0.2)


def test_groups_use_the_regions_of_the_mesh_or_raise():
    mesh = make_mesh("square", SQUARE, regions={"right_eye": [0], "left_eye": [1]})
    assert region_mask(mesh, "eyes").tolist() == [True, True, False, False]
    with pytest.raises(OptionError, match="there is no 'mouth'"):
        region_mask(mesh, "mouth")


def test_thin_triangles_lie_on_the_dense_surface():
    kept = np.arange(0, len(DENSE.vertices), 5)
    thin = thinned_triangles(DENSE.vertices, DENSE.triangles, kept)
    corners = DENSE.vertices[kept][thin]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).mean() > 0.95  # the winding is kept
    area = np.linalg.norm(normals, axis=1).sum() / 2
    dense = DENSE.vertices[DENSE.triangles]
    whole = np.linalg.norm(np.cross(dense[:, 1] - dense[:, 0], dense[:, 2] - dense[:, 0]), axis=1).sum() / 2
    assert 0.8 < area / whole < 1.05
    assert len(mesh_edges(thin)) > 2.5 * len(kept)  # about three edges a vertex


def test_keeping_all_vertices_returns_the_same_triangles():
    base = load_mesh(0)
    thin = thinned_triangles(base.vertices, base.triangles, np.arange(468))
    assert {tuple(sorted(t)) for t in thin.tolist()} == {tuple(sorted(t)) for t in base.triangles.tolist()}


@pytest.mark.parametrize("known", [True, False])
def test_an_image_of_the_default_mesh_is_fitted_to_it(known):
    picture = picture_of(DENSE)
    mesh = fitted_mesh(
        "own", picture, DENSE.triangles[:, ::-1], DENSE, picture[:, :2] if known else None, stride=3
    )
    assert mesh.name == "own/3"
    np.testing.assert_allclose(mesh.vertices, DENSE.vertices[::3], atol=1e-9)
    for name, members in DENSE.regions.items():
        np.testing.assert_array_equal(mesh.regions[name], members[members % 3 == 0] // 3, err_msg=name)
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2)
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.95  # turned round


def test_fitted_mesh_errors():
    with pytest.raises(OptionError, match=r"got shape \(4, 2\)"):
        fitted_mesh("own", SQUARE[:, :2], None, DENSE)
    with pytest.raises(OptionError, match=r"holds the 1833 vertices .* got 4"):
        fitted_mesh("own", SQUARE, None, DENSE, SQUARE[:, :2])
    with pytest.raises(OptionError, match="from 1 to the 4 vertices; got 0"):
        fitted_mesh("own", SQUARE, None, DENSE, stride=0)


@pytest.mark.data
def test_the_papers_frontal_mesh(data):
    folder = data / "csm_celeba100"
    content = loadmat(folder / "frontal_mesh.mat")
    [face] = LandmarkerAligner(DENSE)(folder / "frontal.jpg")
    mesh = fitted_mesh(
        "prnet-43867", content["vertices"], content["triangles"], DENSE, face.vertices_xy, stride=20
    )
    assert len(mesh.vertices) == 2194
    assert len(mesh.triangles) > 4000
    tip = mesh.vertices[mesh.vertices[:, 2].argmax()]
    assert np.linalg.norm(tip[:2] - DENSE.vertices[DENSE.vertices[:, 2].argmax(), :2]) < 1
    eyes = [mesh.vertices[mesh.regions[f"{side}_eye"], 0].mean() for side in ("right", "left")]
    assert eyes[0] < -2.5 < 2.5 < eyes[1]
