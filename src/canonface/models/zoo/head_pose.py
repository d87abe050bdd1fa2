"""Head pose from geometry: the rotation from the canonical face to the points of the face mesh network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.files import sha256_file
from canonface.geometry import head_pose
from canonface.landmarker.geometry_metadata import CanonicalFace, read_canonical_face
from canonface.landmarker.networks import (
    INPUT_SIZE,
    LANDMARKS,
    FaceMeshNetwork,
    LiteRTNetwork,
    face_points,
    read_networks,
)
from canonface.models.base import ModelCard
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec, Outputs

# MediaPipe shows its network a square of 1.5 times the face's box.
SPEC = InputSpec(size_hw=(INPUT_SIZE, INPUT_SIZE), crop="face", margin=0.5)
LABELS = ("yaw", "pitch", "roll")


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Yaw, pitch and roll in degrees, signs as in ``Pose``; inputs are processed one after another.

    Attributes:
        network: the face mesh network; it returns the place of a face even if it sees none.
        canonical: the frontal face, and the weights of its vertices.
        path: file of both.
        name: name in messages, tables and manifests.
        spec: input specification; inputs are 256 x 256 RGB in 0..1.
        labels: name of each output, in order.
        outputs: kind of its outputs.
    """

    network: FaceMeshNetwork = field(repr=False)
    canonical: CanonicalFace = field(repr=False)
    path: Path
    name: str = "head-pose"
    spec: InputSpec = SPEC
    labels: tuple[str, ...] = LABELS
    outputs: Outputs = "values"

    def __call__(self, batch: Any) -> Any:
        """Return a row of three angles per input."""
        return np.array([self._pose(pixels) for pixels in batch.transpose(0, 2, 3, 1)])

    def _pose(self, pixels: Float[np.ndarray, "256 256 3"]) -> tuple[float, float, float]:
        points, _ = face_points(self.network, np.ascontiguousarray(pixels))
        base = points[: len(self.canonical.vertices)]
        return head_pose(self.canonical.vertices, base[:, :2], base[:, 2], self.canonical.procrustes_weights)

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """Return a copy of ``x`` as float32."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file of network and canonical face."""
        return sha256_file(self.path)


def build(path: Path) -> HeadPose:
    """Build the model with its weights."""
    return HeadPose(LiteRTNetwork(read_networks(path)[LANDMARKS]), read_canonical_face(path), path)


ENTRY = ZooEntry(
    card=ModelCard(
        name="head-pose",
        task="yaw, pitch and roll of the head in degrees, from geometry",
        source="MediaPipe's face mesh network and canonical face, Google LLC; they ship with canonface",
        licence_code="Apache-2.0 (this package)",
        licence_weights="Apache-2.0",
        spec=SPEC,
        labels=LABELS,
        outputs="values",
        accuracy="no measured angles at hand; London studio portraits, which sat straight (n=84): mean size 1.8 "
        "degrees of yaw, 3.6 of pitch, 1.5 of roll; more in docs/zoo.md",
        citation="Y. Kartynnik, A. Ablavatski, I. Grishchenko, M. Grundmann, Real-time Facial Surface Geometry from "
        "Monocular Video on Mobile GPUs, 2019, arXiv 1907.06724",
    ),
    asset="face_landmarker.task",
    build=build,
    needs=None,
)
