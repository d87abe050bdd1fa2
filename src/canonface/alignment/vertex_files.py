"""Files of vertices: .mat, .npz, .npy and .csv. Reading them cannot execute code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from canonface.errors import AlignmentError

KEYS = ("vertices", "vertices_xy")
"""Names of the vertex array in .mat and .npz files."""

MAX_BYTES = 256 * 2**20
"""Largest size of a file and of its unpacked vertices in bytes: many times that of a mesh of a million vertices."""


def read_vertices(path: Path) -> Float[np.ndarray, "n _"]:
    """Read the vertices of one face as ``(N, 2)`` or ``(N, 3)`` float64, unchanged.

    ``.mat``: MATLAB 4 to 7.2, an array ``vertices``, as the paper's authors publish them. ``.npz``: ``vertices`` or
    ``vertices_xy``. ``.npy``: one array. ``.csv``: one row ``x,y`` or ``x,y,z`` per vertex, with or without a header.

    Raises:
        AlignmentError: the file is missing, is not of the type of its suffix, or holds no finite vertices.
    """
    if path.suffix.lower() not in READERS:
        raise AlignmentError(f"Vertices are in a file of {', '.join(READERS)}; got {path}. Convert it.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has {path.stat().st_size / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}")
        vertices = READERS[path.suffix.lower()](path)
    except FileNotFoundError as error:
        raise AlignmentError(
            f"A photo's vertices are in a file; there is no {path}. Check the folder."
        ) from error
    except AlignmentError:
        raise
    except Exception as error:  # readers of damaged files raise what they like
        raise AlignmentError(
            f"{path} is not a whole {path.suffix} file of vertices: {error or type(error).__name__}. "
            "Write it again, or correct its suffix."
        ) from error
    return checked_vertices(vertices, str(path))


def checked_vertices(vertices: np.ndarray, where: str) -> Float[np.ndarray, "n _"]:
    """Return the vertices as a new float64 array.

    Raises:
        AlignmentError: they are not ``(N, 2)`` or ``(N, 3)`` finite numbers.
    """
    given = np.asarray(vertices)
    if given.ndim != 2 or given.shape[1] not in (2, 3) or given.dtype.kind not in "fiu":
        hint = " Transpose them." if given.ndim == 2 and given.shape[0] in (2, 3) else ""
        raise AlignmentError(
            f"Vertices are numbers of shape (N, 2) or (N, 3): x, y and depth in pixels; {where} has shape "
            f"{given.shape}, {given.dtype}.{hint}"
        )
    bad = ~np.isfinite(given).all(axis=1)
    if bad.any():
        raise AlignmentError(
            f"Vertices are finite; of the {len(given)} in {where}, {bad.sum()} are NaN or infinite, the first in row "
            f"{int(bad.argmax())}. Align that photo again, or leave it out."
        )
    return np.array(given, dtype=np.float64)


def _read_mat(path: Path) -> np.ndarray:
    from scipy.io import loadmat, whosmat

    if b"MATLAB 7.3" in _head(path) or _head(path).startswith(b"\x89HDF"):
        raise AlignmentError(
            f"{path} is a MATLAB 7.3 file (HDF5), which is not read. Save it with save(..., '-v7') in MATLAB, or as "
            ".npz."
        )
    # Only the named arrays are decoded, never objects or functions.
    sizes = {name: 8 * math.prod(shape) for name, shape, _ in whosmat(path)}
    return _named(sizes, lambda key: loadmat(path, variable_names=[key])[key])


def _read_npz(path: Path) -> np.ndarray:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        # NumPy never unpacks more than the sizes stated in the archive's index.
        sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in file.zip.infolist()}
        return _named(sizes, file.__getitem__)


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _read_csv(path: Path) -> np.ndarray:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.split(",") for line in lines if line.strip()]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("its rows differ in length")
    return np.array([[float(cell) for cell in row] for row in rows])


def _named(sizes: Mapping[str, int], read: Callable[[str], np.ndarray]) -> np.ndarray:
    """Return the vertex array of a file, given the sizes of its arrays in bytes."""
    key = next((key for key in KEYS if key in sizes), None)
    if key is None:
        raise ValueError(
            f"it holds {', '.join(sizes) or 'nothing'}, and no array {' or '.join(map(repr, KEYS))}"
        )
    if sizes[key] > MAX_BYTES:
        raise ValueError(f"its {key} unpack to {sizes[key] / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}")
    return read(key)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(128)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


READERS: dict[str, Callable[[Path], np.ndarray]] = {
    ".mat": _read_mat,
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".csv": _read_csv,
}
