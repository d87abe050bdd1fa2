"""How much of what a model relies on lies beside the face: off-face reliance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.mesh import Canvas
from canonface.types import Mesh


def off_face_reliance(
    image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], mesh: Mesh, canvas: Canvas
) -> float:
    """Share of a map's positive part that lies on the halo: 0 none, 1 all.

    ``sum of max(map, 0) outside the face / sum of max(map, 0)``, both over the canonical pixels that a probe covered.
    By area, so that a place where vertices are dense counts no more than another. What the model's crop leaves out of
    the halo was not asked and does not count.

    Args:
        image: ``(h, w)`` canonical map; positive where the model relied on the place.
        count: ``(h, w)`` number of probes or faces behind each pixel.
        mesh: the mesh.
        canvas: the canonical picture.

    Returns:
        0 to 1; NaN if the mesh has no halo, none of it was asked, or nothing is positive.
    """
    beside = (count > 0) & canvas.probed_mask(mesh) & ~canvas.face_mask(mesh)
    relied_on = np.where((count > 0) & canvas.probed_mask(mesh), np.maximum(image, 0.0), 0.0)
    total = float(relied_on.sum())
    if not mesh.halo or not beside.any() or total == 0:
        return float("nan")
    return float(relied_on[beside].sum()) / total
