"""Which triangle is nearest at each pixel, the slow and obvious way: every pixel asks every triangle."""

import numpy as np


def slow_raster(points_xy, depth, triangles, size_hw):
    """Index of the nearest triangle over each pixel (-1: none) and the depth there."""
    height, width = size_hw
    nearest = np.full(size_hw, np.inf)
    triangle = np.full(size_hw, -1)
    for row in range(height):
        for column in range(width):
            for number, corners in enumerate(triangles):
                matrix = np.vstack([points_xy[corners].T, np.ones(3)])
                if abs(np.linalg.det(matrix)) < 1e-12:
                    continue
                weights = np.linalg.solve(matrix, [column, row, 1.0])
                if weights.min() < -1e-9:
                    continue
                at = weights @ depth[corners]
                if at < nearest[row, column]:
                    nearest[row, column], triangle[row, column] = at, number
    return triangle, nearest
