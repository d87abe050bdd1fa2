"""Vary one setting, audit the same photos under each: one run a setting, each resumable by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canonface.alignment import Aligner, LandmarkerAligner, Photo
from canonface.errors import CanonfaceError, OptionError
from canonface.explanation import Settings, make_settings
from canonface.mesh import load_mesh
from canonface.pipeline import Progress, audit
from canonface.run import Run
from canonface.types import Face

Told = Callable[[str, Progress], None]
"""Called after each photo: the setting's name, how far its run is."""
KEPT_BYTES = 512 * 1024**2


@dataclass(frozen=True)
class Setting:
    """One way to audit.

    Attributes:
        name: short, for a heading and a row of a table; different from those of the other settings.
        options: of `canonface.audit`, ``model`` among them where models are compared.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of its run's folder."""
        return re.sub(r"[^a-z0-9.+]+", "-", self.name.lower()).strip("-.") or "setting"


def vary(
    photos: Any,
    settings: Sequence[Setting],
    out: str | Path,
    *,
    told: Told | None = None,
    aligner: Aligner | None = None,
    level: int = 1,
    **common: Any,
) -> tuple[Run, ...]:
    """One run for each setting, in ``out/NAME``; started again it goes on where it stopped.

    Args:
        photos: as `canonface.audit` takes them.
        settings: what differs.
        out: folder of the study.
        told: is told of the progress.
        aligner: places faces; by default the landmarker. Faces are placed once and kept for the next setting.
        level: of the landmarker's mesh.
        **common: what does not differ: ``model``, ``target``, ``labels``, ``share``, ...

    Raises:
        OptionError: there is no setting, or two have one name.
        CanonfaceError: as `canonface.audit`.
    """
    folders = [setting.folder for setting in settings]
    if not settings or len(set(folders)) < len(folders):
        raise OptionError(
            "A study compares settings of different names; got "
            f"{', '.join(setting.name for setting in settings) or 'none'}."
        )
    for setting in settings:  # all of them before the first is asked, which may take hours
        _check(common | dict(setting.options))
    kept = Remembering(aligner or LandmarkerAligner(load_mesh(level)))
    runs = []
    for setting in settings:
        options = {"aligner": kept} | common | dict(setting.options)
        model = options.pop("model", None)
        if model is None:
            raise OptionError("A study asks a model: give one with --model (model=).")
        runs.append(
            audit(photos, model, Path(out) / setting.folder, progress=_teller(told, setting.name), **options)
        )
    return tuple(runs)


def _check(options: Mapping[str, Any]) -> None:
    """Refuse choices that a setting names and no run can have.

    Raises:
        OptionError: one cannot be used.
    """
    known = set(Settings.__dataclass_fields__)
    preset = options.get("preset") or "default"
    make_settings(preset, **{name: value for name, value in options.items() if name in known})


def _teller(told: Told | None, name: str) -> Callable[[Progress], None] | None:
    if told is None:
        return None

    def tell(progress: Progress) -> None:
        told(name, progress)

    return tell


class Remembering:
    """An aligner that keeps what it found for photos that are asked about again, up to a limit of memory.

    Args:
        aligner: finds the faces.
        most_bytes: of the photos kept; what comes later is found anew each time.
    """

    def __init__(self, aligner: Aligner, most_bytes: int = KEPT_BYTES) -> None:
        self.aligner, self.most_bytes = aligner, most_bytes
        self.name, self.mesh = aligner.name, aligner.mesh
        self._found: dict[str, list[Face] | CanonfaceError] = {}
        self._bytes = 0

    def describe(self) -> Mapping[str, str | float]:
        """Of the aligner itself: what is found is the same."""
        return self.aligner.describe()

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Faces of a photo, the largest first: see ``Aligner``."""
        if not isinstance(photo, str | Path):
            return self.aligner(photo, path)
        key = f"{photo}\n{path}"
        if key not in self._found:
            try:
                found: list[Face] | CanonfaceError = self.aligner(photo, path)
            except CanonfaceError as error:
                found = error
            size = 0 if isinstance(found, CanonfaceError) else sum(face.image.nbytes for face in found)
            if self._bytes + size > self.most_bytes:
                return _given(found)
            self._bytes += size
            self._found[key] = found
        return _given(self._found[key])


def _given(found: list[Face] | CanonfaceError) -> list[Face]:
    if isinstance(found, CanonfaceError):
        # Without the traceback of the first time, which would grow with each.
        raise found.with_traceback(None)
    return list(found)
