"""Preprocessing of a face for a model: crop, resample, normalise, and map the mesh to the input.

One affine matrix maps photo to input (`crops.py`), for pixels and vertices alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.models.crops import crop_matrix
from canonface.types import Face, InputSpec, ModelInput

TRIANGLE_VARIANCE = 1 / 6
"""A triangle filter f pixels to each side, which antialiased bilinear resizing uses, has variance f^2 / 6."""


def prepare(face: Face, spec: InputSpec) -> ModelInput:
    """Return the model's input for a face, with the mesh in input pixels.

    `InputSpec` explains the crops. Outside the photo the border pixel is repeated.

    Raises:
        AlignmentError: vertices or points are not finite or span no area.
        OptionError: the mesh lacks the points that the crop is aligned to.
    """
    placed = without_pixels(face, spec)
    return replace(placed, x=spec.from_pixels(resample(face.image, placed.matrix, spec.size_hw)))


def without_pixels(face: Face, spec: InputSpec) -> ModelInput:
    """Return what `prepare` returns, but with an ``x`` of zeros that takes no memory: for geometry alone."""
    matrix = crop_matrix(face, spec)
    vertices_xy = face.vertices_xy @ matrix[:, :2].T + matrix[:, 2]
    return ModelInput(
        face=face,
        spec=spec,
        x=np.broadcast_to(np.float32(0), (spec.channels, *spec.size_hw)),
        vertices_xy=vertices_xy,
        visible=face.visible & inside(vertices_xy, spec.size_hw),
        matrix=matrix,
    )


def resample(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"], size_hw: tuple[int, int]
) -> Float[np.ndarray, "oh ow 3"]:
    """Resample a photo to the input's pixels, float32 in 0..255: bilinear, antialiased, border repeated.

    Where the photo shrinks by f, it is first blurred with a Gaussian of variance (f^2 - 1) / 6. Added to the variance
    of bilinear interpolation, 1/6, that is the variance of the triangle filter of antialiased bilinear resizing
    (Pillow, torchvision).
    """
    import cv2

    rows, columns, low = needed_window(image.shape[:2], matrix, size_hw)
    patch, matrix = image[rows, columns], matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ low
    shrink_xy = 1 / np.linalg.norm(matrix[:, :2], axis=1)
    sigma_x, sigma_y = np.sqrt(np.maximum(shrink_xy**2 - 1, 0) * TRIANGLE_VARIANCE)
    pixels: np.ndarray = patch.astype(np.float32)
    if max(sigma_x, sigma_y) > 0:
        # OpenCV reads a sigma of 0 as "the same as the other axis".
        pixels = cv2.GaussianBlur(
            pixels, (0, 0), max(sigma_x, 1e-3), sigmaY=max(sigma_y, 1e-3), borderType=cv2.BORDER_REPLICATE
        )
    height, width = size_hw
    warped = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, dtype=np.float32)


def needed_window(
    image_hw: Sequence[int], matrix: Float[np.ndarray, "2 3"], size_hw: tuple[int, int]
) -> tuple[slice, slice, Int[np.ndarray, "2"]]:
    """Return the rows and columns of the photo that the filters reach; a small face in a large photo is cheap then.

    Returns:
        Rows, columns, and the x and y of the first of them.
    """
    height, width = size_hw
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5], [width - 0.5, -0.5]])
    inverse = np.linalg.inv(matrix[:, :2])
    seen = (corners - matrix[:, 2]) @ inverse.T
    reach = 2 + 4 * np.sqrt(TRIANGLE_VARIANCE) * np.linalg.norm(inverse, axis=1).max()
    limit = np.array([image_hw[1], image_hw[0]])
    # Keep at least the nearest row and column: they are repeated beyond the photo.
    low = np.clip(np.floor(seen.min(axis=0) - reach), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + reach) + 1, low + 1, limit).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0]), low


def inside(xy: Float[np.ndarray, "v 2"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "v"]:
    """Return True for each point that lies on a pixel of an input; a rounding error beyond the edge is allowed."""
    height, width = size_hw
    edge = 0.5 + 1e-6
    return np.asarray(((xy >= -edge) & (xy <= np.array([width - 1, height - 1]) + edge)).all(axis=1))
