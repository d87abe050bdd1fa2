"""Paint on a face: triangles of the mesh as the picture shows them, blended with the skin."""

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
    """Colour on some triangles of the mesh: it follows the pose, and ends where the face hides them.

    Attributes:
        triangles: ``(T,)`` which triangles of the mesh.
        colour: ``(3,)`` RGB, 0..255.
        opacity: 0 to 1.
        softness: pixels over which it fades towards its rim, inside of it; 0: a hard edge.
    """

    triangles: Bool[np.ndarray, "t"] = field(repr=False)
    colour: Float[np.ndarray, "3"]
    opacity: float
    softness: float = 0.0


def paint(
    pixels: UInt8[np.ndarray, "h w 3"], triangle: Int[np.ndarray, "h w"], marks: Sequence[Mark]
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with marks on it, ``p (1 - a) + colour a`` in each of a mark's pixels, one after the other.

    Args:
        pixels: the picture.
        triangle: ``(h, w)`` the triangle under each pixel; -1 where there is none.
        marks: in the order in which they are painted.
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
    """Pixels that show one of the chosen triangles."""
    # -1 takes the last one: no triangle is not chosen.
    return np.asarray(np.append(chosen, False)[triangle])


def _faded(cover: Bool[np.ndarray, "h w"], softness: float) -> Float[np.ndarray, "h w"]:
    """1 well inside, towards 0 at the rim: the distance to it in units of the softness."""
    import cv2

    distance = cv2.distanceTransform(cover.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.minimum(distance / (softness + 1), 1.0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Area:
    """A named part of the mesh as triangles, from which marks of any size are cut.

    Attributes:
        name: of the region, the group, or regions joined by ``+``.
        triangles: ``(T,)`` which triangles of the mesh lie in it.
        vertices: ``(V,)`` which vertices.
        middles: ``(k, 3)`` of its triangles on the canonical face, in centimetres.
        sizes: ``(k,)`` their areas there, in square centimetres.
    """

    name: str
    triangles: Bool[np.ndarray, "t"] = field(repr=False)
    vertices: Bool[np.ndarray, "v"] = field(repr=False)
    middles: Float[np.ndarray, "k 3"] = field(repr=False)
    sizes: Float[np.ndarray, "k"] = field(repr=False)

    @classmethod
    def named(cls, mesh: Mesh, name: str) -> Area:
        """The area of a region or group, or of several joined by ``+``.

        Raises:
            OptionError: there is no such region or group.
        """
        vertices = np.any([region_mask(mesh, part) for part in name.split("+")], axis=0)
        inside = [region_mask(mesh, part)[mesh.triangles].all(axis=1) for part in name.split("+")]
        return cls.of_triangles(mesh, name, np.any(inside, axis=0), vertices)

    @classmethod
    def of_triangles(
        cls, mesh: Mesh, name: str, triangles: Bool[np.ndarray, "t"], vertices: Bool[np.ndarray, "v"]
    ) -> Area:
        """The area of chosen triangles."""
        corners = mesh.vertices[mesh.triangles[triangles]].astype(np.float64)
        sides = corners[:, 1:] - corners[:, :1]
        sizes = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
        return cls(name, triangles, vertices, corners.mean(axis=1), sizes)

    def apart_from(self, mesh: Mesh, other: Area, gap_cm: float) -> Area:
        """What of it lies farther from another area than a gap: triangles and vertices by their distance in space."""
        from scipy.spatial import cKDTree

        places = cKDTree(mesh.vertices[other.vertices])
        middles = mesh.vertices[mesh.triangles].mean(axis=1)
        far = places.query(middles)[0] > gap_cm
        far_vertices = places.query(mesh.vertices)[0] > gap_cm
        return Area.of_triangles(
            mesh, self.name, self.triangles & far & ~other.triangles, self.vertices & far_vertices
        )

    def patch(self, share: float, rng: np.random.Generator) -> Bool[np.ndarray, "t"]:
        """Triangles of it around a random one of them that make up a share of its area: a mark's.

        Args:
            share: of the area, above 0; 1: all of it.
            rng: draws the one in the middle, each with the chance of its area.
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
    """Pixels that the area has in a picture of the canonical face, cut as photos are."""
    canvas = Canvas((side, side))
    raster = rasterise(canvas.project(mesh), -mesh.vertices[:, 2], mesh.triangles, canvas.size_hw)
    return int(covered(raster.triangle, area.triangles).sum())


def shown_pixels(triangle: Int[np.ndarray, "n s s"], area: Area) -> Int[np.ndarray, "n"]:
    """Pixels of it that each face shows."""
    chosen = np.append(area.triangles, False)
    return np.array([chosen[one].sum() for one in triangle], dtype=np.int64)
