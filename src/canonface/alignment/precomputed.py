"""Faces that were aligned before: each photo's vertices from a file, as the paper's authors publish them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from canonface.alignment.cutting import uncut
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placing import placed_face
from canonface.alignment.vertex_files import READERS, checked_vertices, read_vertices
from canonface.errors import AlignmentError, OptionError
from canonface.types import Face, Mesh

Depth = Literal["towards", "away", "none"]
"""What the third number of a vertex says: larger is nearer to the viewer, or farther; ``none``: nothing."""


class PrecomputedAligner:
    """Takes the vertices that somebody else's aligner found, on a mesh of its own.

    The vertices of ``PHOTO.jpg`` are in ``PHOTO_mesh.mat`` or ``PHOTO.mat`` of the folder, or in a ``.npz``, ``.npy``
    or ``.csv`` of such a name. One face a photo. With a third column, and triangles of the mesh, what the face hides
    of itself is found by a z-buffer; without, every vertex in the photo counts as visible and the pose is NaN.
    ``Face.quality`` is the share of the vertices that lie in the photo.

    Args:
        mesh: the mesh of the vertices, e.g. from `canonface.mesh.fitted_mesh`.
        vertices: a folder of files, or the vertices ``(F, 2)`` or ``(F, 3)`` by the photo's path, name or stem.
            Pixels of the photo as it is upright: x right, y down, pixel j having its centre at j.
        depth: what the third column says; PRNet's and the authors' grow towards the viewer.
        stride: of the files, every stride-th vertex is the mesh's.
        min_inside: least share of the vertices that lie in the photo.
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
                "no folder. Check the path."
            )
        self.mesh = mesh
        self.depth = depth
        self.stride = stride
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels
        self._source = Path(vertices) if isinstance(vertices, str | Path) else dict(vertices)

    def describe(self) -> dict[str, str | float]:
        """The choices that decide where a face is placed; a run writes them down."""
        return {
            "name": self.name,
            "vertices": str(self._source) if isinstance(self._source, Path) else "in memory",
            "depth": self.depth,
            "stride": self.stride,
            "min_inside": self.min_inside,
            "max_megapixels": self.max_megapixels,
        }

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """The face of a photo: see ``Aligner``.

        Raises:
            AlignmentError: its vertices are missing, damaged, of another mesh or of another photo.
        """
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        if not path:
            raise AlignmentError(
                "Vertices are found by the photo's name; this photo came without one. Give its path, or name it: "
                "aligner(image, path='000686.jpg')."
            )
        vertices, where = self._vertices(Path(path))
        kept = self._kept(vertices, where)
        height, width = image.shape[:2]
        if not ((kept[:, :2] > -0.5) & (kept[:, :2] < (width - 0.5, height - 0.5))).all(axis=1).any():
            low, high = kept[:, :2].min(axis=0), kept[:, :2].max(axis=0)
            raise AlignmentError(
                f"Vertices are pixels of their photo; those in {where} span x {low[0]:.0f} to {high[0]:.0f} and y "
                f"{low[1]:.0f} to {high[1]:.0f}, none within {path} of {width} x {height}. Was it another copy of "
                "the photo, or another unit?"
            )
        face = placed_face(self.mesh, image, kept[:, :2], self._depth(kept), path=path)
        return uncut([face], self.min_inside, path)

    def _vertices(self, photo: Path) -> tuple[Float[np.ndarray, "n _"], str]:
        """The vertices of a photo, and where they came from."""
        if isinstance(self._source, Path):
            names = [photo.stem + mark + suffix for suffix in READERS for mark in ("_mesh", "")]
            found = [self._source / name for name in names if (self._source / name).is_file()]
            if len(found) == 1:
                return read_vertices(found[0]), str(found[0])
            raise AlignmentError(
                f"A photo has one file of vertices; for {photo.name} there "
                + (
                    f"are {', '.join(file.name for file in found)} in {self._source}. Keep one."
                    if found
                    else f"is none in {self._source}: {names[0]}, or {', '.join(READERS)} of such a name."
                )
            )
        for key in (str(photo), photo.name, photo.stem):
            if key in self._source:
                return checked_vertices(self._source[key], f"vertices[{key!r}]"), f"vertices[{key!r}]"
        raise AlignmentError(
            f"A photo's vertices are looked up by its path, name or stem; there are {len(self._source)} entries and "
            f"none for {photo}."
        )

    def _kept(self, vertices: Float[np.ndarray, "n d"], where: str) -> Float[np.ndarray, "f d"]:
        """Every stride-th vertex, if these are as many as the mesh has."""
        wanted = self.mesh.face_count
        kept = vertices[:: self.stride]
        if len(kept) == wanted:
            return kept
        fitting = [k for k in range(1, 1001) if -(-len(vertices) // k) == wanted]
        other = [k for k in range(2, 1001) if -(-wanted // k) == len(vertices)]
        hint = "Take the mesh that they were made for."
        if fitting:
            hint = f"stride={fitting[0]} fits."
        elif other:
            hint = f"They may be every {other[0]}th vertex: take a mesh with that stride."
        raise AlignmentError(
            f"Vertices are those of the mesh {self.mesh.name!r}, {wanted}; {where} has {len(vertices)}, with stride "
            f"{self.stride} {len(kept)}. {hint}"
        )

    def _depth(self, vertices: Float[np.ndarray, "f _"]) -> Float[np.ndarray, "f"] | None:
        if self.depth == "none" or vertices.shape[1] < 3 or np.ptp(vertices[:, 2]) == 0:
            return None
        return vertices[:, 2] if self.depth == "away" else -vertices[:, 2]
