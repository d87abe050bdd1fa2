"""A run as tables: the probes, one row per face, one row per face and probe, and an xarray dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from canonface.errors import MissingDependencyError, RunError
from canonface.files import atomic_write
from canonface.mesh import Canvas
from canonface.run.parts import LABEL_COLUMN_PREFIX
from canonface.run.records import Records
from canonface.types import Mesh

if TYPE_CHECKING:
    import pandas
    import xarray

PROBES_FILE = "probes.parquet"


def probe_columns(mesh: Mesh, probes: Int[np.ndarray, "n"], canvas: Canvas) -> dict[str, Any]:
    """Return the columns that describe the probes of a run, one value per probe.

    ``probe`` is the position in ``drops``; ``vertex`` the mesh vertex; ``x_cm``, ``y_cm``, ``z_cm`` its place on the
    canonical face (x to the subject's left, y up, z to the front); ``canonical_x`` and ``canonical_y`` its pixel on
    the canonical picture; ``region`` the smallest named region that holds it, empty if none does; ``regions`` all of
    them.
    """
    smallest_first = sorted(mesh.regions, key=lambda name: (len(mesh.regions[name]), name))
    members: list[list[str]] = [[] for _ in range(len(mesh.vertices))]
    for name in smallest_first:
        for vertex in mesh.regions[name].tolist():
            members[vertex].append(name)
    place, pixel = mesh.vertices[probes], canvas.project(mesh)[probes]
    regions = [members[vertex] for vertex in probes.tolist()]
    return {
        "probe": np.arange(len(probes), dtype=np.int32),
        "vertex": probes.astype(np.int32),
        "x_cm": place[:, 0].astype(np.float64),
        "y_cm": place[:, 1].astype(np.float64),
        "z_cm": place[:, 2].astype(np.float64),
        "canonical_x": pixel[:, 0],
        "canonical_y": pixel[:, 1],
        "region": [names[0] if names else "" for names in regions],
        "regions": regions,
    }


def write_probes(folder: Path, mesh: Mesh, probes: Int[np.ndarray, "n"], canvas: Canvas) -> None:
    """Write ``probes.parquet`` into a run's folder, unless it is there.

    Raises:
        RunError: the folder cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / PROBES_FILE
    if path.exists():
        return
    schema = pa.schema(
        [("probe", pa.int32()), ("vertex", pa.int32())]
        + [(name, pa.float64()) for name in ("x_cm", "y_cm", "z_cm", "canonical_x", "canonical_y")]
        + [("region", pa.string()), ("regions", pa.list_(pa.string()))]
    )
    table = pa.table(probe_columns(mesh, probes, canvas), schema=schema)
    try:
        atomic_write(path, lambda file: pq.write_table(table, file, compression="zstd"))
    except OSError as error:
        raise RunError(
            f"A run writes {PROBES_FILE} to {folder}, and cannot: {error.strerror or error}."
        ) from error


def face_table(run: Records) -> pandas.DataFrame:
    """Return a row for each explained face with its scalar columns."""
    import pyarrow as pa

    scalar = [field.name for field in run.faces.schema if not pa.types.is_list(field.type)]
    table = run.faces.select(scalar).to_pandas()
    for name in _labels(run):
        table[name] = table[name].replace("", None)
    return table


def long_table(run: Records) -> pandas.DataFrame:
    """Return a row for each explained face and probe."""
    import pandas as pd

    columns = _probe_columns(run)
    drops = run.drops()
    faces, probes = drops.shape
    content: dict[str, Any] = {}
    for name in ("face_id", "target", "predicted", "confidence", *_labels(run)):
        values = [None if value == "" else value for value in run.faces.column(name).to_pylist()]
        kind = np.float64 if name == "confidence" else object
        content[name] = np.repeat(np.array(values, dtype=kind), probes)
    for name in ("probe", "vertex", "region", "canonical_x", "canonical_y"):
        content[name] = np.tile(np.asarray(columns[name]), faces)
    content[_value_name(run)] = drops.ravel()
    return pd.DataFrame(content)


def dataset(run: Records) -> xarray.Dataset:
    """Return the matrix of drops and the confidences, with the coordinates of faces and probes.

    Raises:
        MissingDependencyError: xarray is not installed.
    """
    try:
        import xarray as xr
    except ImportError as error:
        raise MissingDependencyError("to_xarray needs xarray: pip install 'canonface[xarray]'.") from error
    columns = _probe_columns(run)
    coordinates: dict[str, Any] = {
        name: ("probe", np.asarray(columns[name]))
        for name in ("vertex", "region", "canonical_x", "canonical_y")
    }
    coordinates["probe"] = columns["probe"]
    for name in run.faces.column_names:
        if name in ("face_id", "target", "predicted") or name.startswith(LABEL_COLUMN_PREFIX):
            values = [value or "" for value in run.faces.column(name).to_pylist()]
            coordinates[name] = ("face", np.array(values, dtype=str))
    confidence = np.array(run.faces.column("confidence").to_pylist(), dtype=np.float64)
    return xr.Dataset(
        {
            _value_name(run): (("face", "probe"), run.drops(), {"units": run.unit}),
            "confidence": ("face", confidence),
        },
        coordinates,
        {"model": run.model_name, "method": run.method, "mesh": run.mesh.name},
    )


def _probe_columns(run: Records) -> dict[str, Any]:
    return probe_columns(run.mesh, run.probes, run.canvas)


def _labels(run: Records) -> list[str]:
    """Return the columns of labels; a missing label is None in tables."""
    return [name for name in run.faces.column_names if name.startswith(LABEL_COLUMN_PREFIX)]


def _value_name(run: Records) -> str:
    return "attribution" if run.method else "drop"
