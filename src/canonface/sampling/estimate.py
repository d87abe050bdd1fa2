"""A model map from a part of the questions: what it is, how far off it may be, what was asked and what inferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.sampling.bands import critical_value, floored, standard_errors
from canonface.sampling.clusters import contrasts, effective_number, influences
from canonface.sampling.smoothing import bandwidths, choose_bandwidth, distances, twiced_means

Of = Literal["people", "photos"]
UNDERSMOOTHED = 0.5
"""Of the best bandwidth, for a band about the photos themselves: it is narrower, and bias would weigh more in it."""
FEW_EFFECTIVE = 8.0
"""Below so many clusters that carry a typical place, a band is not to be relied on: with fewer, bands of 95%
held less often on real matrices (`docs/sampling.md`)."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Drops of which a design has asked a part.

    Attributes:
        drops: ``(F, P)``, NaN where not asked or hidden.
        asked: ``(F, P)`` what the design asks; a probe that is asked and NaN is hidden by the face or the border.
        clusters: ``(F,)`` number of the person, or of the photo, of each face (`cluster_numbers`).
        places: ``(P, 3)`` of the probes on the canonical mesh, in centimetres.
        canonical_xy: ``(P, 2)`` of the probes on the canonical picture, in pixels.
        patch_px: side of the patch on the canonical picture.
        patch_cm: the same in centimetres.
        share: of the probes that the design asks of each face.
        normalise: divide by the density of probes (eq. 5).
        zero: count what a face hides as 0 (the paper); else it is left out.
    """

    drops: Float[np.ndarray, "f p"] = field(repr=False)
    asked: Bool[np.ndarray, "f p"] = field(repr=False)
    clusters: Int[np.ndarray, "f"] = field(repr=False)
    places: Float[np.ndarray, "p 3"] = field(repr=False)
    canonical_xy: Float[np.ndarray, "p 2"] = field(repr=False)
    patch_px: float
    patch_cm: float
    share: float = 1.0
    normalise: bool = True
    zero: bool = False

    @cached_property
    def counted(self) -> Float[np.ndarray, "f p"]:
        """The drops that take part in the mean; NaN elsewhere."""
        if not self.zero:
            return self.drops
        return np.asarray(np.where(self.asked & np.isnan(self.drops), 0.0, self.drops))

    @cached_property
    def near(self) -> Float[np.ndarray, "p p"]:
        """1 where the canonical patch of one probe covers another, as eq. 4 draws it."""
        apart = np.abs(self.canonical_xy[:, None] - self.canonical_xy[None]).max(axis=2)
        return np.asarray(apart <= self.patch_px / 2, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Band:
    """Numbers with what they may be off by, all at once.

    Attributes:
        values: ``(G,)`` the estimates; NaN where nothing near was asked.
        se: ``(G,)`` standard errors.
        half_width: ``(G,)`` of the simultaneous band: with probability ``level`` every number lies within its own.
        critical: how many standard errors that is.
        level: of the band.
        effective: how many clusters carry a typical number; below `FEW_EFFECTIVE` the band is not to be relied on.
    """

    values: Float[np.ndarray, "g"] = field(repr=False)
    se: Float[np.ndarray, "g"] = field(repr=False)
    half_width: Float[np.ndarray, "g"] = field(repr=False)
    critical: float
    level: float
    effective: float

    @property
    def low(self) -> Float[np.ndarray, "g"]:
        """Lower end."""
        return np.asarray(self.values - self.half_width)

    @property
    def high(self) -> Float[np.ndarray, "g"]:
        """Upper end."""
        return np.asarray(self.values + self.half_width)

    @property
    def widest(self) -> float:
        """The largest half-width: what a precision is compared with; infinite if nothing is known."""
        known = self.half_width[np.isfinite(self.values)]
        return float(known.max()) if len(known) else float("inf")

    @property
    def trusted(self) -> bool:
        """Whether enough clusters carry the numbers for the band to be relied on."""
        return self.effective >= FEW_EFFECTIVE

    def holds(self, truth: Float[np.ndarray, "g"]) -> bool:
        """Whether every number of another map lies in the band, within rounding."""
        known = np.isfinite(self.values) & np.isfinite(truth)
        slack = 1e-9 * (1 + np.abs(truth[known]))
        return bool((np.abs(self.values - truth)[known] <= self.half_width[known] + slack).all())


@dataclass(frozen=True, eq=False)
class MapEstimate:
    """The model map that a run would have drawn had it asked everything, estimated from what it asked.

    Attributes:
        drops: ``(P,)`` estimated mean drop at each probe.
        map: the canonical map (eq. 5-6) at the places of the probes, with its band.
        regions: the same of each named region that has a probe, by the order of ``region_names``.
        region_names: names.
        bandwidth: of the kernel in centimetres; 0: plain means, nothing smoothed.
        of: whom the band speaks of: ``people`` like those in the photos, or these ``photos``.
        faces: number of faces.
        clusters: number of people, or of photos where people are not known.
        asked: answers that the estimate is made of.
        hidden: questions of the design that a face or the photo's border made void.
        inferred: probes of faces that the design did not ask.
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
    asked: int
    hidden: int
    inferred: int
    influence: Float[np.ndarray, "c p"] = field(repr=False)

    @property
    def share_asked(self) -> float:
        """Of the probes of all faces that the design asked about, those found hidden among them."""
        whole = self.asked + self.hidden + self.inferred
        return (self.asked + self.hidden) / whole if whole else 1.0


