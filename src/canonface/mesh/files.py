"""Mesh files and digests. A mesh file is an .npz of plain arrays, without pickles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Int

from canonface.errors import OptionError
from canonface.files import atomic_write
from canonface.mesh.readonly import FrozenArrays, freeze, freeze_sparse
from canonface.types import Mesh

FORMAT = "canonface-mesh/1"
_ARRAYS = ("vertices", "triangles", "uv", "mirror", "procrustes_weights")
_TABLES = ("regions", "landmarks")
_SPARSE = ("data", "indices", "indptr", "shape")

MAX_BYTES = 512 * 2**20
"""Largest unpacked size of a mesh file in bytes: twice the size of a mesh of a million vertices."""


def save_mesh(mesh: Mesh, path: str | Path) -> Path:
    """Write a mesh to a file; `read_mesh` returns it with exactly the same numbers.

    Args:
        mesh: the mesh.
        path: path of the file, usually ``.npz``. The write is atomic: an interrupted write leaves no partial file.

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
    try:
        atomic_write(path, lambda file: np.savez_compressed(file, allow_pickle=False, **content))
    except OSError as error:
        raise OptionError(
            f"A mesh is written to a file in a folder that exists; {path} cannot be written: {error}."
        ) from error
    return path


def read_mesh(path: str | Path) -> Mesh:
    """Read a mesh that `save_mesh` wrote. Nothing in the file is executed.

    Raises:
        OptionError: the file is missing, damaged or not a mesh file.
    """
    try:
        return _mesh_of(_read(Path(path)))
    except Exception as error:  # readers of damaged files raise what they like
        raise OptionError(
            f"A mesh file is written by canonface.mesh.save_mesh; {path} is not one or is damaged: "
            f"{error or type(error).__name__}. Write it again."
        ) from error


def _read(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        # NumPy never unpacks more than the sizes stated in the archive's index.
        size = sum(entry.file_size for entry in file.zip.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it unpacks to {size / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}")
        return {name: file[name] for name in file.files}


def _mesh_of(content: Mapping[str, np.ndarray]) -> Mesh:
    from scipy.sparse import csr_array

    if str(content["format"]) != FORMAT:
        raise ValueError(f"its format is {str(content['format'])!r}, not {FORMAT!r}")
    if content["name"].shape or content["name"].dtype.kind != "U" or not str(content["name"]):
        raise ValueError("its name is not text")
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
        vertices=freeze(content["vertices"]),
        triangles=freeze(content["triangles"]),
        uv=freeze(content["uv"]),
        mirror=freeze(content["mirror"]),
        regions=FrozenArrays(tables["regions"]),
        from_base=freeze_sparse(from_base),
        procrustes_weights=freeze(content["procrustes_weights"]),
        landmarks=FrozenArrays(tables["landmarks"]),
        halo=int(content["halo"]),
    )


def _packed(table: str, members: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return named index sets of different sizes as three plain arrays."""
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
        raise ValueError(f"the lengths of the {table} are inconsistent")
    pieces = np.split(joined, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return {str(name): piece for name, piece in zip(names, pieces, strict=True)}


_REAL = ("vertices", "uv", "procrustes_weights", "from_base_data")
_WHOLE = (
    *("triangles", "mirror", "halo", "from_base_indices", "from_base_indptr", "from_base_shape"),
    *("regions_lengths", "regions_members", "landmarks_lengths", "landmarks_members"),
)


def check_kinds(content: Mapping[str, np.ndarray]) -> None:
    """Raise if an array has the wrong kind of number, NaN or infinity.

    Raises:
        ValueError: an array has the wrong kind of number, NaN or infinity.
        KeyError: an array is missing.
    """
    for name in _REAL:
        if content[name].dtype.kind != "f" or not np.isfinite(content[name]).all():
            raise ValueError(f"{name} must hold finite floating-point numbers")
    for name in _WHOLE:
        if content[name].dtype.kind not in "iu":
            raise ValueError(f"{name} must hold integers; it holds {content[name].dtype}")


def check_sizes(content: Mapping[str, np.ndarray], from_base: tuple[int, int]) -> None:
    """Raise if the shape of an array does not match the number of vertices.

    Args:
        content: the arrays of the file.
        from_base: rows and columns of the matrix: number of face vertices and of base vertices.

    Raises:
        ValueError: a shape does not match.
    """
    if content["halo"].shape or content["halo"] < 0:
        raise ValueError("halo is not a number of vertices")
    if not 1 <= from_base[1] <= from_base[0]:
        raise ValueError(f"{from_base[0]} face vertices cannot derive from {from_base[1]} base vertices")
    count = from_base[0] + int(content["halo"])
    shapes = {
        "vertices": (count, 3),
        "triangles": (len(content["triangles"]), 3),
        "uv": (count, 2),
        "mirror": (count,),
        "procrustes_weights": (from_base[1],),
    }
    for name, shape in shapes.items():
        if content[name].shape != shape:
            raise ValueError(
                f"{name} has shape {content[name].shape}, and {shape} belongs to {count} vertices"
            )


def check_indices(name: str, indices: Int[np.ndarray, "..."], count: int) -> None:
    """Raise if a vertex index is out of range.

    Raises:
        ValueError: an index is out of range.
    """
    if indices.size and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError(f"{name} has vertex indices beyond the {count} vertices")


def mesh_digest(mesh: Mesh) -> str:
    """Return the SHA-256 of a mesh in hexadecimal, computed from its name and all its numbers.

    Two meshes have the same digest if and only if their names, vertices, triangles, texture coordinates, mirrors,
    regions, landmarks, halos, base mixes and weights are equal. Number types and the order of the regions do not
    matter.
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
    # Equal matrices may be stored differently: unsorted entries, explicit zeros.
    mixes = mesh.from_base.tocsr().copy()
    mixes.sum_duplicates()
    mixes.eliminate_zeros()
    for name in ("data", "indices", "indptr", "shape"):
        yield f"from_base {name}", np.asarray(getattr(mixes, name))
    for table in ("regions", "landmarks"):
        for name, members in sorted(getattr(mesh, table).items()):
            yield f"{table} {name}", members
