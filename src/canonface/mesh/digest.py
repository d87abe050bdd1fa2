"""Which mesh it is, as a short text: everything that decides where values lie and what places are called."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np

from canonface.types import Mesh


def mesh_digest(mesh: Mesh) -> str:
    """SHA-256 of a mesh, in hexadecimal: its name and every number that it holds.

    Two meshes have one digest if and only if their names, vertices, triangles, texture coordinates, mirrors, regions,
    landmarks, halos, mixes of base vertices and weights agree. Neither the types of the numbers nor the order of
    the regions matter.
    """
    whole = sha256()
    for name, array in _parts(mesh):
        kind = "<f8" if array.dtype.kind == "f" else "<i8"
        whole.update(f"{name!r} {array.shape}\n".encode())
        whole.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    return whole.hexdigest()


def _parts(mesh: Mesh) -> Iterator[tuple[str, np.ndarray]]:
    yield f"name {mesh.name}", np.array(mesh.halo)
    for name in ("vertices", "triangles", "uv", "mirror", "procrustes_weights"):
        yield name, getattr(mesh, name)
    # One matrix has several layouts: entries in any order, zeros among them.
    mixes = mesh.from_base.tocsr().copy()
    mixes.sum_duplicates()
    mixes.eliminate_zeros()
    for name in ("data", "indices", "indptr", "shape"):
        yield f"from_base {name}", np.asarray(getattr(mixes, name))
    for table in ("regions", "landmarks"):
        for name, members in sorted(getattr(mesh, table).items()):
            yield f"{table} {name}", members
