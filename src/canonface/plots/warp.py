"""Photos warped to the canonical face, triangle by triangle: one, or the mean of many."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from canonface.errors import OptionError, PhotoError
from canonface.mesh import Canvas
from canonface.plots.frontal import canonical_raster, shaded_face
from canonface.types import Face, Mesh

PlacedPhoto = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Photo ``(H, W, 3)`` uint8, its vertices ``(V, 2)`` in pixels, and the mask of visible ones ``(V,)``; None: all."""

_log = logging.getLogger(__name__)


def warp_photo(
    image: UInt8[np.ndarray, "rows columns 3"],
    vertices_xy: Float[np.ndarray, "v 2"],
    visible: Bool[np.ndarray, "v"] | None,
    mesh: Mesh,
    canvas: Canvas,
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Warp a photo to the canonical face, so that every point of the mesh lies at its place on the canvas.

    Each pixel of the canvas has barycentric weights in a triangle of the mesh. It takes the photo's bilinear colour
    at the same weights in the same triangle of the photo.

    Returns:
        The picture, black where the photo shows nothing, and the mask of the pixels that it shows: those whose
        triangle has three visible corners and that lie in the photo.

    Raises:
        OptionError: the photo has another number of vertices than the mesh.
    """
    import cv2

    if len(vertices_xy) != len(mesh.vertices):
        raise OptionError(
            f"A photo is warped by the vertices of the mesh; got {len(vertices_xy)} for the "
            f"{len(mesh.vertices)} of {mesh.name}: align the photo with that mesh."
        )
    raster = canonical_raster(mesh, canvas)
    seen = np.isfinite(vertices_xy).all(axis=1)
    if visible is not None:
        seen = seen & visible
    places = raster.interpolate(np.where(seen[:, None], vertices_xy, 0.0)).astype(np.float32)
    shown = raster.select(seen[mesh.triangles].all(axis=1))
    limits = np.array(image.shape[1::-1]) - 0.5
    shown &= ((places >= -0.5) & (places <= limits)).all(axis=2)
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    warped = np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    warped[~shown] = 0
    return warped, np.asarray(shown)


def average_face(
    photos: Iterable[Face | PlacedPhoto], mesh: Mesh, canvas: Canvas | None = None
) -> UInt8[np.ndarray, "h w 4"]:
    """Average photos warped to the canonical face, each pixel over the photos that show it.

    A photo counts less near the border of its visible part, so that there is no seam. Photos are read one at a time,
    so memory does not grow with their number.

    Args:
        photos: faces, or photos with their vertices.
        mesh: the mesh that they are aligned to.
        canvas: the canonical picture; None: the default one.

    Returns:
        ``(h, w, 4)`` RGB and opacity. Pixels of the face that no photo shows come from the shaded face.

    Raises:
        OptionError: a photo has other vertices than the mesh.
    """
    canvas = canvas or Canvas()
    total = np.zeros((*canvas.size_hw, 3))
    weights = np.zeros(canvas.size_hw)
    for photo in photos:
        image, vertices_xy, visible = (
            (photo.image, photo.vertices_xy, photo.visible) if isinstance(photo, Face) else photo
        )
        warped, shown = warp_photo(image, vertices_xy, visible, mesh, canvas)
        weight = _soft_border(shown, 0.012 * min(canvas.size_hw))
        total += warped * weight[..., None]
        weights += weight
    picture = shaded_face(mesh, canvas).copy()
    some = weights > 0
    picture[some, :3] = np.rint(total[some] / weights[some, None])
    return picture


def _soft_border(shown: Bool[np.ndarray, "h w"], width: float) -> Float[np.ndarray, "h w"]:
    """Return weights: 1 well inside the visible part, falling to 0 at its border."""
    import cv2

    distance = cv2.distanceTransform(shown.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(distance / width, 0, 1), dtype=np.float64)


def photo_face(face: Face, mesh: Mesh, canvas: Canvas | None = None) -> UInt8[np.ndarray, "h w 4"]:
    """Return one photo, warped through the mesh, as a picture to draw maps on; maps line up with it."""
    return average_face([face], mesh, canvas)


def run_face(run: Any, most: int = 200) -> UInt8[np.ndarray, "h w 4"]:
    """Return the average face of a run's own photos; missing photos are left out and counted in the log.

    Args:
        run: a `canonface.run.Run`.
        most: number of faces to read at most, evenly spread over the run; more hardly change the mean.
    """
    return average_face(_photos_of(run, most), run.mesh, run.canvas)


def _photos_of(run: Any, most: int) -> Iterator[PlacedPhoto]:
    """Yield photos of a run's explained faces, with the places and visibility of their vertices."""
    from canonface.alignment import read_photo

    paths, places = run.faces.column("path").to_pylist(), run.vertices_xy()
    shown = run.faces.column("visible")
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int))
    root, missing = Path(run.manifest.photo_root), 0
    for row in chosen:
        try:
            image = read_photo(root / paths[row])
        except PhotoError:
            missing += 1
            continue
        yield image, places[row], np.array(shown[int(row)].as_py(), dtype=bool)
    if missing:
        _log.warning(
            "%d of %d photos cannot be read in %s: left out of the average face.", missing, len(chosen), root
        )
