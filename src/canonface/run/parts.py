"""Parts of a run: Parquet files of rows that are whole or absent."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from canonface.errors import RunError
from canonface.files import atomic_write

PARTS = "parts"
"""Folder of the parts below that of the run."""
LABEL_COLUMN_PREFIX = "label_"
SECOND_FACE = (
    "path",
    "sha256",
    "outputs",
    "yaw",
    "pitch",
    "roll",
    "quality",
    "patch",
    "patch_in_photo",
    "vertices",
    "visible",
)
"""Columns that a pair has for each of its faces; those of the second end in ``_b``."""


def part_schema(label_columns: Sequence[str], pairs: bool = False) -> Any:
    """Return the columns of a part: a row a face (or pair of faces), and a row for each photo (or pair) that failed.

    Args:
        label_columns: names of the labels.
        pairs: add the columns of a second face, whose names end in ``_b``.

    Returns:
        A ``pyarrow.Schema``. ``vertices`` alternates x and y in pixels of the photo; ``drops`` is NaN where a probe
        was not evaluated; a failed row has ``status`` ``failed``, a code in ``reason`` and a sentence in ``message``.
    """
    import pyarrow as pa

    floats = pa.list_(pa.float32())
    fields = [
        ("photo", pa.int32()),
        ("face", pa.int32()),
        ("face_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("target", pa.string()),
        ("unit", pa.string()),
        ("predicted", pa.string()),
        ("confidence", pa.float64()),
        ("outputs", pa.list_(pa.float64())),
        ("yaw", pa.float64()),
        ("pitch", pa.float64()),
        ("roll", pa.float64()),
        ("quality", pa.float64()),
        ("drops", floats),
        ("patch", pa.float64()),
        ("patch_in_photo", pa.float64()),
        ("canonical_patch", pa.float64()),
        ("vertices", floats),
        ("visible", pa.list_(pa.bool_())),
        ("model_calls", pa.int64()),
        ("seconds", pa.float64()),
    ]
    if pairs:
        kinds = dict(fields)
        fields += [(f"{name}_b", kinds[name]) for name in SECOND_FACE] + [("similarity", pa.float64())]
    return pa.schema([*fields, *((LABEL_COLUMN_PREFIX + name, pa.string()) for name in label_columns)])


def region_schema(label_columns: Sequence[str]) -> Any:
    """Return the columns of a part of a run of whole regions: one row per face, and a row for each photo that failed.

    ``joint`` and ``overlap`` hold ``k x k`` values row by row, ``areas`` and ``visible`` hold ``k``, in the order of
    the regions in the manifest.
    """
    import pyarrow as pa

    doubles = pa.list_(pa.float64())
    names = {"photo": pa.int32(), "face": pa.int32()}
    names |= dict.fromkeys(
        ("face_id", "path", "sha256", "status", "reason", "message", "target", "unit"), pa.string()
    )
    names |= dict.fromkeys(("confidence", "yaw", "pitch", "roll", "quality"), pa.float64())
    names |= dict.fromkeys(("joint", "areas", "overlap", "visible"), doubles)
    names |= {"model_calls": pa.int64(), "seconds": pa.float64()}
    return pa.schema([*names.items(), *((LABEL_COLUMN_PREFIX + name, pa.string()) for name in label_columns)])


def write_part(folder: Path, rows: Sequence[dict[str, Any]], schema: Any, number: int | None = None) -> Path:
    """Write rows as the next part, whole or not at all.

    A part's name ends in random letters, so that two processes never write the same file.

    Args:
        folder: folder of the parts.
        rows: rows of whole photos: the rows of one photo share one part.
        schema: from `part_schema`.
        number: number of the part; where two parts hold the same photo, the later one counts. None: the next.

    Raises:
        RunError: the disk is full, the folder is read-only, or another error of the file system.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = next_number(folder) if number is None else number
    final = folder / f"part-{number:06d}-{uuid.uuid4().hex[:8]}.parquet"
    table = pa.Table.from_pylist(list(rows), schema=schema)
    try:
        atomic_write(final, lambda file: pq.write_table(table, file, compression="zstd"))
    except OSError as error:
        raise RunError(_cannot_write(folder, error)) from error
    return final


def next_number(folder: Path) -> int:
    """Return the number of the next part."""
    return 1 + max(
        (int(path.name.split("-")[1].removesuffix(".parquet")) for path in part_paths(folder)), default=0
    )


def part_paths(folder: Path) -> list[Path]:
    """Return the paths of a run's parts, in the order in which they were written."""
    return sorted(folder.glob("part-[0-9]*.parquet"))


def read_parts(folder: Path, columns: Sequence[str] | None = None) -> Any:
    """Return all rows of a run as a ``pyarrow.Table``, sorted by photo and face.

    If a photo is in two parts, the rows of the later part count.

    Args:
        folder: folder of the parts.
        columns: to read; ``photo`` and ``face`` among them. None: all.

    Returns:
        The table, or None if there is no part yet.

    Raises:
        RunError: a part cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in part_paths(folder):
        try:
            tables.append(pq.read_table(path, columns=None if columns is None else list(columns)))
        except (OSError, pa.ArrowInvalid) as error:
            raise RunError(
                f"Each part of a run is a whole Parquet file; {path} cannot be read ({error}). It was changed after "
                "it was written: delete it and start the run again, which redoes its photos."
            ) from error
    if not tables:
        return None
    # The rows of a photo share one part; if a photo was redone, the later part counts.
    newest = {photo: n for n, part in enumerate(tables) for photo in part.column("photo").to_pylist()}
    whole = [
        part.filter(pa.array([newest[photo] == n for photo in part.column("photo").to_pylist()], pa.bool_()))
        for n, part in enumerate(tables)
    ]
    return pa.concat_tables(whole).sort_by([("photo", "ascending"), ("face", "ascending")])


def _cannot_write(folder: Path, error: OSError) -> str:
    saved = "The parts written before are whole: start the same command again to continue from there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"A run needs room on the disk; there is none left for {folder}. Free some. {saved}"
    return f"A run writes its parts to {folder}, and that failed: {error.strerror or error}. {saved}"
