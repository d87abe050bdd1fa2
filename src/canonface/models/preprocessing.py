"""From a face to what a model sees: crop, resample, normalise, and carry the mesh along.

A continuous pixel coordinate has its integers at the pixel centres, so an input of width W covers
[-1/2, W - 1/2] of its own coordinates. One affine matrix maps photo to input; pixels and vertices go through
the same one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8

from canonface.errors import AlignmentError
from canonface.geometry import similarity
from canonface.types import Face, InputSpec, ModelInput

# A triangle filter f pixels to each side, which antialiased bilinear resizing uses, has variance f^2 / 6.
TRIANGLE_VARIANCE = 1 / 6

# MTCNN's box beside the mesh's: width and height as shares of its own, and how much higher its centre lies, as a
# share of the height. Medians of 122 photos of LFW; the spread between photos is 0.04, 0.04 and 0.02.
MTCNN_SIDES, MTCNN_RISE = (0.97, 1.09), 0.05

# dlib's mean face in its unit square: image_transforms/interpolation.h, get_face_chip_details, of five points.
DLIB_POINTS = {
    "left_eye_outer": (0.8595674595992, 0.2134981538014),
    "left_eye_inner": (0.6460604764104, 0.2289674387677),
    "right_eye_outer": (0.1205750620789, 0.2137274526848),
    "right_eye_inner": (0.3340850613712, 0.2290642403242),
    "nose_base": (0.4901123135679, 0.6277975316475),
}


def prepare(face: Face, spec: InputSpec) -> ModelInput:
    """The face as the model of ``spec`` sees it, with its mesh in pixels of the input.

    ``crop="face"`` takes a square of ``max(w, h) * (1 + margin)`` around the centre of the mesh's bounding box
    (w, h); an input that is not square sees as much more on its longer axis. ``crop="image"`` resizes the whole
    photo to the input, its aspect not kept. ``crop="facenet"`` resizes MTCNN's box, estimated from the mesh, in the
    same way, as FaceNet was trained; ``crop="dlib"`` lays eyes and nose on dlib's mean face, turned and scaled alone.
    Outside the photo the border pixel is repeated.

    Raises:
        AlignmentError: the vertices are not finite or span no area, so that there is nothing to crop.
    """
    matrix = crop_matrix(face, spec)
    vertices_xy = face.vertices_xy @ matrix[:, :2].T + matrix[:, 2]
    return ModelInput(
        face=face,
        spec=spec,
        x=spec.from_pixels(resample(face.image, matrix, spec.size_hw)),
        vertices_xy=vertices_xy,
        visible=face.visible & inside(vertices_xy, spec.size_hw),
        matrix=matrix,
    )


def crop_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Affine map from photo pixels to input pixels for the crop that ``spec`` names.

    Raises:
        AlignmentError: the vertices are not finite or span no area, so that there is nothing to crop.
    """
    if spec.crop == "image":
        return image_matrix(face.image, spec)
    if spec.crop == "dlib":
        return dlib_matrix(face, spec)
    on_face = face.vertices_xy[: face.mesh.face_count]
    return facenet_matrix(on_face, spec) if spec.crop == "facenet" else face_matrix(on_face, spec)


