"""Canonical model saliency: what one model relies on over many faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.functional import Unseen
from canonface.maps.cis import CIS
from canonface.maps.off_face import off_face_reliance
from canonface.maps.peak import Peak, peak_of
from canonface.maps.vertices import vertex_values
from canonface.mesh import Canvas
from canonface.types import Mesh


@dataclass(frozen=True, eq=False)
class CMS:
    """The mean of many canonical image saliency maps (eq. 6), kept as sums so that parts can be merged.

    Sums, sums of squares and counts are added face by face; no mean is ever stored, so any split of the faces
    over processes ends in the same map.

    Attributes:
        mesh: the mesh.
        total: ``(h, w)`` sum of the maps at the pixels that each face showed.
        squares: ``(h, w)`` sum of their squares.
        seen: ``(h, w)`` number of faces that showed the pixel.
        faces: number of faces.
        unseen: ``omit`` leaves a face out where it hides a pixel; ``zero`` counts it as 0 there (the paper).
        unit: words for a colour bar.
        patch_total: sum of the faces' canonical patches: sides on the canonical picture (eq. 3).
        canvas: the canonical picture.
        name: of the group of faces, e.g. ``female``; empty for all.
        model: name of the model; maps of different models are not merged.
        normalise: whether the faces' maps were divided by the density of probes (eq. 5).
        note: what of it was inferred and not asked, in words for a caption; empty where everything was asked.
        half_width: of the map's 95% band, the largest; NaN where it was not asked for.
        trusted: False where too few people carry the map for that band to be relied on.
        method: name of the saliency method of others that made the faces' maps; empty: they are maps of drops.
    """

    mesh: Mesh = field(repr=False)
    total: Float[np.ndarray, "h w"] = field(repr=False)
    squares: Float[np.ndarray, "h w"] = field(repr=False)
    seen: Int[np.ndarray, "h w"] = field(repr=False)
    faces: int
    unit: str
    patch_total: float = 0.0
    unseen: Unseen = "omit"
    canvas: Canvas = field(default_factory=Canvas)
    name: str = ""
    model: str = ""
    normalise: bool = True
    note: str = ""
    half_width: float = np.nan
    trusted: bool = True
    method: str = ""

    @classmethod
    def empty(
        cls,
        mesh: Mesh,
        unit: str,
        unseen: Unseen = "omit",
        canvas: Canvas | None = None,
        name: str = "",
        model: str = "",
        normalise: bool = True,
        method: str = "",
    ) -> CMS:
        """A map of no face yet."""
        if unseen not in ("omit", "zero"):
            raise OptionError(f"unseen is 'omit' or 'zero'; got {unseen!r}.")
        canvas = canvas or Canvas.of(mesh)
        zeros = np.zeros(canvas.size_hw)
        seen = np.zeros(canvas.size_hw, dtype=np.int64)
        kind = (unit, 0.0, unseen, canvas, name, model, normalise)
        return cls(mesh, zeros, zeros, seen, 0, *kind, method=method)

    @classmethod
    def of(cls, maps: Iterable[CIS], unseen: Unseen = "omit", name: str = "") -> CMS:
        """The mean of the maps of many faces (eq. 6).

        Args:
            maps: of one kind: one mesh, unit and model.
            unseen: how pixels count that a face hides: ``omit`` or ``zero``.
            name: of the group of faces.

        Raises:
            OptionError: there is no map, or they are of different kinds.
        """
        result: CMS | None = None
        for cis in maps:
            kind = (cis.mesh, cis.unit, unseen, cis.canvas, name, cis.model, cis.normalise)
            one = cls.empty(*kind, method=cis.method).add(cis.map, cis.count, cis.canonical_patch)
            result = one if result is None else result.merge(one)
        if result is None:
            raise OptionError("A model map is the mean of at least one face's map; got none.")
        return result

    def add(
        self, image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], canonical_patch: float
    ) -> CMS:
        """This map with one more face.

        Args:
            image: ``(h, w)`` the face's canonical map, as `canonface.functional.cis` gives it.
            count: ``(h, w)`` its counts.
            canonical_patch: side of the patch in it.
        """
        shown = count > 0
        values = np.where(shown, image, 0.0)
        return replace(
            self,
            total=self.total + values,
            squares=self.squares + values**2,
            seen=self.seen + shown,
            faces=self.faces + 1,
            patch_total=self.patch_total + canonical_patch,
        )

    def merge(self, other: CMS) -> CMS:
        """The map of both sets of faces; its name is theirs if it is the same, else empty.

        Raises:
            OptionError: the maps differ in mesh, canvas, model, unit, or in how they were averaged, or one is an
                estimate.
        """
        if self.note or other.note:
            raise OptionError(
                f"Only sums of measured maps can be merged; this one is an estimate ({self.note or other.note}): "
                "merge the runs' rows and estimate again."
            )
        for name in ("canvas", "unseen", "unit", "model", "normalise", "method"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise OptionError(
                    f"Only maps of one kind can be merged; {name} differs: {mine!r} and {theirs!r}."
                )
        if self.mesh.name != other.mesh.name:
            raise OptionError(f"Maps to merge lie on one mesh; got {self.mesh.name} and {other.mesh.name}.")
        return replace(
            self,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            seen=self.seen + other.seen,
            faces=self.faces + other.faces,
            patch_total=self.patch_total + other.patch_total,
            name=self.name if self.name == other.name else "",
            half_width=np.nan,
            trusted=True,
        )

    @property
    def canonical_patch(self) -> float:
        """Mean side of the faces' patches on the canonical picture; NaN without a face."""
        return self.patch_total / self.faces if self.faces else np.nan

    @property
    def divisor(self) -> Int[np.ndarray, "h w"]:
        """Number of faces that each pixel's mean is taken over."""
        return np.full_like(self.seen, self.faces) if self.unseen == "zero" else self.seen

    @property
    def map(self) -> Float[np.ndarray, "h w"]:
        """Mean drop at each pixel, in confidence units (or heat, in a method's own); 0 where no face showed it."""
        return _ratio(self.total, self.divisor)

    @property
    def sem(self) -> Float[np.ndarray, "h w"]:
        """Standard error of the mean over faces at each pixel; NaN below two faces."""
        n = self.divisor
        variance = np.maximum(_ratio(self.squares, n) - self.map**2, 0.0)
        return np.asarray(np.sqrt(variance / np.where(n > 1, n - 1, np.nan)))

    @property
    def vertex_values(self) -> Float[np.ndarray, "v"]:
        """The map at every vertex of the mesh; NaN where no face showed it."""
        return vertex_values(self.map, self.seen, self.mesh, self.canvas)

    def region_values(self) -> dict[str, float]:
        """Mean of the map over the vertices of each named region, the largest first; unseen ones left out."""
        values = self.vertex_values
        means = {
            name: float(np.nanmean(values[members]))
            for name, members in self.mesh.regions.items()
            if np.isfinite(values[members]).any()
        }
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    @property
    def off_face(self) -> float:
        """Share of the positive drop that lies on the halo, 0 to 1; NaN without a halo: `off_face_reliance`."""
        return off_face_reliance(self.map, self.seen, self.mesh, self.canvas)

    def peak(self) -> Peak | None:
        """Where the map is highest; None if no face was asked."""
        return peak_of(self.map, self.seen, self.mesh, self.canvas)


def _ratio(total: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    return np.asarray(np.divide(total, count, out=np.zeros_like(total), where=count > 0))
