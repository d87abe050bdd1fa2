"""Canonical image saliency: what one model relied on in one face."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface import functional
from canonface.maps.off_face import off_face_reliance
from canonface.maps.peak import Peak, peak_of
from canonface.mesh import Canvas
from canonface.types import Face, Mesh


@dataclass(frozen=True, eq=False)
class CIS:
    """The drops of one face and everything that a map of them needs (eq. 1-5).

    Attributes:
        face: the face that was asked about.
        mesh: the mesh whose vertices are the probes.
        probes: ``(N,)`` vertex indices of the probes.
        drops: ``(N,)`` confidence(original) - confidence(occluded); positive: the model relied on the place;
            NaN: not asked, since the face hides it.
        confidence: of the unoccluded face.
        target: what the confidence is about, e.g. ``happy``.
        unit: words for a colour bar, e.g. ``probability of happy``.
        patch: side of the occluder in pixels of the model's input.
        patch_in_photo: the same length in pixels of ``face.image``.
        canonical_patch: side of the patch on the canonical picture (eq. 3).
        input_height: ``H_I``, height of the model's input in pixels.
        model: name of the model.
        outputs: ``(d,)`` the model's outputs for the unoccluded face.
        model_calls: how many images the model was shown.
        normalise: divide by the density of probes (eq. 5).
        canvas: the canonical picture.
        inferred: ``(N,)`` True where a drop was interpolated and not measured; None: all were measured.
        inferred_error: root mean square error of such drops, measured on some that were asked after all.
        method: name of the saliency method of others whose map stands at the probes in the place of drops; empty:
            they are drops.
    """

    face: Face
    mesh: Mesh = field(repr=False)
    probes: Int[np.ndarray, "n"] = field(repr=False)
    drops: Float[np.ndarray, "n"] = field(repr=False)
    confidence: float
    target: str
    unit: str
    patch: float
    patch_in_photo: float
    canonical_patch: float
    input_height: int
    model: str
    outputs: Float[np.ndarray, "d"] = field(repr=False)
    model_calls: int = 0
    normalise: bool = True
    canvas: Canvas = field(default_factory=Canvas)
    inferred: Bool[np.ndarray, "n"] | None = field(default=None, repr=False)
    inferred_error: float = np.nan
    method: str = ""

    @cached_property
    def _raster(self) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
        canonical_xy = self.canvas.project(self.mesh)[self.probes]
        return functional.cis(
            self.drops, canonical_xy, self.canvas.size_hw, self.canonical_patch, self.normalise
        )

    @property
    def measured(self) -> Bool[np.ndarray, "n"]:
        """Which drops were measured: neither hidden by the face nor interpolated."""
        known: Bool[np.ndarray, "n"] = np.isfinite(self.drops)
        return known if self.inferred is None else known & ~self.inferred

    @property
    def map(self) -> Float[np.ndarray, "h w"]:
        """The drops on the canonical picture, in confidence units; 0 where ``count`` is 0."""
        return self._raster[0]

    @property
    def count(self) -> Int[np.ndarray, "h w"]:
        """Number of probes whose patch covers each pixel; 0: not asked or hidden."""
        return self._raster[1]

    def on_photo(self) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
        """The drops where they were measured: map and count in pixels of ``face.image``."""
        height, width = self.face.image.shape[:2]
        places = self.face.vertices_xy[self.probes]
        return functional.cis(self.drops, places, (height, width), self.patch_in_photo, self.normalise)

    @property
    def off_face(self) -> float:
        """Share of the positive drop that lies on the halo, 0 to 1; NaN without a halo: `off_face_reliance`."""
        return off_face_reliance(self.map, self.count, self.mesh, self.canvas)

    def peak(self) -> Peak | None:
        """Where the map is highest; None if no probe was asked."""
        return peak_of(self.map, self.count, self.mesh, self.canvas)
