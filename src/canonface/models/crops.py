"""Which part of a photo a model sees: one affine map a crop, from photo pixels to input pixels.

A continuous pixel coordinate has its integers at the pixel centres, so an input of width W covers
[-1/2, W - 1/2] of its own coordinates. No map is ever a reflection.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from canonface.errors import AlignmentError
from canonface.geometry import similarity
from canonface.templates import ARCFACE_POINTS, ARCFACE_SIZE, DLIB_POINTS
from canonface.types import Face, InputSpec

# MTCNN's box beside the mesh's: width and height as shares of its own, and how much higher its centre lies, as a
# share of the height. Medians of 122 photos of LFW: benchmarks/mtcnn_box.py.
MTCNN_SIDES, MTCNN_RISE = (0.97, 1.09), 0.05


def crop_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Affine map from photo pixels to input pixels for the crop that ``spec`` names.

    Raises:
        AlignmentError: vertices or points are not finite, or span nothing, so that there is nothing to crop.
        OptionError: the mesh does not name the points that the crop is aligned by.
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
    """The square around the mesh, longer by the margin; an oblong input sees as much more on its longer axis."""
    centre_xy, sides_xy = _box(vertices_xy)
    shown = float(sides_xy.max()) * (1 + spec.margin) / min(spec.size_hw)
    return window_matrix(centre_xy, (shown, shown), spec)


def facenet_matrix(vertices_xy: Float[np.ndarray, "v 2"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """MTCNN's box, each side longer by the margin, resized to the input whatever its aspect.

    D. Sandberg's FaceNet was trained and measured on such boxes resized to squares: faces stretched sideways
    (davidsandberg/facenet, ``align_dataset_mtcnn.py``).
    """
    centre_xy, sides_xy = _box(vertices_xy)
    width, height = sides_xy * MTCNN_SIDES * (1 + spec.margin) / spec.size_hw[::-1]
    return window_matrix(centre_xy - [0, MTCNN_RISE * sides_xy[1]], (float(width), float(height)), spec)


def arcface_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """The similarity that lays eyes, nose tip and mouth corners on ArcFace's template with the least squares.

    As insightface's ``norm_crop``, fitted from the photo to the template: a profile, which fits badly, shrinks.
    The template's square of 112 pixels, longer by the margin, fills the input.
    """
    template = np.array(list(ARCFACE_POINTS.values()))
    within = (template - (ARCFACE_SIZE - 1) / 2) / ARCFACE_SIZE
    fit = similarity(_named_points(face, ARCFACE_POINTS, spec), _on_input(within, spec))
    _check_scale(fit.scale, spec)
    return np.column_stack([fit.scale * fit.rotation, fit.translation])


def dlib_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """The similarity that lays eye corners and nose base on dlib's mean face: its chip.

    As in dlib, fitted from the mean face to the photo and then inverted: a profile, which fits badly, fills the chip.
    The mean face's unit square, longer by the margin, fills the input; dlib pads it by 0.25 on each side, a margin of
    0.5. A chip of n pixels that covers w photo pixels has its outer pixels w - 1 apart, not w (n - 1) / n: dlib's
    ``get_mapping_to_chip``, which matters where a face is small.
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
    """The whole photo, resized to the input whatever its aspect."""
    height, width = image.shape[:2]
    centre_xy = np.array([(width - 1) / 2, (height - 1) / 2])
    return window_matrix(centre_xy, (width / spec.size_hw[1], height / spec.size_hw[0]), spec)


def window_matrix(
    centre_xy: Float[np.ndarray, "2"], pixel_size_xy: tuple[float, float], spec: InputSpec
) -> Float[np.ndarray, "2 3"]:
    """Map under which ``centre_xy`` falls on the input's centre and an input pixel covers ``pixel_size_xy``."""
    scale = 1 / np.array(pixel_size_xy)
    return np.column_stack([np.diag(scale), _centre(spec) - scale * centre_xy])


def _on_input(within: Float[np.ndarray, "n 2"], spec: InputSpec) -> Float[np.ndarray, "n 2"]:
    """Points of a unit square around 0, which fills the input but for the margin, in input pixels."""
    return np.asarray(within * min(spec.size_hw) / (1 + spec.margin) + _centre(spec))


def _centre(spec: InputSpec) -> Float[np.ndarray, "2"]:
    height, width = spec.size_hw
    centre: np.ndarray = np.array([(width - 1) / 2, (height - 1) / 2])
    return centre


def _named_points(face: Face, names: Mapping[str, object], spec: InputSpec) -> Float[np.ndarray, "n 2"]:
    points = np.array([face.mesh.landmark_xy(name, face.vertices_xy) for name in names])
    if not np.isfinite(points).all() or np.ptp(points, axis=0).max() <= 0:
        raise AlignmentError(
            f"The crop {spec.crop!r} needs finite points of the face that differ; got {points.round(1).tolist()}: "
            "align the photo again or leave it out."
        )
    return points


def _check_scale(scale: float, spec: InputSpec) -> None:
    # The similarity to the mirror image of a template shrinks everything to nothing.
    if not scale > 1e-6:
        raise AlignmentError(
            f"The crop {spec.crop!r} needs points that lie as in a face, not mirrored; the similarity that fits best "
            f"scales by {scale:.1g}: check left and right of the mesh's points."
        )


def _box(vertices_xy: Float[np.ndarray, "v 2"]) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Centre and sides of the bounding box."""
    low, high = vertices_xy.min(axis=0), vertices_xy.max(axis=0)
    if not np.isfinite(high - low).all() or (high - low).min() <= 0:
        raise AlignmentError(
            f"A face crop needs finite vertices that span an area; they span {high - low} pixels: align the "
            "photo again or leave it out."
        )
    return (low + high) / 2, high - low
