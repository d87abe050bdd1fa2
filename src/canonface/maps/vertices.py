"""A canonical map at the vertices of its mesh."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.functional import sample
from canonface.mesh import Canvas
from canonface.types import Mesh


def vertex_values(
    image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], mesh: Mesh, canvas: Canvas
) -> Float[np.ndarray, "v"]:
    """The map at every vertex; NaN where ``count`` is 0 or the vertex lies off the canvas.

    Args:
        image: ``(h, w)`` map on the canvas.
        count: ``(h, w)`` number of probes or faces behind each pixel.
        mesh: the mesh.
        canvas: the canonical picture.
    """
    points = canvas.project(mesh)
    columns, rows = np.rint(points).astype(int).T
    height, width = canvas.size_hw
    on_canvas = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    seen = on_canvas & (count[rows.clip(0, height - 1), columns.clip(0, width - 1)] > 0)
    return np.where(seen, sample(image, points), np.nan)
