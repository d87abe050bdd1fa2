"""Rows of a run on disk: its matrix of drops, its labels, its mesh and its probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence import pose_bin
from canonface.errors import OptionError, RunError, near_names
from canonface.explanation.probes import probes_of
from canonface.mesh import Canvas, is_named, mesh_digest, mesh_named, read_mesh
from canonface.methods import current_unit
from canonface.run.manifest import Manifest
from canonface.run.parts import LABEL_COLUMN_PREFIX, PARTS, read_parts
from canonface.types import Mesh

if TYPE_CHECKING:
    import pyarrow

    Table: TypeAlias = pyarrow.Table
else:  # pyarrow is loaded when rows are read, not before
    Table = Any

MESH_FILE = "mesh.npz"
POSE_BIN = "pose-bin"
GROUPINGS = ("target", "predicted", POSE_BIN)
"""Columns that faces are grouped by besides their labels."""


@dataclass(frozen=True, eq=False)
class Records:
    """A directory with a manifest and Parquet parts, one row per face.

    Attributes:
        folder: directory of the run.
        manifest: configuration of the run.
    """

    folder: Path
    manifest: Manifest = field(repr=False)

    @cached_property
    def table(self) -> Table:
        """All rows as a ``pyarrow.Table``, failed ones included, sorted by photo and face.

        Raises:
            RunError: the run has no row yet, or a part cannot be read.
        """
        table = read_parts(self.folder / PARTS)
        if table is None:
            raise RunError(f"The run in {self.folder} has no finished photo yet: start it again to continue.")
        return table

    @cached_property
    def faces(self) -> Table:
        """Rows of the faces that were explained, as a ``pyarrow.Table``."""
        import pyarrow.compute as pc

        return self.table.filter(pc.equal(self.table.column("status"), "ok"))

    @cached_property
    def failures(self) -> Table:
        """Rows that failed, as a ``pyarrow.Table`` with ``path``, ``reason`` and ``message``."""
        import pyarrow.compute as pc

        return self.table.filter(pc.not_equal(self.table.column("status"), "ok"))

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return str(self.manifest.configuration["model"]["name"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the run, as in the manifest."""
        settings: Mapping[str, Any] = self.manifest.configuration["settings"]
        return settings

    @property
    def mesh(self) -> Mesh:
        """Mesh whose vertices were probed."""
        name: str = self.manifest.configuration["mesh"]["name"]
        return mesh_named(name) if is_named(name) else self._own_mesh

    @cached_property
    def _own_mesh(self) -> Mesh:
        mesh = read_mesh(self.folder / MESH_FILE)
        if mesh_digest(mesh) != self.manifest.configuration["mesh"]["sha256"]:
            raise RunError(
                f"A run is read with the mesh it was made on; {self.folder / MESH_FILE} holds another one. Put the "
                "file back."
            )
        return mesh

    @cached_property
    def probes(self) -> Int[np.ndarray, "n"]:
        """Vertex of each column of ``drops()``."""
        return probes_of(self.mesh, self.manifest.configuration["probes"])

    @property
    def canvas(self) -> Canvas:
        """Canonical picture that maps are drawn on."""
        stated = self.manifest.configuration["canvas"]
        return Canvas(tuple(stated["size_hw"]), stated["margin"])

    @property
    def canonical_patches(self) -> Float[np.ndarray, "faces"]:
        """Side of each face's patch on the canonical picture (eq. 3)."""
        return np.asarray(self.faces.column("canonical_patch"), dtype=np.float64)

    @property
    def unit(self) -> str:
        """Unit of the confidence in words, e.g. ``probability of happy``."""
        stored = set(self.faces.column("unit").to_pylist())
        # Rows that 0.1.0 wrote by another method hold another word for attribution.
        units = {current_unit(unit) for unit in stored} if self.method else stored
        whole = str(self.manifest.configuration["unit"])
        return str(units.pop()) if len(units) == 1 else current_unit(whole) if self.method else whole

    @property
    def method(self) -> str:
        """Name of the saliency method whose attributions the run holds; empty for a run of drops."""
        return str(self.settings.get("method", {}).get("name", ""))

    def drops(self) -> Float[np.ndarray, "faces probes"]:
        """Return the matrix of drops ``(faces, probes)``, a row for each row of ``faces``; NaN where not probed.

        For a run of another method it holds that method's attribution at the probes.
        """
        return self.matrix("drops", len(self.probes)).astype(np.float64)

    def vertices_xy(self) -> Float[np.ndarray, "faces v 2"]:
        """Return the mesh vertices of each face in pixels of its photo."""
        return (
            self.matrix("vertices", 2 * len(self.mesh.vertices))
            .astype(np.float64)
            .reshape(-1, len(self.mesh.vertices), 2)
        )

    def matrix(self, column: str, width: int) -> Float[np.ndarray, "faces width"]:
        """Return a column of lists as a ``float32`` matrix, without a copy in double precision."""
        lists = self.faces.column(column).combine_chunks()
        return np.asarray(lists.flatten(), dtype=np.float32).reshape(len(lists), width)

    @property
    def of_pairs(self) -> bool:
        """Whether a row is a pair of faces."""
        return self.manifest.configuration.get("kind") == "pairs"

    def labels(self, column: str) -> list[str]:
        """Return a label of each face; an empty text where it is unknown.

        Args:
            column: of the labels, or ``target``, ``predicted`` or ``pose-bin``, one of nine bins over yaw and pitch
                (the paper's figure 19; `canonface.confidence.pose_bin`).

        Raises:
            OptionError: there is no such column.
        """
        if column == POSE_BIN:
            return self._pose_bins()
        available = {name: name for name in GROUPINGS}
        for name in self.faces.column_names:
            if name.startswith(LABEL_COLUMN_PREFIX):
                available[name.removeprefix(LABEL_COLUMN_PREFIX)] = name
        if column not in available:
            raise OptionError(
                f"Faces are grouped by a column of the labels; got {column!r}: "
                f"{near_names(column, available)}"
            )
        return [value or "" for value in self.faces.column(available[column]).to_pylist()]

    def _pose_bins(self) -> list[str]:
        columns = (self.faces.column(name).to_pylist() for name in ("yaw", "pitch"))
        poses = ((yaw, pitch) for yaw, pitch in zip(*columns, strict=True))
        return [
            pose_bin(yaw, pitch) if np.isfinite(yaw) and np.isfinite(pitch) else "" for yaw, pitch in poses
        ]
