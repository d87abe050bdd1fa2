"""The `Aligner` protocol, and the aligners by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from canonface.alignment.flat_aligners import FivePointAligner, NoAligner
from canonface.alignment.landmarker import LandmarkerAligner
from canonface.alignment.photo import Photo
from canonface.alignment.position_map import PositionMapAligner
from canonface.alignment.precomputed import PrecomputedAligner
from canonface.errors import OptionError, near_names
from canonface.types import Face, Mesh


@runtime_checkable
class Aligner(Protocol):
    """Finds the faces of a photo and places each on the mesh; it can be pickled.

    Attributes:
        name: identifier.
        mesh: mesh on which faces are placed.
    """

    name: str
    mesh: Mesh

    def describe(self) -> Mapping[str, str | float]:
        """Return the options that determine the position of a face; a run stores them."""
        ...

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the faces of a photo, the largest first; the list is never empty.

        Args:
            photo: a path, the bytes of a file or an array, as accepted by `read_photo`.
            path: path of the photo, for ``Face.path``; default: ``photo``, if it is a path.

        Raises:
            PhotoError: the photo cannot be read.
            NoFaceError: no face was found.
            AlignmentError: the face cannot be placed on the mesh.
            FaceCutError: too much of the largest face lies outside the photo; with ``faces="all"``, of every face.
        """
        ...


ALIGNERS: dict[str, Callable[..., Aligner]] = {
    aligner.name: aligner
    for aligner in (LandmarkerAligner, PrecomputedAligner, PositionMapAligner, FivePointAligner, NoAligner)
}
"""Name -> factory; it takes the mesh and the aligner's own options."""


def make_aligner(name: str, mesh: Mesh, **options: object) -> Aligner:
    """Return the aligner with a given name, for a mesh.

    Raises:
        OptionError: no aligner has that name.
    """
    if name not in ALIGNERS:
        raise OptionError(f"An aligner has a known name; got {name!r}: {near_names(name, ALIGNERS)}")
    return ALIGNERS[name](mesh, **options)
