"""Maps as objects: merging, hidden pixels, the peak, left and right, and the way back onto a face."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface import functional
from canonface.errors import OptionError
from canonface.maps import CIS, CMS, AttributionMap, on_face, peak_of
from canonface.mesh import Canvas, load_mesh
from canonface.types import Face, Pose

MESH = load_mesh(0)
CANVAS = Canvas((64, 64))
XY = CANVAS.project(MESH)


SEEN = np.ones((64, 64), int)


def bump(region, width=6.0):
    """Return a map on the canvas that is highest in the middle of a region."""
    centre = XY[MESH.regions[region]].mean(axis=0)
    yy, xx = np.mgrid[:64, :64]
    return np.exp(-((xx - centre[0]) ** 2 + (yy - centre[1]) ** 2) / (2 * width**2))


def a_face(vertices_xy=None, size=(64, 64), visible=None):
    vertices_xy = XY if vertices_xy is None else vertices_xy
    count = len(vertices_xy)
    return Face(
        image=np.zeros((*size, 3), np.uint8),
        vertices_xy=vertices_xy,
        depth=np.zeros(count),
        visible=np.ones(count, bool) if visible is None else visible,
        pose_deg=Pose(0.0, 0.0, 0.0),
        quality=1.0,
        mesh=MESH,
    )


def a_cis(drops, **changes):
    cis = CIS(
        face=a_face(),
        mesh=MESH,
        probes=np.arange(len(XY)),
        values=drops,
        confidence=0.9,
        target="happy",
        unit="probability of happy",
        patch=5.0,
        patch_in_photo=5.0,
        canonical_patch=5.0,
        input_height=64,
        model="toy",
        outputs=np.array([0.9, 0.1]),
        canvas=CANVAS,
    )
    return replace(cis, **changes)


def random_faces(seed, n=5):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        drops = rng.normal(size=len(XY))
        drops[rng.random(len(XY)) < 0.4] = np.nan
        yield functional.cis(drops, XY, (64, 64), 5.0)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 100), cut=st.integers(0, 5), unseen=st.sampled_from(["omit", "zero"]))
def test_any_split_of_the_faces_merges_to_the_same_map(seed, cut, unseen):
    faces = list(random_faces(seed))
    parts = []
    for some in (faces[:cut], faces[cut:]):
        part = CMS.empty(MESH, "u", unseen, CANVAS)
        for image, count in some:
            part = part.add(image, count, 5.0)
        parts.append(part)
    merged, turned = parts[0].merge(parts[1]), parts[1].merge(parts[0])
    direct = functional.cms([f[0] for f in faces], [f[1] for f in faces], unseen)
    assert merged.faces == 5
    if unseen == "omit":
        direct = np.where(merged.seen > 0, direct, np.nan)
    np.testing.assert_allclose(merged.map, direct, atol=1e-12)
    np.testing.assert_allclose(merged.map, turned.map, atol=1e-12)
    np.testing.assert_allclose(merged.sem, turned.sem, atol=1e-9)


def test_the_standard_error_is_that_of_the_faces_that_showed_the_pixel():
    maps = [np.full((64, 64), v) for v in (1.0, 2.0, 6.0)]
    counts = [np.ones((64, 64), int) for _ in maps]
    counts[2][:, :32] = 0
    cms = CMS.empty(MESH, "u", canvas=CANVAS)
    for image, count in zip(maps, counts, strict=True):
        cms = cms.add(image, count, 5.0)
    assert cms.map[0, 0] == 1.5
    assert cms.sem[0, 0] == pytest.approx(np.std([1, 2], ddof=1) / np.sqrt(2))
    assert cms.sem[0, 63] == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    assert np.isnan(CMS.empty(MESH, "u", canvas=CANVAS).add(maps[0], counts[0], 5.0).sem[0, 0])


def test_maps_of_different_kinds_do_not_merge():
    one = CMS.empty(MESH, "u", canvas=CANVAS)
    with pytest.raises(OptionError, match="unit differs: 'u' and 'v'"):
        one.merge(CMS.empty(MESH, "v", canvas=CANVAS))
    with pytest.raises(OptionError, match="one mesh"):
        one.merge(CMS.empty(load_mesh(1), "u", canvas=CANVAS))
    with pytest.raises(OptionError, match="'omit' or 'zero'"):
        CMS.empty(MESH, "u", "drop", CANVAS)


@pytest.mark.parametrize("region", ["left_eye", "right_mouth_corner", "chin", "forehead"])
def test_the_peak_names_the_region_and_tells_left_from_right(region):
    cms = CMS.empty(MESH, "u", canvas=CANVAS).add(bump(region), np.ones((64, 64), int), 5.0)
    peak = cms.peak()
    assert region in peak.regions
    assert (peak.xy[0] < 31.5) == region.startswith("right") or region in ("chin", "forehead")
    # a mean over a region's vertices: small regions inside the bump come first, and none of the other side
    best = next(iter(cms.region_values()))
    assert {best.split("_")[0], region.split("_")[0]} != {"left", "right"}


def test_a_flat_peak_is_taken_in_its_middle():
    image = np.zeros((64, 64))
    image[32:35, 24:29] = 3.0
    peak = peak_of(image, SEEN, MESH, CANVAS)
    assert peak.xy == (26.0, 33.0)
    assert peak.value == 3.0


def test_pixels_past_the_outline_of_the_face_are_not_the_peak():
    assert CANVAS.face_mask(MESH)[32, 32]
    assert not CANVAS.face_mask(MESH)[2, 32]
    image = bump("chin")
    image[2, 32] = 9.0
    assert "chin" in peak_of(image, SEEN, MESH, CANVAS).regions


def test_unseen_pixels_are_never_the_peak():
    image = -np.ones((64, 64))
    count = np.zeros((64, 64), int)
    image[10:20, 10:20], count[10:20, 10:20] = -0.5, 1
    assert peak_of(image, count, MESH, CANVAS).value == -0.5
    assert peak_of(image, count * 0, MESH, CANVAS) is None


def test_the_patch_of_a_merged_map_is_the_mean_of_its_faces():
    image = np.zeros((64, 64))
    one = CMS.empty(MESH, "u", canvas=CANVAS).add(image, SEEN, 4.0)
    three = CMS.empty(MESH, "u", canvas=CANVAS).add(image, SEEN, 5.0).add(image, SEEN, 9.0)
    assert one.merge(three).canonical_patch == pytest.approx(6.0)
    assert np.isnan(CMS.empty(MESH, "u", canvas=CANVAS).canonical_patch)


def test_a_cis_draws_its_canonical_patch_and_its_density_switch():
    drops = np.linspace(0, 1, len(XY))
    cis = a_cis(drops, canonical_patch=8.0)
    image, count = functional.cis(drops, XY, (64, 64), 8.0)
    np.testing.assert_allclose(cis.map, image)
    np.testing.assert_array_equal(cis.count, count)
    summed = a_cis(drops, canonical_patch=8.0, normalise=False)
    np.testing.assert_allclose(summed.map, image * count, atol=1e-9)


def test_the_map_on_the_photo_lies_where_the_probes_were():
    drops = np.full(len(XY), np.nan)
    drops[7] = 2.0
    shifted = a_face(XY * 2 + 10, size=(150, 150))
    image, count = a_cis(drops, face=shifted, patch_in_photo=3.0).on_photo()
    x, y = np.rint(shifted.vertices_xy[7]).astype(int)
    assert image[y, x] == 2.0
    assert count.sum() == 9


def test_a_map_comes_back_on_the_face_at_the_faces_scale_and_place():
    image = bump("left_eye")
    face = a_face(XY * 3 + (40, 5), size=(220, 260))
    drawn, covered = on_face(image, SEEN, 5.0, face, MESH, CANVAS)
    y, x = np.unravel_index(drawn.argmax(), drawn.shape)
    wanted = face.vertices_xy[MESH.regions["left_eye"]].mean(axis=0)
    assert np.linalg.norm(wanted - (x, y)) < 15
    assert not drawn[~covered].any()
    # A patch of 5 pixels here is one of 15 there, where the face is three times as large.
    one = np.flatnonzero(np.arange(len(XY)) == 152)
    alone = a_face(face.vertices_xy, (220, 260), np.isin(np.arange(len(XY)), one))
    assert on_face(image, SEEN, 5.0, alone, MESH, CANVAS)[1].sum() == 15 * 15


def test_hidden_vertices_are_not_drawn():
    visible = XY[:, 0] < 31
    drawn, covered = on_face(np.ones((64, 64)), SEEN, 5.0, a_face(visible=visible), MESH, CANVAS)
    assert covered[:, :25].any()
    assert not covered[:, 36:].any()
    np.testing.assert_allclose(drawn[covered], 1.0)


def test_unseen_pixels_are_not_drawn_as_zero():
    seen = SEEN.copy()
    seen[:, 32:] = 0
    drawn, covered = on_face(np.where(seen > 0, 0.5, 0.0), seen, 5.0, a_face(), MESH, CANVAS)
    np.testing.assert_allclose(drawn[covered], 0.5)
    assert not covered[:, 36:].any()


def test_a_canvas_that_cuts_the_face_leaves_its_vertices_out():
    close = Canvas((64, 64), margin=-0.3)
    cms = CMS.empty(MESH, "u", canvas=close).add(np.ones((64, 64)), SEEN, 5.0)
    inside = ((close.project(MESH) > -0.5) & (close.project(MESH) < 63.5)).all(axis=1)
    assert 0 < inside.sum() < len(inside)
    np.testing.assert_array_equal(~np.isnan(cms.vertex_values), inside)


def test_a_merged_map_of_two_groups_has_neither_name():
    parts = [CMS.empty(MESH, "u", canvas=CANVAS, name=name) for name in ("female", "male", "male")]
    assert parts[0].merge(parts[1]).name == ""
    assert parts[1].merge(parts[2]).name == "male"
    with pytest.raises(OptionError, match="normalise differs: True and False"):
        parts[0].merge(CMS.empty(MESH, "u", canvas=CANVAS, normalise=False))


def test_a_face_on_another_mesh_is_refused():
    with pytest.raises(OptionError, match="align the photo on the mesh "):
        on_face(np.ones((64, 64)), SEEN, 5.0, replace(a_face(), mesh=load_mesh(1)), MESH, CANVAS)


def test_vertex_values_are_nan_where_no_face_showed_the_pixel():
    seen = np.zeros((64, 64), int)
    seen[:, :32] = 1
    values = CMS.empty(MESH, "u", canvas=CANVAS).add(np.full((64, 64), 4.0), seen, 5.0).vertex_values
    assert values[XY[:, 0] < 30] == pytest.approx(4.0)
    assert np.isnan(values[XY[:, 0] > 33]).all()


def halves(unseen="omit"):
    """Return the map of two faces that show the left half of the picture."""
    count = SEEN.copy()
    count[:, 32:] = 0
    cms = CMS.empty(MESH, "u", unseen, CANVAS)
    for value in (1.0, 3.0):
        cms = cms.add(np.where(count > 0, value, 0.0), count, 5.0)
    return cms


def test_a_model_map_is_nan_where_no_face_showed_the_pixel():
    cms = halves()
    np.testing.assert_array_equal(np.isnan(cms.map), cms.seen == 0)
    assert (cms.map[:, :32] == 2.0).all()
    assert np.isnan(CMS.empty(MESH, "u", canvas=CANVAS).map).all()
    assert np.isnan(CMS.empty(MESH, "u", "zero", CANVAS).map).all()


def test_a_pixel_that_counts_as_zero_in_every_face_is_zero():
    cms = halves("zero")
    assert (cms.map[:, 32:] == 0.0).all()
    assert (cms.map[:, :32] == 2.0).all()
    assert (cms.seen[:, 32:] == 0).all()
    assert np.isnan(cms.vertex_values[XY[:, 0] > 33]).all()


def test_readouts_ignore_the_nan_of_a_map():
    omitted, counted = halves(), halves("zero")
    np.testing.assert_array_equal(omitted.vertex_values, counted.vertex_values)
    assert omitted.peak() == counted.peak()
    assert omitted.region_values() == counted.region_values()
    face = a_face()
    drawn = [on_face(cms.map, cms.seen, 5.0, face, MESH, CANVAS) for cms in (omitted, counted)]
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])


def test_drops_are_the_values_of_a_drop_map():
    drops = np.linspace(0, 1, len(XY))
    cis = a_cis(drops)
    assert cis.drops is cis.values is drops
    assert set(cis.region_values()) == set(MESH.regions)


def test_the_old_keyword_of_the_values_still_works():
    cis = a_cis(np.zeros(len(XY)))
    fields = {**{name: getattr(cis, name) for name in cis.__dataclass_fields__ if name != "values"}}
    with pytest.warns(DeprecationWarning, match=r"drops=\.\.\.\) is now values="):
        old = CIS(**fields, drops=np.ones(len(XY)))
    assert (old.values == 1).all()


def test_values_of_another_method_are_no_drops():
    cis = a_cis(np.linspace(0, 1, len(XY)), model_calls=7)
    attribution = AttributionMap.of(cis, "gradcam")
    assert isinstance(attribution, CIS)
    assert attribution.method == "gradcam"
    assert attribution.values is cis.values
    assert attribution.model_calls == 7
    np.testing.assert_array_equal(attribution.map, cis.map)
    with pytest.warns(DeprecationWarning, match=r"AttributionMap\.drops is now AttributionMap\.values"):
        assert attribution.drops is attribution.values
    assert isinstance(replace(attribution, model_calls=8), AttributionMap)
    assert CMS.of([attribution]).method == "gradcam"


def test_a_map_and_its_method_go_together():
    cis = a_cis(np.zeros(len(XY)))
    with pytest.raises(OptionError, match="'gradcam', are an AttributionMap"):
        replace(cis, method="gradcam")
    with pytest.raises(OptionError, match="names its method; got ''"):
        AttributionMap.of(cis, "")
