"""A patch of 1.2 cm hides 1.2 cm of the face, however the head is turned and the crop stretches the photo.

What is true: a square or disc lies in the plane of the picture, so its centimetres are those of the photo, not
corrected for skin that turns away; a surface patch lies on the skin. A pixel of the input is ``1 / (s_x s_y)`` square
centimetres of the picture's plane, where ``s`` is what the face was drawn with times the crop's stretch, and as many
square centimetres of skin as its triangle has for each of its pixels.
"""

from functools import cache

import numpy as np
import pytest
from toy_faces import toy_face

from canonface.geometry import rotation_of
from canonface.models import prepare
from canonface.occluders import Disc, Square, Surface, region_pixels
from canonface.raster import rasterise
from canonface.types import InputSpec

PIXELS_PER_CM = 24.0
PATCH_CM = 1.2
POSES = {"frontal": (0.0, 0.0), "yaw 40": (40.0, 0.0), "pitch 30": (0.0, 30.0)}
CROPS = {
    "square crop": InputSpec(size_hw=(600, 600)),
    "stretched": InputSpec(size_hw=(600, 600), crop="image"),  # of a photo twice as wide as high
}
BEND = np.radians(25)


@cache
def shown_as(pose, crop, halo=False):
    yaw, pitch = POSES[pose]
    face = toy_face(yaw, PIXELS_PER_CM, pitch=pitch, size_hw=(500, 1000), halo=halo)
    return prepare(face, CROPS[crop])


@pytest.fixture(params=[(pose, crop) for pose in POSES for crop in CROPS], ids=", ".join)
def shown(request):
    return shown_as(*request.param)


def drawn_scales(shown):
    """Return the true pixels of the input a centimetre of the picture plane, across and down."""
    return PIXELS_PER_CM * np.diag(shown.matrix[:, :2])


def whole_masks(occluder, shown, vertices):
    [occlusions] = occluder.occlusions(shown, vertices)
    hidden = np.zeros((len(vertices), *shown.spec.size_hw), bool)
    for i, (x0, y0, x1, y1) in enumerate(occlusions.boxes.tolist()):
        hidden[i, y0:y1, x0:x1] = True if occlusions.masks is None else occlusions.masks[i]
    return hidden


def lattice_error(pixels):
    """Return three standard errors of the number of pixel centres in a round shape of that many pixels.

    An ellipse's edge crosses about ``8 / sqrt(2 pi) * sqrt(pixels)`` pixels for each of which the count errs
    uniformly by half a pixel at most, variance 1/12; a disc around a pixel's centre is eightfold symmetric, so that
    eight of them err alike.
    """
    return 3 * np.sqrt(8 * (8 / np.sqrt(2 * np.pi)) * np.sqrt(pixels) / 12)


