"""Flat aligners for the alignment study: five points only, and no alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from canonface.alignment.finder import FaceFinder, FoundFace
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placement import placed_face, remove_cut_faces
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
"""Each of the five points -> the landmarker's points whose mean it is, named as in the default mesh.

An eye is the mean of its contour, so that it does not move with gaze.
"""

_Y_UP = np.array([1.0, -1.0])


class FivePointAligner:
    """Places a flat mesh by the similarity of five points: it follows position, size and roll of the face only.

    The landmarker finds the face and the points. A flat mesh has no self-occlusion, so every vertex in the photo
    counts as visible. Depth is NaN, and only roll is known of the pose. ``Face.quality`` is presence x the share of
    the mesh's vertices that lie in the photo.

    Args:
        mesh: a mesh with the landmarks of `FIVE_POINTS`, e.g. `canonface.mesh.five_point_mesh()`.
        faces: ``"largest"`` or ``"all"``, as for the landmarker.
        min_score: smallest detection score and smallest presence of a face.
        min_inside: smallest share of the mesh's vertices that lie in the photo.
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
                f"A mesh for five points needs their landmarks; {mesh.name!r} lacks {', '.join(missing)}. Use "
                "canonface.mesh.five_point_mesh(), or give your mesh those landmarks."
            )
        if not 0 < min_inside <= 1:
            raise OptionError(f"min_inside is above 0 and at most 1; got {min_inside}.")
        self.mesh = mesh
        self.finder = FaceFinder(faces, min_score)
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels

    def describe(self) -> dict[str, str | float]:
        """Return the options that determine the position of a face; a run stores them."""
        return {
            "name": self.name,
            "landmarker": self.finder.digest,
            "faces": self.finder.faces,
            "min_score": self.finder.min_score,
            "min_inside": self.min_inside,
            "max_megapixels": self.max_megapixels,
        }

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the faces of a photo, the largest first: see `Aligner`."""
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        return remove_cut_faces(
            [self._face(image, path, placed) for placed in self.finder(image, path)], self.min_inside, path
        )

    def _face(self, image: np.ndarray, path: str, placed: FoundFace) -> Face:
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
    """Return the five points, in the order of `FIVE_POINTS`, from the landmarker's points."""
    return np.array([landmarks_xy[list(members)].mean(axis=0) for members in FIVE_POINTS.values()])


class NoAligner:
    """Stretches a flat mesh over the whole photo; one face per photo, quality 1.

    Its maps are maps of the photo's own pixels. It does not detect faces, so it never raises ``NoFaceError``; depth
    and pose are NaN.

    Args:
        mesh: a grid mesh such as `canonface.mesh.pixel_mesh()`, with each vertex at the centre of a cell. Its frontal
            bounding box is stretched over the photo.
        max_megapixels: largest photo that is read.
    """

    name = "none"

    def __init__(self, mesh: Mesh, max_megapixels: float = 64) -> None:
        self.mesh = mesh
        self.max_megapixels = max_megapixels

    def describe(self) -> dict[str, str | float]:
        """Return the options that determine the position of a face; a run stores them."""
        return {"name": self.name, "max_megapixels": self.max_megapixels}

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the whole photo as one face: see `Aligner`."""
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        # uv is 0 and 1 at the centres of the outermost cells: half a cell lies beyond each.
        share = self.mesh.uv[: self.mesh.face_count]
        cells = np.array([len(np.unique(np.round(share[:, axis], 9))) for axis in (0, 1)])
        places = (share * (cells - 1) + 0.5) / cells
        height, width = image.shape[:2]
        return [placed_face(self.mesh, image, places * (width, height) - 0.5, path=path)]
