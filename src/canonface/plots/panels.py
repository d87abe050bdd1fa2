"""Panels: the single pictures that figures are made of, as pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.errors import OptionError
from canonface.maps import CIS, CMS, on_face
from canonface.mesh import Canvas
from canonface.plots.crop import PANEL_PX, PhotoCrop
from canonface.plots.frontal import canonical_raster, shaded_face
from canonface.plots.style import BACKGROUND, Scale, draw_map, under_map
from canonface.types import Face, Mesh

Result: TypeAlias = CIS | CMS
FacePicture: TypeAlias = np.ndarray
"""``(h, w, 3 or 4)`` uint8, RGB or RGBA, on a map's canvas."""
Pixels: TypeAlias = UInt8[np.ndarray, "rows columns 3"]
_HALO_TONE = 0.93  # tone under the halo, where there is no picture of the face
_FRAME = 1.08  # side of a canonical panel, in sides of the face's box


def seen_count(result: Result) -> Int[np.ndarray, "h w"]:
    """Return the number of probes (CIS) or faces (CMS) behind each pixel of a canonical map."""
    return result.count if isinstance(result, CIS) else result.seen


def shown_values(result: Result) -> Float[np.ndarray, "n"]:
    """Return the values of a canonical map that its picture shows: those on the face that are not NaN."""
    shown = (seen_count(result) > 0) & drawn_on(result.mesh, result.canvas)
    return np.asarray(result.map[shown])


def drawn_on(mesh: Mesh, canvas: Canvas) -> Bool[np.ndarray, "h w"]:
    """Return the pixels that a map is drawn on: the face, and its halo if the mesh has one."""
    if mesh.halo or not len(mesh.triangles):
        return canvas.probed_mask(mesh)
    return canonical_raster(mesh, canvas).inside


def canonical_panel(result: Result, scale: Scale, face_picture: FacePicture | None = None) -> Pixels:
    """Draw a canonical map on the canonical face.

    Args:
        result: one face's map or many faces'.
        scale: the colours.
        face_picture: ``(h, w, 3 or 4)`` uint8 on the map's canvas, such as `average_face` gives; by default
            the shaded face.
    """
    import cv2

    fine = _panel_canvas(result.canvas)
    picture = (
        shaded_face(result.mesh, fine) if face_picture is None else _fitted(face_picture, result.canvas, fine)
    )
    size_wh = fine.size_hw[::-1]
    # Unseen pixels are weighted 0, so that they do not bleed into their neighbours when the map is enlarged.
    seen = seen_count(result) > 0
    weight = cv2.resize(seen.astype(np.float64), size_wh, interpolation=cv2.INTER_LINEAR)
    values = cv2.resize(np.where(seen, result.map, 0.0), size_wh, interpolation=cv2.INTER_LINEAR)
    values = values / np.maximum(weight, 1e-9)
    opacity = picture[..., 3] / 255
    around = np.where(drawn_on(result.mesh, fine) & (weight > 0.5), _HALO_TONE, 1.0)
    tone = under_map(picture[..., :3]) * opacity + around * (1 - opacity)
    inside = cv2.GaussianBlur(drawn_on(result.mesh, fine).astype(np.float64), (0, 0), 1.0)
    # Without a halo the map ends with the picture of the face.
    face = inside if result.mesh.halo else np.minimum(inside, opacity)
    drawn = draw_map(tone, values, weight > 0.5, face, scale)
    return np.ascontiguousarray(drawn if result.mesh.halo else drawn[_frame(fine)])


def photo_panel(face: Face) -> Pixels:
    """Draw the photo around a face."""
    return PhotoCrop.around(face).picture(face.image)


def overlay_panel(cis: CIS, scale: Scale) -> Pixels:
    """Draw the map of one face on its own photo."""
    values, count = cis.on_photo()
    return _on_photo(cis.face, cis.mesh, values, count > 0, scale)


