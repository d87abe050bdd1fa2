"""Face detection with BlazeFace (short range) on LiteRT.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv 1907.05047. Anchors,
decoding and suppression follow the settings that MediaPipe publishes for this network
(``face_detection_short_range``): 128 x 128 input, values -1..1, 896 anchors of fixed size, 6 key points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from canonface.alignment.square_crop import SquareCrop

INPUT_SIZE = 128
RIGHT_EYE, LEFT_EYE, NOSE_TIP, MOUTH, RIGHT_EAR, LEFT_EAR = range(6)
"""Rows of ``Detection.keypoints_xy``; left and right are the subject's."""

_ANCHORS_PER_CELL = {8: 2, 16: 6}
"""Stride of a feature map in input pixels -> anchors per cell."""


@dataclass(frozen=True, eq=False)
class Detection:
    """Detected face: bounding box, key points and score.

    Attributes:
        box_xyxy: ``(4,)`` left, top, right, bottom in photo pixels; the box may extend beyond the photo.
        keypoints_xy: ``(6, 2)`` right eye, left eye, nose tip, mouth, right ear, left ear, in photo pixels.
        score: probability from 0 to 1 that this is a face.
    """

    box_xyxy: Float[np.ndarray, "4"]
    keypoints_xy: Float[np.ndarray, "6 2"]
    score: float

    @property
    def side(self) -> float:
        """Longer side of the box in pixels."""
        return float((self.box_xyxy[2:] - self.box_xyxy[:2]).max())


def anchors() -> Float[np.ndarray, "896 2"]:
    """Return the centres of the anchors, 0..1 from edge to edge of the input.

    They are ordered by cell, stride 8 before stride 16.
    """
    layers = []
    for stride, count in _ANCHORS_PER_CELL.items():
        cells = INPUT_SIZE // stride
        rows, columns = np.mgrid[:cells, :cells]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / cells
        layers.append(np.repeat(centres, count, axis=0))
    return np.concatenate(layers)


def decode(
    regressors: Float[np.ndarray, "n 16"],
    logits: Float[np.ndarray, "n"],
    anchors_xy: Float[np.ndarray, "n 2"],
    min_score: float,
) -> list[Detection]:
    """Convert network outputs to detections in coordinates of the input square, 0..1, best first.

    A row of ``regressors`` is centre x, y, width, height and six points x, y, in input pixels relative to the anchor.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    found = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < min_score:
            break
        pairs = regressors[i].reshape(8, 2).astype(np.float64) / INPUT_SIZE
        centre, half = anchors_xy[i] + pairs[0], pairs[1] / 2
        box = np.concatenate([centre - half, centre + half])
        found.append(Detection(box, anchors_xy[i] + pairs[2:], float(scores[i])))
    return found


def overlap(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> tuple[float, float]:
    """Return the intersection of two boxes, divided by their union and by the smaller box."""
    shared = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
    areas = (a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod()
    return float(shared / max(sum(areas) - shared, 1e-12)), float(shared / max(min(areas), 1e-12))


def suppress(detections: Sequence[Detection], min_overlap: float = 0.3) -> list[Detection]:
    """Merge overlapping detections by weighted non-maximum suppression.

    The best detection and all that overlap it (intersection over union above ``min_overlap``) are averaged, weighted
    by their scores; the result keeps the best score.
    """
    rest = sorted(detections, key=lambda d: -d.score)
    kept = []
    while rest:
        best = rest[0]
        group = [d for d in rest if d is best or overlap(d.box_xyxy, best.box_xyxy)[0] > min_overlap]
        weights = np.array([d.score for d in group])
        weights /= weights.sum()
        box = sum((w * d.box_xyxy for w, d in zip(weights, group, strict=True)), start=np.zeros(4))
        points = sum(
            (w * d.keypoints_xy for w, d in zip(weights, group, strict=True)), start=np.zeros((6, 2))
        )
        kept.append(Detection(box, points, best.score))
        rest = [d for d in rest if not any(d is member for member in group)]
    return kept


def deduplicate(detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections of several views with each face once; the best score wins.

    A tile may show half a face as a smaller face, so a box that lies mostly inside a better box is removed too.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        overlaps = (overlap(detection.box_xyxy, other.box_xyxy) for other in kept)
        if not any(union > 0.3 or inside > 0.6 for union, inside in overlaps):
            kept.append(detection)
    return kept


def whole_view(height: int, width: int) -> SquareCrop:
    """Return the view of the whole photo, letterboxed."""
    return SquareCrop(((width - 1) / 2, (height - 1) / 2), float(max(height, width)))


def fallback_views(height: int, width: int) -> Iterator[SquareCrop]:
    """Yield the views to search, in order, if the whole photo shows no face.

    First the photo with wider margins, for crops that the face fills: BlazeFace needs the surroundings of a face.
    Then the photo rotated by a quarter turn either way, for files that lost their orientation. Then overlapping tiles
    of 3/5, 2/5 and 1/4 of the longer side, for small faces in large photos.
    """
    whole = whole_view(height, width)
    for growth in (1.5, 2.2):
        yield SquareCrop(whole.centre_xy, whole.side * growth)
    for quarter_turns in (1, 3):
        yield SquareCrop(whole.centre_xy, whole.side, quarter_turns * np.pi / 2)
    for share in (0.6, 0.4, 0.25):
        side = whole.side * share
        for y in _tile_centres(height, side):
            for x in _tile_centres(width, side):
                yield SquareCrop((x, y), side)


def _tile_centres(length: int, side: float) -> list[float]:
    """Return the centres of the fewest tiles that cover ``length`` pixels with an overlap of a fifth or more."""
    if length <= side:
        return [(length - 1) / 2]
    count = 1 + int(np.ceil((length - side) / (0.8 * side)))
    return list(np.linspace(side / 2, length - side / 2, count) - 0.5)


class Detector:
    """Finds faces in one view of a photo.

    Args:
        network: maps a ``(1, 128, 128, 3)`` input to ``regressors`` and ``classificators``.
        min_score: smallest score of a face.
    """

    def __init__(
        self,
        network: Callable[[Float32[np.ndarray, "1 128 128 3"]], dict[str, Float32[np.ndarray, "..."]]],
        min_score: float = 0.5,
    ) -> None:
        self._network = network
        self._min_score = min_score
        self._anchors = anchors()

    def __call__(self, photo: UInt8[np.ndarray, "h w 3"], view: SquareCrop) -> list[Detection]:
        """Return the faces that the view shows, in photo pixels, best first."""
        pixels = view.sample(photo, INPUT_SIZE, outside=0)
        outputs = self._network(pixels[None].astype(np.float32) / np.float32(127.5) - 1)
        decoded = decode(
            outputs["regressors"][0], outputs["classificators"][0, :, 0], self._anchors, self._min_score
        )
        return [_in_photo(detection, view) for detection in suppress(decoded)]


def _in_photo(detection: Detection, view: SquareCrop) -> Detection:
    corners = view.to_photo(detection.box_xyxy.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Detection(box, view.to_photo(detection.keypoints_xy), detection.score)
