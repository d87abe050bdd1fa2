"""Alignment of a photo by the default aligner on the default mesh."""

from __future__ import annotations

from functools import lru_cache

from canonface._deprecated import renamed_parameters
from canonface.alignment import LandmarkerAligner, Photo
from canonface.mesh import load_mesh
from canonface.types import Face, WhichFaces


@renamed_parameters(level="subdivision")
def align(photo: Photo, *, faces: WhichFaces = "largest", subdivision: int = 1) -> list[Face]:
    """Find the faces of a photo and place each on the canonical mesh.

    Nothing is sent anywhere and nothing is downloaded.

    Args:
        photo: a path, a file's bytes, or an array ``(H, W, 3)`` of RGB ``uint8``.
        faces: ``largest``, or ``all`` of them, the largest first.
        subdivision: of the mesh: 0, 1, 2, 3 = 468, 1833, 7257, 28881 vertices; the first 468 are the same in each.

    Returns:
        The faces; never an empty list.

    Raises:
        PhotoError: the photo cannot be read.
        NoFaceError: the photo shows no face.
        FaceCutError: too much of every face lies outside the photo.
    """
    return _aligner(faces, subdivision)(photo)


@lru_cache(maxsize=4)
def _aligner(faces: WhichFaces, subdivision: int) -> LandmarkerAligner:
    return LandmarkerAligner(load_mesh(subdivision), faces=faces)
