"""Sources of precomputed vertices: a folder of files, or a mapping; the key is the end of the photo's path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from canonface.alignment.vertex_files import READERS, checked_vertices, read_vertices
from canonface.errors import AlignmentError, OptionError
from canonface.files import sha256_file


def path_ends(photo: str) -> Iterator[PurePosixPath]:
    """Yield the ends of a photo's absolute path, longest first: ``me/u/1.jpg``, ``u/1.jpg``, ``1.jpg``."""
    parts = Path(os.path.abspath(photo)).parts[1:]
    for start in range(len(parts)):
        yield PurePosixPath(*parts[start:])


class VertexFolder:
    """Folder of vertex files; its subfolders may mirror those of the photos.

    Args:
        folder: an existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[int, int, str]] = {}

    def find(self, photo: str) -> tuple[Float[np.ndarray, "n _"], str]:
        """Return the vertices of a photo, and the path of their file.

        Raises:
            AlignmentError: there is no such file, there are several, or it holds no vertices.
        """
        marks = [mark + suffix for suffix in READERS for mark in ("_mesh", "")]
        name = Path(photo).name
        for end in path_ends(photo):
            files = [self.folder / end.with_name(end.stem + mark) for mark in marks]
            found = [file for file in files if os.path.isfile(file)]  # noqa: PTH113  False for names too long
            if len(found) == 1:
                return read_vertices(found[0]), str(found[0])
            if found:
                raise AlignmentError(
                    f"A photo has one file of vertices; for {name} there are "
                    f"{', '.join(file.name for file in found)} in {found[0].parent}. Keep one."
                )
        raise AlignmentError(
            f"A photo has one file of vertices; for {name} there is none in {self.folder}: "
            f"{Path(photo).stem}{marks[0]}, or {', '.join(READERS)} of such a name."
        )

    def digest(self) -> str:
        """Return the SHA-256 of the names and contents of all vertex files; a file is read again only if it changed.

        Raises:
            OptionError: a file cannot be read.
        """
        whole = sha256()
        for file in sorted(self.folder.rglob("*")):
            if file.suffix.lower() in READERS and file.is_file():
                name = file.relative_to(self.folder).as_posix()
                whole.update(f"{name!r} {self._file_digest(file, name)}\n".encode())
        return whole.hexdigest()

    def _file_digest(self, file: Path, name: str) -> str:
        try:
            state = file.stat()
            size, written, known = self._known.get(name, (-1, -1, ""))
            if (size, written) != (state.st_size, state.st_mtime_ns):
                known = sha256_file(file)
                self._known[name] = (state.st_size, state.st_mtime_ns, known)
            return known
        except OSError as error:
            raise OptionError(
                f"A run stores the digest of all vertex files, so every file in {self.folder} must be readable; "
                f"{name} is not: {error}. Change its permissions, or remove it."
            ) from error


class VertexMapping:
    """Vertex arrays by the photo's path, an end of it, or such an end without its suffix.

    Args:
        arrays: ``(N, 2)`` or ``(N, 3)`` by name.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = dict(arrays)

    def find(self, photo: str) -> tuple[Float[np.ndarray, "n _"], str]:
        """Return the vertices of a photo, and their key.

        Raises:
            AlignmentError: there is no such key, or it holds no vertices.
        """
        ends = [key for end in path_ends(photo) for key in (str(end), str(end.with_suffix("")))]
        for key in (photo, *ends):
            if key in self._arrays:
                return checked_vertices(self._arrays[key], f"vertices[{key!r}]"), f"vertices[{key!r}]"
        raise AlignmentError(
            f"A photo's vertices are looked up by its path, the end of its path, its name or stem; there are "
            f"{len(self._arrays)} entries and none for {photo}."
        )

    def digest(self) -> str:
        """Return the SHA-256 of the current names and numbers."""
        whole = sha256()
        for key in sorted(self._arrays, key=str):
            value = self._arrays[key]
            whole.update(f"{key!r} {np.shape(value) if isinstance(value, np.ndarray) else ''}\n".encode())
            whole.update(_bytes_of(value))
        return whole.hexdigest()


def _bytes_of(value: object) -> bytes:
    """Return an array's numbers as bytes of float64, or the text of any other value, which no photo can use."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return np.ascontiguousarray(value, dtype="<f8").tobytes()
    return repr(value).encode()
