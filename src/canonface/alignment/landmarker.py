"""The default aligner: BlazeFace and the 478-point face mesh, offline, with weights in the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from canonface.alignment.detector import Detection
from canonface.alignment.finder import BASE_COUNT, FaceFinder, size_px
from canonface.alignment.halo import inside_image, with_halo
from canonface.alignment.landmarks import Landmarks
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placement import remove_cut_faces
from canonface.errors import OptionError
from canonface.geometry import head_pose, visible_vertices
from canonface.types import Face, Mesh, WhichFaces


class LandmarkerAligner:
    """Aligns photos with the networks of the face landmarker on LiteRT.

    ``Face.quality`` is presence x inside: the network's probability that the crop shows a face, times the share of
    the base vertices that lie in the photo. ``Face.quality_parts`` holds both, with ``detection`` (the detector's
    score) and ``size_px`` (the longer side of the mesh's bounding box).

    Args:
        mesh: a mesh whose base is the landmarker's 468 vertices.
        faces: ``"largest"`` returns the largest face of the photo; if its border cuts that face, it raises
            ``FaceCutError``, even if other faces are complete. ``"all"`` returns every face that is not cut, the
            largest first; a warning of the logger ``canonface`` counts the cut ones.
        min_score: smallest detection score and smallest presence of a face.
        min_inside: smallest share of the base vertices that lie in the photo; below it a face is cut.
        max_megapixels: largest photo that is read.
        threads: CPU threads of the networks.
        weights: the landmarker's ``.task`` file; default: the one in the package.
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
        if not 0 < min_inside <= 1:
            raise OptionError(f"min_inside is above 0 and at most 1; got {min_inside}.")
        self.mesh = mesh
        self.finder = FaceFinder(faces, min_score, threads, weights)
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels
        self._base_triangles = base_triangles(mesh)

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
        faces = [self._face(image, path, *placed) for placed in self.finder(image, path)]
        return remove_cut_faces(faces, self.min_inside, path)

    def _face(
        self, image: UInt8[np.ndarray, "h w 3"], path: str, detection: Detection, landmarks: Landmarks
    ) -> Face:
        base_xy, base_depth = landmarks.xy[:BASE_COUNT], landmarks.depth[:BASE_COUNT]
        vertices_xy = self.mesh.from_base @ base_xy
        depth = self.mesh.from_base @ (base_depth - base_depth.mean())
        inside = inside_image(vertices_xy, image)
        share = float(inside[:BASE_COUNT].mean())
        shown = inside & visible_vertices(vertices_xy, depth, self.mesh.triangles, self._base_triangles)
        vertices_xy, depth, shown = with_halo(
            self.mesh, vertices_xy, depth, shown, image, self._base_triangles
        )
        return Face(
            image=image,
            vertices_xy=vertices_xy,
            depth=depth,
            visible=shown,
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
                "size_px": size_px((detection, landmarks)),
            },
        )


def base_triangles(mesh: Mesh) -> Int[np.ndarray, "t 3"]:
    """Return the triangles of the base mesh of a subdivided mesh, in any winding.

    A triangle of the subdivided mesh lies within one base triangle; the one at its centre mixes all three corners.
    """
    rows = sum(mesh.from_base[mesh.triangles[:, corner]] for corner in range(3))
    rows.sort_indices()
    spans_three = np.flatnonzero(np.diff(rows.indptr) == 3)
    corners = rows.indices[rows.indptr[spans_three][:, None] + np.arange(3)]
    return np.unique(corners, axis=0).astype(np.int64)
