"""Which pixels show a part of the mesh, one triangle after the other: what painting has to touch."""

import numpy as np


def pixels_of(mesh, vertices_xy, depth, visible, chosen, size_hw):
    """Pixels whose nearest triangle is among the chosen and has no hidden corner."""
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]]
    nearest = np.full(size_hw, np.inf)
    shows = np.zeros(size_hw, dtype=bool)
    for number, corners in enumerate(mesh.triangles):
        (ax, ay), (bx, by), (cx, cy) = vertices_xy[corners]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0:
            continue
        b = ((columns - ax) * (cy - ay) - (cx - ax) * (rows - ay)) / area
        c = ((bx - ax) * (rows - ay) - (columns - ax) * (by - ay)) / area
        inside = (b >= -1e-9) & (c >= -1e-9) & (1 - b - c >= -1e-9)
        far = (1 - b - c) * depth[corners[0]] + b * depth[corners[1]] + c * depth[corners[2]]
        wins = inside & (far < nearest)
        nearest[wins] = far[wins]
        shows[wins] = chosen[number] and visible[corners].all()
    return shows