def estimate_map(
    sampled: Sampled,
    regions: Mapping[str, Int[np.ndarray, "_"]] | None = None,
    *,
    of: Of = "people",
    level: float = 0.95,
    bandwidth: float | None = None,
) -> MapEstimate:
    r"""The map of all probes from a part of the questions, with a simultaneous band.

    The mean drop at each probe is estimated by a twiced kernel on the mesh (`twiced_means`), then spread over the
    patch as eq. 5 spreads the drops of a full run: $\hat\theta = B W T$ with the patch means B, the kernel's
    weights W and the sums of the drops T. Both are linear in the drops, so that each face's part in the error is
    known. The band is about $\theta = B \mu$, the map as it is drawn, not about the drops themselves, which are
    rougher.

    Args:
        sampled: the drops and what the design asked.
        regions: name -> indices of its probes; the mean of the map over them is estimated too.
        of: ``people``: the band is about the mean over people like these, and respects that faces of one cluster go
            together; it holds the full run's map all the more. ``photos``: about the full run on these very photos;
            only which probes were asked is left to chance, and where everything was asked the band has no width.
        level: probability that the band holds the whole map.
        bandwidth: in centimetres; None: 0 if everything was asked, else the best by cross-validation, and half of
            that for a band of ``photos``.

    Raises:
        OptionError: ``of`` or ``level`` cannot be used, or there is no face.
    """
    if of not in ("people", "photos"):
        raise OptionError(f"A band is of 'people' or of 'photos'; got {of!r}.")
    if not 0 < level < 1:
        raise OptionError(f"The level of a band is a probability between 0 and 1; got {level!r}.")
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
    # The variance of one drop, pooled over the patch, for the floor.
    inside = sampled.near * inferable
    spread = (inside @ (residuals**2).sum(axis=0)) / np.maximum(inside @ counts, 1.0)
    variance = counts * spread * (1.0 if of == "people" else max(1 - sampled.share, 0.0))
    patch = _rows(inside, divided=sampled.normalise)
    smooth = _rows(inside, divided=True)
    names, members = _region_rows(regions or {}, inferable)

    def band(rows: np.ndarray, around: np.ndarray) -> Band:
        moved = influence @ rows.T
        errors = standard_errors(moved)
        factor = critical_value(moved, level)
        pooled = np.sqrt((rows @ weights) ** 2 @ variance)
        empty = ~(np.abs(rows).sum(axis=1) > 0)
        half = factor * floored(errors, around, pooled) if np.isfinite(factor) else np.full(len(rows), np.inf)
        values = np.where(empty, np.nan, rows @ mean0)
        return Band(values, errors, half, factor, level, effective_number(moved))

    return MapEstimate(
        drops=mean,
        map=band(patch * inferable[:, None], smooth),
        regions=band(members @ patch, np.eye(len(names))),
        region_names=names,
        bandwidth=float(bandwidth),
        of=of,
        faces=len(drops),
        clusters=len(np.unique(sampled.clusters)),
        asked=int(np.isfinite(sampled.drops).sum()),
        hidden=int((sampled.asked & np.isnan(sampled.drops)).sum()),
        inferred=int((~sampled.asked).sum()),
        influence=influence,
    )


def full_map(sampled: Sampled) -> Float[np.ndarray, "p"]:
    """The map of a fully asked run at its probes: what `estimate_map` estimates."""
    return estimate_map(sampled, bandwidth=0.0).map.values


def _rows(weights: np.ndarray, divided: bool) -> Float[np.ndarray, "p p"]:
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / np.where(divided & (total > 0), total, 1.0))


def _region_rows(
    regions: Mapping[str, Int[np.ndarray, "_"]], inferable: Bool[np.ndarray, "p"]
) -> tuple[tuple[str, ...], Float[np.ndarray, "g p"]]:
    """Weights of the mean over each region's probes, without regions that have none."""
    kept = {name: members[inferable[members]] for name, members in regions.items()}
    kept = {name: members for name, members in kept.items() if len(members)}
    rows = np.zeros((len(kept), len(inferable)))
    for row, members in zip(rows, kept.values(), strict=True):
        row[members] = 1 / len(members)
    return tuple(kept), rows
