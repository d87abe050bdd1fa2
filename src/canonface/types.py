"""Data types that all layers share: `Mesh`, `Face`, `InputSpec` and `ModelInput`.

Conventions in all of canonface:

- Image coordinates are in pixels, in the order ``(x, y)``, ``x`` right and ``y`` down. Pixel ``j`` has its centre at
  coordinate ``j``, so an image of width ``W`` extends from -0.5 to ``W - 0.5``.
- Left and right are the subject's. In a frontal photo the subject's right eye has the smaller ``x``.
- Functions never modify the arrays that they are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.errors import OptionError, near_names


class Pose(NamedTuple):
    """Rotation of a head in degrees; (0, 0, 0) is an upright head that looks straight into the camera.

    Attributes:
        yaw: positive when the face turns towards the right side of the image (the subject's left).
        pitch: positive when the face looks up.
        roll: positive when the head is tilted clockwise as seen in the image.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Mesh:
    """Canonical mesh: vertices that mark the same place on every face.

    The mesh is the coordinate system of all saliency maps: a map has one number per vertex. Its ``V`` vertices are
    ``F`` vertices on the face, followed by ``halo`` vertices around it; the first ``B`` are the base mesh, which a
    subdivided mesh refines. Vertex arrays are in this order everywhere.

    Attributes:
        name: identifier of base mesh and subdivision, e.g. ``"landmarker-468/1"``.
        vertices: ``(V, 3)`` positions in centimetres: x right in the frontal image, y up, z towards the viewer.
        triangles: ``(T, 3)`` vertex indices, counter-clockwise when seen from the front.
        uv: ``(V, 2)`` texture coordinates in [0, 1], v down.
        mirror: ``(V,)`` index of the left-right counterpart of each vertex; a midline vertex is its own counterpart.
        regions: sorted vertex indices of each named region, e.g. ``"right_eye"``; left and right are the subject's.
        from_base: ``(F, B)`` ``scipy.sparse.csr_array`` that interpolates the face vertices from the base vertices:
            ``from_base @ base_xy``. A row has at most three non-negative weights, which sum to 1; the first ``B``
            rows are the identity.
        procrustes_weights: ``(B,)`` weight of each base vertex in the pose estimate.
        landmarks: vertex indices of each named point, e.g. ``"nose_tip"``; the point is their mean. Crops are aligned
            by these points.
        halo: number of off-face vertices, the last ones (``V = F + halo``); they belong to no triangle.
    """

    name: str
    vertices: Float[np.ndarray, "v 3"]
    triangles: Int[np.ndarray, "t 3"]
    uv: Float[np.ndarray, "v 2"]
    mirror: Int[np.ndarray, "v"]
    regions: Mapping[str, Int[np.ndarray, "_"]] = field(repr=False)
    from_base: Any = field(repr=False)
    procrustes_weights: Float[np.ndarray, "b"] = field(repr=False)
    landmarks: Mapping[str, Int[np.ndarray, "_"]] = field(default_factory=dict, repr=False)
    halo: int = 0

    @property
    def face_count(self) -> int:
        """Number ``F`` of vertices on the face; they are the first rows."""
        return len(self.vertices) - self.halo

    def landmark_xy(self, name: str, vertices_xy: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, "2"]:
        """Return the position of a named landmark.

        Args:
            name: a key of ``landmarks``.
            vertices_xy: ``(V, 2)`` positions of the mesh's vertices, in any unit.

        Raises:
            OptionError: the mesh has no landmark of that name.
        """
        if name not in self.landmarks:
            raise OptionError(
                f"The mesh {self.name!r} has no landmark {name!r}: {near_names(name, self.landmarks)} Use a crop "
                "that does not need it, or a mesh that has it."
            )
        return np.asarray(vertices_xy[self.landmarks[name]].mean(axis=0))

    @property
    def base_count(self) -> int:
        """Number ``B`` of vertices of the base mesh; they are the first rows."""
        return int(self.from_base.shape[1])


@dataclass(frozen=True, eq=False)
class Face:
    """Face of a photo, aligned to a mesh: the position of every vertex in the photo.

    An aligner makes it (`canonface.align`); `canonface.explain` takes it.

    Attributes:
        image: ``(H, W, 3)`` ``uint8`` RGB, the whole photo, upright.
        vertices_xy: ``(V, 2)`` position of each mesh vertex in pixels of ``image``: x right, y down.
        depth: ``(V,)`` distance behind the centre of the face in pixels; a larger value is farther from the camera.
            NaN if the aligner does not estimate it.
        visible: ``(V,)`` True if the camera sees the vertex; False if the head hides it or it lies outside the photo.
        pose_deg: rotation of the head in degrees.
        quality: reliability of the alignment, from 0 (worst) to 1 (best).
        mesh: mesh of ``vertices_xy``.
        path: path of the photo; empty if it did not come from a file.
        index: 0 for the largest face of the photo, 1 for the next, and so on.
        quality_parts: components of ``quality``, by name.
    """

    image: UInt8[np.ndarray, "h w 3"] = field(repr=False)
    vertices_xy: Float[np.ndarray, "v 2"] = field(repr=False)
    depth: Float[np.ndarray, "v"] = field(repr=False)
    visible: Bool[np.ndarray, "v"] = field(repr=False)
    pose_deg: Pose
    quality: float
    mesh: Mesh = field(repr=False)
    path: str = ""
    index: int = 0
    quality_parts: Mapping[str, float] = field(default_factory=dict)


Colour = Literal["rgb", "bgr", "grey"]
Crop = Literal["face", "arcface", "facenet", "dlib", "image"]
WhichFaces = Literal["largest", "all"]
Outputs = Literal["logits", "probabilities", "embedding", "values"]
"""Kind of a model's output: class scores, class probabilities, a feature vector, or measured values."""

USUAL_MARGIN: Mapping[str, float] = {"face": 0.3, "arcface": 0.0, "facenet": 0.3, "dlib": 0.5, "image": 0.0}
"""Default margin of each crop."""
_USUAL: Any = None


@dataclass(frozen=True)
class InputSpec:
    """Input format of a model: crop, size, channel order and normalisation.

    A pixel value ``p`` in 0..255 becomes ``(p * scale - mean) / std``, channel by channel.

    Attributes:
        size_hw: height and width of the input in pixels.
        colour: channel order; ``grey`` is one channel, ITU-R 601 luma.
        scale: factor on the pixel values: 1/255 for models that expect 0..1, 1 for 0..255.
        mean: subtracted after scaling; one value per channel, or one for all.
        std: divisor; one value per channel, or one for all.
        crop: part of the photo that the model sees; it is never mirrored:

            - ``face``: square around the mesh; its side is the longer side of the mesh's bounding box.
            - ``arcface``: eyes, nose tip and mouth corners mapped to ArcFace's template by a similarity; eyes level.
            - ``facenet``: the bounding box that MTCNN would find, estimated from the mesh; its aspect ratio changes.
            - ``dlib``: eye corners and nose base mapped to dlib's mean face by a similarity; eyes level.
            - ``image``: the whole photo; its aspect ratio changes, and ``margin`` is ignored.
        margin: enlargement of the crop's sides as a fraction of their length, half of it at each end. It applies to
            the square of ``face``, ArcFace's square of 112 pixels, MTCNN's box, or dlib's unit square.
            Default by crop: ``face`` 0.3; ``arcface`` 0; ``facenet`` 0.3 (FaceNet's 32 pixels on photos of LFW);
            ``dlib`` 0.5 (its padding of 0.25 at each end).
    """

    size_hw: tuple[int, int] = (224, 224)
    colour: Colour = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    crop: Crop = "face"
    margin: float = _USUAL

    def __post_init__(self) -> None:
        if self.colour not in ("rgb", "bgr", "grey"):
            raise OptionError(f"colour is 'rgb', 'bgr' or 'grey'; got {self.colour!r}.")
        if self.crop not in USUAL_MARGIN:
            raise OptionError(
                f"crop is the part of the photo that the model sees; there is no {self.crop!r}: "
                f"{near_names(str(self.crop), USUAL_MARGIN)}"
            )
        if self.margin is _USUAL:
            object.__setattr__(self, "margin", USUAL_MARGIN[self.crop])
        if len(self.size_hw) != 2 or min(self.size_hw) < 1:
            raise OptionError(f"size_hw is (height, width) in pixels, both positive; got {self.size_hw}.")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise OptionError(
                    f"{name} has one value, or one per channel ({self.channels} for {self.colour}); "
                    f"got {getattr(self, name)}."
                )
        if not self.scale > 0 or min(self.std) <= 0:
            raise OptionError(f"scale and std are positive; got scale={self.scale}, std={self.std}.")
        if not -1 < self.margin < np.inf:
            raise OptionError(f"margin is a fraction of the face's size, above -1; got {self.margin}.")

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return 1 if self.colour == "grey" else 3

    def from_pixels(self, rgb: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "c h w"]:
        """Convert RGB pixels in 0..255 to normalised model input, ``float32``, channels first."""
        if self.colour == "grey":
            channels = rgb @ np.array([[0.299], [0.587], [0.114]])
        else:
            channels = rgb if self.colour == "rgb" else rgb[:, :, ::-1]
        values = (channels * self.scale - np.asarray(self.mean)) / np.asarray(self.std)
        return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)

    def to_pixels(self, x: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
        """Convert model input back to RGB pixels; clip to 0..255 and repeat a grey channel three times."""
        values = x.astype(np.float64).transpose(1, 2, 0) * np.asarray(self.std) + np.asarray(self.mean)
        pixels = np.clip(np.rint(values / self.scale), 0, 255).astype(np.uint8)
        if self.colour == "grey":
            return np.repeat(pixels, 3, axis=2)
        return np.ascontiguousarray(pixels if self.colour == "rgb" else pixels[:, :, ::-1])


@dataclass(frozen=True, eq=False)
class ModelInput:
    """A face cropped and normalised for one model.

    Attributes:
        face: the aligned face.
        spec: input format of the model.
        x: ``(c, h, w)`` ``float32``, the normalised input.
        vertices_xy: ``(V, 2)`` position of each mesh vertex in pixels of the input: x right, y down.
        visible: ``(V,)`` as ``face.visible``, and False also where the vertex lies outside the input.
        matrix: ``(2, 3)`` affine map from photo pixels to input pixels: ``xy_input = matrix @ (x, y, 1)``.
    """

    face: Face = field(repr=False)
    spec: InputSpec
    x: Float[np.ndarray, "c h w"] = field(repr=False)
    vertices_xy: Float[np.ndarray, "v 2"] = field(repr=False)
    visible: Bool[np.ndarray, "v"] = field(repr=False)
    matrix: Float[np.ndarray, "2 3"]
