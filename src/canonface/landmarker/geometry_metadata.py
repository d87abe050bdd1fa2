"""The geometry metadata of a face landmarker: its canonical face.

``geometry_pipeline_metadata_landmarks.binarypb`` is a ``GeometryPipelineMetadata`` message of MediaPipe
(``mediapipe/tasks/cc/vision/face_geometry/proto``). It holds a triangle mesh, and the vertices with weights by which
a detected face is fitted to it (Procrustes analysis).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import AssetError
from canonface.landmarker.wire import BYTES, FIXED32, VARINT, WireField, read_fields, read_packed_varints

MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
_VERTEX_FLOATS = 5  # x, y, z, u, v


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """Mesh of the geometry metadata.

    Attributes:
        vertices: ``(V, 3)`` positions in centimetres; x right in the frontal image, y up, z towards the viewer.
        uv: ``(V, 2)`` texture coordinates in [0, 1], v down.
        triangles: ``(T, 3)`` counter-clockwise when seen from the front.
        procrustes_weights: ``(V,)`` non-negative; 0 for vertices that are not used.
    """

    vertices: Float[np.ndarray, "v 3"] = field(repr=False)
    uv: Float[np.ndarray, "v 2"] = field(repr=False)
    triangles: Int[np.ndarray, "t 3"] = field(repr=False)
    procrustes_weights: Float[np.ndarray, "v"] = field(repr=False)


def read_canonical_face(task: Path) -> CanonicalFace:
    """Read the canonical face from a face landmarker bundle (a ``.task`` file, which is a zip archive).

    Raises:
        AssetError: the file is missing, not a bundle, or a bundle without geometry metadata.
    """
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(task) as bundle:
            data = bundle.read(MEMBER)
    except (OSError, BadZipFile, KeyError) as error:
        raise AssetError(
            f"A face landmarker bundle is a zip archive with {MEMBER!r}; reading {str(task)!r} failed: "
            f"{error}. Reinstall canonface, or give the path of a face_landmarker.task."
        ) from error
    return parse_geometry_metadata(data)


def parse_geometry_metadata(data: bytes) -> CanonicalFace:
    """Parse a ``GeometryPipelineMetadata`` message.

    Args:
        data: the message. Field 1 is the mesh; each field 2 is one vertex of the Procrustes basis.

    Raises:
        AssetError: the message is truncated, of another type, or its mesh is inconsistent.
    """
    mesh: bytes | None = None
    basis: list[tuple[int, float]] = []
    for part in read_fields(data):
        if part.number == 1:
            mesh = _expect_bytes(part, BYTES)
        elif part.number == 2:
            basis.append(_parse_weighted_landmark(_expect_bytes(part, BYTES)))
    if mesh is None or not basis:
        raise AssetError(
            "Geometry metadata has a mesh (field 1) and a Procrustes basis (field 2); "
            f"got {'no' if mesh is None else 'a'} mesh and {len(basis)} basis vertices. Is it the wrong file?"
        )
    vertices, uv, triangles = _parse_mesh(mesh)
    return CanonicalFace(vertices, uv, triangles, _dense_weights(basis, len(vertices)))


def _parse_mesh(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parse ``Mesh3d``: field 3 is the vertex buffer (x y z u v), field 4 the index buffer, each packed or not."""
    floats = bytearray()
    indices: list[int] = []
    for part in read_fields(data):
        if part.number == 3:
            floats += _expect_bytes(part, FIXED32, BYTES)
        elif part.number == 4:
            indices += [part.value] if isinstance(part.value, int) else read_packed_varints(part.value)
    if not floats or len(floats) % (4 * _VERTEX_FLOATS):
        raise AssetError(
            f"The vertex buffer holds {_VERTEX_FLOATS} float32 per vertex (x, y, z, u, v); "
            f"got {len(floats)} bytes, which is not a whole number of vertices. Is it the wrong file?"
        )
    buffer = np.frombuffer(bytes(floats), dtype="<f4").astype(np.float64).reshape(-1, _VERTEX_FLOATS)
    if not np.isfinite(buffer).all():
        raise AssetError("The vertex buffer holds finite numbers; got NaN or infinity. Fetch the file again.")
    if not indices or len(indices) % 3 or max(indices) >= len(buffer):
        raise AssetError(
            f"The index buffer holds three indices per triangle, each below the vertex count {len(buffer)}; "
            f"got {len(indices)} indices up to {max(indices, default=-1)}. Is it the wrong file?"
        )
    triangles = np.array(indices, dtype=np.int64).reshape(-1, 3)
    return buffer[:, :3].copy(), buffer[:, 3:].copy(), triangles


def _parse_weighted_landmark(data: bytes) -> tuple[int, float]:
    """Parse ``WeightedLandmarkRef``: field 1 is the vertex (0 is omitted from the message), field 2 its weight."""
    vertex, weight = 0, 0.0
    for part in read_fields(data):
        if part.number == 1 and part.wire_type == VARINT:
            vertex = int(part.value)
        elif part.number == 2:
            weight = float(np.frombuffer(_expect_bytes(part, FIXED32), dtype="<f4")[0])
    return vertex, weight


def _dense_weights(basis: list[tuple[int, float]], vertex_count: int) -> np.ndarray:
    weights = np.zeros(vertex_count)
    for vertex, weight in basis:
        if vertex >= vertex_count or not weight >= 0:
            raise AssetError(
                f"A Procrustes weight is non-negative and of a vertex below {vertex_count}; "
                f"got {weight} for vertex {vertex}. Is it the wrong file?"
            )
        weights[vertex] = weight
    return weights


def _expect_bytes(part: WireField, *wire_types: int) -> bytes:
    if part.wire_type not in wire_types or not isinstance(part.value, bytes):
        raise AssetError(
            f"Field {part.number} of the geometry metadata has wire type "
            f"{' or '.join(map(str, wire_types))}; got {part.wire_type}. Is it the wrong file?"
        )
    return part.value
