"""Canonical image saliency: the map of one model on one face."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface import functional
from canonface._deprecated import renamed_parameters
from canonface.display import Displayed
from canonface.errors import OptionError
from canonface.maps.readout import Peak, off_face_reliance, peak_of, region_means, vertex_values
from canonface.mesh import Canvas
from canonface.types import Face, Mesh


@renamed_parameters(drops="values")
@dataclass(frozen=True, eq=False, repr=False)
class CIS(Displayed):
    """Canonical image saliency map: one number at each probe of one face (eq. 1-5).

    The numbers of a plain `CIS` are drops of confidence. Those of its subclass `AttributionMap` are the values of
    another saliency method; everything else is the same.

    Attributes:
        face: the face.
        mesh: the mesh whose vertices are the probes.
        probes: ``(N,)`` vertex indices of the probes.
        values: ``(N,)`` the number at each probe; NaN: the face hides it. Of drop maps also called ``drops``:
            confidence(original) - confidence(occluded), positive where the model relied on the place.
        confidence: confidence of the unoccluded face.
        target: what the confidence is about, e.g. ``happy``.
        unit: words for a colour bar, e.g. ``probability of happy``.
        patch: side of the occluder in pixels of the model's input.
        patch_in_photo: the same length in pixels of ``face.image``.
        canonical_patch: side of the patch on the canonical picture (eq. 3).
        input_height: ``H_I``, height of the model's input in pixels.
        model: name of the model.
        outputs: ``(d,)`` the model's outputs for the unoccluded face.
        model_calls: number of images shown to the model.
        normalise: divide by the density of probes (eq. 5).
        canvas: the canonical picture.
        inferred: ``(N,)`` True where a value was interpolated and not measured; None: all were measured.
        inferred_error: root mean square error of the interpolated values, measured on held-out probes.
        method: name of the other saliency method; empty for a map of drops.
    """

    face: Face
    mesh: Mesh
    probes: Int[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]
    confidence: float
    target: str
    unit: str
    patch: float
    patch_in_photo: float
    canonical_patch: float
    input_height: int
    model: str
    outputs: Float[np.ndarray, "d"]
    model_calls: int = 0
    normalise: bool = True
    canvas: Canvas = field(default_factory=Canvas)
    inferred: Bool[np.ndarray, "n"] | None = None
    inferred_error: float = np.nan
    method: str = ""

    def __post_init__(self) -> None:
        if self.method:
            raise OptionError(
                f"A CIS holds drops of confidence; values of another method, here {self.method!r}, are an "
                "AttributionMap: AttributionMap.of(cis, method) makes one."
            )

    def __repr__(self) -> str:
        measured = f"{int(self.measured.sum())}/{len(self.probes)}"
        photo = f", face={Path(self.face.path).name!r}" if self.face.path else ""
        method = f", method={self.method!r}" if self.method else ""
        return (
            f"{type(self).__name__}(model={self.model!r}, target={self.target!r}, "
            f"confidence={self.confidence:.3g}{method}, probes={measured}{photo})"
        )

    @property
    def drops(self) -> Float[np.ndarray, "n"]:
        """Drop at each probe: confidence(original) - confidence(occluded); NaN: the face hides it (eq. 1)."""
        return self.values

    @cached_property
    def _raster(self) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
        canonical_xy = self.canvas.project(self.mesh)[self.probes]
        return functional.cis(
            self.values, canonical_xy, self.canvas.size_hw, self.canonical_patch, self.normalise
        )

    @property
    def measured(self) -> Bool[np.ndarray, "n"]:
        """Probes whose value was measured: neither hidden by the face nor interpolated."""
        known: Bool[np.ndarray, "n"] = np.isfinite(self.values)
        return known if self.inferred is None else known & ~self.inferred

    @property
    def map(self) -> Float[np.ndarray, "h w"]:
        """The values on the canonical picture, in their unit; 0 where ``count`` is 0."""
        return self._raster[0]

    @property
    def count(self) -> Int[np.ndarray, "h w"]:
        """Number of probes whose patch covers each pixel; 0: hidden by the face or not probed."""
        return self._raster[1]

    def on_photo(self) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
        """Return map and count in pixels of ``face.image``, where the values were measured."""
        height, width = self.face.image.shape[:2]
        places = self.face.vertices_xy[self.probes]
        return functional.cis(self.values, places, (height, width), self.patch_in_photo, self.normalise)

    @property
    def vertex_values(self) -> Float[np.ndarray, "v"]:
        """The map at every vertex of the mesh; NaN where no patch of a probe lies."""
        return vertex_values(self.map, self.count, self.mesh, self.canvas)

    def region_values(self) -> dict[str, float]:
        """Return the mean of the map over each named region, the largest first; unseen regions left out."""
        return region_means(self.vertex_values, self.mesh)

    @property
    def off_face(self) -> float:
        """Share of the map's positive part that lies on the halo, 0 to 1; NaN without a halo: `off_face_reliance`."""
        return off_face_reliance(self.map, self.count, self.mesh, self.canvas)

    def peak(self) -> Peak | None:
        """Return the highest place of the map; None if no probe has a value."""
        return peak_of(self.map, self.count, self.mesh, self.canvas)
