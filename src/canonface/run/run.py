"""A run on disk, and the maps that are computed from it without a model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from jaxtyping import Bool

from canonface import functional
from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.alignment import read_photo
from canonface.display import Displayed
from canonface.errors import OptionError, PhotoError, RunError
from canonface.maps import CIS, CMS, AttributionMap
from canonface.methods import current_unit
from canonface.run import tables
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
from canonface.run.records import GROUPINGS, MESH_FILE, POSE_BIN, Records
from canonface.run.stopping import CONFIDENCE_LEVEL, StoppingState
from canonface.sampling import Design, MapEstimate, Of
from canonface.types import Face, Pose

if TYPE_CHECKING:
    import pandas
    import xarray

logger = logging.getLogger("canonface")
T = TypeVar("T")

__all__ = ["GROUPINGS", "MESH_FILE", "POSE_BIN", "Run"]


@dataclass(frozen=True, eq=False)
class Run(Records, Displayed):
    """A run: a directory with a manifest and Parquet parts, one row per face, and the maps of its faces.

    Reading a run needs no model; only `cis`, `pair` and the examples read photos again.

    Attributes:
        folder: directory of the run.
        manifest: configuration of the run.
    """

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open a run from disk.

        Raises:
            RunError: the folder holds no run of photos or pairs, or its manifest cannot be read.
        """
        manifest = Manifest.read(Path(folder))
        if manifest.configuration.get("kind") == "regions":
            raise RunError(
                f"{folder} is a run of whole regions (canonface regions); a map needs a run of canonface audit or "
                "verify. Its summary: canonface.RegionSummary.open."
            )
        return cls(Path(folder), manifest)

    def __repr__(self) -> str:
        photos = self.manifest.configuration["photos"]["count"]
        unit = self.manifest.configuration["unit"]
        return f"Run({str(self.folder)!r}, model={self.model_name!r}, unit={unit!r}, photos={photos})"

    def to_pandas(self, long: bool = False) -> pandas.DataFrame:
        """Return the rows of ``faces`` as a table.

        Args:
            long: False: a row a face with its scalar columns, named as in the Parquet files. True: a row a face and
                probe, with ``face_id``, ``target``, ``predicted``, ``confidence``, the labels, ``probe``, ``vertex``,
                ``region``, ``canonical_x``, ``canonical_y`` and ``drop`` (for another method's run ``attribution``).

        Raises:
            RunError: the run has no row yet.
        """
        return tables.long_table(self) if long else tables.face_table(self)

    def to_xarray(self) -> xarray.Dataset:
        """Return the matrix of drops as an ``xarray.Dataset`` with the dimensions ``face`` and ``probe``.

        Variables: ``drop`` (for another method's run ``attribution``) and ``confidence``. Coordinates of ``probe``:
        ``vertex``, ``region``, ``canonical_x``, ``canonical_y``; of ``face``: ``face_id``, ``target``, ``predicted``
        and the labels.

        Raises:
            MissingDependencyError: xarray is not installed.
            RunError: the run has no row yet.
        """
        return tables.dataset(self)

    def photo_path(self, row: int) -> Path:
        """Return the path of a face's photo, as long as the photo was not moved."""
        name: str = self.faces.column("path")[row].as_py()
        return Path(self.manifest.photo_root) / name

    def cis(self, row: int) -> CIS:
        """Return the map of one face, with its photo read again from disk; of a pair, the map of the first face.

        Args:
            row: index of the row in ``faces``.

        Raises:
            PhotoError: the photo was moved, or cannot be read.
        """
        return self._cis(self.faces.slice(row, 1).to_pylist()[0], "")

    def pair(self, row: int) -> tuple[CIS, CIS]:
        """Return the maps of both faces of a pair: the same drops, each on its own photo.

        Args:
            row: index of the row in ``faces``.

        Raises:
            OptionError: the run is not one of pairs.
            PhotoError: a photo was moved, or cannot be read.
        """
        if not self.of_pairs:
            raise OptionError(
                f"Only a run of pairs holds pairs, and {self.folder} holds single faces: use cis({row})."
            )
        content = self.faces.slice(row, 1).to_pylist()[0]
        return self._cis(content, ""), self._cis(content, "_b")

    def _cis(self, content: Mapping[str, Any], suffix: str) -> CIS:
        """Return the map of the face whose columns end in the suffix."""

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
            unit=current_unit(content["unit"]) if self.method else content["unit"],
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
        """Return the maps of the faces whose confidence moved most, the largest move first.

        If a model is certain, no single patch changes its confidence, and the map shows little. Faces whose photo no
        longer exists are left out.
        """
        return list(self._examples(self.cis, count))

    def pair_examples(self, count: int = 4) -> list[tuple[CIS, CIS]]:
        """Return `examples` of pairs: half of them genuine and half impostor pairs, if there are both."""
        kinds = self.labels("target")
        share = -(-count // max(len(set(kinds)), 1))
        return [
            pair
            for kind in sorted(set(kinds), reverse=True)
            for pair in self._examples(self.pair, share, [row for row, k in enumerate(kinds) if k == kind])
        ][:count]

    def _examples(self, made: Callable[[int], T], count: int, rows: list[int] | None = None) -> Iterator[T]:
        """Yield a result for each of the rows whose confidence moved most, except rows whose photo is gone."""
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

    @property
    def design(self) -> Design:
        """Sampling design: the probes that are evaluated on each face."""
        return design_of(self)

    @property
    def stopping_state(self) -> StoppingState | None:
        """State of a run that may stop early; None for any other run."""
        return StoppingState.read(self.folder)

    reached = deprecated_attribute("stopping_state")

    @overload
    def estimate(
        self, by: None = None, *, of: Of = ..., cluster: str | None = ..., confidence_level: float = ...
    ) -> MapEstimate: ...
    @overload
    def estimate(
        self, by: str, *, of: Of = ..., cluster: str | None = ..., confidence_level: float = ...
    ) -> dict[str, MapEstimate]: ...
    @renamed_parameters(level="confidence_level")
    def estimate(
        self,
        by: str | None = None,
        *,
        of: Of = "people",
        cluster: str | None = None,
        confidence_level: float = CONFIDENCE_LEVEL,
    ) -> MapEstimate | dict[str, MapEstimate]:
        """Return the model map at the probes with its standard errors and simultaneous band.

        For a run that may stop early it is the map at its last interim look, with a band that holds at all looks
        together.

        Args:
            by: as in `cms`; each group has its own band.
            of: ``people`` like those in the photos (the band accounts for the similarity of one person's faces), or
                the full run on these ``photos`` (`canonface.sampling.estimate_map`).
            cluster: column of the labels that names the person; None: the run's own, else ``identity`` if there is
                such a column, else each photo is a cluster of its own.
            confidence_level: that of the band; for a run that may stop early, of the bands at all looks together.

        Returns:
            One estimate, or with ``by`` a dictionary from value to estimate.

        Raises:
            RunError: no face was explained.
            OptionError: ``by`` or ``cluster`` is no column, or another value cannot be used.
        """
        found = self._estimates(by, of, cluster, confidence_level)
        warn_if_unsure(list(found.values()))
        return found if by is not None else found[""]

    def _estimates(
        self,
        by: str | None,
        of: Of = "people",
        cluster: str | None = None,
        confidence_level: float = CONFIDENCE_LEVEL,
    ) -> dict[str, MapEstimate]:
        self._require_faces()
        if cluster is not None:
            self.labels(cluster)
        else:
            cluster = cluster_of(self)
        order, look = order_of(self), last_look(self)
        if order is not None and look is not None:
            confidence_level = order.confidence_level(look, confidence_level)
        return {
            name: estimate_rows(self, chosen, cluster, of, confidence_level)
            for name, chosen in self._groups(by).items()
        }

    def _groups(self, by: str | None) -> dict[str, np.ndarray]:
        """Return the faces of each value of a column, as masks; only those that the last look has counted."""
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

    @overload
    def cms(self, by: None = None) -> CMS: ...
    @overload
    def cms(self, by: str) -> dict[str, CMS]: ...
    def cms(self, by: str | None = None) -> CMS | dict[str, CMS]:
        """Return the canonical model saliency map: the mean of the faces' maps (eq. 6).

        For a sampled run it is the map of `estimate`, and its ``note`` says so.

        Args:
            by: a column of the labels, or ``target``, ``predicted`` or ``pose-bin``: one map for each value. None:
                one map of all faces.

        Returns:
            One map, or with ``by`` a dictionary from value to map, sorted by value; faces without a value are left
            out.

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
        """Return the mean of the maps of chosen rows of ``faces`` (eq. 6), each as far as it was evaluated.

        Args:
            chosen: mask of the rows.
            name: name of the group of faces.
        """
        settings, canvas, patches = self.settings, self.canvas, self.canonical_patches
        canonical_xy = canvas.project(self.mesh)[self.probes]
        normalise = settings["normalise"]
        kind = (self.unit, settings["unseen"], canvas, name, self.model_name, normalise)
        result = CMS.empty(self.mesh, *kind, method=self.method)
        # Row by row, so that a run of many faces is held once in memory.
        matrix = self.matrix("drops", len(self.probes))
        for row in np.flatnonzero(chosen):
            patch = float(patches[row])
            image, count = functional.cis(matrix[row], canonical_xy, canvas.size_hw, patch, normalise)
            result = result.add(image, count, patch)
        return result