def smooth_places(shown):
    """Return the visible vertices around which no normal in the patch is farther than `BEND` from their own."""
    mesh = shown.face.mesh
    corners = mesh.vertices[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    camera = normals @ rotation_of(shown.face.pose_deg).T
    edges = np.sort(mesh.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    pairs, uses = np.unique(edges, axis=0, return_counts=True)
    rim = mesh.vertices[np.unique(pairs[uses == 1])]
    chosen = []
    for vertex in np.flatnonzero(shown.visible):
        place = mesh.vertices[vertex]
        if np.linalg.norm(rim - place, axis=1).min() <= PATCH_CM:
            continue
        # A triangle may reach into the patch with no corner in it: all within the longest edge are looked at.
        near = np.linalg.norm(corners - place, axis=2).min(axis=1) < PATCH_CM
        own = normals[(mesh.triangles == vertex).any(axis=1)].sum(axis=0)
        if (normals[near] @ own / np.linalg.norm(own)).min() > np.cos(BEND) and camera[near, 2].min() > 0.5:
            chosen.append(vertex)
    return np.array(chosen)


def skin_per_pixel(shown):
    """Return the square centimetres of the canonical face in each pixel of the input."""
    mesh, xy = shown.face.mesh, shown.vertices_xy
    raster = rasterise(xy, shown.face.depth, mesh.triangles, shown.spec.size_hw)

    def areas(points):
        a, b, c = (points[mesh.triangles[:, i]] for i in range(3))
        return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2

    flat = areas(np.column_stack([xy, np.zeros(len(xy))]))
    return np.where(raster.inside, (areas(mesh.vertices) / flat)[raster.triangle], 0.0)


@pytest.mark.parametrize("shape", [Square, Disc])
def test_squares_and_discs_have_their_width_height_and_area_in_the_plane_of_the_picture(shown, shape):
    scales = drawn_scales(shown)
    inner = np.flatnonzero(np.linalg.norm(shown.face.mesh.vertices[:, :2], axis=1) < 5)[::20]
    # A side is a whole number of pixels: half a pixel is what rounding costs.
    rounding = 0.5 / (PATCH_CM * scales)
    full = 1.0 if shape is Square else np.pi / 4
    for mask in whole_masks(shape("1.2cm"), shown, inner):
        size = np.array([mask.any(axis=0).sum(), mask.any(axis=1).sum()]) / scales
        np.testing.assert_array_less(np.abs(size / PATCH_CM - 1), rounding + 1e-6)
        area, count = mask.sum() / scales.prod() / (full * PATCH_CM**2), mask.sum()
        lattice = 0 if shape is Square else lattice_error(count) / count
        assert abs(area - 1) < (1 + rounding).prod() * (1 + lattice) - 1 + 1e-6
    assert shape("1.2cm").side(shown) ** 2 == pytest.approx(full * PATCH_CM**2 * scales.prod(), rel=1e-6)


def test_a_surface_patch_has_its_area_on_the_skin(shown):
    """If normals turn by ``b`` at most, a ball of radius r cuts out ``cos(b)^2`` to ``1 / cos(b)`` of ``pi r^2``.

    Over the tangent plane the piece holds the disc of radius ``r cos(b)``, for it rises by ``tan(b)`` at most, and
    lies within that of radius r; skin over a piece of plane is ``1`` to ``1 / cos(b)`` times as large.
    """
    places = smooth_places(shown)
    assert len(places) >= 10
    skin = skin_per_pixel(shown)
    shares = []
    for mask in whole_masks(Surface("1.2cm"), shown, places):
        share, lattice = skin[mask].sum() / (np.pi * PATCH_CM**2 / 4), lattice_error(mask.sum()) / mask.sum()
        assert np.cos(BEND) ** 2 - lattice < share < 1 / np.cos(BEND) + lattice
        shares.append(share)
    assert np.mean(shares) == pytest.approx(1, abs=0.02)  # what counts pixels and bends averages out


@pytest.mark.parametrize("crop", CROPS)
def test_a_surface_patch_off_the_face_is_a_disc_in_the_photo(crop):
    shown = shown_as("frontal", crop, halo=True)
    mesh, scales = shown.face.mesh, drawn_scales(shown)
    halo = mesh.face_count + np.flatnonzero(shown.visible[mesh.face_count :])
    xy = shown.vertices_xy
    face = xy[: mesh.face_count] / scales
    within = ((xy > PATCH_CM * scales) & (xy < 600 - PATCH_CM * scales)).all(axis=1)
    free = [
        v for v in halo if within[v] and np.linalg.norm(face - xy[v] / scales, axis=1).min() > 2 * PATCH_CM
    ]
    assert len(free) >= 3
    for mask in whole_masks(Surface("1.2cm"), shown, np.array(free)):
        count = mask.sum()
        size = np.array([mask.any(axis=0).sum(), mask.any(axis=1).sum()])
        assert (np.abs(size - PATCH_CM * scales) <= 1).all()
        area = np.pi * PATCH_CM**2 / 4 * scales.prod()
        assert count == pytest.approx(area, abs=lattice_error(area))


def test_a_region_is_dilated_by_its_length_each_way():
    shown = shown_as("frontal", "stretched")
    scales = drawn_scales(shown)
    [plain], [grown] = (
        region_pixels(shown, [np.asarray(shown.face.mesh.regions["nose_tip"])], by) for by in (0.0, 1.0)
    )
    for axis, scale in zip((0, 1), scales, strict=True):
        before, after = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for mask in (plain, grown))
        np.testing.assert_allclose(np.abs(after - before), scale, atol=1)
