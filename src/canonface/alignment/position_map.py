"""Aligner by position maps: a user's network that draws the vertices of a face into a texture, as PRNet does.

Y. Feng et al., "Joint 3D Face Reconstruction and Dense Alignment with Position Map Regression Network", ECCV 2018.
The conventions are those of its released code (``api.py``): crop, ``face_ind.txt``, and the mapping back to the
photo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from canonface.alignment.finder import FaceFinder, FoundFace
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placement import placed_face, remove_cut_faces
from canonface.alignment.position_network import PositionNetwork
from canonface.alignment.square_crop import SquareCrop
from canonface.errors import AlignmentError, OptionError
from canonface.files import sha256_file
from canonface.types import Face, Mesh, WhichFaces

SIZE = 256
"""Side of the crop and of the map in pixels."""

BROWS_TO_CHIN = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 234, 454, 132, 361, 172, 397, 152)
"""The landmarker's points whose box replaces that of PRNet's 68 points: brows, sides of the face, jaw and chin."""


class PositionMapAligner:
    """Places faces with a position-map network; the landmarker finds them.

    The network maps a square crop of 256 x 256 pixels, RGB in 0..1, to 256 x 256 x 3 values: the x, y and z of the
    face's surface at each texel, as shares of ``1.1 * 256`` crop pixels, z towards the viewer. Channels may come last
    or first. ``Face.quality`` is presence x the share of the vertices in the photo.

    Args:
        mesh: mesh of the indexed texels, e.g. from `canonface.mesh.fitted_mesh`.
        network: the user's file: ``.onnx``, or TorchScript as ``.pt`` or ``.pth``.
        indices: file of the texels that are vertices, row by row from 0: PRNet's ``face_ind.txt``, or ``.npy``.
        stride: every stride-th of them is a vertex of the mesh.
        factor: side of the crop as a multiple of the mean side of the face's box. PRNet uses 1.6 for key points and
            1.58 for boxes of a detector.
        shift: distance of the crop's centre below the centre of the box, as a share of that mean side. PRNet uses 0
            for key points and 0.14 for boxes of a detector.
        max_position: number of crop pixels that a value of 1 stands for.
        faces: ``"largest"`` or ``"all"``, as for the landmarker.
        min_score: smallest detection score and smallest presence of a face.
        min_inside: smallest share of the vertices that lie in the photo.
        max_megapixels: largest photo that is read.
    """

    name = "position-map"

    def __init__(
        self,
        mesh: Mesh,
        network: str | Path,
        indices: str | Path,
        stride: int = 1,
        factor: float = 1.6,
        shift: float = 0.0,
        max_position: float = 1.1 * SIZE,
        faces: WhichFaces = "largest",
        min_score: float = 0.5,
        min_inside: float = 0.6,
        max_megapixels: float = 64,
    ) -> None:
        if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
            raise OptionError(f"stride is a whole number, at least 1; got {stride!r}.")
        if not factor > 0 or not np.isfinite(shift) or not max_position > 0:
            raise OptionError(
                f"factor and max_position are positive, shift is a number; got {factor}, {max_position}, {shift}."
            )
        if not 0 < min_inside <= 1:
            raise OptionError(f"min_inside is above 0 and at most 1; got {min_inside}.")
        self._texels = read_texels(Path(indices))[::stride]
        if len(self._texels) != mesh.face_count:
            raise OptionError(
                f"Each vertex of the mesh has a texel; {mesh.name!r} has {mesh.face_count} vertices, {indices} with "
                f"stride {stride} {len(self._texels)} texels. Use the stride of the mesh, or its own index file."
            )
        self.mesh = mesh
        self.stride, self.factor, self.shift, self.max_position = stride, factor, shift, max_position
        self.finder = FaceFinder(faces, min_score)
        self.min_inside = min_inside
        self.max_megapixels = max_megapixels
        self._network = PositionNetwork(Path(network), SIZE)
        self._digests = {"network": sha256_file(network), "indices": sha256_file(indices)}

    def describe(self) -> dict[str, str | float]:
        """Return the options that determine the position of a face, with the SHA-256 of each file."""
        return {
            "name": self.name,
            **self._digests,
            "landmarker": self.finder.digest,
            "stride": self.stride,
            "factor": self.factor,
            "shift": self.shift,
            "max_position": self.max_position,
            "faces": self.finder.faces,
            "min_score": self.finder.min_score,
            "min_inside": self.min_inside,
            "max_megapixels": self.max_megapixels,
        }

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the faces of a photo, the largest first: see `Aligner`.

        Raises:
            AlignmentError: the network's output is not a position map, or holds NaN.
        """
        image = read_photo(photo, self.max_megapixels)
        path = path or (str(photo) if isinstance(photo, str | Path) else "")
        faces = [self._face(image, path, placed) for placed in self.finder(image, path)]
        return remove_cut_faces(faces, self.min_inside, path)

    def _face(self, image: UInt8[np.ndarray, "h w 3"], path: str, placed: FoundFace) -> Face:
        detection, landmarks = placed
        square = prnet_crop(landmarks.xy[list(BROWS_TO_CHIN)], self.factor, self.shift)
        pixels = square.sample(image, SIZE, outside=0).astype(np.float32) / 255
        positions = self._network(pixels).reshape(-1, 3)[self._texels].astype(np.float64) * self.max_position
        if not np.isfinite(positions).all():
            raise AlignmentError(
                f"A position map holds finite numbers; the network's for {path or 'the photo'} has NaN or infinity. "
                "Check what values it expects."
            )
        # Pixel k of the crop has its centre at (k + 0.5) / SIZE of the square.
        xy = square.to_photo((positions[:, :2] + 0.5) / SIZE)
        return placed_face(
            self.mesh,
            image,
            xy,
            -positions[:, 2] * square.side / SIZE,
            found=landmarks.presence,
            path=path,
            parts={"detection": detection.score, "presence": landmarks.presence},
        )


def prnet_crop(points_xy: Float[np.ndarray, "n 2"], factor: float, shift: float) -> SquareCrop:
    """Return PRNet's upright square crop around points.

    Its side is ``factor`` times the mean side of the points' box; its centre is shifted down by ``shift`` mean sides.
    """
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    size = float((high - low).mean())
    x, y = (low + high) / 2
    # PRNet truncates the side to whole pixels.
    return SquareCrop((float(x), float(y) + shift * size), float(max(int(factor * size), 1)))


def read_texels(path: Path) -> Int[np.ndarray, "n"]:
    """Read the texels that are vertices, counted row by row from 0.

    Raises:
        OptionError: the file is missing or holds something else.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as stream:
                values = np.lib.format.read_array(stream, allow_pickle=False)
        else:
            values = np.array([float(word) for word in path.read_text(encoding="ascii").split()])
    except (OSError, ValueError, UnicodeDecodeError, EOFError) as error:
        raise OptionError(
            f"indices is a text file of whole numbers, or an .npy file; {path} cannot be read as one: {error}."
        ) from error
    values = np.asarray(values).reshape(-1)
    whole = values.dtype.kind in "iuf" and values.size and bool((values == np.floor(values)).all())
    if not whole or values.min() < 0 or values.max() >= SIZE * SIZE:
        raise OptionError(
            f"indices are whole numbers from 0 to {SIZE * SIZE - 1}, texels of a map of {SIZE} x {SIZE}; {path} "
            f"holds {values.size} values"
            + (f" from {values.min():g} to {values.max():g}." if values.size else ".")
        )
    return values.astype(np.int64)
