"""Localisation of a known region by a map, for planted cues."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError, near_names
from canonface.statistics import mass_share, roc_area
from canonface.types import Mesh


class Localisation(NamedTuple):
    """Agreement of a map with a region.

    Attributes:
        hit: 1 if the maximum lies in the region; of several equal maxima, the share that lies in it.
        mass: share of the positive attribution that lies in the region, 0..1; NaN without positive attribution.
        area: the `mass` of a constant map, 0..1.
        auc: area under the ROC curve: probability that a place in the region exceeds one outside, ties counting
            half; 0.5 is chance, NaN where the map shows no place outside.
    """

    hit: float
    mass: float
    area: float
    auc: float


@renamed_parameters(heat="attribution")
def localisation(attribution: ArrayLike, region: ArrayLike) -> Localisation:
    """Score a map against a region by the pointing game, the mass accuracy and the area under the ROC curve.

    The mass accuracy is the relevance mass accuracy of L. Arras, A. Osman, W. Samek, "CLEVR-XAI", Information Fusion
    81, 2022. Places may be pixels or vertices; NaN is left out.

    Args:
        attribution: ``(*shape,)`` larger where the model relied more; may be signed; NaN: unknown.
        region: ``(*shape,)`` True in the region.

    Raises:
        OptionError: the shapes differ, or the map holds infinity or is NaN in the whole region.
    """
    values, inside = np.asarray(attribution, dtype=np.float64).ravel(), np.asarray(region, dtype=bool).ravel()
    if np.shape(attribution) != np.shape(region):
        raise OptionError(
            f"A region has one value for each place of the map; got {np.shape(region)} for "
            f"{np.shape(attribution)}."
        )
    if np.isinf(values).any():
        raise OptionError(f"attribution holds numbers or NaN; {int(np.isinf(values).sum())} are infinite.")
    known = ~np.isnan(values)
    values, inside = values[known], inside[known]
    if not inside.any():
        raise OptionError("A map is scored against a region in which it has values; it has none in this one.")
    return Localisation(
        pointing_hit(values, inside),
        mass_share(values, inside),
        float(inside.mean()),
        roc_area(values, inside),
    )


@renamed_parameters(heat="attribution")
def pointing_hit(attribution: Float[np.ndarray, "n"], inside: Bool[np.ndarray, "n"]) -> float:
    """Return 1 if the maximum lies inside, else 0; of several equal maxima, the share inside.

    This is the pointing game of J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016,
    without its tolerance in pixels. A constant map scores the share of the region.
    """
    return float(inside[attribution == attribution.max()].mean())


def at_region(values: Float[np.ndarray, "v"], mesh: Mesh, region: str | Int[np.ndarray, "_"]) -> Localisation:
    """Score a map at the vertices of a mesh against one of its regions; see `localisation`.

    Args:
        values: ``(V,)`` e.g. `canonface.CMS.vertex_values`; NaN: unknown.
        mesh: the mesh.
        region: a name in ``mesh.regions``, or vertex numbers.

    Raises:
        OptionError: the mesh has no such region, or the map is NaN in all of it.
    """
    return localisation(values, _members(mesh, region))


def _members(mesh: Mesh, region: str | Int[np.ndarray, "_"]) -> Bool[np.ndarray, "v"]:
    if isinstance(region, str) and region not in mesh.regions:
        raise OptionError(
            f"A region is named by the mesh {mesh.name!r}; got {region!r}: {near_names(region, mesh.regions)}"
        )
    inside = np.zeros(len(mesh.vertices), dtype=bool)
    inside[mesh.regions[region] if isinstance(region, str) else np.asarray(region)] = True
    return inside
