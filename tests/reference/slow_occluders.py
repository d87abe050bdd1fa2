"""Pixels under a disc and a surface patch, pixel by pixel and probe by probe."""

import math

import numpy as np
from slow_raster import slow_raster


def slow_disc(x, y, side, size_hw):
    """Return the pixels of eq. 2's square within half its unclipped side of its centre."""
    height, width = size_hw
    n = round(side)
    left, top = math.floor(x - side / 2) + 1, math.floor(y - side / 2) + 1
    middle_x, middle_y = left + (n - 1) / 2, top + (n - 1) / 2
    hidden = np.zeros(size_hw, dtype=bool)
    for row in range(height):
        for column in range(width):
            in_square = left <= column < left + n and top <= row < top + n
            away = math.hypot(column - middle_x, row - middle_y)
            hidden[row, column] = in_square and away <= n / 2
    return hidden


def slow_surface(vertices, triangles, xy, depth, probe, radius, size_hw):
    """Return the pixels whose point on the nearest triangle lies near the probe."""
    triangle, _ = slow_raster(xy, depth, triangles, size_hw)
    hidden = np.zeros(size_hw, dtype=bool)
    for row in range(size_hw[0]):
        for column in range(size_hw[1]):
            if triangle[row, column] >= 0:
                corners = triangles[triangle[row, column]]
                matrix = np.vstack([xy[corners].T, np.ones(3)])
                place = np.linalg.solve(matrix, [column, row, 1.0]) @ vertices[corners]
                hidden[row, column] = np.linalg.norm(place - vertices[probe]) <= radius
    return hidden
