"""Square crop of a photo around a face, at the size of a panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from canonface.raster import rasterise
from canonface.types import Face, Mesh

PANEL_PX = 720
"""Side of a panel in pixels."""
_AROUND, _CLOSEST = 1.45, 1.05  # side of the square, in sides of the face's box


@dataclass(frozen=True)
class PhotoCrop:
    """Square of a photo, scaled to a panel.

    Attributes:
        x: column of the photo at the square's left edge; the square may extend beyond the photo.
        y: row at its upper edge.
        side: side of the square, in pixels of the photo.
    """

    x: int
    y: int
    side: int

    @classmethod
    def around(cls, face: Face) -> PhotoCrop:
        """Return the square around a face, shifted into the photo as far as it fits."""
        low, high = face.vertices_xy.min(axis=0), face.vertices_xy.max(axis=0)
        extent = float((high - low).max())
        # A tightly cut photo is shown whole, not with a wide white border.
        side = max(round(min(extent * _AROUND, max(extent * _CLOSEST, min(face.image.shape[:2])))), 8)
        # The head extends further above the mesh (hair) than below it.
        start = np.rint((low + high) / 2 - side * np.array([0.5, 0.53])).astype(int)
        room = np.array(face.image.shape[1::-1]) - side
        fitted = np.where(room >= 0, np.clip(start, 0, np.maximum(room, 0)), start)
        return cls(int(fitted[0]), int(fitted[1]), side)

    def picture(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """Return the square of a photo; white beyond the photo's border."""
        return np.asarray(self._resized(image, 255))

    def values(self, map: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "side side"]:
        """Return the square of a map in pixels of the photo; 0 beyond the photo's border."""
        return np.asarray(self._resized(map, 0.0))

    def on_input(self, matrix: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
        """Return the affine map from pixels of the panel to pixels of a model's input.

        Args:
            matrix: ``(2, 3)`` from pixels of the photo to pixels of the input.
        """
        scale = PANEL_PX / self.side
        # Pixel j of the panel lies at (j + 1/2) / scale - 1/2 in the square.
        first = np.array([self.x, self.y]) + 0.5 / scale - 0.5
        return np.column_stack([matrix[:, :2] / scale, matrix[:, :2] @ first + matrix[:, 2]])

    def within(self, image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "side side"]:
        """Return the mask of the panel's pixels that lie within the photo."""
        return np.asarray(self.values(np.ones(image.shape[:2])) > 0.5)

    def face(self, face: Face, mesh: Mesh) -> Float[np.ndarray, "side side"]:
        """Return the mask of the face's visible surface, 0..1, with a soft edge."""
        import cv2

        scale = PANEL_PX / self.side
        # Pixel j of the panel lies at (j + 1/2) / scale - 1/2 in the square.
        points = (face.vertices_xy - (self.x, self.y) + 0.5) * scale - 0.5
        # A face read back from a run has no depth; its visible triangles do not overlap.
        depth = np.nan_to_num(face.depth) * scale
        visible = mesh.triangles[face.visible[mesh.triangles].any(axis=1)]
        shown = rasterise(points, depth, visible, (PANEL_PX, PANEL_PX)).inside
        return np.asarray(cv2.GaussianBlur((shown & self.within(face.image)).astype(np.float64), (0, 0), 2.0))

    def _resized(self, image: np.ndarray, beyond: float) -> np.ndarray:
        import cv2

        height, width = image.shape[:2]
        left, top = max(self.x, 0), max(self.y, 0)
        right, bottom = min(self.x + self.side, width), min(self.y + self.side, height)
        square = np.full((self.side, self.side, *image.shape[2:]), beyond, dtype=image.dtype)
        square[top - self.y : bottom - self.y, left - self.x : right - self.x] = image[top:bottom, left:right]
        smaller = self.side > PANEL_PX
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR if image.ndim == 2 else cv2.INTER_CUBIC
        return cv2.resize(square, (PANEL_PX, PANEL_PX), interpolation=how)