def attribution_panel(
    face: Face, attribution: Float[np.ndarray, "h w"], matrix: Float[np.ndarray, "2 3"], scale: Scale
) -> Pixels:
    """Draw another method's map on the photo, over the part that the model's input shows.

    Args:
        face: the face.
        attribution: ``(h, w)`` in pixels of the model's input; NaN is not drawn.
        matrix: ``(2, 3)`` from pixels of the photo to pixels of the input.
        scale: the colours.
    """
    import cv2

    crop = PhotoCrop.around(face)
    known = np.isfinite(attribution).astype(np.float64)

    def placed(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "rows columns"]:
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(values, crop.on_input(matrix), (PANEL_PX, PANEL_PX), flags=how))

    weight, values = placed(known), placed(np.where(known > 0, attribution, 0.0))
    inside = crop.within(face.image)
    tone = np.where(inside, under_map(crop.picture(face.image)), BACKGROUND)
    drawn = values / np.maximum(weight, 1e-9)
    return draw_map(tone, drawn, weight > 0.5, inside.astype(np.float64), scale)


def reprojection_panel(cms: CMS, face: Face, scale: Scale) -> Pixels:
    """Draw a canonical map on a face (figure 6d)."""
    values, covered = on_face(cms.map, cms.seen, cms.canonical_patch, face, cms.mesh, cms.canvas)
    return _on_photo(face, cms.mesh, values, covered, scale)


def _on_photo(
    face: Face, mesh: Mesh, values: Float[np.ndarray, "h w"], seen: Bool[np.ndarray, "h w"], scale: Scale
) -> Pixels:
    crop = PhotoCrop.around(face)
    weight = crop.values(seen.astype(np.float64))
    drawn = crop.values(values * seen) / np.maximum(weight, 1e-9)
    tone = np.where(crop.within(face.image), under_map(crop.picture(face.image)), BACKGROUND)
    return draw_map(tone, drawn, weight > 0.5, crop.face(face, mesh), scale)


def _panel_canvas(canvas: Canvas) -> Canvas:
    """Return the same view with enough pixels that the face fills a panel."""
    factor = PANEL_PX * (1 + canvas.margin) / _FRAME / min(canvas.size_hw)
    height, width = (round(side * factor) for side in canvas.size_hw)
    return Canvas((height, width), canvas.margin)


def _frame(fine: Canvas) -> tuple[slice, slice]:
    """Return the middle square of the canvas, which holds the face; all of it if it is smaller than a panel."""
    height, width = fine.size_hw
    side = min(PANEL_PX, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)


def _fitted(picture: FacePicture, canvas: Canvas, fine: Canvas) -> FacePicture:
    """Return a picture on the canvas, enlarged, with opacity.

    Raises:
        OptionError: it is no picture, or not of the canvas's size.
    """
    import cv2

    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8:
        raise OptionError(
            "A face to draw on is a uint8 RGB or RGBA picture, (h, w, 3 or 4); got "
            f"{picture.dtype} {picture.shape}. `photo_face` makes one of a photo."
        )
    if picture.shape[:2] != canvas.size_hw:
        raise OptionError(
            f"A face to draw on has the size of the map's canvas, {canvas.size_hw}; got {picture.shape[:2]}: "
            "make it with the same canvas."
        )
    if picture.shape[2] == 3:
        picture = np.dstack([picture, np.full(picture.shape[:2], 255, dtype=np.uint8)])
    return np.asarray(cv2.resize(picture, fine.size_hw[::-1], interpolation=cv2.INTER_LINEAR))


def outlined(panel: Pixels, result: Result, triangles: Bool[np.ndarray, "t"]) -> Pixels:
    """Return a canonical panel with some triangles of its mesh outlined, dark on light.

    Args:
        panel: picture from `canonical_panel`.
        result: the map in it.
        triangles: ``(T,)`` mask of the triangles.
    """
    import cv2

    fine = _panel_canvas(result.canvas)
    chosen = canonical_raster(result.mesh, fine).select(triangles).astype(np.uint8)
    around = np.ascontiguousarray(chosen if result.mesh.halo else chosen[_frame(fine)])
    lines, _ = cv2.findContours(around, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = panel.copy()
    width = max(1, panel.shape[0] // 200)
    for colour, thick in (((255, 255, 255), 3 * width), ((20, 20, 24), width)):
        cv2.drawContours(drawn, lines, -1, colour, thick, cv2.LINE_AA)
    return drawn
