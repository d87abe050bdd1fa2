"""Which pixels show a region, and regions hidden as wholes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from toy_faces import RGB, flat_input, toy_face, toy_input

from canonface.errors import OptionError
from canonface.geometry import visible_vertices
from canonface.mesh import load_mesh, make_mesh, region_mask
from canonface.models import prepare
from canonface.occluders import hide_regions, region_pixels
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(120, 120), crop="image")


def members(*names, mesh=None):
    mesh = mesh or load_mesh(0)
    return [np.flatnonzero(region_mask(mesh, name)) for name in names]


def test_all_vertices_are_the_face_and_none_is_nothing():
    shown = prepare(toy_face(pixels_per_cm=5.0), SPEC)
    whole, nothing = region_pixels(shown, [np.arange(468), np.zeros(0, dtype=np.int64)])
    assert whole.sum() == pytest.approx(ConvexHull(shown.vertices_xy).volume, rel=0.03)  # its area
    assert not nothing.any()


def test_regions_lie_where_their_vertices_are_and_barely_touch():
    shown = prepare(toy_face(pixels_per_cm=5.0), SPEC)
    names = ("right_eye", "left_eye", "mouth", "nose_tip")
    pixels = region_pixels(shown, members(*names))
    for name, mask in zip(names, pixels, strict=True):
        middle = np.argwhere(mask).mean(axis=0)[::-1]
        vertices = shown.vertices_xy[region_mask(load_mesh(0), name)].mean(axis=0)
        assert np.abs(middle - vertices).max() < 3
    assert not (pixels[0] & pixels[1]).any()
    assert pixels[0].sum() == pytest.approx(pixels[1].sum(), abs=6)


def test_what_the_head_hides_has_no_pixels():
    face = toy_face(75.0, pixels_per_cm=5.0)
    shown = prepare(face, SPEC)
    right, left = region_pixels(shown, members("right_eye", "left_eye"))
    assert visible_vertices(face.vertices_xy, face.depth, face.mesh.triangles).sum() < 468
    assert right.sum() > 10
    assert left.sum() < right.sum() / 4


def test_dilation_grows_a_region_by_its_length_and_no_farther():
    shown = prepare(toy_face(pixels_per_cm=5.0), SPEC)
    [eye] = region_pixels(shown, members("right_eye"))
    [grown] = region_pixels(shown, members("right_eye"), dilate_cm=1.0)
    places = np.argwhere(eye)
    for y, x in np.argwhere(grown):
        assert np.linalg.norm(places - (y, x), axis=1).min() <= 5.0 + 1e-6
    for y, x in np.argwhere(~grown):
        assert np.linalg.norm(places - (y, x), axis=1).min() > 5.0 - 1e-6
    with pytest.raises(OptionError, match="0 centimetres or more; got -1"):
        region_pixels(shown, members("right_eye"), dilate_cm=-1.0)


def test_the_halo_takes_the_pixels_beside_the_face():
    mesh = load_mesh(0, halo=True)
    shown = prepare(toy_face(pixels_per_cm=3.5, halo=True), SPEC)
    hair, neck, off, *_ = region_pixels(shown, members("hair", "neck", "off_face", mesh=mesh))
    [face] = region_pixels(shown, [np.arange(mesh.face_count)])
    assert not (off & face).any()
    assert not (hair & neck).any()
    assert np.argwhere(hair)[:, 0].mean() < np.argwhere(face)[:, 0].min() + 5
    assert np.argwhere(neck)[:, 0].mean() > np.argwhere(face)[:, 0].max() - 5
    assert off.sum() > hair.sum() + neck.sum()
    assert not off[0, 0]  # farther out than the halo reaches


@pytest.mark.parametrize("fill", ["mean", "blur", "noise", "inpaint", "average", "black+#ffffff"])
def test_regions_are_hidden_as_wholes_and_nothing_else(fill):
    shown = toy_input(RGB)
    groups = [*members("right_eye", "mouth"), np.zeros(0, dtype=np.int64)]
    pixels = region_pixels(shown, groups)
    fills = hide_regions(shown, groups, fill)
    assert len(fills) == len(fill.split("+"))
    for occlusions in fills:
        assert len(occlusions) == 3
        hidden = occlusions.hide(shown.x)
        assert hidden.dtype == np.float32
        changed = (hidden != shown.x).any(axis=1)
        assert not (changed & ~pixels).any()
        assert changed[:2].sum() > 0.95 * pixels[:2].sum()
        assert not changed[2].any()


def test_a_mesh_without_triangles_is_refused_in_words():
    shown = flat_input([(20, 20)])
    bare = make_mesh("bare/1", shown.face.mesh.vertices)
    shown = replace(shown, face=replace(shown.face, mesh=bare))
    with pytest.raises(OptionError, match=r"Hiding a region needs a mesh with triangles"):
        hide_regions(shown, [np.arange(3)])
