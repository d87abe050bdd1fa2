"""Canonical model saliency: the map of one model over many faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from canonface.display import Displayed
from canonface.errors import OptionError
from canonface.functional import Unseen
from canonface.maps.cis import CIS
from canonface.maps.readout import Peak, off_face_reliance, peak_of, region_means, vertex_values
from canonface.mesh import Canvas
from canonface.types import Mesh


@dataclass(frozen=True, eq=False, repr=False)
class CMS(Displayed):
    """Canonical model saliency map: the mean of many faces' maps (eq. 6), kept as sums so that parts can be merged.

    Sums, sums of squares and counts are added face by face and no mean is stored, so any split of the faces over
    processes gives the same map.

    Attributes:
        mesh: the mesh.
        total: ``(h, w)`` sum of the maps at the pixels that each face showed.
        squares: ``(h, w)`` sum of their squares.
        seen: ``(h, w)`` number of faces that showed the pixel.
        faces: number of faces.
        unseen: ``omit`` leaves a face out where it hides a pixel; ``zero`` counts it as 0 there (eq. 6).
        unit: words for a colour bar.
        patch_total: sum of the faces' canonical patches: sides on the canonical picture (eq. 3).
        canvas: the canonical picture.
        name: name of the group of faces, e.g. ``female``; empty for all.
        model: name of the model; maps of different models are not merged.
        normalise: whether the faces' maps were divided by the density of probes (eq. 5).
        note: caption that says which part was inferred; empty where everything was measured.
        half_width: largest half-width of the map's 95% band; NaN if no band was computed.
        trusted: False where the map rests on too few people for that band to hold.
        method: name of the other saliency method that made the faces' maps; empty for maps of drops.
    """

    mesh: Mesh
    total: Float[np.ndarray, "h w"]
    squares: Float[np.ndarray, "h w"]
    seen: Int[np.ndarray, "h w"]
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

    def __repr__(self) -> str:
        extras = {"name": self.name, "method": self.method, "unseen": self.unseen.replace("omit", "")}
        more = "".join(f", {key}={value!r}" for key, value in extras.items() if value)
        return f"{type(self).__name__}(model={self.model!r}, unit={self.unit!r}, faces={self.faces}{more})"

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
        """Return a map of no face yet."""
        if unseen not in ("omit", "zero"):
            raise OptionError(f"unseen is 'omit' or 'zero'; got {unseen!r}.")
        canvas = canvas or Canvas.of(mesh)
        zeros = np.zeros(canvas.size_hw)
        seen = np.zeros(canvas.size_hw, dtype=np.int64)
        kind = (unit, 0.0, unseen, canvas, name, model, normalise)
        return cls(mesh, zeros, zeros, seen, 0, *kind, method=method)

    @classmethod
    def of(cls, maps: Iterable[CIS], unseen: Unseen = "omit", name: str = "") -> CMS:
        """Average the maps of many faces (eq. 6).

        Args:
            maps: maps of one mesh, unit and model.
            unseen: ``omit`` or ``zero``: how a pixel counts that a face hides.
            name: name of the group of faces.

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
        """Return this map with one more face.

        Args:
            image: ``(h, w)`` the face's canonical map, as `canonface.functional.cis` gives it.
            count: ``(h, w)`` its counts.
            canonical_patch: side of its patch.
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
        """Return the map of both sets of faces, named only if both have the same name.

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
        """Mean of the faces' maps at each pixel, in their unit; NaN where no face showed it.

        With ``unseen="zero"`` a pixel counts as 0 in every face that hides it, so one that no face showed is 0, as in
        eq. 6; ``seen`` distinguishes it from a measured 0.
        """
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
        """Return the mean of the map over each named region, the largest first; unseen regions left out."""
        return region_means(self.vertex_values, self.mesh)

    @property
    def off_face(self) -> float:
        """Share of the map's positive part that lies on the halo, 0 to 1; NaN without a halo: `off_face_reliance`."""
        return off_face_reliance(self.map, self.seen, self.mesh, self.canvas)

    def peak(self) -> Peak | None:
        """Return the highest place of the map; None if there is no face."""
        return peak_of(self.map, self.seen, self.mesh, self.canvas)


def _ratio(total: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
