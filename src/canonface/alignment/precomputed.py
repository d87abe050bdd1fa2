"""Aligner by precomputed vertices, read from one file per photo, as the paper's authors publish them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placement import placed_face, remove_cut_faces
from canonface.alignment.vertex_sources import VertexFolder, VertexMapping
from canonface.errors import AlignmentError, OptionError
from canonface.types import Face, Mesh

Depth = Literal["towards", "away", "none"]
"""Meaning of the third column: larger is nearer to the viewer, or farther; ``none``: ignored."""


class PrecomputedAligner:
    """Places faces by vertices that another program aligned, on that program's mesh.

    The vertices of ``PHOTO.jpg`` are in the file ``PHOTO_mesh.mat`` or ``PHOTO.mat`` of the folder, or in an
    ``.npz``, ``.npy`` or ``.csv`` of such a name. Subfolders may mirror those of the photos: for ``.../u/1.jpg``,
    ``u/1.npz`` is preferred over ``1.npz``, i.e. the longest matching end of the path. Vertices belong to one photo:
    if another photo of the same name finds them too, it raises ``AlignmentError``.

    There is one face per photo. With a third column and triangles of the mesh, self-occlusion is found by a z-buffer.
    Otherwise every vertex in the photo counts as visible and the pose is NaN. ``Face.quality`` is the share of the
    vertices that lie in the photo.

    Args:
        mesh: mesh of the vertices, e.g. from `canonface.mesh.fitted_mesh`.
        vertices: a folder of files, or a mapping from the photo's path, an end of it, its name or stem to the
            vertices ``(F, 2)`` or ``(F, 3)``. They are pixels of the upright photo: x right, y down, pixel j has its
            centre at j.
        depth: meaning of the third column; PRNet's and the authors' values grow towards the viewer.
        stride: every stride-th vertex of a file is a vertex of the mesh.
        min_inside: smallest share of the vertices that lie in the photo.
        max_megapixels: largest photo that is read.
    """

    name = "precomputed"

    def __init__(
        self,
        mesh: Mesh,
        vertices: str | Path | Mapping[str, np.ndarray],
        depth: Depth = "towards",
        stride: int = 1,
        min_inside: float = 0.6,
        max_megapixels: float = 64,
    ) -> None:
        if depth not in ("towards", "away", "none"):
            raise OptionError(f"depth is 'towards', 'away' or 'none'; got {depth!r}.")
        if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
            raise OptionError(f"stride is a whole number, at least 1; got {stride!r}.")
        if not 0 < min_inside <= 1:
            raise OptionError(f"min_inside is above 0 and at most 1; got {min_inside}.")
        if isinstance(vertices, str | Path) and not Path(vertices).is_dir():
            raise OptionError(
                f"vertices is a folder with a file for each photo, or a mapping from photos to arrays; {vertices} is "
                "not a folder. Check the path."
            )
        self.mesh = mesh
        self.depth = depth
        self.stride = stride
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels
        self._source = (
            VertexFolder(Path(vertices)) if isinstance(vertices, str | Path) else VertexMapping(vertices)
        )
        self._photos: dict[str, str] = {}

    def describe(self) -> dict[str, str | float]:
        """Return the options that determine the position of a face, with the SHA-256 of all vertices."""
        return {
            "name": self.name,
            "vertices": self._source.digest(),
            "depth": self.depth,
            "stride": self.stride,
            "min_inside": self.min_inside,
            "max_megapixels": self.max_megapixels,
        }

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the face of a photo: see `Aligner`.

        Raises:
            AlignmentError: its vertices are missing, damaged, of another mesh or of another photo.
        """
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        if not path:
            raise AlignmentError(
                "Vertices are found by the photo's name; this photo has none. Give its path, or name it: "
                "aligner(image, path='000686.jpg')."
            )
        vertices, where = self._source.find(path)
        self._claim(where, path)
        kept = self._select(vertices, where)
        height, width = image.shape[:2]
        if not ((kept[:, :2] > -0.5) & (kept[:, :2] < (width - 0.5, height - 0.5))).all(axis=1).any():
            low, high = kept[:, :2].min(axis=0), kept[:, :2].max(axis=0)
            raise AlignmentError(
                f"Vertices are pixels of their photo; those in {where} span x {low[0]:.0f} to {high[0]:.0f} and y "
                f"{low[1]:.0f} to {high[1]:.0f}, none within {path} of {width} x {height}. Was it another copy of "
                "the photo, or another unit?"
            )
        face = placed_face(self.mesh, image, kept[:, :2], self._depth(kept), path=path)
        return remove_cut_faces([face], self.min_inside, path)

    def _claim(self, where: str, photo: str) -> None:
        """Raise if the vertices were already used for another photo of the same name."""
        place = os.path.realpath(photo)
        first = self._photos.setdefault(where, place)
        if first != place:
            raise AlignmentError(
                f"Each photo needs its own vertices; {where} was used for {first}, and {place} has no other. Arrange "
                "the vertices in folders like the photos (u/1.npz for u/1.jpg). If the photos are copies that share "
                "vertices, use a separate aligner for each set of photos."
            )

    def _select(self, vertices: Float[np.ndarray, "n d"], where: str) -> Float[np.ndarray, "f d"]:
        """Return every stride-th vertex, or raise if their number is not that of the mesh."""
        wanted = self.mesh.face_count
        kept = vertices[:: self.stride]
        if len(kept) == wanted:
            return kept
        fitting = [k for k in range(1, 1001) if -(-len(vertices) // k) == wanted]
        other = [k for k in range(2, 1001) if -(-wanted // k) == len(vertices)]
        hint = "Use the mesh that they were made for."
        if fitting:
            hint = f"stride={fitting[0]} fits."
        elif other:
            hint = f"They may be every {other[0]}th vertex: use a mesh with that stride."
        raise AlignmentError(
            f"The mesh {self.mesh.name!r} has {wanted} vertices; {where} has {len(vertices)}, with stride "
            f"{self.stride} {len(kept)}. {hint}"
        )

    def _depth(self, vertices: Float[np.ndarray, "f _"]) -> Float[np.ndarray, "f"] | None:
        if self.depth == "none" or vertices.shape[1] < 3 or np.ptp(vertices[:, 2]) == 0:
            return None
        return vertices[:, 2] if self.depth == "away" else -vertices[:, 2]
