"""Faces in a photo: where the detector looks, and the points that the landmark network gives for what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from canonface.alignment.detector import (
    Detection,
    Detector,
    fallback_views,
    overlap,
    whole_view,
    without_repeats,
)
from canonface.alignment.digests import file_sha256
from canonface.alignment.landmarks import Landmarker, Landmarks
from canonface.alignment.square import Square
from canonface.assets import asset_path
from canonface.errors import NoFaceError, OptionError
from canonface.landmarker.bundle import DETECTOR, LANDMARKS, read_networks
from canonface.landmarker.network import Network
from canonface.types import WhichFaces

_SURE = 0.99
"""Least presence of a face that is found in a part of the photo only, or that takes the place of another."""

_ENOUGH = 0.3
"""A face of this share of the photo's longer side is taken for the largest: no further view is looked at."""

_LARGE = 0.2
"""Least side of a large face, as a share of the photo's longer side."""

Placed = tuple[Detection, Landmarks]
"""A face: how it was found, and its points."""

BASE_COUNT = 468
"""Vertices of the canonical face mesh, the first of the network's points."""


class FaceFinder:
    """Finds faces with the face landmarker's networks, and the 478 points of each.

    Args:
        faces: ``"largest"`` or ``"all"``.
        min_score: least detection score and least presence of a face.
        threads: CPU threads of the networks.
        weights: the landmarker's ``.task`` file; by default the one in the package.

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
        self.digest = file_sha256(path)
        self.detector = Detector(Network(networks[DETECTOR], threads), min_score)
        self._landmarker = Landmarker(Network(networks[LANDMARKS], threads))

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], path: str = "") -> list[Placed]:
        """Faces of a photo, the largest first; never an empty list.

        Args:
            image: the photo.
            path: where it came from, for messages.

        Raises:
            NoFaceError: there is none.
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

    def _largest_face(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Placed]:
        """The largest face, or none. The whole photo shows it nearly always, and is the only view then.

        A small face may be a bystander: the detector overlooks a face that fills the photo or is cut by its
        border, and finds the one behind. So where the largest face so far is small, further views are asked for a
        larger one, as long as they are large enough to show it.

        A large face that is found and refused, because it turned away too far, ends the search as well: smaller
        views would only find its ear.
        """
        side = max(image.shape[:2])
        best: Placed | None = None
        for view in _views(image):
            if best is not None and size_px(best) >= min(_ENOUGH * side, view.side / 2):
                break
            detections = [d for d in self.detector(image, view) if best is None or _is_larger(d, best[0])]
            placed = self._placed(image, view, detections, sure=best is not None)
            if not placed and best is None and any(d.side >= _LARGE * side for d in detections):
                return []
            best = max([*placed, *([best] if best else [])], key=size_px, default=None)
        return [best] if best else []

    def _all_faces(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Placed]:
        """Faces of every view, each once."""
        placed = [
            pair for view in _views(image) for pair in self._placed(image, view, self.detector(image, view))
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
    ) -> list[Placed]:
        """Detections with their points, without those that the landmark network refuses.

        Many small views find faces in foliage and hair more often than one large one does. Real faces leave the
        network in no doubt, so in a part of the photo it must be sure, as it must where ``sure`` asks for it.
        """
        is_part = view.side < max(image.shape[:2])
        least = max(self.min_score, _SURE) if sure or is_part else self.min_score
        pairs = ((d, self._landmarker.place(image, d, least)) for d in detections)
        return [(detection, landmarks) for detection, landmarks in pairs if landmarks is not None]


def _views(image: UInt8[np.ndarray, "h w 3"]) -> Iterator[Square]:
    height, width = image.shape[:2]
    yield whole_view(height, width)
    yield from fallback_views(height, width)


def size_px(placed: Placed) -> float:
    """Longer side of the box of a face's base vertices in pixels."""
    return float(np.ptp(placed[1].xy[:BASE_COUNT], axis=0).max())


def _is_larger(detection: Detection, known: Detection) -> bool:
    """Whether a detection is a larger face than the known one, not that face again from another view."""
    return detection.side > known.side and overlap(detection.box_xyxy, known.box_xyxy)[0] <= 0.3


def _with_box_of(landmarks: Landmarks, detection: Detection) -> Detection:
    """The detection with the box of its points: the same face from two views has the same one."""
    xy = landmarks.xy[:BASE_COUNT]
    return replace(detection, box_xyxy=np.concatenate([xy.min(axis=0), xy.max(axis=0)]))
