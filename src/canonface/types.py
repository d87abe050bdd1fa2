"""The nouns that every layer shares: the mesh, the aligned face, the model's input.

Conventions that hold everywhere:

- Pixel ``j`` has its centre at coordinate ``j``; ``x`` points right, ``y`` down, always in this order.
- Left and right are the subject's. In a frontal picture the subject's right eye lies at small ``x``.
- Arrays are never changed for the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.errors import OptionError, near_names


class Pose(NamedTuple):
    """Rotation of a head in degrees, relative to one that looks straight into the camera, upright.

    Attributes:
        yaw: positive when the face turns towards the right side of the picture (the subject's left).
        pitch: positive when the face looks up.
        roll: positive when the head is tilted clockwise as seen in the picture.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Mesh:
    """The coordinate system of every map: vertices that mean the same place on every face.

    Attributes:
        name: stable identifier, e.g. ``"landmarker-468/1"`` (base mesh and level).
        vertices: ``(V, 3)`` canonical positions in centimetres; x right in the frontal picture, y up, z
            towards the viewer.
        triangles: ``(T, 3)`` vertex indices, counter-clockwise when seen from the front.
        uv: ``(V, 2)`` texture coordinates in [0, 1].
        mirror: ``(V,)`` index of each vertex's left-right counterpart; a midline vertex is its own.
        regions: named sets of vertex indices, sorted; left and right are the subject's.
        from_base: ``(F, B)`` matrix, three non-negative weights a row that sum to 1: every vertex of the face as
            a mix of the base mesh's. The first ``B`` rows are the identity. A ``scipy.sparse.csr_array``.
        procrustes_weights: ``(B,)`` weight of each base vertex in the pose estimate.
        landmarks: named points of the face, each the mean of a few vertices; what crops are aligned by.
        halo: number of vertices around the face, the last ones: ``V = F + halo``; no triangle holds them.
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
        """Number of vertices that lie on the face, the first rows."""
        return len(self.vertices) - self.halo

    def landmark_xy(self, name: str, vertices_xy: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, "2"]:
        """Where a named point of the face lies, given the vertices.

        Raises:
            OptionError: the mesh does not name that point.
        """
        if name not in self.landmarks:
            raise OptionError(
                f"The mesh {self.name!r} names no point {name!r}: {near_names(name, self.landmarks)} Use a crop that "
                "needs no such point, or a mesh that names it."
            )
        return np.asarray(vertices_xy[self.landmarks[name]].mean(axis=0))

    @property
    def base_count(self) -> int:
        """Number of vertices of the base mesh, the first rows of this one."""
        return int(self.from_base.shape[1])


@dataclass(frozen=True, eq=False)
class Face:
    """One face of one photo, placed on a mesh.

    Attributes:
        image: ``(H, W, 3)`` the whole photo, RGB, upright.
        vertices_xy: ``(V, 2)`` mesh vertices in pixels of ``image``; the first rows are the base mesh's.
        depth: ``(V,)`` distance behind the face's centre in pixels; larger is farther from the camera.
        visible: ``(V,)`` False where the face hides the vertex itself or the photo ends before it.
        pose_deg: yaw, pitch and roll in degrees.
        quality: 0 to 1; how far the alignment is to be trusted.
        mesh: the mesh that ``vertices_xy`` belongs to.
        path: where the photo came from; empty if it came from memory.
        index: position among the faces of the photo, the largest first.
        quality_parts: the numbers that ``quality`` was made of.
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
"""What a model's numbers are: scores of classes, their probabilities, a feature vector, or measured values."""

USUAL_MARGIN: Mapping[str, float] = {"face": 0.3, "arcface": 0.0, "facenet": 0.3, "dlib": 0.5, "image": 0.0}
"""Of each crop, where none is said."""
_USUAL: Any = None


@dataclass(frozen=True)
class InputSpec:
    """How a model wants to be shown a face: ``x = (pixel * scale - mean) / std``, channel by channel.

    Attributes:
        size_hw: height and width of the input in pixels.
        colour: channel order; ``grey`` is one channel, ITU-R 601 luma.
        scale: factor on the 0..255 pixel values: 1/255 for models that work on 0..1, 1 for 0..255.
        mean: subtracted after scaling, one value a channel or one for all.
        std: divisor, one value a channel or one for all.
        crop: what is shown of the photo; never mirrored:

            - ``face``: a square around the mesh, its side the longer side of the mesh's box.
            - ``arcface``: eyes, nose tip and mouth corners laid on ArcFace's template by a similarity; eyes level.
            - ``facenet``: the box that MTCNN would find, estimated from the mesh; its aspect is not kept.
            - ``dlib``: eye corners and nose base laid on dlib's mean face by a similarity; eyes level.
            - ``image``: the whole photo; its aspect is not kept, and ``margin`` means nothing.
        margin: how much longer the sides of ``face``'s square, ArcFace's square of 112 pixels, MTCNN's box or the
            unit square of dlib's mean face are made, as a fraction of themselves, half of it at each end. Left out,
            it is the crop's usual one: 0.3 of a face, 0 of ArcFace's square, 0.3 of MTCNN's box (FaceNet's 32 pixels
            of photos of LFW), 0.5 of dlib's (its padding of 0.25 at each end).
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
                f"crop says what is shown of the photo; there is no {self.crop!r}: "
                f"{near_names(str(self.crop), USUAL_MARGIN)}"
            )
        if self.margin is _USUAL:
            object.__setattr__(self, "margin", USUAL_MARGIN[self.crop])
        if len(self.size_hw) != 2 or min(self.size_hw) < 1:
            raise OptionError(f"size_hw is (height, width) in pixels, both positive; got {self.size_hw}.")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise OptionError(
                    f"{name} has one value, or one a channel ({self.channels} for {self.colour}); "
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
        """RGB pixels in 0..255 as the values that the model sees, ``float32``."""
        if self.colour == "grey":
            channels = rgb @ np.array([[0.299], [0.587], [0.114]])
        else:
            channels = rgb if self.colour == "rgb" else rgb[:, :, ::-1]
        values = (channels * self.scale - np.asarray(self.mean)) / np.asarray(self.std)
        return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)

    def to_pixels(self, x: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
        """What the model sees as an RGB picture, values outside 0..255 clipped; grey is repeated."""
        values = x.astype(np.float64).transpose(1, 2, 0) * np.asarray(self.std) + np.asarray(self.mean)
        pixels = np.clip(np.rint(values / self.scale), 0, 255).astype(np.uint8)
        if self.colour == "grey":
            return np.repeat(pixels, 3, axis=2)
        return np.ascontiguousarray(pixels if self.colour == "rgb" else pixels[:, :, ::-1])


@dataclass(frozen=True, eq=False)
class ModelInput:
    """A face as one model sees it.

    Attributes:
        face: the face.
        spec: how the model wants to be shown it.
        x: ``(c, h, w)`` the model's input, ``float32``.
        vertices_xy: ``(V, 2)`` mesh vertices in pixels of the input.
        visible: ``(V,)`` the face's own visibility, False too where the vertex fell outside the input.
        matrix: ``(2, 3)`` affine map from photo pixels to input pixels.
    """

    face: Face = field(repr=False)
    spec: InputSpec
    x: Float[np.ndarray, "c h w"] = field(repr=False)
    vertices_xy: Float[np.ndarray, "v 2"] = field(repr=False)
    visible: Bool[np.ndarray, "v"] = field(repr=False)
    matrix: Float[np.ndarray, "2 3"]
