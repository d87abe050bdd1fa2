"""Face finder: detections of a photo with their landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from canonface.alignment.detector import (
    Detection,
    Detector,
    deduplicate,
    fallback_views,
    overlap,
    whole_view,
)
from canonface.alignment.landmarks import Landmarker, Landmarks
from canonface.alignment.square_crop import SquareCrop
from canonface.assets import asset_path
from canonface.errors import NoFaceError, OptionError
from canonface.files import sha256_file
from canonface.landmarker.networks import DETECTOR, LANDMARKS, LiteRTNetwork, read_networks
from canonface.types import WhichFaces

_SURE = 0.99
"""Smallest presence of a face that is found only in a part of the photo, or that replaces another face."""

_ENOUGH = 0.3
"""A face of this share of the photo's longer side is taken as the largest; no further view is searched."""

_LARGE = 0.2
"""Smallest side of a large face, as a share of the photo's longer side."""

FoundFace = tuple[Detection, Landmarks]
"""A detected face and its landmarks."""

BASE_COUNT = 468
"""Number of vertices of the canonical face mesh; they are the first of the network's points."""


class FaceFinder:
    """Finds faces and their 478 points with the networks of the face landmarker.

    Args:
        faces: ``"largest"`` or ``"all"``.
        min_score: smallest detection score and smallest presence of a face.
        threads: CPU threads of the networks.
        weights: the landmarker's ``.task`` file; default: the one in the package.

    Attributes:
        digest: SHA-256 of that file.
    """

    def __init__(
        self,
        faces: WhichFaces = "largest",
        min_score: float = 0.5,
        threads: int = 1,
        weights: Path | None = None,
    ) -> None:
        if faces not in ("largest", "all"):
            raise OptionError(f"faces is 'largest' or 'all'; got {faces!r}.")
        if not 0 < min_score <= 1:
            raise OptionError(f"min_score is above 0 and at most 1; got {min_score}.")
        self.faces = faces
        self.min_score = min_score
        path = weights or asset_path("face_landmarker.task")
        networks = read_networks(path)
        self.digest = sha256_file(path)
        self.detector = Detector(LiteRTNetwork(networks[DETECTOR], threads), min_score)
        self._landmarker = Landmarker(LiteRTNetwork(networks[LANDMARKS], threads))

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], path: str = "") -> list[FoundFace]:
        """Return the faces of a photo, the largest first; the list is never empty.

        Args:
            image: the photo.
            path: path of the photo, for error messages.

        Raises:
            NoFaceError: the photo shows no face.
        """
        found = self._all_faces(image) if self.faces == "all" else self._largest_face(image)
        if not found:
            raise NoFaceError(
                f"A photo shows a face that looks more or less into the camera; none was found in "
                f"{path or 'the photo'} ({image.shape[1]} x {image.shape[0]} pixels, min_score "
                f"{self.min_score:g}). Use a photo in which the face is larger, has a margin around it, is less "
                "turned away or better lit, or lower min_score."
            )
        return sorted(found, key=lambda placed: -size_px(placed))

    def _largest_face(self, image: UInt8[np.ndarray, "h w 3"]) -> list[FoundFace]:
        """Return the largest face in a list, or an empty list.

        Nearly always the whole photo shows it, and no other view is searched. But a small face may be a bystander:
        the detector misses a face that fills the photo or is cut by its border, and finds the one behind it. So if
        the largest face so far is small, further views are searched for a larger one, as long as they are large
        enough to show it.

        A large face that is detected but refused, because it is turned away too far, also ends the search: smaller
        views would only find its ear.
        """
        side = max(image.shape[:2])
        best: FoundFace | None = None
        for view in _views(image):
            if best is not None and size_px(best) >= min(_ENOUGH * side, view.side / 2):
                break
            detections = [d for d in self.detector(image, view) if best is None or _is_larger(d, best[0])]
            placed = self._placed(image, view, detections, sure=best is not None)
            if not placed and best is None and any(d.side >= _LARGE * side for d in detections):
                return []
            best = max([*placed, *([best] if best else [])], key=size_px, default=None)
        return [best] if best else []

    def _all_faces(self, image: UInt8[np.ndarray, "h w 3"]) -> list[FoundFace]:
        """Return the faces of all views, each once."""
        placed = [
            pair for view in _views(image) for pair in self._placed(image, view, self.detector(image, view))
        ]
        boxes = [_with_box_of(landmarks, detection) for detection, landmarks in placed]
        kept = deduplicate(boxes)
        return [pair for pair, box in zip(placed, boxes, strict=True) if any(box is k for k in kept)]

    def _placed(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        view: SquareCrop,
        detections: list[Detection],
        sure: bool = False,
    ) -> list[FoundFace]:
        """Return the detections with their points, without those that the landmark network refuses.

        Many small views detect faces in foliage and hair more often than one large view. Real faces have a presence
        close to 1. So the presence must reach `_SURE` in a view that shows a part of the photo, or if ``sure`` is
        True.
        """
        is_part = view.side < max(image.shape[:2])
        least = max(self.min_score, _SURE) if sure or is_part else self.min_score
        pairs = ((d, self._landmarker.place(image, d, least)) for d in detections)
        return [(detection, landmarks) for detection, landmarks in pairs if landmarks is not None]


def _views(image: UInt8[np.ndarray, "h w 3"]) -> Iterator[SquareCrop]:
    height, width = image.shape[:2]
    yield whole_view(height, width)
    yield from fallback_views(height, width)


def size_px(placed: FoundFace) -> float:
    """Return the longer side of the box of a face's base vertices, in pixels."""
    return float(np.ptp(placed[1].xy[:BASE_COUNT], axis=0).max())


def _is_larger(detection: Detection, known: Detection) -> bool:
    """Return True if a detection is a larger face than the known one, and not the same face from another view."""
    return detection.side > known.side and overlap(detection.box_xyxy, known.box_xyxy)[0] <= 0.3


def _with_box_of(landmarks: Landmarks, detection: Detection) -> Detection:
    """Return the detection with the bounding box of its points, which is the same for one face in two views."""
    xy = landmarks.xy[:BASE_COUNT]
    return replace(detection, box_xyxy=np.concatenate([xy.min(axis=0), xy.max(axis=0)]))
