"""Scores of a canonical map for a planted region: peak, mass and AUC, and their chance levels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from canonface.errors import OptionError
from canonface.maps import CMS
from canonface.mesh import Canvas
from canonface.raster import Raster, rasterise
from canonface.statistics import json_value, mass_share, roc_area, wilson_interval
from canonface.studies.planted.marks import Area, covered
from canonface.types import Mesh


@dataclass(frozen=True)
class CueScore:
    """Score of one map for one region.

    Attributes:
        hit: True where the peak lies in the region or within half a patch of it.
        inside: True where the peak lies in the region itself.
        tied: True where pixels as high as the peak lie on both sides of the border of a hit.
        flat: True where the map is the same everywhere, or nowhere above 0: such a map is not a hit.
        distance_cm: distance of the peak to the region on the canonical face; 0 inside; NaN for a flat map.
        mass: share of the map's positive values that lies in the region; NaN where no value is positive.
        auc: probability that a vertex of the region has a higher value than another vertex, ties halved.
        peak_regions: names of the regions that contain the peak.
    """

    hit: bool
    inside: bool
    tied: bool
    flat: bool
    distance_cm: float
    mass: float
    auc: float
    peak_regions: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Return the values as JSON can hold them."""
        return {name: json_value(value) for name, value in asdict(self).items()}

    @classmethod
    def read(cls, values: dict[str, Any]) -> CueScore:
        """Return the score that `describe` wrote."""
        missing = {name: np.nan for name in ("distance_cm", "mass", "auc") if values[name] is None}
        return cls(**(values | missing | {"peak_regions": tuple(values["peak_regions"])}))


@dataclass(frozen=True)
class Chance:
    """Expected scores of a map without information.

    Attributes:
        hit: share of the face that counts as a hit.
        mass: share of the face that the region covers.
    """

    hit: float
    mass: float


@dataclass(frozen=True)
class Proportion:
    """Hits among trials, with Wilson's 95% interval.

    Attributes:
        hits: number of hits.
        trials: number of trials.
    """

    hits: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.trials:
            raise OptionError(f"Hits are 0 to all of the trials; got {self.hits} of {self.trials}.")

    @property
    def share(self) -> float:
        """Hits divided by trials; NaN without a trial."""
        return self.hits / self.trials if self.trials else np.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval; 0 to 1 without a trial."""
        return wilson_interval(self.hits, self.trials)

    def __str__(self) -> str:
        if not self.trials:
            return "no trials"
        low, high = self.interval
        return f"{self.hits}/{self.trials}, {self.share:.0%} [{low:.0%}, {high:.0%}]"


def score(cms: CMS, area: Area) -> CueScore:
    """Score a map for an area of its mesh.

    The peak is that of `canonface.maps.CMS.peak`. A patch also covers everything within half its side, so no map by
    patches can be finer: for every method, a peak within half a canonical patch of the region is a hit.

    Args:
        cms: the map.
        area: the planted region.
    """
    shown = cms.canvas.face_mask(cms.mesh) & (cms.seen > 0)
    values = cms.map
    region = pixels_of(cms.mesh, cms.canvas, area)
    auc = roc_area(cms.vertex_values[: cms.mesh.face_count], area.vertices[: cms.mesh.face_count])
    mass = mass_share(np.where(shown, values, 0.0), region)
    peak = cms.peak()
    if peak is None or peak.value <= 0 or np.ptp(values[shown]) == 0:
        return CueScore(False, False, False, True, np.nan, mass, auc, ())
    near = grown(region, cms.canonical_patch)
    column, row = (round(at) for at in peak.xy)
    top = shown & (values >= peak.value - 1e-12 * max(abs(peak.value), 1.0))
    return CueScore(
        hit=bool(near[row, column]),
        inside=bool(region[row, column]),
        tied=bool(near[top].any() and not near[top].all()),
        flat=False,
        distance_cm=float(distance_to(region)[row, column] / cms.canvas.pixels_per_unit(cms.mesh)),
        mass=mass,
        auc=auc,
        peak_regions=peak.regions,
    )


def chance(cms: CMS, area: Area) -> Chance:
    """Return the shares of the face that the area covers, with and without the tolerance of `score`."""
    face = cms.canvas.face_mask(cms.mesh)
    region = pixels_of(cms.mesh, cms.canvas, area)
    near = grown(region, cms.canonical_patch)
    return Chance(float(near[face].mean()), float(region[face].mean()))


def pixels_of(mesh: Mesh, canvas: Canvas, area: Area) -> Bool[np.ndarray, "h w"]:
    """Return the pixels of the canonical picture that show the area."""
    return covered(_canonical_raster(mesh, canvas).triangle, area.triangles)


def grown(region: Bool[np.ndarray, "h w"], patch: float) -> Bool[np.ndarray, "h w"]:
    """Return the pixels at which a centred square patch touches the region."""
    import cv2

    half = int(np.floor(patch / 2))
    kernel = np.ones((2 * half + 1, 2 * half + 1), dtype=np.uint8)
    return np.asarray(cv2.dilate(region.astype(np.uint8), kernel) > 0)


def distance_to(region: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return the distance of each pixel to the region in pixels; 0 inside."""
    import cv2

    return np.asarray(
        cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        dtype=np.float64,
    )


@lru_cache(maxsize=4)
def _canonical_raster(mesh: Mesh, canvas: Canvas) -> Raster:
    return rasterise(canvas.project(mesh), -mesh.vertices[:, 2], mesh.triangles, canvas.size_hw)
