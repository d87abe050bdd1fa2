"""What an aligner is, and the ones there are by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from canonface.alignment.five_point import FivePointAligner
from canonface.alignment.landmarker import LandmarkerAligner
from canonface.alignment.photo import Photo
from canonface.alignment.position_map import PositionMapAligner
from canonface.alignment.precomputed import PrecomputedAligner
from canonface.alignment.unaligned import NoAligner
from canonface.errors import OptionError, near_names
from canonface.types import Face, Mesh


@runtime_checkable
class Aligner(Protocol):
    """Finds the faces of a photo and places each on the mesh. Can be pickled.

    Attributes:
        name: stable identifier.
        mesh: the mesh that faces are placed on.
    """

    name: str
    mesh: Mesh

    def describe(self) -> Mapping[str, str | float]:
        """The choices that decide where a face is placed; a run writes them down."""
        ...

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Faces of a photo, the largest first; never an empty list.

        Args:
            photo: a path, a file's bytes or an array, as ``read_photo`` takes it.
            path: where the photo came from, for ``Face.path``; by default the path, if one was given.

        Raises:
            PhotoError: the photo cannot be read.
            NoFaceError: no face was found.
            AlignmentError: the face cannot be placed.
            FaceCutError: too much of the largest face lies outside the photo; with ``faces="all"``, of every face.
        """
        ...


ALIGNERS: dict[str, Callable[..., Aligner]] = {
    aligner.name: aligner
    for aligner in (LandmarkerAligner, PrecomputedAligner, PositionMapAligner, FivePointAligner, NoAligner)
}
"""Name -> factory, called with the mesh and the aligner's own options."""


def make_aligner(name: str, mesh: Mesh, **options: object) -> Aligner:
    """Aligner of that name for a mesh.

    Raises:
        OptionError: no aligner has that name.
    """
    if name not in ALIGNERS:
        raise OptionError(f"An aligner has a known name; got {name!r}: {near_names(name, ALIGNERS)}")
    return ALIGNERS[name](mesh, **options)
