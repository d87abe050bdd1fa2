"""Canonical maps in pixels of a model's input, and the total attribution that all methods share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError, near_names
from canonface.functional import normalised_attribution
from canonface.maps import CIS, CMS
from canonface.maps.reprojection import on_face
from canonface.mesh import Canvas
from canonface.types import ModelInput

TOTALS = ("smallest", "median", "largest", "cms")
"""Rules for the total that all methods share, by the sum of a normalised map."""


def reprojected(
    image: Float[np.ndarray, "h w"],
    count: Int[np.ndarray, "h w"],
    canonical_patch: float,
    shown: ModelInput,
    canvas: Canvas,
) -> Float[np.ndarray, "rows columns"]:
    """Draw a canonical map on a face, in pixels of the model's input (figure 6d); NaN where no vertex is near.

    The map is drawn on the mesh as the crop placed it in the input: nothing is resampled, and a patch covers as much
    of the face as the occluder did.

    Args:
        image: ``(h, w)`` canonical map.
        count: ``(h, w)`` number of probes or faces behind each pixel.
        canonical_patch: side of the map's patch on the canvas.
        shown: the face as the model sees it.
        canvas: canonical picture.
    """
    height, width = shown.spec.size_hw
    blank = np.broadcast_to(np.uint8(0), (height, width, 3))
    here = replace(shown.face, image=blank, vertices_xy=shown.vertices_xy, visible=shown.visible)
    drawn, covered = on_face(image, count, canonical_patch, here, here.mesh, canvas)
    return np.where(covered, drawn, np.nan)


def cis_attribution(cis: CIS, shown: ModelInput) -> Float[np.ndarray, "rows columns"]:
    """Draw a face's own map on it, in pixels of the model's input."""
    return reprojected(cis.map, cis.count, cis.canonical_patch, shown, cis.canvas)


def cms_attribution(cms: CMS, shown: ModelInput) -> Float[np.ndarray, "rows columns"]:
    """Draw a model map on a face, in pixels of the model's input."""
    return reprojected(cms.map, cms.seen, cms.canonical_patch, shown, cms.canvas)


def check_total(total: str | float) -> None:
    """Raise if a total is neither a rule nor a share.

    Raises:
        OptionError: the total is unknown or outside 0..1.
    """
    if isinstance(total, str):
        if total not in TOTALS:
            raise OptionError(
                f"The total is one of {', '.join(TOTALS)}, or a share of the image from 0 to 1; got {total!r}: "
                f"{near_names(total, TOTALS)}"
            )
    elif not 0 < total <= 1:
        raise OptionError(f"A total given as a share of the image lies above 0 and up to 1; got {total}.")


@renamed_parameters(heats="attributions")
def common_total(attributions: Mapping[str, Float[np.ndarray, "h w"]], total: str | float) -> float:
    """Return the total attribution, in pixels, that every method removes from one image.

    Args:
        attributions: method -> its map of the image.
        total: ``smallest``, ``median`` or ``largest`` of the sums of the methods' normalised maps, zeros left out;
            ``cms``, the sum of the reprojected model map, as in the authors' released code; or a share of the image.
            Only the smallest, and a share below it, removes the same from the image for every method: with more,
            narrow maps run out of pixels.
    """
    check_total(total)
    if not isinstance(total, str):
        return total * next(iter(attributions.values())).size
    sums = {
        name: float(normalised_attribution(attribution).sum()) for name, attribution in attributions.items()
    }
    if total == "cms":
        if "cms" not in sums:
            raise OptionError("The total 'cms' is the sum of the model map, which is not among the methods.")
        return sums["cms"]
    positive = [value for value in sums.values() if value > 0]
    share = {"smallest": 0.0, "median": 0.5, "largest": 1.0}[total]
    return float(np.quantile(positive, share)) if positive else 0.0
