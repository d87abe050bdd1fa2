from __future__ import annotations

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.mesh import (
    HALO_SOURCES,
    REGION_GROUPS,
    Canvas,
    adjacency,
    groups_of,
    load_mesh,
    mesh_edges,
    region_area_px,
    region_mask,
    region_sources,
    region_triangles,
    regions_of,
)
from canonface.mesh.region_contours import CONTOURS
from canonface.mesh.regions import closed_walk

PAIRS = [
    "eye",
    "inner_eye_corner",
    "outer_eye_corner",
    "upper_eyelid",
    "lower_eyelid",
    "eyebrow",
    "nose_wing",
]
PAIRS += ["cheek", "mouth_corner", "jaw", "temple"]
MIDLINE = ["glabella", "nose_bridge", "nose_tip", "upper_lip", "lower_lip", "philtrum", "chin", "forehead"]
NAMES = {f"{side}_{pair}" for pair in PAIRS for side in ("right", "left")} | set(MIDLINE)


@pytest.fixture(scope="module")
def base():
    return load_mesh(0)


def test_region_names(base):
    assert set(base.regions) == NAMES
    assert list(region_sources()) == [*base.regions, *HALO_SOURCES]
    assert list(load_mesh(0, halo=True).regions) == [*base.regions, *HALO_SOURCES]
    assert set(REGION_GROUPS).isdisjoint(NAMES)
    assert {part for parts in REGION_GROUPS.values() for part in parts} <= NAMES | set(HALO_SOURCES)


def test_every_source_is_stated():
    for name in NAMES:
        source = region_sources()[name]
        assert source.startswith(
            ("MediaPipe face_mesh_connections.py", "canonface, drawn on the canonical mesh: ")
        )


@pytest.mark.parametrize("subdivision", [0, 1, 2])
def test_left_mirrors_right_and_the_midline_mirrors_itself(subdivision):
    mesh = load_mesh(subdivision)
    for name, members in mesh.regions.items():
        other = name.replace("right_", "LEFT_").replace("left_", "right_").replace("LEFT_", "left_")
        np.testing.assert_array_equal(np.sort(mesh.mirror[members]), mesh.regions[other], err_msg=name)


@pytest.mark.parametrize("contour", CONTOURS, ids=lambda contour: contour.name)
def test_a_contour_is_a_simple_closed_walk_along_edges(base, contour):
    walk = closed_walk(contour, base.mirror).tolist()
    assert len(set(walk)) == len(walk)
    edges = set(map(tuple, mesh_edges(base.triangles).tolist()))
    steps = zip(walk, walk[1:] + walk[:1], strict=True)
    assert [step for step in steps if tuple(sorted(step)) not in edges] == []


