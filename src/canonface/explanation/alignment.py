"""A photo to its faces: the default aligner on the default mesh."""

from __future__ import annotations

from functools import lru_cache

from canonface.alignment import LandmarkerAligner, Photo
from canonface.mesh import load_mesh
from canonface.types import Face, WhichFaces


def align(photo: Photo, *, faces: WhichFaces = "largest", level: int = 1) -> list[Face]:
    """Find the faces of a photo and place each on the canonical mesh.

    Nothing is sent anywhere and nothing is downloaded.

    Args:
        photo: a path, a file's bytes, or an array ``(H, W, 3)`` of RGB ``uint8``.
        faces: ``largest``, or ``all`` of them, the largest first.
        level: of the mesh: 0, 1, 2, 3 = 468, 1833, 7257, 28881 vertices; the first 468 are the same at each.

    Returns:
        The faces; never an empty list.

    Raises:
        PhotoError: the photo cannot be read.
        NoFaceError: no face was found.
        FaceCutError: too much of every face lies outside the photo.
    """
    return _aligner(faces, level)(photo)


@lru_cache(maxsize=4)
def _aligner(faces: WhichFaces, level: int) -> LandmarkerAligner:
    return LandmarkerAligner(load_mesh(level), faces=faces)