def face_matrix(vertices_xy: Float[np.ndarray, "v 2"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Affine map from photo pixels to input pixels for the square around the mesh."""
    centre_xy, sides_xy = _box(vertices_xy)
    shown = float(sides_xy.max()) * (1 + spec.margin) / min(spec.size_hw)
    return window_matrix(centre_xy, (shown, shown), spec)


def facenet_matrix(vertices_xy: Float[np.ndarray, "v 2"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Affine map from photo pixels to input pixels for MTCNN's box, each side longer by the margin.

    D. Sandberg's FaceNet was trained and measured on such boxes resized to squares: faces stretched sideways.
    """
    centre_xy, sides_xy = _box(vertices_xy)
    width, height = sides_xy * MTCNN_SIDES * (1 + spec.margin) / spec.size_hw[::-1]
    return window_matrix(centre_xy - [0, MTCNN_RISE * sides_xy[1]], (float(width), float(height)), spec)


def dlib_matrix(face: Face, spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Affine map from photo pixels to input pixels for dlib's chip, from five points.

    As in dlib, the similarity is fitted from the mean face to the photo and then inverted: a profile, which fits
    badly, fills the chip.

    The mean face's unit square, longer by the margin, fills the input; dlib pads it by 0.25 on each side, a margin of
    0.5.

    Raises:
        AlignmentError: the points are not finite or coincide.
        OptionError: the mesh does not name them.
    """
    points = np.array([face.mesh.landmark_xy(name, face.vertices_xy) for name in DLIB_POINTS])
    if not np.isfinite(points).all() or np.ptp(points, axis=0).max() <= 0:
        raise AlignmentError(
            "dlib's chip needs finite points of eyes and nose that differ: align the photo again or leave it out."
        )
    size_wh = np.array(spec.size_hw[::-1])
    from_centre = (np.array(list(DLIB_POINTS.values())) - 0.5) * min(spec.size_hw) / (1 + spec.margin)
    to_photo = similarity(from_centre + (size_wh - 1) / 2, points)
    linear = to_photo.rotation.T / to_photo.scale
    return np.column_stack([linear, -linear @ to_photo.translation])


def _box(vertices_xy: Float[np.ndarray, "v 2"]) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Centre and sides of the bounding box."""
    low, high = vertices_xy.min(axis=0), vertices_xy.max(axis=0)
    if not np.isfinite(high - low).all() or (high - low).min() <= 0:
        raise AlignmentError(
            f"A face crop needs finite vertices that span an area; they span {high - low} pixels: align the "
            "photo again or leave it out."
        )
    return (low + high) / 2, high - low


def image_matrix(image: UInt8[np.ndarray, "h w 3"], spec: InputSpec) -> Float[np.ndarray, "2 3"]:
    """Affine map from photo pixels to input pixels for the whole photo."""
    height, width = image.shape[:2]
    centre_xy = np.array([(width - 1) / 2, (height - 1) / 2])
    return window_matrix(centre_xy, (width / spec.size_hw[1], height / spec.size_hw[0]), spec)


def window_matrix(
    centre_xy: Float[np.ndarray, "2"], pixel_size_xy: tuple[float, float], spec: InputSpec
) -> Float[np.ndarray, "2 3"]:
    """Map under which ``centre_xy`` falls on the input's centre and an input pixel covers ``pixel_size_xy``."""
    height, width = spec.size_hw
    scale = 1 / np.array(pixel_size_xy)
    offset = np.array([(width - 1) / 2, (height - 1) / 2]) - scale * centre_xy
    return np.column_stack([np.diag(scale), offset])


def resample(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"], size_hw: tuple[int, int]
) -> Float[np.ndarray, "oh ow 3"]:
    """Pixels of the input as float32, 0..255: bilinear, antialiased where the photo shrinks, border repeated.

    Shrinking by f blurs first with a Gaussian of variance (f^2 - 1) / 6: with the variance of the bilinear
    interpolation, 1/6, it has that of the triangle filter of antialiased bilinear resizing (Pillow, torchvision).
    """
    import cv2

    patch, matrix = _only_what_is_needed(image, matrix, size_hw)
    shrink_xy = 1 / np.linalg.norm(matrix[:, :2], axis=1)
    sigma_x, sigma_y = np.sqrt(np.maximum(shrink_xy**2 - 1, 0) * TRIANGLE_VARIANCE)
    pixels: np.ndarray = patch.astype(np.float32)
    if max(sigma_x, sigma_y) > 0:
        # A sigma of 0 would mean "as the other axis" to OpenCV.
        pixels = cv2.GaussianBlur(
            pixels, (0, 0), max(sigma_x, 1e-3), sigmaY=max(sigma_y, 1e-3), borderType=cv2.BORDER_REPLICATE
        )
    height, width = size_hw
    warped = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, dtype=np.float32)


def _only_what_is_needed(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"], size_hw: tuple[int, int]
) -> tuple[UInt8[np.ndarray, "ph pw 3"], Float[np.ndarray, "2 3"]]:
    """The part of the photo that the filters reach, so that a small face in a large photo costs little."""
    height, width = size_hw
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5], [width - 0.5, -0.5]])
    inverse = np.linalg.inv(matrix[:, :2])
    seen = (corners - matrix[:, 2]) @ inverse.T
    reach = 2 + 4 * np.sqrt(TRIANGLE_VARIANCE) * np.linalg.norm(inverse, axis=1).max()
    limit = np.array([image.shape[1], image.shape[0]])
    # At least the nearest row and column stay: beyond the photo they are what is repeated.
    low = np.clip(np.floor(seen.min(axis=0) - reach), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + reach) + 1, low + 1, limit).astype(int)
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ low
    return image[low[1] : high[1], low[0] : high[0]], shifted


def inside(xy: Float[np.ndarray, "v 2"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "v"]:
    """True where a point lies on some pixel of an input; a rounding error beyond its edge counts as on it."""
    height, width = size_hw
    edge = 0.5 + 1e-6
    return np.asarray(((xy >= -edge) & (xy <= np.array([width - 1, height - 1]) + edge)).all(axis=1))
