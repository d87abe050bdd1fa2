"""Many photos, one model: the loop that writes a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.engine import BatchSize
from canonface.errors import CanonfaceError, OptionError, RunError, TargetError
from canonface.maps import CIS
from canonface.mesh import Canvas, load_mesh, probe_vertices
from canonface.models import Model, load_model
from canonface.run.explaining import explain_face
from canonface.run.labels import Labels, label_columns, read_labels, require_column
from canonface.run.manifest import FILE_NAME, Manifest
from canonface.run.parts import LABEL_COLUMN_PREFIX, next_number, part_schema, read_parts, write_part
from canonface.run.photos import PhotoList, Photos, find_photos, printable, table_of
from canonface.run.run import GROUPINGS, PARTS, Run
from canonface.run.settings import Settings, make_settings
from canonface.types import WhichFaces

logger = logging.getLogger("canonface")
Row = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: photos finished, those of earlier starts included.
        total: photos in all.
        failed: photos or faces that failed.
        resumed: photos that an earlier start had finished.
    """

    done: int
    total: int
    failed: int
    resumed: int


def audit(
    photos: Photos,
    model: Any,
    out: str | Path,
    *,
    target: str | int | None = None,
    labels: str | Path | None = None,
    by: str | None = None,
    preset: str = "default",
    level: int = 1,
    faces: WhichFaces = "largest",
    aligner: Aligner | None = None,
    batch: int = 64,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Run:
    """Which parts of a face a model relies on, over many photos.

    The run is written as it grows. Started again with the same arguments it goes on where it stopped, and ends
    with the same map; with other arguments it refuses. A photo that cannot be explained is a row with its reason,
    and the others go on.

    Args:
        photos: a folder, a file, a pattern, a CSV file with a ``path`` column, or several of them.
        model: a `Model`, or whatever `canonface.load_model` takes.
        out: directory of the run; made if it is missing.
        target: class by name or index, ``label:COLUMN``, or ``predicted`` (the default).
        labels: CSV file with a ``path`` column and anything else that is known of the photos. None: ``photos``, if
            it is a CSV file.
        by: column that the maps will be grouped by; refused now, not after hours, if the labels lack it.
        preset: ``default`` or ``paper``.
        level: of the canonical mesh; ignored if ``aligner`` is given.
        faces: ``largest`` or ``all`` of a photo; ignored if ``aligner`` is given.
        aligner: places faces on a mesh; by default the landmarker.
        batch: how many occluded copies the model is shown at once.
        retry_failed: ask again about photos that failed in an earlier start.
        progress: called after each photo.
        **options: the other fields of `Settings`: ``confidence``, ``patch``, ``fill``, ``stride``, ``normalise``,
            ``unseen``.

    Returns:
        The run.

    Raises:
        OptionError, LabelsError, TargetError, ModelError: before anything is asked, if the arguments do not fit.
        ConfigurationChangedError: ``out`` holds a run with another configuration.
        RunError: ``out`` cannot be written to.
    """
    settings = make_settings(preset, target=target, **options)
    loaded = load_model(model)
    found = find_photos(photos)
    table = labels if labels is not None else table_of(photos)
    known = read_labels(Path(table), found) if table is not None else {name: {} for name in found.names}
    question, occluder = settings.question(), settings.hiding()
    question.check(loaded.outputs, loaded.labels)
    occluder.check(loaded.spec)
    if (column := question.label_column) is not None:
        require_column(column, known)
    if by is not None and by not in GROUPINGS:
        require_column(by, known)
    aligner = aligner or LandmarkerAligner(load_mesh(level), faces=faces)
    probe_vertices(aligner.mesh, settings.stride)
    configuration = describe(settings, loaded, found, known, aligner)
    manifest, folder = Manifest.new(configuration, found.root), Path(out)
    earlier = None
    if (folder / FILE_NAME).exists():
        earlier = Manifest.read(folder)
        earlier.require_same(manifest, folder)
        if earlier.versions != manifest.versions:
            logger.warning("this run was begun with other package versions: %s", earlier.versions)
        manifest = replace(manifest, created=earlier.created, versions=earlier.versions)
    if manifest != earlier:
        manifest.write(folder)
    writer = _Writer(folder / PARTS, label_columns(known))
    done = _finished(folder / PARTS, found, retry_failed)
    asker = _Question(loaded, settings, aligner, known, BatchSize(batch))
    state = Progress(len(done), len(found), sum(done.values()), len(done))
    with writer:
        for number, name in enumerate(found.names):
            if number in done:
                continue
            rows = list(asker.rows(number, name, found.path(name)))
            writer.add(rows)
            failed = state.failed + sum(row["status"] != "ok" for row in rows)
            state = replace(state, done=state.done + 1, failed=failed)
            if progress:
                progress(state)
    return Run(folder, manifest)


def describe(
    settings: Settings, model: Model, photos: PhotoList, labels: Labels, aligner: Aligner
) -> dict[str, Any]:
    """Everything that decides the result of a run, for its manifest."""
    used = sorted((name, column, value) for name, row in labels.items() for column, value in row.items())
    return {
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint(),
            "spec": asdict(model.spec),
            "outputs": model.outputs,
            "labels": list(model.labels),
        },
        "settings": dict(settings.describe()),
        "unit": settings.question().unit,
        "mesh": aligner.mesh.name,
        "canvas": asdict(Canvas.of(aligner.mesh)),
        "aligner": aligner.describe(),
        "photos": {"count": len(photos), "sha256": photos.digest},
        "labels": {"columns": list(label_columns(labels)), "sha256": sha256(repr(used).encode()).hexdigest()},
    }


