"""Marks: paint on triangles of the mesh, blended with the skin, and the areas that they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.mesh import Canvas, region_mask
from canonface.raster import rasterise
from canonface.types import Mesh


@dataclass(frozen=True, eq=False)
class Mark:
    """Colour on some triangles of the mesh; it follows the pose and ends where the face hides them.

    Attributes:
        triangles: ``(T,)`` True for the coloured triangles of the mesh.
        colour: ``(3,)`` RGB, 0..255.
        opacity: 0 to 1.
        softness: width in pixels of the fading inside its rim; 0: a hard edge.
    """

    triangles: Bool[np.ndarray, "t"] = field(repr=False)
    colour: Float[np.ndarray, "3"]
    opacity: float
    softness: float = 0.0


def paint(
    pixels: UInt8[np.ndarray, "h w 3"], triangle: Int[np.ndarray, "h w"], marks: Sequence[Mark]
) -> UInt8[np.ndarray, "h w 3"]:
    """Paint marks on a picture, one after the other: ``p (1 - a) + colour a`` in each pixel of a mark.

    Args:
        pixels: the picture.
        triangle: ``(h, w)`` the triangle under each pixel; -1 where there is none.
        marks: the marks in the order of painting.
    """
    painted = pixels.astype(np.float32)
    for mark in marks:
        cover = covered(triangle, mark.triangles)
        alpha = cover * np.float32(mark.opacity)
        if mark.softness:
            alpha *= _faded(cover, mark.softness)
        painted += alpha[..., None] * (mark.colour.astype(np.float32) - painted)
    return np.rint(painted).astype(np.uint8)


def covered(triangle: Int[np.ndarray, "h w"], chosen: Bool[np.ndarray, "t"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels that show one of the chosen triangles."""
    # -1 (no triangle) takes the last entry, False.
    return np.asarray(np.append(chosen, False)[triangle])


def _faded(cover: Bool[np.ndarray, "h w"], softness: float) -> Float[np.ndarray, "h w"]:
    """Return the opacity of a soft mark: 1 well inside, towards 0 at the rim."""
    import cv2

    distance = cv2.distanceTransform(cover.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.minimum(distance / (softness + 1), 1.0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Area:
    """A named part of the mesh, from which marks of any size are drawn.

    Attributes:
        name: name of the region, the group, or regions joined by ``+``.
        triangles: ``(T,)`` True for its triangles.
        vertices: ``(V,)`` True for its vertices.
        middles: ``(k, 3)`` centres of its triangles on the canonical face, in centimetres.
        sizes: ``(k,)`` areas of its triangles there, in square centimetres.
    """

    name: str
    triangles: Bool[np.ndarray, "t"] = field(repr=False)
    vertices: Bool[np.ndarray, "v"] = field(repr=False)
    middles: Float[np.ndarray, "k 3"] = field(repr=False)
    sizes: Float[np.ndarray, "k"] = field(repr=False)

    @classmethod
    def named(cls, mesh: Mesh, name: str) -> Area:
        """Return the area of a region or group, or of several joined by ``+``.

        Raises:
            OptionError: no region or group has that name.
        """
        vertices = np.any([region_mask(mesh, part) for part in name.split("+")], axis=0)
        inside = [region_mask(mesh, part)[mesh.triangles].all(axis=1) for part in name.split("+")]
        return cls.of_triangles(mesh, name, np.any(inside, axis=0), vertices)

    @classmethod
    def of_triangles(
        cls, mesh: Mesh, name: str, triangles: Bool[np.ndarray, "t"], vertices: Bool[np.ndarray, "v"]
    ) -> Area:
        """Return the area of chosen triangles."""
        corners = mesh.vertices[mesh.triangles[triangles]].astype(np.float64)
        sides = corners[:, 1:] - corners[:, :1]
        sizes = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
        return cls(name, triangles, vertices, corners.mean(axis=1), sizes)

    def apart_from(self, mesh: Mesh, other: Area, gap_cm: float) -> Area:
        """Return the part of the area that is farther than a gap from another area, by distance in space."""
        from scipy.spatial import cKDTree

        places = cKDTree(mesh.vertices[other.vertices])
        middles = mesh.vertices[mesh.triangles].mean(axis=1)
        far = places.query(middles)[0] > gap_cm
        far_vertices = places.query(mesh.vertices)[0] > gap_cm
        return Area.of_triangles(
            mesh, self.name, self.triangles & far & ~other.triangles, self.vertices & far_vertices
        )

    def patch(self, share: float, rng: np.random.Generator) -> Bool[np.ndarray, "t"]:
        """Draw the triangles of a mark: a share of the area around a random triangle.

        Args:
            share: share of the area, above 0; 1: all of it.
            rng: draws the triangle in the middle, with a chance proportional to its area.
        """
        if share >= 1:
            return self.triangles
        middle = self.middles[rng.choice(len(self.sizes), p=self.sizes / self.sizes.sum())]
        order = np.argsort(np.linalg.norm(self.middles - middle, axis=1), kind="stable")
        count = int(np.searchsorted(np.cumsum(self.sizes[order]), share * self.sizes.sum())) + 1
        chosen = np.zeros_like(self.triangles)
        chosen[np.flatnonzero(self.triangles)[order[:count]]] = True
        return chosen


def frontal_pixels(mesh: Mesh, area: Area, side: int) -> int:
    """Count the pixels of the area in a picture of the canonical face with the default crop."""
    canvas = Canvas((side, side))
    raster = rasterise(canvas.project(mesh), -mesh.vertices[:, 2], mesh.triangles, canvas.size_hw)
    return int(covered(raster.triangle, area.triangles).sum())


def shown_pixels(triangle: Int[np.ndarray, "n s s"], area: Area) -> Int[np.ndarray, "n"]:
    """Count the pixels of the area that each face shows."""
    chosen = np.append(area.triangles, False)
    return np.array([chosen[one].sum() for one in triangle], dtype=np.int64)
