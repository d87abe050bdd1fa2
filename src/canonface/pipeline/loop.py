"""Loop that writes a run, case by case: interruptible, and resumed without loss or repetition."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from canonface.alignment import Aligner
from canonface.data.photos import digest, printable
from canonface.errors import CanonfaceError, OptionError, RunError
from canonface.mesh import is_named, save_mesh
from canonface.pipeline.stopping import StoppingRule
from canonface.progress import Progress
from canonface.run.manifest import FILE_NAME, Manifest
from canonface.run.parts import LABEL_COLUMN_PREFIX, PARTS, next_number, read_parts, write_part
from canonface.run.records import MESH_FILE
from canonface.run.rows import Row, failure
from canonface.run.run import Run
from canonface.run.tables import write_probes
from canonface.types import Face, Mesh

logger = logging.getLogger("canonface")


@dataclass(frozen=True)
class Case:
    """One photo or one pair of photos of a run.

    Attributes:
        number: position in the run's list; stored in the column ``photo``.
        files: column that stores a photo's SHA-256 -> path of the photo.
        rows: makes the rows, failed ones included; called when the case's turn comes.
    """

    number: int
    files: Mapping[str, Path]
    rows: Callable[[], Iterable[Row]]


def rows_of_photo(
    number: int,
    name: str,
    path: Path,
    labels: Mapping[str, str],
    aligner: Aligner,
    explained: Callable[[Face, Row], Row],
) -> Iterator[Row]:
    """Yield one row for each face of a photo; a single failed row if the photo cannot be used.

    Args:
        number: position of the photo in the run's list.
        name: of the photo.
        path: of the photo.
        labels: of the photo.
        aligner: finds the faces.
        explained: a face and the beginning of its row -> the columns of its result.

    Raises:
        OptionError: the choices themselves do not fit; every photo would fail alike.
    """
    shown = printable(name)
    row: Row = {"photo": number, "face": 0, "face_id": f"{shown}#0", "path": shown, "sha256": digest(path)}
    row |= {LABEL_COLUMN_PREFIX + column: value for column, value in labels.items()}
    try:
        faces = aligner(path)
    except CanonfaceError as error:
        yield row | failure(error)
        return
    for face in faces:
        row |= {"face": face.index, "face_id": f"{shown}#{face.index}"}
        try:
            columns = explained(face, row)
        except OptionError:
            raise
        except CanonfaceError as error:
            columns = failure(error)
        yield row | columns


def write_run(
    folder: Path,
    manifest: Manifest,
    mesh: Mesh,
    cases: Sequence[Case],
    schema: Any,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    rule: StoppingRule | None = None,
) -> Run:
    """Write the rows of a run that are not on disk yet, and return the run.

    Args:
        folder: folder of the run; made if it is missing.
        manifest: configuration of the run.
        mesh: mesh of the faces; stored next to the manifest unless it has a name.
        cases: all of them, in the order in which they are taken.
        schema: schema of the parts.
        retry_failed: run again the cases that failed in an earlier start.
        progress: called after each case.
        rule: decides after some cases whether the run stops.

    Raises:
        ConfigurationChangedError: the folder holds a run with another configuration.
        RunError: the folder cannot be written to, or a photo was changed since.
    """
    manifest = _prepare(folder, manifest)
    if not is_named(mesh.name) and not (folder / MESH_FILE).exists():
        save_mesh(mesh, folder / MESH_FILE)
    if "probes" in manifest.configuration:
        run = Run(folder, manifest)
        write_probes(folder, run.mesh, run.probes, run.canvas)
    writer = _Writer(folder / PARTS, schema)
    done = _finished(folder / PARTS, cases, retry_failed)
    state = Progress(len(done), len(cases), sum(done.values()), len(done))
    earlier, forward_passes = _forward_passes(folder / PARTS), 0
    with writer:
        for taken, case in enumerate(cases):
            if rule is not None and rule.due(taken, forward_passes, case.number in done):
                writer.flush()
                if rule.look(taken, forward_passes):
                    return Run(folder, manifest)
            if case.number in done:
                forward_passes += earlier[case.number]
                continue
            rows = list(case.rows())
            writer.add(rows)
            forward_passes += _calls(rows)
            failed = state.failed + any(row["status"] != "ok" for row in rows)
            state = replace(state, done=state.done + 1, failed=failed)
            if progress:
                progress(state)
        if rule is not None:
            writer.flush()
            rule.look(len(cases), forward_passes)
    return Run(folder, manifest)


def _calls(rows: Iterable[Row]) -> int:
    """Return the number of images that the model was shown for some rows."""
    return sum(row.get("model_calls") or 0 for row in rows)


def _forward_passes(parts: Path) -> dict[int, int]:
    """Return the number of images that the model was shown for each case of earlier starts."""
    table = read_parts(parts, ("photo", "face", "model_calls"))
    found: dict[int, int] = {}
    for row in [] if table is None else table.to_pylist():
        found[row["photo"]] = found.get(row["photo"], 0) + _calls([row])
    return found


def _prepare(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest, or load and verify it.

    Raises:
        ConfigurationChangedError: the folder holds a run with another configuration.
    """
    earlier = None
    if (folder / FILE_NAME).exists():
        earlier = Manifest.read(folder)
        earlier.require_same(manifest, folder)
        if earlier.versions != manifest.versions:
            logger.warning("this run was started with other package versions: %s", earlier.versions)
        # As it was written, an earlier version's fingerprints included.
        manifest = replace(earlier, photo_root=manifest.photo_root)
    if manifest != earlier:
        manifest.write(folder)
    return manifest


def _finished(parts: Path, cases: Sequence[Case], retry_failed: bool) -> dict[int, bool]:
    """Return the cases that an earlier start finished, and whether each failed.

    Raises:
        RunError: a photo was changed since.
    """
    columns = tuple(cases[0].files) if cases else ()
    table = read_parts(parts, ("photo", "face", "status", *columns))
    rows = [] if table is None else table.to_pylist()
    failed = {row["photo"] for row in rows if row["status"] != "ok"}
    done = {row["photo"]: row for row in rows if not (retry_failed and row["photo"] in failed)}
    files = {case.number: case.files for case in cases}
    for number, row in done.items():
        # A failed row is kept until it is retried: a repaired photo is no contradiction.
        if number in failed:
            continue
        for column, path in files[number].items():
            if (now := digest(path)) and now != row[column]:
                raise RunError(
                    f"A run is continued with the photos it was started with; {path} was changed since. Put the "
                    "photo back, or start a new run in another folder."
                )
    return {number: number in failed for number in done}


class _Writer:
    """Buffer of rows that is written as a part from time to time, and when the run ends for any reason."""

    max_rows = 64
    max_seconds = 10.0

    def __init__(self, folder: Path, schema: Any) -> None:
        self._folder = folder
        self._schema = schema
        self._rows: list[Row] = []
        self._last = time.monotonic()
        self._number = next_number(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"A run writes its parts to {folder}, and cannot: {error.strerror or error}."
            ) from error

    def add(self, rows: list[Row]) -> None:
        """Add the rows of one case; they share one part."""
        self._rows += rows
        if len(self._rows) >= self.max_rows or time.monotonic() - self._last > self.max_seconds:
            self.flush()

    def flush(self) -> None:
        """Write the buffered rows."""
        if self._rows:
            write_part(self._folder, [dict(row) for row in self._rows], self._schema, self._number)
            self._number += 1
        self._rows = []
        self._last = time.monotonic()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()
