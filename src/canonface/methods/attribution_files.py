"""Attribution maps from other libraries: a folder with one ``.npy`` file per photo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.confidence.targets import one_of
from canonface.errors import AttributionError, OptionError
from canonface.functional import sample
from canonface.methods.attribution import REDUCTIONS, at_vertices, over_channels
from canonface.models import Model
from canonface.types import Face, ModelInput

OVER = ("photo", "input")
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class AttributionFiles:
    """Attribution maps from a folder: ``STEM.npy`` for ``STEM.jpg``, ``FOLDER/STEM.npy`` for ``FOLDER/STEM.jpg``.

    Attributes:
        folder: holds the files, each ``(h, w)``, ``(h, w, k)`` or ``(k, h, w)`` numbers with 1, 3 or 4 channels, NaN
            where the value is not known; pickles are refused.
        over: frame of the maps: the whole upright ``photo`` in its own size, or the model's ``input``.
        reduce: reduction of the channels; see `canonface.methods.attribution.over_channels`.
        name: name of the method that made the maps.
    """

    folder: Path
    over: str = "photo"
    reduce: str = "sum"
    name: str = "files"
    _digest: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder).expanduser())
        one_of("over", self.over, OVER)
        one_of("reduce", self.reduce, REDUCTIONS)
        if not self.folder.is_dir():
            raise OptionError(f"Maps from elsewhere lie in a folder; there is none at {self.folder}.")
        if not any(self.folder.rglob("*.npy")):
            raise OptionError(f"Maps from elsewhere are .npy files, one per photo; {self.folder} holds none.")

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result; the files by the SHA-256 of all of them."""
        if not self._digest:
            content = sha256()
            for path in sorted(self.folder.rglob("*.npy")):
                content.update(f"{path.relative_to(self.folder).as_posix()}\n".encode())
                content.update(sha256(path.read_bytes()).digest())
            object.__setattr__(self, "_digest", content.hexdigest())
        return {"name": self.name, "over": self.over, "reduce": self.reduce, "sha256": self._digest}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Accept every model: the maps exist already."""

    def check_photos(self, names: Iterable[str]) -> None:
        """Raise OptionError if two photos would use the same file."""
        taken: dict[Path, str] = {}
        for name in names:
            path = self._path(name)
            if path is not None and path in taken:
                raise OptionError(
                    f"Each photo has a map of its own; {taken[path]} and {name} would both take {path.name}: put the "
                    "maps into folders named as those of the photos."
                )
            if path is not None:
                taken[path] = name

    def at(self, shown: ModelInput) -> Float[np.ndarray, "v"]:
        """Return the map of a photo at the vertices of its face; NaN where a vertex or the map's value is missing.

        Raises:
            AttributionError: the photo has no file, or a file that does not fit.
        """
        if self.over == "input":
            return at_vertices(self.over_input(shown), shown)
        face = shown.face
        attribution = self._read(self._file_of(face), face.image.shape[:2], "the photo")
        found = np.full(len(face.vertices_xy), np.nan)
        found[shown.visible] = sample(attribution, face.vertices_xy[shown.visible])
        return found

    def over_input(self, shown: ModelInput) -> Float[np.ndarray, "h w"]:
        """Return the map of a photo in pixels of the model's input; NaN outside the photo and where the map is NaN.

        Raises:
            AttributionError: the photo has no file, or a file that does not fit.
        """
        face, (height, width) = shown.face, shown.spec.size_hw
        path = self._file_of(face)
        if self.over == "input":
            return self._read(path, (height, width), "the model's input")
        attribution = self._read(path, face.image.shape[:2], "the photo")
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
        places = (pixels - shown.matrix[:, 2]) @ np.linalg.inv(shown.matrix[:, :2]).T
        edge = np.array(attribution.shape[::-1]) - 0.5
        within = ((places >= -0.5) & (places <= edge)).all(axis=1)
        return sample(attribution, np.where(within[:, None], places, np.nan)).reshape(height, width)

    def _file_of(self, face: Face) -> Path:
        """Return the file of a face's photo.

        Raises:
            AttributionError: there is none, or it shows another face of the photo.
        """
        path = self._path(face.path) if face.path else None
        if path is None:
            stem = PurePosixPath(face.path).stem
            raise AttributionError(
                f"Maps from elsewhere are named as their photos; there is no {stem or 'STEM'}.npy in {self.folder}."
            )
        if self.over == "input" and face.index:
            raise AttributionError(
                f"A map of the model's input is of one face; {path.name} is taken for the largest of the photo, "
                f"and this is number {face.index + 1}: give maps over the whole photo."
            )
        return path

    def _path(self, photo: str) -> Path | None:
        """Return the file of a photo; None if there is none."""
        pure = PurePosixPath(photo.replace("\\", "/"))
        for name in (f"{pure.parent.name}/{pure.stem}.npy", f"{pure.stem}.npy"):
            if (self.folder / name).is_file():
                return self.folder / name
        return None

    def _read(self, path: Path, size_hw: tuple[int, ...], what: str) -> Float[np.ndarray, "h w"]:
        """Return the map in a file as one number per pixel.

        Raises:
            AttributionError: the file is damaged, or has another shape.
        """
        try:
            values = np.load(path, allow_pickle=False)
        except Exception as error:  # A damaged file fails in NumPy in many ways.
            raise AttributionError(
                f"A map is a .npy file of numbers; {path.name} is none: {error}"
            ) from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
            raise AttributionError(f"A map is a .npy file of numbers; {path.name} holds something else.")
        height, width = size_hw
        if values.shape == (height, width):
            channels = values[None]
        elif values.ndim == 3 and values.shape[:2] == (height, width) and values.shape[2] in _CHANNELS:
            channels = values.transpose(2, 0, 1)
        elif values.ndim == 3 and values.shape[1:] == (height, width) and values.shape[0] in _CHANNELS:
            channels = values
        else:
            other = "input" if self.over == "photo" else "photo"
            raise AttributionError(
                f"A map over {what} has its {height} x {width} pixels, 1, 3 or 4 channels if any; {path.name} has "
                f"shape {values.shape}. If it lies over the {other}, say over='{other}'."
            )
        if np.isinf(channels.astype(np.float64)).any():
            raise AttributionError(f"A map holds numbers or NaN; {path.name} holds infinity.")
        if len(channels) == 1:
            return np.asarray(channels[0], dtype=np.float64)
        return over_channels(channels.astype(np.float64), self.reduce)
