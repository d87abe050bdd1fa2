"""The loop that writes a run: case by case, resumable, each case's rows on disk whole or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from canonface.data.photos import digest
from canonface.errors import RunError
from canonface.mesh import is_named, save_mesh
from canonface.pipeline.stopping import StoppingRule
from canonface.run.manifest import FILE_NAME, Manifest
from canonface.run.parts import next_number, read_parts, write_part
from canonface.run.rows import Row
from canonface.run.run import MESH_FILE, PARTS, Run
from canonface.types import Mesh

logger = logging.getLogger("canonface")


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: photos (or pairs) finished, those of earlier starts included.
        total: photos (or pairs) in all.
        failed: photos (or pairs) with a failure.
        resumed: photos (or pairs) that an earlier start had finished.
    """

    done: int
    total: int
    failed: int
    resumed: int


@dataclass(frozen=True)
class Case:
    """A photo or a pair of photos: what a run asks about at once.

    Attributes:
        number: position in the run's list; stored in the column ``photo``.
        files: the photos by the column that their SHA-256 is stored in.
        rows: makes the rows, failed ones among them; called when the case's turn comes.
    """

    number: int
    files: Mapping[str, Path]
    rows: Callable[[], Iterable[Row]]


def write_run(
    folder: Path,
    manifest: Manifest,
    mesh: Mesh,
    cases: Sequence[Case],
    schema: Any,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    until: StoppingRule | None = None,
) -> Run:
    """Carry out what is left of a run.

    Args:
        folder: of the run; made if it is missing.
        manifest: what is asked.
        mesh: that the faces are placed on; kept beside the manifest if it is none that has a name.
        cases: all of them, in the order in which they are taken.
        schema: of the parts.
        retry_failed: ask again about cases that failed in an earlier start.
        progress: called after each case.
        until: looks at what there is so far, and may say that it is enough.

    Raises:
        ConfigurationChangedError: the folder holds a run with another configuration.
        RunError: the folder cannot be written to, or a photo was changed since.
    """
    manifest = _begun(folder, manifest)
    if not is_named(mesh.name) and not (folder / MESH_FILE).exists():
        save_mesh(mesh, folder / MESH_FILE)
    writer = _Writer(folder / PARTS, schema)
    done = _finished(folder / PARTS, cases, retry_failed)
    state = Progress(len(done), len(cases), sum(done.values()), len(done))
    forward_passes, asked = _forward_passes(folder / PARTS), 0
    with writer:
        for taken, case in enumerate(cases):
            if until is not None and until.due(taken, asked, case.number in done):
                writer.flush()
                if until.look(taken, asked):
                    return Run(folder, manifest)
            if case.number in done:
                asked += forward_passes[case.number]
                continue
            rows = list(case.rows())
            writer.add(rows)
            asked += _shown(rows)
            failed = state.failed + any(row["status"] != "ok" for row in rows)
            state = replace(state, done=state.done + 1, failed=failed)
            if progress:
                progress(state)
        if until is not None:
            writer.flush()
            until.look(len(cases), asked)
    return Run(folder, manifest)


def _shown(rows: Iterable[Row]) -> int:
    """How many images the model was shown for the rows of a case."""
    return sum(row.get("model_calls") or 0 for row in rows)


def _forward_passes(parts: Path) -> dict[int, int]:
    """How many images the model was shown for each case of earlier starts."""
    table = read_parts(parts, ("photo", "face", "model_calls"))
    asked: dict[int, int] = {}
    for row in [] if table is None else table.to_pylist():
        asked[row["photo"]] = asked.get(row["photo"], 0) + _shown([row])
    return asked


def _begun(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest on disk: written, or the one of an earlier start, which must ask the same."""
    earlier = None
    if (folder / FILE_NAME).exists():
        earlier = Manifest.read(folder)
        earlier.require_same(manifest, folder)
        if earlier.versions != manifest.versions:
            logger.warning("this run was begun with other package versions: %s", earlier.versions)
        # As it was written, an earlier version's fingerprints included.
        manifest = replace(earlier, photo_root=manifest.photo_root)
    if manifest != earlier:
        manifest.write(folder)
    return manifest


def _finished(parts: Path, cases: Sequence[Case], retry_failed: bool) -> dict[int, bool]:
    """Cases that an earlier start finished, and whether they failed.

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
        # What failed is kept as it is until it is asked again: a repaired photo is no contradiction.
        if number in failed:
            continue
        for column, path in files[number].items():
            if (now := digest(path)) and now != row[column]:
                raise RunError(
                    f"A run is continued with the photos it was begun with; {path} was changed since. Put the photo "
                    "back, or start a new run in another folder."
                )
    return {number: number in failed for number in done}


class _Writer:
    """Gathers rows and writes a part now and then, and what is left when the run ends, however it ends."""

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
        """Take the rows of one case; they share one part."""
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