@pytest.mark.parametrize("contour", CONTOURS, ids=lambda contour: contour.name)
def test_a_region_is_the_area_inside_its_contour(base, contour):
    # Independent of the texture: the triangles within have the area that the contour has by the shoelace
    # formula. Both are taken in the texture, where nothing folds.
    name = contour.name if contour.side == "midline" else f"right_{contour.name}"
    ax, ay = base.uv[closed_walk(contour, base.mirror)].T
    enclosed = abs((ax * np.roll(ay, -1) - ay * np.roll(ax, -1)).sum()) / 2
    a, b, c = (base.uv[region_triangles(base, name)[:, corner]] for corner in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    np.testing.assert_allclose(np.abs(ux * vy - uy * vx).sum() / 2, enclosed, rtol=1e-9)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_region_is_connected(base, name):
    from scipy.sparse.csgraph import connected_components

    triangles = region_triangles(base, name)
    np.testing.assert_array_equal(np.unique(triangles), base.regions[name])  # no loose vertices or edges
    members = base.regions[name]
    neighbours = adjacency(triangles, 468)[members][:, members]
    assert connected_components(neighbours)[0] == 1


def test_regions_contain_the_published_sets(base):
    # MediaPipe, face_mesh_connections.py.
    eye = {33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173}
    brow = {46, 53, 52, 65, 55, 70, 63, 105, 66, 107}
    lips = {61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409}
    lips |= {78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415}
    assert set(base.regions["right_eye"].tolist()) == eye
    assert set(base.regions["right_eyebrow"].tolist()) == brow
    assert lips <= set(base.regions["upper_lip"].tolist()) | set(base.regions["lower_lip"].tolist())


@pytest.mark.parametrize(
    ("vertex", "expected"),
    [
        (33, {"right_eye", "right_outer_eye_corner", "right_upper_eyelid", "right_lower_eyelid"}),
        (362, {"left_eye", "left_inner_eye_corner", "left_lower_eyelid"}),
        (4, {"nose_tip"}),
        (164, {"philtrum"}),
        (205, {"right_cheek"}),
        (151, {"forehead"}),
        (199, {"chin"}),
        (291, {"left_mouth_corner", "upper_lip", "lower_lip"}),
        (9, {"forehead", "glabella"}),
        (139, {"right_temple"}),
        (135, {"right_jaw"}),
    ],
)
def test_known_vertices(base, vertex, expected):
    assert set(regions_of(base, vertex)) == expected


def test_only_the_opening_of_the_mouth_has_no_region(base):
    assert all(regions_of(base, vertex) for vertex in range(468))
    named = np.any([region_mask(base, name)[base.triangles].all(axis=1) for name in NAMES], axis=0)
    inner_lips = {78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415}
    assert 0 < (~named).sum() < 20
    assert set(base.triangles[~named].ravel().tolist()) <= inner_lips
    assert region_mask(base, "mouth")[base.triangles[~named]].all()


def test_order_of_regions(base):
    """Compare the order from top to bottom with that of any face; y is up."""
    y = {name: base.vertices[members, 1].mean() for name, members in base.regions.items()}
    order = ["forehead", "right_eyebrow", "right_upper_eyelid", "right_eye", "right_lower_eyelid"]
    order += ["right_nose_wing", "philtrum", "upper_lip", "lower_lip", "chin"]
    assert sorted(order, key=y.__getitem__, reverse=True) == order
    across = {name: base.vertices[members, 0].mean() for name, members in base.regions.items()}
    order = ["right_temple", "right_outer_eye_corner", "right_eye", "right_inner_eye_corner", "nose_bridge"]
    assert sorted(order, key=across.__getitem__) == order


@pytest.mark.parametrize("subdivision", [1, 2, 3])
def test_a_dense_vertex_belongs_if_all_its_weight_lies_in_the_region(subdivision):
    mesh, base = load_mesh(subdivision), load_mesh(0)
    rng = np.random.default_rng(0)
    for vertex in rng.integers(468, len(mesh.vertices), 60).tolist():
        sources = mesh.from_base[[vertex]].indices
        expected = {name for name, members in base.regions.items() if np.isin(sources, members).all()}
        assert set(regions_of(mesh, vertex)) == expected


def test_the_midpoint_of_an_edge_that_leaves_a_region_is_outside():
    base, mesh = load_mesh(0), load_mesh(1)
    inside = region_mask(base, "right_eye")
    for number, (a, b) in enumerate(mesh_edges(base.triangles).tolist()):
        assert (468 + number in mesh.regions["right_eye"]) == (inside[a] and inside[b])


@pytest.mark.parametrize("name", [*sorted(NAMES), *groups_of(load_mesh(0))])
def test_subdivisions_cover_the_same_area(name):
    areas = [region_area_px(load_mesh(subdivision), name, Canvas()) for subdivision in (0, 1, 2)]
    np.testing.assert_allclose(areas, areas[0], rtol=1e-9)


def test_area_by_hand(base):
    xy = Canvas().project(base)
    ax, ay = xy[[9, 107, 55, 8, 285, 336]].T  # the outline of the glabella
    shoelace = abs((ax * np.roll(ay, -1) - ay * np.roll(ax, -1)).sum()) / 2
    np.testing.assert_allclose(region_area_px(base, "glabella", Canvas()), shoelace)
    double = region_area_px(base, "glabella", Canvas(size_hw=(1024, 1024)))
    np.testing.assert_allclose(double, 4 * shoelace)


def test_groups_contain_their_regions_and_the_area_between():
    mesh = load_mesh(1)
    mouth = region_mask(mesh, "mouth")
    for part in REGION_GROUPS["mouth"]:
        assert mouth[mesh.regions[part]].all()
    assert mouth.sum() > np.unique(np.concatenate([mesh.regions[p] for p in REGION_GROUPS["mouth"]])).size
    cheeks = np.concatenate([mesh.regions[part] for part in REGION_GROUPS["cheeks"]])
    np.testing.assert_array_equal(np.flatnonzero(region_mask(mesh, "cheeks")), np.unique(cheeks))


@pytest.mark.parametrize(
    ("given_name", "near"), [("right_eyes", "right_eye"), ("mouht", "mouth"), ("Chin", "chin")]
)
def test_an_unknown_region_raises_with_near_names(base, given_name, near):
    with pytest.raises(OptionError, match=rf"no '{given_name}': did you mean .*'{near}'"):
        region_mask(base, given_name)


@pytest.mark.parametrize("vertex", [-1, 468])
def test_an_unknown_vertex_raises(base, vertex):
    with pytest.raises(OptionError, match=r"from 0 to 467; got"):
        regions_of(base, vertex)
