"""Faces to draw on: the render, one photo, the mean of many."""

import logging
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from canonface.demo import demo_folder
from canonface.errors import OptionError
from canonface.mesh import Canvas, load_mesh, region_mask
from canonface.plots import average_face, photo_face, run_face, shaded_face
from canonface.plots.frontal import canonical_raster
from canonface.plots.warp import warp_photo

CANVAS = Canvas((160, 160))
MESH = load_mesh(1)
XY = CANVAS.project(MESH)
INSIDE = canonical_raster(MESH, CANVAS).inside


@pytest.fixture(scope="module")
def face(aligner):
    return aligner(demo_folder() / "photos" / "op_P006_studio.jpg")[0]


def tone_of(picture, name):
    rows, columns = np.rint(XY[region_mask(MESH, name)]).astype(int)[:, ::-1].T
    return picture[rows, columns, :3].mean()


def test_the_render_is_a_grey_face_on_nothing():
    picture = shaded_face(MESH, CANVAS)
    assert picture.shape == (160, 160, 4)
    assert (picture[..., 0] == picture[..., 1]).all()
    assert (picture[..., 1] == picture[..., 2]).all()
    assert (picture[..., 3] > 127).sum() == pytest.approx(INSIDE.sum(), rel=0.03)
    assert picture[0, 0, 3] == 0


def test_the_features_of_the_render_stand_out():
    picture = shaded_face(MESH, CANVAS)
    for side in ("right", "left"):
        assert tone_of(picture, f"{side}_eyebrow") < tone_of(picture, "forehead") - 20
    assert tone_of(picture, "upper_lip") < tone_of(picture, "chin") - 10
    eye = np.rint(XY[MESH.regions["left_eye"]].mean(axis=0)).astype(int)
    assert picture[eye[1], eye[0], 0] < 120  # the pupil


def test_every_level_of_the_mesh_gives_nearly_the_same_render():
    coarse, fine = (shaded_face(load_mesh(level), CANVAS).astype(int) for level in (1, 2))
    assert np.abs(coarse - fine)[INSIDE].mean() < 3


def test_a_photo_of_the_canonical_face_is_warped_onto_itself():
    rows, columns = np.indices((160, 160))
    image = np.stack([columns, rows, np.full_like(rows, 7)], axis=2).astype(np.uint8)
    warped, shown = warp_photo(image, XY, None, MESH, CANVAS)
    np.testing.assert_array_equal(shown, INSIDE)
    assert np.abs(warped.astype(int) - image)[shown].max() <= 1
    assert not warped[~shown].any()


def test_a_warped_photo_keeps_left_and_up_at_any_place_and_size():
    image = np.zeros((400, 300, 3), np.uint8)
    places = XY * 1.3 + (40, 70)
    eye = np.rint(places[MESH.regions["left_eye"]].mean(axis=0)).astype(int)
    image[eye[1] - 4 : eye[1] + 5, eye[0] - 4 : eye[0] + 5] = 255
    warped, _ = warp_photo(image, places, None, MESH, CANVAS)
    bright = np.argwhere(warped[..., 0] > 128).mean(axis=0)[::-1]
    np.testing.assert_allclose(bright, XY[MESH.regions["left_eye"]].mean(axis=0), atol=1)
    assert bright[0] > 80 > bright[1]  # right half, upper half


def test_hidden_and_outside_parts_come_from_the_render(face):
    visible = XY[:, 0] < 80
    picture = average_face([(np.full((160, 160, 3), 200, np.uint8), XY, visible)], MESH, CANVAS)
    assert (picture[:, :75][INSIDE[:, :75]][:, :3] == 200).all()
    np.testing.assert_array_equal(picture[:, 85:], shaded_face(MESH, CANVAS)[:, 85:])
    beyond, shown = warp_photo(np.full((160, 60, 3), 9, np.uint8), XY, None, MESH, CANVAS)
    assert shown[:, :60][INSIDE[:, :60]].all()
    assert not shown[:, 61:].any()
    assert not beyond[:, 61:].any()


def test_the_average_is_the_mean_over_the_photos_that_show_a_place():
    dark, light = (np.full((160, 160, 3), value, np.uint8) for value in (50, 101))
    left_only = XY[:, 0] > 80
    picture = average_face([(dark, XY, None), (light, XY, left_only)], MESH, CANVAS)
    assert (picture[:, :78][INSIDE[:, :78]][:, :3] == 50).all()
    assert set(np.unique(picture[:, 90:150][INSIDE[:, 90:150]][:, :3])) == {76}  # 75.5, to even


def test_no_photo_gives_the_render_and_leaves_it_alone():
    before = shaded_face(MESH, CANVAS).copy()
    picture = average_face([], MESH, CANVAS)
    picture[:] = 0
    np.testing.assert_array_equal(before, shaded_face(MESH, CANVAS))


def test_a_real_face_resembles_itself(face):
    """The warped photo, sampled at the vertices, holds the photo's own values there."""
    import cv2

    canvas = Canvas()
    picture = photo_face(face, MESH, canvas)
    inner = face.visible & (np.abs(MESH.vertices[:, 0]) < 5)
    places = [canvas.project(MESH), face.vertices_xy]
    here, there = (
        cv2.remap(cv2.GaussianBlur(image, (0, 0), sigma), xy[inner].astype(np.float32)[None], None, 1)[
            0, :, 1
        ]
        for image, sigma, xy in zip((picture[..., :3], face.image), (4, 1.5), places, strict=True)
    )
    assert np.corrcoef(here, there)[0, 1] > 0.95


def test_other_vertices_are_refused(face):
    with pytest.raises(OptionError, match="align the photo with that mesh"):
        photo_face(face, load_mesh(0), CANVAS)


def test_a_run_leaves_out_photos_that_are_gone(tmp_path, caplog):
    Image.fromarray(np.full((160, 160, 3), 90, np.uint8)).save(tmp_path / "here.png")
    run = SimpleNamespace(
        mesh=MESH,
        canvas=CANVAS,
        manifest=SimpleNamespace(photo_root=str(tmp_path)),
        faces=pa.table({"path": ["here.png", "gone.png"], "visible": [[True] * len(XY)] * 2}),
        vertices_xy=lambda: np.stack([XY, XY]),
    )
    with caplog.at_level(logging.WARNING):
        picture = run_face(run)
    assert "1 of 2 photos cannot be read" in caplog.text
    assert (picture[INSIDE][:, :3] == 90).all()
