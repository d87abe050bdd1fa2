"""No alignment: a grid over the photo as it is, the other end of the alignment study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placing import placed_face
from canonface.types import Face, Mesh


class NoAligner:
    """Stretches a flat mesh over the whole photo, whatever it shows; one face a photo, quality 1.

    A map on it is a map of the photo's own pixels. No face is looked for, so there is no ``NoFaceError``; depth and
    pose are NaN.

    Args:
        mesh: its box in the frontal plane, each vertex at the middle of a cell, is stretched over the photo; e.g.
            `canonface.mesh.pixel_mesh()`.
        max_megapixels: largest photo that is read.
    """

    name = "none"

    def __init__(self, mesh: Mesh, max_megapixels: float = 64) -> None:
        self.mesh = mesh
        self.max_megapixels = max_megapixels

    def describe(self) -> dict[str, str | float]:
        """The choices that decide where a face is placed; a run writes them down."""
        return {"name": self.name, "max_megapixels": self.max_megapixels}

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """One face that is the whole photo: see ``Aligner``."""
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        # uv has the middles of the outermost cells at 0 and 1: half a cell of the grid lies beyond each.
        share = self.mesh.uv[: self.mesh.face_count]
        cells = np.array([len(np.unique(np.round(share[:, axis], 9))) for axis in (0, 1)])
        places = (share * (cells - 1) + 0.5) / cells
        height, width = image.shape[:2]
        return [placed_face(self.mesh, image, places * (width, height) - 0.5, path=path)]
