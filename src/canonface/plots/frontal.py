"""The canonical face as a picture to draw on: a soft grey render of the mesh, and its raster."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8

from canonface.mesh import Canvas, region_mask, vertex_normals
from canonface.raster import Raster, rasterise
from canonface.types import Mesh

_KEY_LIGHT = np.array([-0.30, 0.50, 0.81])  # from the upper left, as pictures are mostly lit
_SKIN, _BROW, _LIP, _MOUTH = 0.88, 0.50, 0.74, 0.42
_SCLERA, _IRIS, _PUPIL = 0.97, 0.50, 0.20
_FEATURES = {f"{side}_{name}" for side in ("right", "left") for name in ("eyebrow", "eye", "nose_wing")} | {
    "upper_lip",
    "lower_lip",
}
_IRIS_RADIUS = 0.20  # of the width of the eye: 11.7 mm of about 30, the human mean


@lru_cache(maxsize=4)
def canonical_raster(mesh: Mesh, canvas: Canvas) -> Raster:
    """Rasterise the canonical mesh on the canonical picture; cached, so its arrays are read-only."""
    raster = rasterise(canvas.project(mesh), -mesh.vertices[:, 2], mesh.triangles, canvas.size_hw)
    for array in (raster.triangle, raster.weights, raster.corners):
        array.flags.writeable = False
    return raster


@lru_cache(maxsize=4)
def shaded_face(mesh: Mesh, canvas: Canvas) -> UInt8[np.ndarray, "h w 4"]:
    """Render the canonical mesh in neutral grey, lit softly, with darker brows, eyes and lips.

    Rendered at twice the size and shrunk. Cached, so the array is read-only.

    Args:
        mesh: the canonical mesh, at any subdivision.
        canvas: the canonical picture.

    Returns:
        ``(h, w, 4)`` RGB and opacity: transparent off the face.
    """
    import cv2

    height, width = canvas.size_hw
    fine = Canvas((2 * height, 2 * width), canvas.margin)
    raster = canonical_raster(mesh, fine)
    pixels = fine.pixels_per_unit(mesh)
    tone = _light(mesh, raster, pixels) * _features(mesh, raster, fine)
    # The rim is a polygon: a wide blur, made steep again, rounds its corners.
    opacity = np.clip(0.5 + 8 * (_blur(raster.inside.astype(np.float64), 0.35 * pixels) - 0.5), 0, 1)
    opacity *= raster.inside
    picture = np.dstack([tone, tone, tone, opacity])
    picture = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    shrunk = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    shrunk.flags.writeable = False
    return np.asarray(shrunk)


def smooth_normals(mesh: Mesh) -> Float[np.ndarray, "v 3"]:
    """Return unit normals that change smoothly over the face.

    Subdivision keeps the base triangles flat, so normals computed on the dense mesh would show facets. The normals
    of the base vertices are interpolated instead.
    """
    base = vertex_normals(mesh.vertices, mesh.triangles)[: mesh.base_count]
    mixed = mesh.from_base @ base
    # A vertex without triangles has no normal.
    return np.asarray(mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9))


def vertex_tones(mesh: Mesh) -> Float[np.ndarray, "v"]:
    """Return the unlit tone of every vertex (skin, brows, lips), for files that colour vertices."""
    tones = np.full(len(mesh.vertices), _SKIN)
    names = {"right_eyebrow": _BROW, "left_eyebrow": _BROW, "upper_lip": _LIP, "lower_lip": _LIP}
    for name, tone in names.items():
        if name in mesh.regions:
            tones[region_mask(mesh, name)] = tone
    return tones


def _light(mesh: Mesh, raster: Raster, pixels: float) -> Float[np.ndarray, "h w"]:
    """Return the light at each pixel: a key light and the sky, less in hollows; about 1 on the forehead."""
    normals = raster.interpolate(smooth_normals(mesh))
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    key = np.clip(normals @ _KEY_LIGHT, 0, None)
    sky = 0.5 + 0.5 * normals[..., 1]
    towards = normals[..., 2].clip(0, 1)
    light = 0.40 + 0.34 * key + 0.14 * sky + 0.16 * towards
    hollow = _hollowness(raster.interpolate(mesh.vertices[:, 2]), raster.inside, 1.1 * pixels)
    return np.asarray(_blur(light * (1 - 0.34 * hollow * towards), 0.05 * pixels, raster.inside))


def _hollowness(
    height: Float[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"], sigma: float
) -> Float[np.ndarray, "h w"]:
    """Return the depth of each pixel behind its surroundings, 1 from one centimetre on (cheap ambient occlusion)."""
    import cv2

    # The blur is so wide that an eighth of the resolution is enough.
    rows, columns = height.shape
    small = (max(columns // 8, 1), max(rows // 8, 1))
    coarse = cv2.resize(height * inside, small, interpolation=cv2.INTER_AREA)
    share = cv2.resize(inside.astype(np.float64), small, interpolation=cv2.INTER_AREA)
    around = _blur(coarse, sigma / 8) / np.maximum(_blur(share, sigma / 8), 1e-9)
    behind = cv2.resize(around, (columns, rows), interpolation=cv2.INTER_LINEAR) - height
    return np.asarray(np.clip(behind, 0, 1) * inside)


def _features(mesh: Mesh, raster: Raster, canvas: Canvas) -> Float[np.ndarray, "h w"]:
    """Return the unlit tone at each pixel: skin, brows, lips, mouth and eyes."""
    pixels = canvas.pixels_per_unit(mesh)

    def drawn(triangles: Bool[np.ndarray, "t"], soft: float) -> Float[np.ndarray, "h w"]:
        return _blur(raster.select(triangles).astype(np.float64), soft * pixels)

    def area(name: str, soft: float) -> Float[np.ndarray, "h w"]:
        return drawn(_within(mesh, name), soft)

    tone = np.full(raster.triangle.shape, _SKIN)
    if not set(mesh.regions) >= _FEATURES:  # a user's own mesh, or a grid, has no features to draw
        return tone
    for side in ("right", "left"):
        tone = _mix(tone, _BROW, 0.85 * area(f"{side}_eyebrow", 0.16))
    tone = _mix(tone, _LIP, _blur(_lips(mesh, raster, 0.4 * pixels), 0.05 * pixels))
    tone = _mix(tone, _MOUTH, drawn(_mouth_opening(mesh), 0.05))
    # Nostrils: where the nose faces down.
    down = np.clip(-raster.interpolate(smooth_normals(mesh)[:, 1]) - 0.45, 0, 0.3) / 0.3
    wings = np.maximum(area("right_nose_wing", 0.08), area("left_nose_wing", 0.08))
    tone = _mix(tone, _BROW, 0.6 * _blur(down * wings, 0.06 * pixels))
    for side in ("right", "left"):
        tone = _draw_eye(tone, area(f"{side}_eye", 0.03), canvas.project(mesh)[mesh.regions[f"{side}_eye"]])
    return tone


def _within(mesh: Mesh, *names: str) -> Bool[np.ndarray, "t"]:
    """Return the triangles whose three corners lie in the regions."""
    members = np.any([region_mask(mesh, name) for name in names], axis=0)
    return np.asarray(members[mesh.triangles].all(axis=1))


def _mouth_opening(mesh: Mesh) -> Bool[np.ndarray, "t"]:
    """Return the triangles between the lips: corners on a lip or in no region, but not all on one lip."""
    named = np.zeros(len(mesh.vertices), dtype=bool)
    for members in mesh.regions.values():
        named[members] = True
    lips = region_mask(mesh, "upper_lip") | region_mask(mesh, "lower_lip")
    between = (lips | ~named)[mesh.triangles].all(axis=1)
    return np.asarray(between & ~_within(mesh, "upper_lip") & ~_within(mesh, "lower_lip"))


def _lips(mesh: Mesh, raster: Raster, gap: float) -> Float[np.ndarray, "h w"]:
    """Return the mask of the lips and mouth opening, narrow gaps at the mouth corners closed."""
    import cv2

    mouth = _within(mesh, "upper_lip") | _within(mesh, "lower_lip") | _mouth_opening(mesh)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round(gap) | 1, round(gap) | 1))
    filled = cv2.morphologyEx(raster.select(mouth).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return np.asarray(filled, dtype=np.float64)


def _draw_eye(
    tone: Float[np.ndarray, "h w"], eye: Float[np.ndarray, "h w"], rim_xy: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "h w"]:
    """Draw sclera, iris and pupil within the lids, and the shadow of the lashes above."""
    low, high = rim_xy.min(axis=0), rim_xy.max(axis=0)
    width = float(high[0] - low[0])
    centre = (low + high) / 2
    rows, columns = np.indices(tone.shape)
    distance = np.hypot(columns - centre[0], rows - centre[1]) / (width * _IRIS_RADIUS)
    edge = 0.12
    tone = _mix(tone, _BROW * 0.8, np.clip(1.6 * _blur(eye, 0.035 * width) - eye, 0, 0.9))
    inner = np.full(tone.shape, _SCLERA)
    inner = _mix(inner, _IRIS, np.clip((1 - distance) / edge, 0, 1))
    inner = _mix(inner, _PUPIL, np.clip((0.45 - distance) / edge, 0, 1))
    lashes = np.clip(1 - np.roll(eye, round(0.07 * width), axis=0), 0, 1)
    inner = _mix(inner, _PUPIL, 0.7 * _blur(lashes, 0.02 * width))
    return np.asarray(tone * (1 - eye) + inner * eye)


def _mix(tone: Float[np.ndarray, "h w"], other: float, share: Float[np.ndarray, "h w"]) -> np.ndarray:
    return np.asarray(tone * (1 - share) + other * share)


def _blur(
    image: Float[np.ndarray, "h w"], sigma: float, inside: Bool[np.ndarray, "h w"] | None = None
) -> Float[np.ndarray, "h w"]:
    """Return the Gaussian blur; with ``inside``, the weighted mean of the pixels inside."""
    import cv2

    def gauss(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma))

    if inside is None:
        return gauss(image)
    weight = gauss(inside.astype(np.float64))
    return np.asarray(gauss(image * inside) / np.maximum(weight, 1e-6))
