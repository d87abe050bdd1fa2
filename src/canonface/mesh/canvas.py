"""The canonical frontal image, on which maps are drawn and averaged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from canonface.errors import OptionError
from canonface.mesh.topology import boundary_loop
from canonface.types import Mesh

_PATCH_CM = 1.6
"""Side of a typical patch, 15 of 224 pixels: the canvas keeps half of it around the outermost vertices."""


@dataclass(frozen=True)
class Canvas:
    """Orthographic frontal view of the canonical mesh, cropped like a model's face crop.

    The image shows a square: the longer side of the bounding box of the face's vertices, enlarged by ``margin`` (half
    of it at each end), around the centre of the box. A model's face crop follows the same rule. So for a model with
    the same margin, a patch of ``sz`` pixels in an input of height ``H_I`` hides as much of the face as a canonical
    patch of ``fsz = sz * H_F / H_I`` pixels (eq. 3); for a model with margin ``m``, ``(1 + m) / (1 + margin)`` times
    as much. In an image that is not square, the square fills the shorter side and is centred.

    Attributes:
        size_hw: height and width of the image in pixels.
        margin: enlargement as a fraction of the face's size.
    """

    size_hw: tuple[int, int] = (512, 512)
    margin: float = 0.3

    def __post_init__(self) -> None:
        if len(self.size_hw) != 2 or min(self.size_hw) < 1:
            raise OptionError(f"size_hw is (height, width) in pixels, both positive; got {self.size_hw}.")
        if not -1 < self.margin < np.inf:
            raise OptionError(f"margin is a fraction of the face's size, above -1; got {self.margin}.")

    @classmethod
    def of(cls, mesh: Mesh) -> Canvas:
        """Return the default canvas for maps on a mesh; it is wide enough for the halo."""
        if not mesh.halo:
            return cls()
        low, high = _bounding_box(mesh)
        reach = np.abs(mesh.vertices[:, :2] - (low + high) / 2).max() + _PATCH_CM / 2
        # Rounded up to a multiple of 0.05, so that the margin is readable.
        return cls(margin=float(np.ceil(20 * (2 * reach / (high - low).max() - 1)) / 20))

    def pixels_per_unit(self, mesh: Mesh) -> float:
        """Return the scale of the image in pixels per centimetre of the canonical face."""
        low, high = _bounding_box(mesh)
        return float(min(self.size_hw) / ((high - low).max() * (1 + self.margin)))

    def face_mask(self, mesh: Mesh) -> Bool[np.ndarray, "h w"]:
        """Return the pixels within the outline of the face."""
        return _face_mask(self, mesh)

    def probed_mask(self, mesh: Mesh) -> Bool[np.ndarray, "h w"]:
        """Return the pixels covered by the mesh: the face, and the halo if the mesh has one."""
        return _probed_mask(self, mesh) if mesh.halo else _face_mask(self, mesh)

    def project(self, mesh: Mesh) -> Float[np.ndarray, "v 2"]:
        """Return the position of each vertex in the image.

        With the centre ``c`` of the box, ``s`` pixels per centimetre and an image of ``W x H`` pixels, ``x_px = W/2 +
        s (x - c_x) - 1/2`` and ``y_px = H/2 - s (y - c_y) - 1/2``. Pixel j has its centre at coordinate j, so the
        edges of the image are at -0.5 and W - 0.5.

        Returns:
            ``(V, 2)`` pixels, x right, y down; the subject's right is at small x.
        """
        low, high = _bounding_box(mesh)
        height, width = self.size_hw
        offset = (mesh.vertices[:, :2] - (low + high) / 2) * self.pixels_per_unit(mesh)
        return np.asarray(offset * (1.0, -1.0) + (width / 2 - 0.5, height / 2 - 0.5))


@lru_cache(maxsize=16)
def _face_mask(canvas: Canvas, mesh: Mesh) -> Bool[np.ndarray, "h w"]:
    import cv2

    # Four fractional bits (shift=4); pixel centres are at whole numbers.
    mask = np.zeros(canvas.size_hw, dtype=np.uint8)
    for outline in _outlines(mesh, canvas.project(mesh)):
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 1, shift=4)
    face = mask > 0
    face.flags.writeable = False
    return face


@lru_cache(maxsize=16)
def _probed_mask(canvas: Canvas, mesh: Mesh) -> Bool[np.ndarray, "h w"]:
    import cv2

    mask = _face_mask(canvas, mesh).astype(np.uint8)
    cv2.fillPoly(mask, [np.rint(_hull(canvas.project(mesh)) * 16).astype(np.int32)], 1, shift=4)
    probed = mask > 0
    probed.flags.writeable = False
    return probed


def _hull(points: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, "n 2"]:
    from scipy.spatial import ConvexHull

    return np.asarray(points[ConvexHull(points).vertices])


def _outlines(mesh: Mesh, xy: Float[np.ndarray, "v 2"]) -> list[Float[np.ndarray, "n 2"]]:
    """Return polygons that fill the face: its outline, all triangles if it has holes, or its hull if it has none."""
    if not len(mesh.triangles):
        return [_hull(xy[: mesh.face_count])]
    try:
        return [xy[boundary_loop(mesh.triangles)]]
    except OptionError:  # no disc
        return list(xy[mesh.triangles])


def _bounding_box(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest x and y of the base mesh; they are the same at every subdivision."""
    base_xy = mesh.vertices[: mesh.base_count, :2]
    return base_xy.min(axis=0), base_xy.max(axis=0)
