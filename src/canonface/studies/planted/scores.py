"""Does a canonical map point to a region? Peak, mass and AUC, and how often chance would."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from canonface.maps import CMS
from canonface.mesh import Canvas
from canonface.raster import Raster, rasterise
from canonface.studies.planted.marks import Area, covered
from canonface.types import Mesh


@dataclass(frozen=True)
class Score:
    """How well one map points to one region.

    Attributes:
        hit: whether the peak lies in the region or within half a patch of it.
        inside: whether it lies in the region itself.
        tied: whether pixels as high as the peak lie on both sides of the border that ``hit`` is about.
        flat: whether the map is the same everywhere, or nowhere above 0: such a map is no hit.
        distance_cm: from the peak to the region on the canonical face; 0 inside; NaN of a flat map.
        mass: share of the map's positive part that lies in the region; NaN where nothing is positive.
        auc: chance that a vertex of the region has a higher value than another one, ties halved.
        peak_regions: names of the regions that hold the peak.
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
        """As JSON can hold it."""
        return {name: _number(value) for name, value in asdict(self).items()}

    @classmethod
    def read(cls, values: dict[str, Any]) -> Score:
        """What `describe` gave."""
        missing = {name: np.nan for name in ("distance_cm", "mass", "auc") if values[name] is None}
        return cls(**(values | missing | {"peak_regions": tuple(values["peak_regions"])}))


@dataclass(frozen=True)
class Chance:
    """What a map that knows nothing would reach.

    Attributes:
        hit: share of the face that counts as a hit.
        mass: share of the face that the region covers.
    """

    hit: float
    mass: float


def score(cms: CMS, area: Area) -> Score:
    """How well a map points to an area of its mesh.

    The peak is that of `canonface.maps.CMS.peak`. A patch over a place also hides what lies within half its side of
    it, so no map by patches can be finer: a peak within half a canonical patch of the region is a hit, for every
    method alike.

    Args:
        cms: the map.
        area: the planted region.
    """
    shown = cms.canvas.face_mask(cms.mesh) & (cms.seen > 0)
    values = cms.map
    region = pixels_of(cms.mesh, cms.canvas, area)
    auc = area_under_curve(cms.vertex_values[: cms.mesh.face_count], area.vertices[: cms.mesh.face_count])
    peak = cms.peak()
    if peak is None or peak.value <= 0 or np.ptp(values[shown]) == 0:
        return Score(False, False, False, True, np.nan, mass_share(values, region, shown), auc, ())
    near = grown(region, cms.canonical_patch)
    column, row = (round(at) for at in peak.xy)
    top = shown & (values >= peak.value - 1e-12 * max(abs(peak.value), 1.0))
    return Score(
        hit=bool(near[row, column]),
        inside=bool(region[row, column]),
        tied=bool(near[top].any() and not near[top].all()),
        flat=False,
        distance_cm=float(distance_to(region)[row, column] / cms.canvas.pixels_per_unit(cms.mesh)),
        mass=mass_share(values, region, shown),
        auc=auc,
        peak_regions=peak.regions,
    )


def chance(cms: CMS, area: Area) -> Chance:
    """Shares of the face that the area covers, with and without the tolerance of `score`."""
    face = cms.canvas.face_mask(cms.mesh)
    region = pixels_of(cms.mesh, cms.canvas, area)
    near = grown(region, cms.canonical_patch)
    return Chance(float(near[face].mean()), float(region[face].mean()))


def mass_share(
    values: Float[np.ndarray, "h w"], region: Bool[np.ndarray, "h w"], shown: Bool[np.ndarray, "h w"]
) -> float:
    """Share of the positive values that lies in the region; NaN where nothing is positive."""
    positive = np.where(shown, np.maximum(values, 0.0), 0.0)
    total = positive.sum()
    return float(positive[region].sum() / total) if total > 0 else np.nan


def area_under_curve(values: Float[np.ndarray, "v"], members: Bool[np.ndarray, "v"]) -> float:
    """Chance that a member's value is above another's, ties halved (Mann-Whitney); NaN where one side is empty.

    Args:
        values: ``(v,)`` NaN where nothing is known: left out.
        members: ``(v,)``.
    """
    from scipy.stats import rankdata

    known = np.isfinite(values)
    inside = members[known]
    n, m = int(inside.sum()), int((~inside).sum())
    if not n or not m:
        return np.nan
    ranks = rankdata(values[known])
    return float((ranks[inside].sum() - n * (n + 1) / 2) / (n * m))


def pixels_of(mesh: Mesh, canvas: Canvas, area: Area) -> Bool[np.ndarray, "h w"]:
    """Pixels of the canonical picture that show the area."""
    return covered(_canonical_raster(mesh, canvas).triangle, area.triangles)


def grown(region: Bool[np.ndarray, "h w"], patch: float) -> Bool[np.ndarray, "h w"]:
    """Pixels of which a square patch, centred there, reaches the region."""
    import cv2

    half = int(np.floor(patch / 2))
    kernel = np.ones((2 * half + 1, 2 * half + 1), dtype=np.uint8)
    return np.asarray(cv2.dilate(region.astype(np.uint8), kernel) > 0)


def distance_to(region: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Distance of each pixel to the region in pixels; 0 inside."""
    import cv2

    return np.asarray(
        cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        dtype=np.float64,
    )


@lru_cache(maxsize=4)
def _canonical_raster(mesh: Mesh, canvas: Canvas) -> Raster:
    return rasterise(canvas.project(mesh), -mesh.vertices[:, 2], mesh.triangles, canvas.size_hw)


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return None if np.isnan(value) else value
    return list(value) if isinstance(value, tuple) else value
