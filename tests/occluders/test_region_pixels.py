"""Pixels of regions, and occlusion of whole regions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from toy_faces import RGB, flat_input, toy_face, toy_input

from canonface.errors import OptionError
from canonface.geometry import visible_vertices
from canonface.mesh import load_mesh, make_mesh, region_mask
from canonface.models import prepare
from canonface.occluders import content, hide_pixels, hide_regions, region_pixels
from canonface.occluders.regions import bounding_box
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


def test_hidden_regions_have_no_pixels():
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


def test_the_halo_takes_the_pixels_off_the_face():
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


@pytest.mark.parametrize("fill", ["mean", "blur", "noise", "inpaint", "average", "#102030"])
def test_every_set_of_pixels_has_the_fill_of_a_patch_of_its_area(fill):
    """The fills are shared by the sets; each one alone, over the whole input, is the slow way."""
    shown = toy_input(RGB, halo=True)
    mesh = shown.face.mesh
    pixels = region_pixels(shown, members("right_eye", "mouth", "hair", "off_face", "left_cheek", mesh=mesh))
    pixels = np.concatenate([pixels, pixels[:1] | pixels[2:3], np.zeros_like(pixels[:1])])
    [occlusions] = hide_pixels(shown, pixels, fill)
    for got, mask in zip(occlusions.hide(shown.x), pixels, strict=True):
        box = np.array([[*bounding_box(mask)]])
        x0, y0, x1, y1 = box[0]
        values = content(fill, shown, float(np.sqrt(max(mask.sum(), 1))), box, [mask[y0:y1, x0:x1]])
        expected = shown.x.copy()
        if isinstance(values, np.ndarray):
            expected[:, mask] = np.broadcast_to(values, shown.x.shape)[:, mask]
        else:
            expected[:, mask] = values[0][:, mask[y0:y1, x0:x1]]
        np.testing.assert_allclose(got, expected, atol=2e-6)


@pytest.mark.parametrize("fill", ["noise", "average", "mean"])
def test_work_shared_by_sets_of_pixels_is_done_once(fill, monkeypatch):
    """For 40 sets on the face the average face is warped once, noise is drawn once, and nothing is blurred."""
    import cv2

    shown = prepare(toy_face(pixels_per_cm=5.0), SPEC)
    mesh = shown.face.mesh
    pixels = region_pixels(shown, [mesh.triangles[10 * i : 10 * i + 10].ravel() for i in range(40)])
    calls = []

    def counted(name, plain):
        return lambda *arguments, **options: calls.append(name) or plain(*arguments, **options)

    for owner, name in ((cv2, "remap"), (cv2, "GaussianBlur"), (np.random, "default_rng")):
        monkeypatch.setattr(owner, name, counted(name, getattr(owner, name)))
    hide_pixels(shown, pixels, fill)
    assert calls == {"noise": ["default_rng"], "average": ["remap"], "mean": []}[fill]


def test_a_mesh_without_triangles_is_refused_with_a_sentence():
    shown = flat_input([(20, 20)])
    bare = make_mesh("bare/1", shown.face.mesh.vertices)
    shown = replace(shown, face=replace(shown.face, mesh=bare))
    with pytest.raises(OptionError, match=r"Occluding a region needs a mesh with triangles"):
        hide_regions(shown, [np.arange(3)])
