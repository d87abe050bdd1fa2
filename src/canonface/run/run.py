"""A run: the drops of many faces on disk, and the maps that are functions of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface import functional
from canonface.alignment import read_photo
from canonface.confidence import pose_bin
from canonface.errors import OptionError, PhotoError, RunError, near_names
from canonface.explanation.probes import probes_of
from canonface.maps import CIS, CMS, AttributionMap
from canonface.mesh import Canvas, is_named, mesh_digest, mesh_named, read_mesh
from canonface.run.estimate import (
    cluster_of,
    design_of,
    estimate_rows,
    estimated_cms,
    last_look,
    order_of,
    taken_rows,
    warn_if_unsure,
)
from canonface.run.manifest import Manifest
from canonface.run.parts import LABEL_COLUMN_PREFIX, read_parts
from canonface.run.stopping import LEVEL, StoppingState
from canonface.sampling import Design, MapEstimate, Of
from canonface.types import Face, Mesh, Pose

logger = logging.getLogger("canonface")
T = TypeVar("T")
PARTS = "parts"
MESH_FILE = "mesh.npz"
POSE_BIN = "pose-bin"
GROUPINGS = ("target", "predicted", POSE_BIN)


@dataclass(frozen=True, eq=False)
class Run:
    """A directory with a manifest and Parquet parts, one row a face; it needs no model and no photo.

    Attributes:
        folder: where it lies.
        manifest: what was asked.
    """

    folder: Path
    manifest: Manifest = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open a run from disk.

        Raises:
            RunError: there is no run, or its manifest cannot be read.
        """
        return cls(Path(folder), Manifest.read(Path(folder)))

    @cached_property
    def table(self) -> Any:
        """Every row as a ``pyarrow.Table``, failed ones too, by photo and face.

        Raises:
            RunError: the run has no row yet, or a part cannot be read.
        """
        table = read_parts(self.folder / PARTS)
        if table is None:
            raise RunError(f"The run in {self.folder} has no finished photo yet: start it again to continue.")
        return table

    @cached_property
    def faces(self) -> Any:
        """The rows that were explained, as a ``pyarrow.Table``."""
        import pyarrow.compute as pc

        return self.table.filter(pc.equal(self.table.column("status"), "ok"))

    @cached_property
    def failures(self) -> Any:
        """The rows that failed, as a ``pyarrow.Table``: ``path``, ``reason`` and ``message`` say what happened."""
        import pyarrow.compute as pc

        return self.table.filter(pc.not_equal(self.table.column("status"), "ok"))

    @property
    def model_name(self) -> str:
        """Name of the model that was asked."""
        return str(self.manifest.configuration["model"]["name"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the run, as the manifest holds them."""
        settings: Mapping[str, Any] = self.manifest.configuration["settings"]
        return settings

    @property
    def mesh(self) -> Mesh:
        """The mesh whose vertices were probed."""
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
        """The canonical picture that maps are drawn on."""
        stated = self.manifest.configuration["canvas"]
        return Canvas(tuple(stated["size_hw"]), stated["margin"])

    @property
    def canonical_patches(self) -> Float[np.ndarray, "faces"]:
        """Side of each face's patch on the canonical picture (eq. 3)."""
        return np.asarray(self.faces.column("canonical_patch"), dtype=np.float64)

    @property
    def unit(self) -> str:
        """Words for a colour bar, e.g. ``probability of happy``."""
        units = set(self.faces.column("unit").to_pylist())
        return str(units.pop() if len(units) == 1 else self.manifest.configuration["unit"])

    @property
    def method(self) -> str:
        """Name of the saliency method of others whose maps the run holds; empty: it holds drops."""
        return str(self.settings.get("method", {}).get("name", ""))

    def drops(self) -> Float[np.ndarray, "faces probes"]:
        """The matrix that everything else is made of: one row a face of ``faces``, NaN where not asked.

        Of a run with a method of others it holds that method's heat at the probes.
        """
        return self._matrix("drops", len(self.probes)).astype(np.float64)

    def vertices_xy(self) -> Float[np.ndarray, "faces v 2"]:
        """Mesh vertices of each face in pixels of its photo."""
        return (
            self._matrix("vertices", 2 * len(self.mesh.vertices))
            .astype(np.float64)
            .reshape(-1, len(self.mesh.vertices), 2)
        )

    def _matrix(self, column: str, width: int) -> Float[np.ndarray, "faces width"]:
        lists = self.faces.column(column).combine_chunks()
        return np.asarray(lists.flatten(), dtype=np.float32).reshape(len(lists), width)

    def photo_path(self, row: int) -> Path:
        """Where the photo of a face lies, if it was not moved since."""
        name: str = self.faces.column("path")[row].as_py()
        return Path(self.manifest.photo_root) / name

    @property
    def of_pairs(self) -> bool:
        """Whether a row is a pair of faces."""
        return self.manifest.configuration.get("kind") == "pairs"

    def cis(self, row: int) -> CIS:
        """The map of one face, with its photo read again from disk; of a pair, that of the first face.

        Args:
            row: of ``faces``.

        Raises:
            PhotoError: the photo is not where it was, or cannot be read.
        """
        return self._cis(self.faces.slice(row, 1).to_pylist()[0], "")

    def pair(self, row: int) -> tuple[CIS, CIS]:
        """The maps of both faces of a pair: the same drops, each on its own photo.

        Args:
            row: of ``faces``.

        Raises:
            OptionError: the run is not one of pairs.
            PhotoError: a photo is not where it was, or cannot be read.
        """
        if not self.of_pairs:
            raise OptionError(
                f"Only a run of pairs holds pairs, and {self.folder} asks about single faces: use cis({row})."
            )
        content = self.faces.slice(row, 1).to_pylist()[0]
        return self._cis(content, ""), self._cis(content, "_b")

    def _cis(self, content: Mapping[str, Any], suffix: str) -> CIS:
        """The map of the face whose columns end in the suffix."""

        def of(name: str) -> Any:
            return content[name + suffix]

        path = Path(self.manifest.photo_root) / of("path")
        vertices_xy = np.array(of("vertices"), dtype=np.float64).reshape(-1, 2)
        face = Face(
            image=read_photo(path),
            vertices_xy=vertices_xy,
            depth=np.full(len(vertices_xy), np.nan),
            visible=np.array(of("visible"), dtype=bool),
            pose_deg=Pose(of("yaw"), of("pitch"), of("roll")),
            quality=of("quality"),
            mesh=self.mesh,
            path=str(path),
            index=content["face"],
        )
        return (AttributionMap if self.method else CIS)(
            face=face,
            mesh=self.mesh,
            probes=self.probes,
            values=np.array(content["drops"], dtype=np.float64),
            confidence=content["confidence"],
            target=content["target"],
            unit=content["unit"],
            patch=of("patch"),
            patch_in_photo=of("patch_in_photo"),
            canonical_patch=content["canonical_patch"],
            input_height=self.manifest.configuration["model"]["spec"]["size_hw"][0],
            model=self.model_name,
            outputs=np.array(of("outputs"), dtype=np.float64),
            model_calls=content["model_calls"],
            normalise=self.settings["normalise"],
            canvas=self.canvas,
            method=self.method,
        )

    def examples(self, count: int = 4) -> list[CIS]:
        """Maps of the faces whose confidence moved most, the largest move first.

        Where a model is sure of a face, no single patch moves it, and its map says little. Faces whose photo is gone
        are passed over.
        """
        return list(self._examples(self.cis, count))

    def pair_examples(self, count: int = 4) -> list[tuple[CIS, CIS]]:
        """As `examples`, of pairs: half of them of each kind, if there are both."""
        kinds = self.labels("target")
        share = -(-count // max(len(set(kinds)), 1))
        return [
            pair
            for kind in sorted(set(kinds), reverse=True)
            for pair in self._examples(self.pair, share, [row for row, k in enumerate(kinds) if k == kind])
        ][:count]

    def _examples(self, made: Callable[[int], T], count: int, rows: list[int] | None = None) -> Iterator[T]:
        """What is made of the rows whose confidence moved most, those left out whose photo is gone."""
        moves = np.nanmax(np.abs(self.drops()), axis=1, initial=0.0)
        order = [int(row) for row in np.argsort(-moves, kind="stable") if rows is None or row in rows]
        found = 0
        for row in order:
            if found == count:
                return
            try:
                yield made(row)
                found += 1
            except PhotoError as error:
                logger.warning("an example is left out: %s", error)

    def labels(self, column: str) -> list[str]:
        """One value a face; empty text where it is unknown.

        Args:
            column: of the labels, or ``target``, ``predicted`` or ``pose-bin``: which of nine bins over yaw and pitch
                the head lies in (the paper's figure 19; `canonface.confidence.pose_bin`).

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

    @property
    def design(self) -> Design:
        """Which probes were asked of each face."""
        return design_of(self)

    @property
    def reached(self) -> StoppingState | None:
        """What a run that may stop early has reached; None for any other run."""
        return StoppingState.read(self.folder)

    def estimate(
        self, by: str | None = None, *, of: Of = "people", cluster: str | None = None, level: float = LEVEL
    ) -> Any:
        """The model map at the probes with its standard errors and simultaneous band, from what was asked.

        Of a run that may stop early it is the map at its last look, with the band that holds at all looks together.

        Args:
            by: as in `cms`; the band of each group holds by itself.
            of: ``people`` like those in the photos (the band respects that faces of one person are alike), or the
                full run on these ``photos`` (`canonface.sampling.estimate_map`).
            cluster: column of the labels that names the person; None: the run's own, else ``identity`` if there is
                such a column, else each photo stands alone.
            level: of the band; of a run that may stop early, of those at all looks together.

        Returns:
            A `canonface.sampling.MapEstimate`, or with ``by`` a dictionary from value to one.

        Raises:
            RunError: no face was explained.
            OptionError: ``by`` or ``cluster`` is no column, or another value cannot be used.
        """
        found = self._estimates(by, of, cluster, level)
        warn_if_unsure(list(found.values()))
        return found if by is not None else found[""]

    def _estimates(
        self, by: str | None, of: Of = "people", cluster: str | None = None, level: float = LEVEL
    ) -> dict[str, MapEstimate]:
        self._require_faces()
        if cluster is not None:
            self.labels(cluster)
        else:
            cluster = cluster_of(self)
        order, look = order_of(self), last_look(self)
        if order is not None and look is not None:
            level = order.level(look, level)
        return {
            name: estimate_rows(self, chosen, cluster, of, level) for name, chosen in self._groups(by).items()
        }

    def _groups(self, by: str | None) -> dict[str, np.ndarray]:
        """Which faces belong to each value of a column; those alone that the last look has counted."""
        taken = taken_rows(self)
        if by is None:
            return {"": taken}
        values = np.array(self.labels(by))
        groups = {str(value): (values == value) & taken for value in np.unique(values) if value}
        return {name: chosen for name, chosen in groups.items() if chosen.any()}

    def _require_faces(self) -> None:
        if self.faces.num_rows == 0:
            raise RunError(
                f"A map needs at least one explained face; all {self.table.num_rows} rows of {self.folder} failed, "
                f"e.g.: {self.table.column('message')[0].as_py()}"
            )

    def cms(self, by: str | None = None) -> Any:
        """Canonical model saliency map: the mean of the faces' maps (eq. 6).

        Where a sampling design asked a part of the probes, it is the map of `estimate`, and its ``note`` says so.

        Args:
            by: a column of the labels, or ``target``, ``predicted`` or ``pose-bin``: one map a value. None: one map
                of all.

        Returns:
            A `CMS`, or with ``by`` a dictionary from value to `CMS`, sorted, faces without a value left out.

        Raises:
            RunError: no face was explained.
            OptionError: ``by`` is no column.
        """
        self._require_faces()
        if by is None:
            return self._whole_map
        if not self.design.is_full:
            return self._estimated(by)
        return {name: self.mean_map(chosen, name) for name, chosen in self._groups(by).items()}

    @cached_property
    def _whole_map(self) -> CMS:
        if not self.design.is_full:
            return self._estimated(None)[""]
        everything = self.mean_map(self._groups(None)[""], "")
        if order_of(self) is not None:
            band = self._estimates(None)[""].map
            everything = replace(everything, half_width=band.widest, trusted=band.trusted)
        return everything

    def _estimated(self, by: str | None) -> dict[str, CMS]:
        estimates = self._estimates(by)
        return {
            name: estimated_cms(self, chosen, estimates[name], name)
            for name, chosen in self._groups(by).items()
        }

    def mean_map(self, chosen: Bool[np.ndarray, "faces"], name: str = "") -> CMS:
        """The mean of the maps of chosen rows of ``faces`` (eq. 6), each as far as it was asked.

        Args:
            chosen: which rows.
            name: of the group of faces.
        """
        settings, canvas, patches = self.settings, self.canvas, self.canonical_patches
        canonical_xy = canvas.project(self.mesh)[self.probes]
        normalise = settings["normalise"]
        kind = (self.unit, settings["unseen"], canvas, name, self.model_name, normalise)
        result = CMS.empty(self.mesh, *kind, method=self.method)
        # Row by row: a run of many faces is not held twice.
        matrix = self._matrix("drops", len(self.probes))
        for row in np.flatnonzero(chosen):
            patch = float(patches[row])
            image, count = functional.cis(matrix[row], canonical_xy, canvas.size_hw, patch, normalise)
            result = result.add(image, count, patch)
        return result
