"""The default aligner: BlazeFace and the 478-point face mesh, weights in the package, nothing sent anywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.alignment.detector import (
    Detection,
    Detector,
    fallback_views,
    overlap,
    whole_view,
    without_repeats,
)
from canonface.alignment.landmarks import Landmarker, Landmarks
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.square import Square
from canonface.assets import asset_path
from canonface.errors import FaceCutError, NoFaceError, OptionError
from canonface.geometry import head_pose, visible_vertices
from canonface.landmarker.bundle import DETECTOR, LANDMARKS, read_networks
from canonface.landmarker.network import Network
from canonface.types import Face, Mesh, WhichFaces

logger = logging.getLogger("canonface")

_SURE = 0.99
"""Least presence of a face that is found in a part of the photo only, or that takes the place of another."""

_ENOUGH = 0.3
"""A face of this share of the photo's longer side is taken for the largest: no further view is looked at."""

_LARGE = 0.2
"""Least side of a large face, as a share of the photo's longer side."""

_Placed = tuple[Detection, Landmarks]

BASE_COUNT = 468
"""Vertices of the canonical face mesh, the first of the network's points."""


class LandmarkerAligner:
    """Aligns photos with the face landmarker's networks on LiteRT.

    ``Face.quality`` is presence x inside: the network's probability that the crop shows a face, times the share
    of the base mesh's vertices that lie in the photo. ``Face.quality_parts`` holds both, with ``detection``
    (the detector's score) and ``size_px`` (the longer side of the mesh's box).

    Args:
        mesh: a mesh whose base is the landmarker's 468 vertices.
        faces: ``"largest"`` returns the largest face that is found, and is a ``FaceCutError`` if that one is cut,
            whoever stands behind it. ``"all"`` returns every face, the largest first; those that are cut are not
            in the list (a face is returned or it is not), a warning of the logger ``canonface`` counts them.
        min_score: least detection score and least presence of a face.
        min_inside: least share of the base mesh's vertices that lie in the photo.
        max_megapixels: largest photo that is read.
        threads: CPU threads of the networks.
        weights: the landmarker's ``.task`` file; by default the one in the package.
    """

    name = "landmarker"

    def __init__(
        self,
        mesh: Mesh,
        faces: WhichFaces = "largest",
        min_score: float = 0.5,
        min_inside: float = 0.6,
        max_megapixels: float = 64,
        threads: int = 1,
        weights: Path | None = None,
    ) -> None:
        if mesh.base_count != BASE_COUNT:
            raise OptionError(
                f"The landmarker aligns meshes whose base has {BASE_COUNT} vertices; {mesh.name!r} has "
                f"{mesh.base_count}. Use the default mesh, or an aligner made for that one."
            )
        if faces not in ("largest", "all"):
            raise OptionError(f"faces is 'largest' or 'all'; got {faces!r}.")
        for option, value in (("min_score", min_score), ("min_inside", min_inside)):
            if not 0 < value <= 1:
                raise OptionError(f"{option} is above 0 and at most 1; got {value}.")
        self.mesh = mesh
        self.faces = faces
        self.min_score = min_score
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels
        self._base_triangles = base_triangles(mesh)
        networks = read_networks(weights or asset_path("face_landmarker.task"))
        self._detector = Detector(Network(networks[DETECTOR], threads), min_score)
        self._landmarker = Landmarker(Network(networks[LANDMARKS], threads))

    def describe(self) -> dict[str, str | float]:
        """The choices that decide where a face is placed; a run writes them down."""
        return {
            "name": self.name,
            "faces": self.faces,
            "min_score": self.min_score,
            "min_inside": self.min_inside,
            "max_megapixels": self.max_megapixels,
        }

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Faces of a photo, the largest first: see ``Aligner``."""
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        found = self._all_faces(image) if self.faces == "all" else self._largest_face(image)
        if not found:
            raise NoFaceError(
                f"A photo shows a face that looks more or less into the camera; none was found in "
                f"{path or 'the photo'} ({image.shape[1]} x {image.shape[0]} pixels, min_score "
                f"{self.min_score:g}). Use a photo in which the face is larger, has a margin around it, is less "
                "turned away or better lit, or lower min_score."
            )
        faces = [self._face(image, path, detection, landmarks) for detection, landmarks in found]
        faces.sort(key=lambda face: -face.quality_parts["size_px"])
        return [
            replace(face, index=index) for index, face in enumerate(self._uncut(faces, path or "the photo"))
        ]

    def _uncut(self, faces: Sequence[Face], where: str) -> list[Face]:
        """The faces of which enough lies in the photo; says so if it leaves out others.

        Raises:
            FaceCutError: all are cut. In ``"largest"`` mode that is the one face there is.
        """
        kept = [face for face in faces if face.quality_parts["inside"] >= self.min_inside]
        if not kept:
            raise FaceCutError(
                f"At least {self.min_inside:.0%} of a face lies within its photo; of the largest face in "
                f"{where} {faces[0].quality_parts['inside']:.0%} does. Use an uncropped copy, or "
                "lower min_inside."
            )
        if len(kept) < len(faces):
            shares = [f.quality_parts["inside"] for f in faces if f.quality_parts["inside"] < self.min_inside]
            logger.warning(
                "At least %.0f%% of a face lies within its photo; left out %d of %d faces in %s, of which %s does. "
                "Use an uncropped copy, or lower min_inside.",
                100 * self.min_inside,
                len(shares),
                len(faces),
                where,
                ", ".join(f"{share:.0%}" for share in shares),
            )
        return kept

    def _largest_face(self, image: UInt8[np.ndarray, "h w 3"]) -> list[_Placed]:
        """The largest face, or none. The whole photo shows it nearly always, and is the only view then.

        A small face may be a bystander: the detector overlooks a face that fills the photo or is cut by its
        border, and finds the one behind. So where the largest face so far is small, further views are asked for a
        larger one, as long as they are large enough to show it.

        A large face that is found and refused, because it turned away too far, ends the search as well: smaller
        views would only find its ear.
        """
        side = max(image.shape[:2])
        best: _Placed | None = None
        for view in _views(image):
            if best is not None and _size(best) >= min(_ENOUGH * side, view.side / 2):
                break
            detections = [d for d in self._detector(image, view) if best is None or _is_larger(d, best[0])]
            placed = self._placed(image, view, detections, sure=best is not None)
            if not placed and best is None and any(d.side >= _LARGE * side for d in detections):
                return []
            best = max([*placed, *([best] if best else [])], key=_size, default=None)
        return [best] if best else []

    def _all_faces(self, image: UInt8[np.ndarray, "h w 3"]) -> list[_Placed]:
        """Faces of every view, each once."""
        placed = [
            pair for view in _views(image) for pair in self._placed(image, view, self._detector(image, view))
        ]
        boxes = [_with_box_of(landmarks, detection) for detection, landmarks in placed]
        kept = without_repeats(boxes)
        return [pair for pair, box in zip(placed, boxes, strict=True) if any(box is k for k in kept)]

    def _placed(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        view: Square,
        detections: list[Detection],
        sure: bool = False,
    ) -> list[_Placed]:
        """Detections with their points, without those that the landmark network refuses.

        Many small views find faces in foliage and hair more often than one large one does. Real faces leave the
        network in no doubt, so in a part of the photo it must be sure, as it must where ``sure`` asks for it.
        """
        is_part = view.side < max(image.shape[:2])
        least = max(self.min_score, _SURE) if sure or is_part else self.min_score
        pairs = ((d, self._landmarker.place(image, d, least)) for d in detections)
        return [(detection, landmarks) for detection, landmarks in pairs if landmarks is not None]

    def _face(
        self, image: UInt8[np.ndarray, "h w 3"], path: str, detection: Detection, landmarks: Landmarks
    ) -> Face:
        base_xy, base_depth = landmarks.xy[:BASE_COUNT], landmarks.depth[:BASE_COUNT]
        vertices_xy = self.mesh.from_base @ base_xy
        depth = self.mesh.from_base @ (base_depth - base_depth.mean())
        inside = _within(vertices_xy, image)
        share = float(inside[:BASE_COUNT].mean())
        return Face(
            image=image,
            vertices_xy=vertices_xy,
            depth=depth,
            visible=inside & visible_vertices(vertices_xy, depth, self.mesh.triangles, self._base_triangles),
            pose_deg=head_pose(
                self.mesh.vertices[:BASE_COUNT], base_xy, base_depth, self.mesh.procrustes_weights
            ),
            quality=landmarks.presence * share,
            mesh=self.mesh,
            path=path,
            quality_parts={
                "detection": detection.score,
                "presence": landmarks.presence,
                "inside": share,
                "size_px": _size((detection, landmarks)),
            },
        )


def base_triangles(mesh: Mesh) -> Int[np.ndarray, "t 3"]:
    """Triangles of the mesh that ``mesh`` is a subdivision of, in any winding.

    A dense triangle lies within one base triangle; the one in its middle mixes all three corners.
    """
    rows = sum(mesh.from_base[mesh.triangles[:, corner]] for corner in range(3))
    rows.sort_indices()
    spans_three = np.flatnonzero(np.diff(rows.indptr) == 3)
    corners = rows.indices[rows.indptr[spans_three][:, None] + np.arange(3)]
    return np.unique(corners, axis=0).astype(np.int64)


def _views(image: UInt8[np.ndarray, "h w 3"]) -> Iterator[Square]:
    height, width = image.shape[:2]
    yield whole_view(height, width)
    yield from fallback_views(height, width)


def _size(placed: _Placed) -> float:
    """Longer side of the box of a face's base vertices in pixels."""
    return float(np.ptp(placed[1].xy[:BASE_COUNT], axis=0).max())


def _is_larger(detection: Detection, known: Detection) -> bool:
    """Whether a detection is a larger face than the known one, not that face again from another view."""
    return detection.side > known.side and overlap(detection.box_xyxy, known.box_xyxy)[0] <= 0.3


def _with_box_of(landmarks: Landmarks, detection: Detection) -> Detection:
    """The detection with the box of its points: the same face from two views has the same one."""
    xy = landmarks.xy[:BASE_COUNT]
    return replace(detection, box_xyxy=np.concatenate([xy.min(axis=0), xy.max(axis=0)]))


def _within(points_xy: Float[np.ndarray, "n 2"], image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "n"]:
    """Whether a pixel of the image covers each point."""
    size_wh = np.array(image.shape[1::-1])
    return np.asarray(((points_xy >= -0.5) & (points_xy < size_wh - 0.5)).all(axis=1))
