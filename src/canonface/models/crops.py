"""Crops of a photo, each one affine map from photo pixels to input pixels.

Integer coordinates lie at pixel centres, so an input of width W covers [-1/2, W - 1/2] of its own coordinates. No
map is a reflection.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from canonface.errors import AlignmentError
from canonface.geometry import similarity
from canonface.templates import ARCFACE_POINTS, ARCFACE_SIZE, DLIB_POINTS
from canonface.types import Face, InputSpec

# MTCNN's box relative to the mesh's: width and height as shares of the mesh's, and the rise of its centre as a share
# of the mesh's height. Medians of 122 photos of LFW: benchmarks/mtcnn_box.py.
MTCNN_SIDES, MTCNN_RISE = (0.97, 1.09), 0.05


def crop_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Return the affine map from photo pixels to input pixels for the crop of ``spec``.

    Raises:
        AlignmentError: vertices or points are not finite or span no area.
        OptionError: the mesh lacks the points that the crop is aligned to.
    """
    match spec.crop:
        case "image":
            return image_matrix(face.image, spec)
        case "arcface":
            return arcface_matrix(face, spec)
        case "dlib":
            return dlib_matrix(face, spec)
        case "facenet":
            return facenet_matrix(face.vertices_xy[: face.mesh.face_count], spec)
        case "face":
            return face_matrix(face.vertices_xy[: face.mesh.face_count], spec)


def face_matrix(vertices_xy: Float[np.ndarray, "v 2"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Return the map of the square around the mesh plus the margin; an oblong input shows more on its long axis."""
    centre_xy, sides_xy = _box(vertices_xy)
    shown = float(sides_xy.max()) * (1 + spec.margin) / min(spec.size_hw)
    return window_matrix(centre_xy, (shown, shown), spec)


def facenet_matrix(vertices_xy: Float[np.ndarray, "v 2"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Return the map of MTCNN's box, each side longer by the margin, its aspect not kept.

    D. Sandberg's FaceNet was trained and measured on such boxes resized to squares: faces stretched sideways
    (davidsandberg/facenet, ``align_dataset_mtcnn.py``).
    """
    centre_xy, sides_xy = _box(vertices_xy)
    width, height = sides_xy * MTCNN_SIDES * (1 + spec.margin) / spec.size_hw[::-1]
    return window_matrix(centre_xy - [0, MTCNN_RISE * sides_xy[1]], (float(width), float(height)), spec)


def arcface_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Return the least-squares similarity from eyes, nose tip and mouth corners to ArcFace's template.

    Fitted from the photo to the template, as insightface's ``norm_crop``: a profile, which fits badly, shrinks. The
    template's square of 112 pixels, longer by the margin, fills the input.
    """
    template = np.array(list(ARCFACE_POINTS.values()))
    within = (template - (ARCFACE_SIZE - 1) / 2) / ARCFACE_SIZE
    fit = similarity(_named_points(face, ARCFACE_POINTS, spec), _on_input(within, spec))
    _check_scale(fit.scale, spec)
    return np.column_stack([fit.scale * fit.rotation, fit.translation])


def dlib_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Return the similarity from eye corners and nose base to dlib's mean face: dlib's chip.

    Fitted from the mean face to the photo and then inverted, as in dlib: a profile, which fits badly, fills the chip.
    The mean face's unit square, longer by the margin, fills the input; dlib pads it by 0.25 on each side, a margin of
    0.5. The outer pixels of a chip of n pixels that covers w photo pixels are w - 1 apart, not w (n - 1) / n, as in
    dlib's ``get_mapping_to_chip``; this matters for small faces.
    """
    within = np.array(list(DLIB_POINTS.values())) - 0.5
    to_photo = similarity(_on_input(within, spec), _named_points(face, DLIB_POINTS, spec))
    side = min(spec.size_hw)
    pixel = (side * to_photo.scale - 1) / (side - 1) if side > 1 else to_photo.scale
    _check_scale(pixel, spec)
    linear = to_photo.rotation.T / pixel
    centre = _centre(spec)
    return np.column_stack([linear, centre - linear @ to_photo(centre[None])[0]])


def image_matrix(image: UInt8[np.ndarray, "h w 3"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Return the map of the whole photo to the input, its aspect not kept."""
    height, width = image.shape[:2]
    centre_xy = np.array([(width - 1) / 2, (height - 1) / 2])
    return window_matrix(centre_xy, (width / spec.size_hw[1], height / spec.size_hw[0]), spec)


def window_matrix(
    centre_xy: Float[np.ndarray, "2"], pixel_size_xy: tuple[float, float], spec: InputSpec
) -> Float[np.ndarray, "2 3"]:
    """Return the map of ``centre_xy`` to the input's centre under which an input pixel covers ``pixel_size_xy``."""
    scale = 1 / np.array(pixel_size_xy)
    return np.column_stack([np.diag(scale), _centre(spec) - scale * centre_xy])


def _on_input(within: Float[np.ndarray, "n 2"], spec: InputSpec) -> Float[np.ndarray, "n 2"]:
    """Convert points of a unit square around 0, which fills the input without its margin, to input pixels."""
    return np.asarray(within * min(spec.size_hw) / (1 + spec.margin) + _centre(spec))


def _centre(spec: InputSpec) -> Float[np.ndarray, "2"]:
    height, width = spec.size_hw
    centre: np.ndarray = np.array([(width - 1) / 2, (height - 1) / 2])
    return centre


def _named_points(face: Face, names: Mapping[str, object], spec: InputSpec) -> Float[np.ndarray, "n 2"]:
    points = np.array([face.mesh.landmark_xy(name, face.vertices_xy) for name in names])
    if not np.isfinite(points).all() or np.ptp(points, axis=0).max() <= 0:
        raise AlignmentError(
            f"The crop {spec.crop!r} needs finite, distinct points of the face; got {points.round(1).tolist()}: "
            "align the photo again or leave it out."
        )
    return points


def _check_scale(scale: float, spec: InputSpec) -> None:
    # The best similarity to a mirrored template has a scale of nearly 0.
    if not scale > 1e-6:
        raise AlignmentError(
            f"The crop {spec.crop!r} needs points arranged as in a face, not mirrored; the best similarity scales by "
            f"{scale:.1g}: check left and right of the mesh's points."
        )


def _box(vertices_xy: Float[np.ndarray, "v 2"]) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Return centre and sides of the bounding box."""
    low, high = vertices_xy.min(axis=0), vertices_xy.max(axis=0)
    if not np.isfinite(high - low).all() or (high - low).min() <= 0:
        raise AlignmentError(
            f"A face crop needs finite vertices that span an area; they span {high - low} pixels: align the "
            "photo again or leave it out."
        )
    return (low + high) / 2, high - low
