"""Estimate of a model map from a part of the probes, with a confidence band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.errors import OptionError
from canonface.sampling.band import Band, critical_value, floored, standard_errors
from canonface.sampling.influence import contrasts, effective_number, influences
from canonface.sampling.kernel import bandwidths, choose_bandwidth, distances, twiced_means

Of = Literal["people", "photos"]
UNDERSMOOTHED = 0.5
"""Factor of the best bandwidth for a band of the photos: that band is narrower, and bias would weigh more."""


@renamed_parameters(asked="probed")
@dataclass(frozen=True, eq=False)
class Sampled:
    """Drops at the probes that a design chose.

    Attributes:
        drops: ``(F, P)``, NaN where not probed or hidden.
        probed: ``(F, P)`` the design's choice; a chosen probe with NaN is hidden by the face or the border.
        clusters: ``(F,)`` number of the person, or of the photo, of each face (`cluster_numbers`).
        places: ``(P, 3)`` of the probes on the canonical mesh, in centimetres.
        canonical_xy: ``(P, 2)`` of the probes on the canonical picture, in pixels.
        patch_px: side of the patch on the canonical picture.
        patch_cm: the same in centimetres.
        share: share of the probes that the design chooses for each face.
        normalise: divide by the density of probes (eq. 5).
        zero: count hidden probes as 0 (the paper); else they are left out.
    """

    drops: Float[np.ndarray, "f p"] = field(repr=False)
    probed: Bool[np.ndarray, "f p"] = field(repr=False)
    clusters: Int[np.ndarray, "f"] = field(repr=False)
    places: Float[np.ndarray, "p 3"] = field(repr=False)
    canonical_xy: Float[np.ndarray, "p 2"] = field(repr=False)
    patch_px: float
    patch_cm: float
    share: float = 1.0
    normalise: bool = True
    zero: bool = False

    asked = deprecated_attribute("probed")

    @cached_property
    def counted(self) -> Float[np.ndarray, "f p"]:
        """Drops that take part in the mean; NaN elsewhere."""
        if not self.zero:
            return self.drops
        return np.asarray(np.where(self.probed & np.isnan(self.drops), 0.0, self.drops))

    @cached_property
    def near(self) -> Float[np.ndarray, "p p"]:
        """1 where the canonical patch of one probe covers another (eq. 4)."""
        apart = np.abs(self.canonical_xy[:, None] - self.canonical_xy[None]).max(axis=2)
        return np.asarray(apart <= self.patch_px / 2, dtype=np.float64)


@renamed_parameters(asked="probed")
@dataclass(frozen=True, eq=False)
class MapEstimate:
    """Estimate of the model map of a full run.

    Attributes:
        drops: ``(P,)`` estimated mean drop at each probe.
        map: the canonical map (eq. 5-6) at the probes, with its band.
        regions: its mean over each named region that has a probe, in the order of ``region_names``.
        region_names: names of these regions.
        bandwidth: bandwidth of the kernel in centimetres; 0: plain means, nothing smoothed.
        of: population of the band: ``people`` like those in the photos, or these ``photos``.
        faces: number of faces.
        clusters: number of people, or of photos where people are not known.
        probed: number of drops behind the estimate.
        hidden: chosen probes that the face or the photo's border hides.
        inferred: probes that the design did not choose.
        influence: ``(C, P)`` of each cluster on ``drops``.
    """

    drops: Float[np.ndarray, "p"] = field(repr=False)
    map: Band
    regions: Band
    region_names: tuple[str, ...]
    bandwidth: float
    of: Of
    faces: int
    clusters: int
    probed: int
    hidden: int
    inferred: int
    influence: Float[np.ndarray, "c p"] = field(repr=False)

    @property
    def share_probed(self) -> float:
        """Share of the probes of all faces that the design chose, hidden ones included."""
        whole = self.probed + self.hidden + self.inferred
        return (self.probed + self.hidden) / whole if whole else 1.0

    asked = deprecated_attribute("probed")

    share_asked = deprecated_attribute("share_probed")


@renamed_parameters(level="confidence_level")
def estimate_map(
    sampled: Sampled,
    regions: Mapping[str, Int[np.ndarray, "_"]] | None = None,
    *,
    of: Of = "people",
    confidence_level: float = 0.95,
    bandwidth: float | None = None,
) -> MapEstimate:
    r"""Estimate the map at all probes from the drops at some of them, with a simultaneous band.

    The mean drop at each probe is estimated by a twiced kernel on the mesh (`twiced_means`), then averaged
    over the patch as in eq. 5: $\hat\theta = B W T$ with the patch means B, the kernel's weights W and the sums of
    the drops T. Both steps are linear in the drops, so that each face's part in the error is known. The band covers
    $\theta = B \mu$, the map as it is drawn, not the rougher drops themselves.

    Args:
        sampled: the drops and the design's choice of probes.
        regions: name -> indices of its probes; the mean of the map over them is estimated too.
        of: ``people``: the band covers the mean over people like these, with faces clustered by person; it covers the
            full run's map even more often. ``photos``: it covers the full run on these photos; only the choice of
            probes is random, and a full design has a band of width 0.
        confidence_level: probability that the band covers the whole map.
        bandwidth: in centimetres; None: 0 for a full design, else the best by cross-validation, and half of that for
            a band of ``photos``.

    Raises:
        OptionError: ``of`` or ``confidence_level`` is invalid, or there is no face.
    """
    if of not in ("people", "photos"):
        raise OptionError(f"A band is of 'people' or of 'photos'; got {of!r}.")
    if not 0 < confidence_level < 1:
        raise OptionError(
            f"The confidence level of a band is a probability between 0 and 1; got {confidence_level!r}."
        )
    if not len(sampled.drops):
        raise OptionError("An estimate needs at least one face; got none.")
    drops = sampled.counted
    known = np.isfinite(drops).astype(float)
    there = np.where(known > 0, drops, 0.0)
    counts = known.sum(axis=0)
    apart = distances(sampled.places)
    if bandwidth is None:
        choices = bandwidths(sampled.patch_cm)
        bandwidth = 0.0 if sampled.share >= 1 else choose_bandwidth(drops, sampled.clusters, apart, choices)
        bandwidth *= 1.0 if of == "people" else UNDERSMOOTHED
    weights = twiced_means(apart, counts, bandwidth)
    mean = weights @ there.sum(axis=0)
    inferable = np.isfinite(mean)
    weights, mean0 = np.nan_to_num(weights), np.nan_to_num(mean)
    residuals = known * (there - mean0)
    if of == "people":
        influence = influences(residuals, weights, sampled.clusters)
    else:
        influence = contrasts(residuals, known, weights, sampled.share)
    # The variance of one drop, pooled over the patch, as a lower limit.
    inside = sampled.near * inferable
    spread = (inside @ (residuals**2).sum(axis=0)) / np.maximum(inside @ counts, 1.0)
    variance = counts * spread * (1.0 if of == "people" else max(1 - sampled.share, 0.0))
    patch = _rows(inside, divided=sampled.normalise)
    smooth = _rows(inside, divided=True)
    names, members = _region_rows(regions or {}, inferable)

    def band(rows: np.ndarray, around: np.ndarray) -> Band:
        moved = influence @ rows.T
        errors = standard_errors(moved)
        factor = critical_value(moved, confidence_level)
        pooled = np.sqrt((rows @ weights) ** 2 @ variance)
        empty = ~(np.abs(rows).sum(axis=1) > 0)
        half = factor * floored(errors, around, pooled) if np.isfinite(factor) else np.full(len(rows), np.inf)
        values = np.where(empty, np.nan, rows @ mean0)
        return Band(values, errors, half, factor, confidence_level, effective_number(moved))

    return MapEstimate(
        drops=mean,
        map=band(patch * inferable[:, None], smooth),
        regions=band(members @ patch, np.eye(len(names))),
        region_names=names,
        bandwidth=float(bandwidth),
        of=of,
        faces=len(drops),
        clusters=len(np.unique(sampled.clusters)),
        probed=int(np.isfinite(sampled.drops).sum()),
        hidden=int((sampled.probed & np.isnan(sampled.drops)).sum()),
        inferred=int((~sampled.probed).sum()),
        influence=influence,
    )


def full_map(sampled: Sampled) -> Float[np.ndarray, "p"]:
    """Return the map of a run with a full design at its probes, which `estimate_map` estimates."""
    return estimate_map(sampled, bandwidth=0.0).map.values


def _rows(weights: np.ndarray, divided: bool) -> Float[np.ndarray, "p p"]:
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / np.where(divided & (total > 0), total, 1.0))


def _region_rows(
    regions: Mapping[str, Int[np.ndarray, "_"]], inferable: Bool[np.ndarray, "p"]
) -> tuple[tuple[str, ...], Float[np.ndarray, "g p"]]:
    """Return the weights of the mean over each region's probes; regions without probes are left out."""
    kept = {name: members[inferable[members]] for name, members in regions.items()}
    kept = {name: members for name, members in kept.items() if len(members)}
    rows = np.zeros((len(kept), len(inferable)))
    for row, members in zip(rows, kept.values(), strict=True):
        row[members] = 1 / len(members)
    return tuple(kept), rows
