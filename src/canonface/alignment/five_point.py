"""Alignment by five points and nothing else: the similarity of face recognition's crops, for the alignment study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from canonface.alignment.cutting import uncut
from canonface.alignment.finding import FaceFinder, Placed
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placing import placed_face
from canonface.errors import OptionError
from canonface.geometry import similarity
from canonface.types import Face, Mesh, Pose, WhichFaces

FIVE_POINTS: dict[str, tuple[int, ...]] = {
    "right_eye": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "left_eye": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    "nose_tip": (1,),
    "right_mouth_corner": (61,),
    "left_mouth_corner": (291,),
}
"""The landmarker's points whose mean each of the five is, as the default mesh names them; an eye is the mean of its
contour, so that gaze does not move it."""

_Y_UP = np.array([1.0, -1.0])


class FivePointAligner:
    """Lays a flat mesh on the photo by the similarity of five points: it follows place, size and roll, nothing else.

    The landmarker finds face and points. Every vertex in the photo counts as visible, as a flat mesh hides nothing;
    depth is NaN, and of the pose only roll is known. ``Face.quality`` is presence x the share of the mesh's
    vertices that lie in the photo.

    Args:
        mesh: a mesh with the landmarks of `FIVE_POINTS`, e.g. `canonface.mesh.five_point_mesh()`.
        faces: ``"largest"`` or ``"all"``, as for the landmarker.
        min_score: least detection score and least presence of a face.
        min_inside: least share of the mesh's vertices that lie in the photo.
        max_megapixels: largest photo that is read.
    """

    name = "five-point"

    def __init__(
        self,
        mesh: Mesh,
        faces: WhichFaces = "largest",
        min_score: float = 0.5,
        min_inside: float = 0.6,
        max_megapixels: float = 64,
    ) -> None:
        missing = [name for name in FIVE_POINTS if name not in mesh.landmarks]
        if missing:
            raise OptionError(
                f"Five points place a mesh that names them; {mesh.name!r} lacks {', '.join(missing)}. Use "
                "canonface.mesh.five_point_mesh(), or give your mesh those landmarks."
            )
        if not 0 < min_inside <= 1:
            raise OptionError(f"min_inside is above 0 and at most 1; got {min_inside}.")
        self.mesh = mesh
        self.finder = FaceFinder(faces, min_score)
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels

    def describe(self) -> dict[str, str | float]:
        """The choices that decide where a face is placed; a run writes them down."""
        return {
            "name": self.name,
            "landmarker": self.finder.digest,
            "faces": self.finder.faces,
            "min_score": self.finder.min_score,
            "min_inside": self.min_inside,
            "max_megapixels": self.max_megapixels,
        }

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Faces of a photo, the largest first: see ``Aligner``."""
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        return uncut(
            [self._face(image, path, placed) for placed in self.finder(image, path)], self.min_inside, path
        )

    def _face(self, image: np.ndarray, path: str, placed: Placed) -> Face:
        detection, landmarks = placed
        own = np.array([self.mesh.landmark_xy(name, self.mesh.vertices[:, :2]) for name in FIVE_POINTS])
        fit = similarity(own, five_points(landmarks.xy) * _Y_UP)
        xy = fit(self.mesh.vertices[: self.mesh.face_count, :2]) * _Y_UP
        roll = float(np.degrees(np.arctan2(-fit.rotation[1, 0], fit.rotation[0, 0])))
        face = placed_face(
            self.mesh,
            image,
            xy,
            found=landmarks.presence,
            path=path,
            parts={"detection": detection.score, "presence": landmarks.presence},
        )
        return replace(face, pose_deg=Pose(float("nan"), float("nan"), roll))


def five_points(landmarks_xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "5 2"]:
    """The five points among the landmarker's, in the order of `FIVE_POINTS`."""
    return np.array([landmarks_xy[list(members)].mean(axis=0) for members in FIVE_POINTS.values()])
