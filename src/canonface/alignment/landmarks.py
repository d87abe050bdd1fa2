"""Landmarks: 478 points of one face in a photo, from crops for the face mesh network.

Crops follow the settings that MediaPipe publishes: a square of 1.5 times the box, rotated so that the eyes are level,
256 x 256, values 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from canonface.alignment.detector import LEFT_EYE, RIGHT_EYE, Detection
from canonface.alignment.square_crop import SquareCrop
from canonface.landmarker.networks import INPUT_SIZE, FaceMeshNetwork, face_points

RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263
_CROP_GROWTH = 1.5
_MAX_DISAGREEMENT = 0.03


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points of one face.

    Attributes:
        xy: ``(478, 2)`` photo pixels.
        depth: ``(478,)`` pixels, larger is farther; zero is near the centre of the head, as the network defines it.
        presence: probability from 0 to 1 that the crop shows a face.
    """

    xy: Float[np.ndarray, "478 2"]
    depth: Float[np.ndarray, "478"]
    presence: float


def crop_of_detection(detection: Detection) -> SquareCrop:
    """Return the square around a detection: 1.5 times its longer side, the eyes level."""
    box = detection.box_xyxy
    eyes = detection.keypoints_xy[[RIGHT_EYE, LEFT_EYE]]
    return _crop((box[:2] + box[2:]) / 2, detection.side, eyes)


def crop_of_landmarks(xy: Float[np.ndarray, "478 2"]) -> SquareCrop:
    """Return the square around a face's points: 1.5 times the longer side of their box, the eyes level.

    MediaPipe crops the next frame of a video in this way.
    """
    low, high = xy.min(axis=0), xy.max(axis=0)
    return _crop((low + high) / 2, float((high - low).max()), xy[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER]])


def _crop(centre: Float[np.ndarray, "2"], side: float, eyes: Float[np.ndarray, "2 2"]) -> SquareCrop:
    x, y = eyes[1] - eyes[0]
    return SquareCrop((float(centre[0]), float(centre[1])), _CROP_GROWTH * side, float(np.arctan2(y, x)))


class Landmarker:
    """Finds the points of the one face in a crop.

    Args:
        network: maps a ``(1, 256, 256, 3)`` input to 478 x 3 values in input pixels and a presence logit.
    """

    def __init__(self, network: FaceMeshNetwork) -> None:
        self._network = network

    def __call__(
        self, photo: UInt8[np.ndarray, "h w 3"], crop: SquareCrop, *, outside: int | None = None
    ) -> Landmarks:
        """Return the points of the face in ``crop``, in photo pixels; ``outside`` as in `SquareCrop.sample`."""
        pixels = crop.sample(photo, INPUT_SIZE, outside=outside)
        points, presence = face_points(self._network, pixels.astype(np.float32) / np.float32(255))
        return Landmarks(crop.to_photo(points[:, :2]), points[:, 2] * crop.side, presence)

    def place(
        self, photo: UInt8[np.ndarray, "h w 3"], detection: Detection, min_presence: float
    ) -> Landmarks | None:
        """Return the points of a detected face, or None if the network sees no face there.

        The network runs twice: the crop of the first pass comes from the detection, that of the second from the
        points of the first. This corrects an inaccurate detection.

        Where the crop extends beyond the photo, the border pixels are repeated outwards. The resulting streaks lower
        the network's presence more than they move its points. So if the network refuses such a face, it runs again
        with black in place of the streaks. The face is accepted if it is present there and the points of both runs
        differ by less than 3% of the face's size on average.
        """
        crop = crop_of_detection(detection)
        placed = self._two_passes(photo, crop, outside=None)
        if placed.presence >= min_presence:
            return placed
        if crop.is_within(photo):
            return None
        on_black = self._two_passes(photo, crop, outside=0)
        apart = np.linalg.norm(on_black.xy - placed.xy, axis=1).mean() / np.ptp(on_black.xy, axis=0).max()
        return on_black if on_black.presence >= min_presence and apart < _MAX_DISAGREEMENT else None

    def _two_passes(
        self, photo: UInt8[np.ndarray, "h w 3"], crop: SquareCrop, outside: int | None
    ) -> Landmarks:
        first = self(photo, crop, outside=outside)
        return self(photo, crop_of_landmarks(first.xy), outside=outside)
