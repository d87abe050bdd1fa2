"""Maps of other methods on the mesh keep their values, places and hidden parts."""

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.maps import CMS, canonicalise
from canonface.mesh import Canvas, load_mesh
from canonface.models import prepare
from canonface.types import Face, InputSpec, Pose

MESH = load_mesh(0)
XY = Canvas((96, 96)).project(MESH)


def a_face(visible=None, scale=2.0):
    return Face(
        image=np.full((260, 240, 3), 90, np.uint8),
        vertices_xy=XY * scale + (20, 30),
        depth=np.zeros(len(XY)),
        visible=np.ones(len(XY), bool) if visible is None else visible,
        pose_deg=Pose(0.0, 0.0, 0.0),
        quality=1.0,
        mesh=MESH,
    )


def ramp(size):
    """Return a map whose values encode their place: x + 1000 y."""
    yy, xx = np.mgrid[: size[0], : size[1]]
    return xx + 1000.0 * yy


def test_a_map_of_the_photo_is_read_at_the_vertices():
    face = a_face()
    cis = canonicalise(ramp((260, 240)), face, name="gradcam", target="happy")
    np.testing.assert_allclose(cis.values, face.vertices_xy @ [1.0, 1000.0], rtol=1e-9)
    assert cis.unit == "gradcam of happy"
    assert cis.patch_in_photo == pytest.approx(np.ptp(face.vertices_xy, axis=0).max() / 15)


@pytest.mark.parametrize("spec", [InputSpec(size_hw=(64, 48)), InputSpec(size_hw=(50, 50), crop="image")])
def test_a_map_of_the_models_input_is_read_through_the_same_crop(spec):
    face = a_face()
    shown = prepare(face, spec)
    cis = canonicalise(ramp(spec.size_hw), face, spec=spec)
    inside = ((shown.vertices_xy >= 0) & (shown.vertices_xy <= np.array(spec.size_hw)[::-1] - 1)).all(axis=1)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(cis.values[inside], (shown.vertices_xy @ [1.0, 1000.0])[inside], rtol=1e-9)


def test_hidden_vertices_are_not_read():
    visible = XY[:, 0] < 48
    cis = canonicalise(np.ones((260, 240)), a_face(visible))
    np.testing.assert_array_equal(np.isnan(cis.values), ~visible)


def test_a_bright_place_of_photos_of_other_sizes_is_the_same_place_of_the_model_map():
    faces, maps = [a_face(scale=2.0), a_face(scale=1.5)], []
    for face in faces:
        image = np.zeros(face.image.shape[:2])
        x, y = np.rint(face.vertices_xy[MESH.regions["left_eye"]].mean(axis=0)).astype(int)
        image[y - 5 : y + 6, x - 5 : x + 6] = 1.0
        maps.append(canonicalise(image, face, name="bright"))
    cms = CMS.of(maps)
    assert cms.faces == 2
    assert "left_eye" in cms.peak().regions
    assert cms.canonical_patch == pytest.approx(maps[0].canonical_patch)


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(
        OptionError, match=r"260 x 240 pixels; got shape \(240, 260\)\. For a map of the model's input"
    ):
        canonicalise(np.zeros((240, 260)), a_face())
    with pytest.raises(OptionError, match="64 x 64 pixels"):
        canonicalise(np.zeros((7, 7)), a_face(), spec=InputSpec(size_hw=(64, 64)))
    with pytest.raises(OptionError, match="1 of 62400 are infinite"):
        canonicalise(np.where(np.arange(62400) == 9, np.inf, 0.0).reshape(260, 240), a_face())


def test_no_maps_make_no_model_map():
    with pytest.raises(OptionError, match="at least one face"):
        CMS.of([])


def test_maps_of_two_kinds_make_no_model_map():
    maps = [canonicalise(np.zeros((260, 240)), a_face(), name=name) for name in ("gradcam", "rise")]
    with pytest.raises(OptionError, match="unit differs"):
        CMS.of(maps)
