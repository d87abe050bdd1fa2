"""Meshes by the name that a face, a map or a run carries."""

from __future__ import annotations

from canonface.errors import OptionError, near_names
from canonface.mesh.canonical import load_mesh
from canonface.mesh.subdivision import MAX_LEVEL
from canonface.types import Mesh


def mesh_named(name: str) -> Mesh:
    """The mesh of that name, e.g. ``landmarker-468/1``.

    Raises:
        OptionError: there is none.
    """
    levels = {f"landmarker-468/{level}": level for level in range(MAX_LEVEL + 1)}
    if name not in levels:
        raise OptionError(f"A mesh has a known name; got {name!r}: {near_names(name, levels)}")
    return load_mesh(levels[name])