@dataclass(frozen=True)
class _Question:
    """All that is needed to turn a photo into rows."""

    model: Model
    settings: Settings
    aligner: Aligner
    labels: Labels
    batch: BatchSize

    def rows(self, number: int, name: str, path: Path) -> Iterator[Row]:
        """One row a face; a single failed row where the photo cannot be used."""
        shown = printable(name)
        row: Row = {
            "photo": number,
            "face": 0,
            "face_id": f"{shown}#0",
            "path": shown,
            "sha256": _digest(path),
        }
        row |= {LABEL_COLUMN_PREFIX + column: value for column, value in self.labels[name].items()}
        try:
            faces = self.aligner(path)
        except CanonfaceError as error:
            yield row | _failure(error)
            return
        for face in faces:
            row |= {"face": face.index, "face_id": f"{shown}#{face.index}"}
            yaw, pitch, roll = face.pose_deg
            row |= {"yaw": yaw, "pitch": pitch, "roll": roll, "quality": face.quality}
            row |= {"vertices": face.vertices_xy.astype(np.float32).ravel(), "visible": face.visible}
            start = time.perf_counter()
            try:
                cis = explain_face(
                    face, self.model, self.settings, self.labels[name], self.batch, row["sha256"]
                )
            except OptionError:
                # The choices themselves do not fit: it would be the same for every photo.
                raise
            except TargetError as error:
                if self.settings.question().label_column is None:
                    raise
                yield row | _failure(error)
            except CanonfaceError as error:
                yield row | _failure(error)
            else:
                yield row | _success(cis, self.model, time.perf_counter() - start)


def _success(cis: CIS, model: Model, seconds: float) -> Row:
    return {
        "status": "ok",
        "target": cis.target,
        "unit": cis.unit,
        "predicted": _predicted(cis, model),
        "confidence": cis.confidence,
        "outputs": cis.outputs,
        "drops": cis.drops.astype(np.float32),
        "patch": cis.patch,
        "patch_in_photo": cis.patch_in_photo,
        "canonical_patch": cis.canonical_patch,
        "model_calls": cis.model_calls,
        "seconds": seconds,
    }


def _predicted(cis: CIS, model: Model) -> str | None:
    """The class of the largest output; None if the outputs are not about classes."""
    if model.outputs not in ("logits", "probabilities"):
        return None
    chosen = int(cis.outputs.argmax())
    return model.labels[chosen] if chosen < len(model.labels) else f"class {chosen}"


def _failure(error: CanonfaceError) -> Row:
    return {"status": "failed", "reason": error.reason, "message": str(error)}


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _finished(parts: Path, photos: PhotoList, retry_failed: bool) -> dict[int, bool]:
    """Photos that an earlier start finished, and whether they failed.

    Raises:
        RunError: a photo was changed since.
    """
    table = read_parts(parts, ("photo", "face", "path", "sha256", "status"))
    rows = [] if table is None else table.to_pylist()
    failed = {row["photo"] for row in rows if row["status"] != "ok"}
    done = {row["photo"]: row for row in rows if not (retry_failed and row["photo"] in failed)}
    for number, row in done.items():
        path = photos.path(photos.names[number])
        # What failed is kept as it is until it is asked again: a repaired photo is no contradiction.
        if number not in failed and (now := _digest(path)) and now != row["sha256"]:
            raise RunError(
                f"A run is continued with the photos it was begun with; {path} was changed since. Put the photo "
                "back, or start a new run in another folder."
            )
    return {number: number in failed for number in done}


class _Writer:
    """Gathers rows and writes a part now and then, and what is left when the run ends, however it ends."""

    max_rows = 64
    max_seconds = 10.0

    def __init__(self, folder: Path, columns: tuple[str, ...]) -> None:
        self._folder = folder
        self._schema = part_schema(columns)
        self._rows: list[Mapping[str, Any]] = []
        self._last = time.monotonic()
        self._number = next_number(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"A run writes its parts to {folder}, and cannot: {error.strerror or error}."
            ) from error

    def add(self, rows: list[Row]) -> None:
        """Take the rows of one photo; they share one part."""
        self._rows += rows
        if len(self._rows) >= self.max_rows or time.monotonic() - self._last > self.max_seconds:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        if self._rows:
            write_part(self._folder, [dict(row) for row in self._rows], self._schema, self._number)
            self._number += 1
        self._rows = []
        self._last = time.monotonic()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()
