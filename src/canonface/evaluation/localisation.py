"""Does a map point to the place that is known to matter? For planted cues, whose region is given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError, near_names
from canonface.statistics import mass_share, roc_area
from canonface.types import Mesh


class Localisation(NamedTuple):
    """How well a map points to a region.

    Attributes:
        hit: 1 if the hottest place lies in the region; a part of 1 where several places are equally hot.
        mass: share of the positive heat that lies in the region, 0..1; NaN without positive heat.
        area: what `mass` would be if heat were spread evenly, 0..1.
        auc: probability that a place of the region is hotter than one beside it, ties counting half; 0.5 is chance,
            NaN where one of both is not seen.
    """

    hit: float
    mass: float
    area: float
    auc: float


def localisation(attribution: ArrayLike, region: ArrayLike) -> Localisation:
    """The pointing game, mass accuracy and the area under the ROC curve of a map against a region.

    Works for pixels and for vertices. Places whose heat is NaN are not seen and take no part.

    Args:
        attribution: ``(*shape,)`` larger where more was relied on; may be signed; NaN: not seen.
        region: ``(*shape,)`` True in the region.

    Raises:
        OptionError: the shapes differ, the map holds infinity, or sees none of the region.
    """
    values, inside = np.asarray(attribution, dtype=np.float64).ravel(), np.asarray(region, dtype=bool).ravel()
    if np.shape(attribution) != np.shape(region):
        raise OptionError(
            f"A region says of each place of the map whether it is inside; got {np.shape(region)} for "
            f"{np.shape(attribution)}."
        )
    if np.isinf(values).any():
        raise OptionError(f"heat holds numbers or NaN; {int(np.isinf(values).sum())} are infinite.")
    seen = ~np.isnan(values)
    values, inside = values[seen], inside[seen]
    if not inside.any():
        raise OptionError("A map is scored against a region that it sees; it sees no place of this one.")
    return Localisation(
        pointing_hit(values, inside),
        mass_share(values, inside),
        float(inside.mean()),
        roc_area(values, inside),
    )


def pointing_hit(attribution: Float[np.ndarray, "n"], inside: Bool[np.ndarray, "n"]) -> float:
    """1 if the hottest place lies inside; of several that are equally hot, the share of those inside.

    J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, without its tolerance in pixels. A
    constant map hits as often as chance would.
    """
    return float(inside[attribution == attribution.max()].mean())


def at_region(values: Float[np.ndarray, "v"], mesh: Mesh, region: str | Int[np.ndarray, "_"]) -> Localisation:
    """`localisation` of a map at the vertices of a mesh against one of its regions.

    Args:
        values: ``(V,)`` e.g. `canonface.CMS.vertex_values`; NaN: not seen.
        mesh: the mesh.
        region: a name of ``mesh.regions``, or vertex numbers.

    Raises:
        OptionError: the mesh names no such region, or the map sees none of it.
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
