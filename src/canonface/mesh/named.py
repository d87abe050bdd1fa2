"""Meshes by the name that a face, a map or a run carries."""

from __future__ import annotations

from canonface.errors import OptionError, near_names
from canonface.mesh.canonical import load_mesh
from canonface.mesh.planar import five_point_mesh, pixel_mesh
from canonface.mesh.subdivision import MAX_LEVEL
from canonface.types import Mesh


def is_named(name: str) -> bool:
    """Whether `mesh_named` knows the mesh: others have a file instead."""
    return name in _names()


_GRIDS = {"five-point": five_point_mesh, "pixels": pixel_mesh}


def mesh_named(name: str) -> Mesh:
    """The mesh of that name, e.g. ``landmarker-468/1``, ``landmarker-468+halo/1`` with the halo, ``five-point/33``.

    A mesh of one's own has a file instead: `canonface.mesh.read_mesh`.

    Raises:
        OptionError: there is none.
    """
    known = _names()
    grid, _, side = name.partition("/")
    if grid in _GRIDS and side.isdecimal():
        return _GRIDS[grid](int(side))
    if name not in known:
        near = near_names(name, [*known, *(f"{grid}/33" for grid in _GRIDS)])
        raise OptionError(f"A mesh has a known name; got {name!r}: {near}")
    level, halo = known[name]
    return load_mesh(level, halo=halo)


def _names() -> dict[str, tuple[int, bool]]:
    return {
        f"landmarker-468{mark}/{level}": (level, bool(mark))
        for mark in ("", "+halo")
        for level in range(MAX_LEVEL + 1)
    }
