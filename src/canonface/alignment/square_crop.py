"""Rotated square crops of a photo: sampling, and the mapping from crop to photo coordinates.

Pixel ``j`` has its centre at coordinate ``j``, so a photo of width W extends from -0.5 to W - 0.5. Inside a square,
coordinates run from 0 at its left (top) edge to 1 at its right (bottom) edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class SquareCrop:
    """Square part of a photo; it may be rotated and may extend beyond the photo.

    Attributes:
        centre_xy: centre in photo pixels.
        side: length of a side in photo pixels.
        angle: angle of the top edge in radians, clockwise as seen in the image.
    """

    centre_xy: tuple[float, float]
    side: float
    angle: float = 0.0

    def to_photo(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Map points of the square, 0..1 from edge to edge, to photo pixels."""
        return np.asarray((points - 0.5) * self.side @ self._rotation.T + np.array(self.centre_xy))

    def is_within(self, photo: UInt8[np.ndarray, "h w 3"]) -> bool:
        """Return True if the photo covers the whole square."""
        corners = self.to_photo(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])) + 0.5
        return bool((corners >= 0).all() and (corners <= photo.shape[1::-1]).all())

    @property
    def _rotation(self) -> Float[np.ndarray, "2 2"]:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def sample(
        self, photo: UInt8[np.ndarray, "h w 3"], size: int, *, outside: int | None = None
    ) -> UInt8[np.ndarray, "size size 3"]:
        """Return the pixels of the square, resampled to ``size`` x ``size``.

        If the photo is reduced by a factor of 2 or more, areas are averaged first: bilinear sampling alone would skip
        pixels and alias.

        Args:
            photo: the photo.
            size: side of the result in pixels.
            outside: value beyond the photo; None repeats the photo's border pixels.
        """
        import cv2

        part, origin, step = self._shrunk_part(photo, size)
        # Centre k of the output lies at (k + 0.5) / size of the square; likewise for the shrunk part.
        matrix = np.empty((2, 3))
        matrix[:, :2] = self._rotation * (self.side / size)
        matrix[:, 2] = self.to_photo(np.array([0.5 / size, 0.5 / size]))
        matrix[:, 2] = matrix[:, 2] + 0.5 - origin
        matrix = matrix / step[:, None]
        matrix[:, 2] -= 0.5
        border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
        return np.asarray(
            cv2.warpAffine(
                part,
                matrix,
                (size, size),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=border,
                borderValue=(outside or 0,) * 3,
            ),
            dtype=np.uint8,
        )

    def _shrunk_part(
        self, photo: UInt8[np.ndarray, "h w 3"], size: int
    ) -> tuple[UInt8[np.ndarray, "_ _ 3"], Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """Return the photo under the square, reduced by the largest whole factor that keeps enough pixels.

        Returns:
            The pixels; their top left corner in the photo, measured from the photo's top left edge; photo pixels per
            pixel, along x and y.
        """
        import cv2

        height, width = photo.shape[:2]
        factor = int(self.side / size)
        corners = self.to_photo(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])) + 0.5
        margin = 2 * max(factor, 1)
        low = np.clip(np.floor(corners.min(axis=0)) - margin, 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + margin, low + 1, [width, height]).astype(int)
        part = np.ascontiguousarray(photo[low[1] : high[1], low[0] : high[0]])
        if factor < 2:
            return part, low.astype(float), np.ones(2)
        shrunk_size = np.maximum(1, np.rint((high - low) / factor)).astype(int)
        shrunk = cv2.resize(part, (int(shrunk_size[0]), int(shrunk_size[1])), interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, dtype=np.uint8), low.astype(float), (high - low) / shrunk_size
