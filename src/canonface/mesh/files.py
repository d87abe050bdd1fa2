"""A mesh as one file, so that a run finds the mesh it was made on: an .npz of plain arrays, no pickle in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from canonface.errors import OptionError
from canonface.mesh.custom import closed
from canonface.mesh.file_checks import check_indices, check_kinds, check_sizes
from canonface.mesh.frozen import FrozenArrays, frozen
from canonface.types import Mesh

FORMAT = "canonface-mesh/1"
_ARRAYS = ("vertices", "triangles", "uv", "mirror", "procrustes_weights")
_TABLES = ("regions", "landmarks")
_SPARSE = ("data", "indices", "indptr", "shape")

MAX_BYTES = 512 * 2**20
"""Most that a file may unpack to: a mesh of a million vertices fits twice."""


def save_mesh(mesh: Mesh, path: str | Path) -> Path:
    """Write a mesh to a file; `read_mesh` gives it back, every number the same.

    Args:
        mesh: the mesh.
        path: of the file, by custom ``.npz``; it is whole or absent, even if the writing is interrupted.

    Returns:
        The path.

    Raises:
        OptionError: the file cannot be written.
    """
    path = Path(path)
    content: dict[str, np.ndarray] = {
        "format": np.array(FORMAT),
        "name": np.array(mesh.name),
        "halo": np.array(mesh.halo),
    }
    content |= {name: getattr(mesh, name) for name in _ARRAYS}
    content |= {f"from_base_{part}": np.asarray(getattr(mesh.from_base, part)) for part in _SPARSE}
    for table in _TABLES:
        content |= _packed(table, getattr(mesh, table))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **content)
        temporary.replace(path)
    except OSError as error:
        raise OptionError(
            f"A mesh is written to a file in a folder that exists; {path} cannot be written: {error}."
        ) from error
    return path


def read_mesh(path: str | Path) -> Mesh:
    """The mesh in a file that `save_mesh` wrote. Nothing in the file is executed.

    Raises:
        OptionError: there is no such file, or it holds no whole mesh.
    """
    try:
        return _mesh_of(_read(Path(path)))
    except Exception as error:  # readers of damaged files raise what they like
        raise OptionError(
            f"A mesh file is one that canonface.mesh.save_mesh wrote; {path} is none or is damaged: "
            f"{error or type(error).__name__}. Write it again."
        ) from error


def _read(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        # No more than the archive's own index says is ever unpacked.
        size = sum(entry.file_size for entry in file.zip.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it unpacks to {size / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}")
        return {name: file[name] for name in file.files}


def _mesh_of(content: Mapping[str, np.ndarray]) -> Mesh:
    from scipy.sparse import csr_array

    if str(content["format"]) != FORMAT:
        raise ValueError(f"its format is {str(content['format'])!r}, not {FORMAT!r}")
    if content["name"].shape or content["name"].dtype.kind != "U" or not str(content["name"]):
        raise ValueError("its name is no text")
    check_kinds(content)
    data, indices, indptr, shape = (content[f"from_base_{part}"] for part in _SPARSE)
    from_base = csr_array((data, indices, indptr), shape=tuple(int(side) for side in shape))
    from_base.check_format(full_check=True)
    tables = {table: _unpacked(table, content) for table in _TABLES}
    check_sizes(content, from_base.shape)
    for name in ("triangles", "mirror", *(f"{table}_members" for table in _TABLES)):
        check_indices(name, content[name], len(content["vertices"]))
    return Mesh(
        name=str(content["name"]),
        vertices=frozen(content["vertices"]),
        triangles=frozen(content["triangles"]),
        uv=frozen(content["uv"]),
        mirror=frozen(content["mirror"]),
        regions=FrozenArrays(tables["regions"]),
        from_base=closed(from_base),
        procrustes_weights=frozen(content["procrustes_weights"]),
        landmarks=FrozenArrays(tables["landmarks"]),
        halo=int(content["halo"]),
    )


def _packed(table: str, members: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Named sets of different sizes as three plain arrays."""
    lengths = [len(indices) for indices in members.values()]
    joined = np.concatenate([*members.values(), np.zeros(0, dtype=np.int64)])
    return {
        f"{table}_names": np.array(list(members), dtype=np.str_),
        f"{table}_lengths": np.array(lengths, dtype=np.int64),
        f"{table}_members": joined.astype(np.int64),
    }


def _unpacked(table: str, content: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names, lengths, joined = (content[f"{table}_{part}"] for part in ("names", "lengths", "members"))
    one_row = names.ndim == lengths.ndim == joined.ndim == 1
    if not one_row or len(names) != len(lengths) or lengths.sum() != len(joined) or (lengths < 0).any():
        raise ValueError(f"the {table} do not add up")
    pieces = np.split(joined, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return {str(name): piece for name, piece in zip(names, pieces, strict=True)}
