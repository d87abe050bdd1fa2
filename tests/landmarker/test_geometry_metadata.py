from __future__ import annotations

import struct
from zipfile import ZipFile

import numpy as np
import pytest

from canonface.assets import asset_path
from canonface.errors import AssetError
from canonface.landmarker.geometry_metadata import MEMBER, parse_geometry_metadata, read_canonical_face


def block(number: int, data: bytes) -> bytes:
    assert len(data) < 16384
    size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) % 128 + 128, len(data) // 128])
    return bytes([number << 3 | 2]) + size + data


def mesh_message(vertices: list[list[float]], indices: list[int], packed: bool) -> bytes:
    floats = [struct.pack("<f", number) for vertex in vertices for number in vertex]
    if packed:
        return b"\x08\x00\x10\x00" + block(3, b"".join(floats)) + block(4, bytes(indices))
    return b"".join(b"\x1d" + number for number in floats) + b"".join(bytes([0x20, i]) for i in indices)


def basis_message(vertex: int, weight: float) -> bytes:
    return (bytes([0x08, vertex]) if vertex else b"") + b"\x15" + struct.pack("<f", weight)


VERTICES = [[0.0, 1.0, 2.0, 0.25, 0.5], [1.0, 0.0, 0.0, 1.0, 0.0], [-1.0, 0.5, 4.0, 0.0, 1.0]]


@pytest.mark.parametrize("packed", [False, True])
def test_a_handmade_message(packed):
    mesh = block(1, mesh_message(VERTICES, [0, 1, 2], packed))
    face = parse_geometry_metadata(mesh + block(2, basis_message(0, 0.5)) + block(2, basis_message(2, 0.25)))
    np.testing.assert_array_equal(face.vertices, np.array(VERTICES)[:, :3])
    np.testing.assert_array_equal(face.uv, np.array(VERTICES)[:, 3:])
    np.testing.assert_array_equal(face.triangles, [[0, 1, 2]])
    np.testing.assert_array_equal(face.procrustes_weights, [0.5, 0.0, 0.25])


GOOD_BASIS = block(2, basis_message(1, 1.0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got no mesh and 0 basis"),
        (GOOD_BASIS, "got no mesh and 1 basis"),
        (block(1, mesh_message(VERTICES, [0, 1, 2], True)), "got a mesh and 0 basis"),
        (
            block(1, mesh_message([[1.0, 2.0]], [0, 0, 0], True)) + GOOD_BASIS,
            "not a whole number of vertices",
        ),
        (block(1, mesh_message(VERTICES, [0, 1, 3], True)) + GOOD_BASIS, "below the vertex count 3"),
        (block(1, mesh_message(VERTICES, [0, 1], True)) + GOOD_BASIS, "got 2 indices"),
        (block(1, mesh_message([[float("nan")] * 5], [0, 0, 0], True)) + GOOD_BASIS, "NaN or infinity"),
        (block(1, mesh_message(VERTICES, [0, 1, 2], True)) + block(2, basis_message(9, 1.0)), "for vertex 9"),
        (
            block(1, mesh_message(VERTICES, [0, 1, 2], True)) + block(2, basis_message(1, -1.0)),
            "non-negative",
        ),
        (b"\x08\x01" + GOOD_BASIS, "Field 1 .* wire type 2; got 0"),
    ],
)
def test_other_messages_raise(data, message):
    with pytest.raises(AssetError, match=message):
        parse_geometry_metadata(data)


def real_metadata() -> bytes:
    with ZipFile(asset_path("face_landmarker.task")) as bundle:
        return bundle.read(MEMBER)


@pytest.mark.parametrize("kept", [1, 100, 10_000, 19_000, -1])
def test_truncated_metadata_raises(kept):
    with pytest.raises(AssetError, match="truncated"):
        parse_geometry_metadata(real_metadata()[:kept])


def test_the_shipped_mesh():
    face = read_canonical_face(asset_path("face_landmarker.task"))
    assert face.vertices.shape == (468, 3)
    assert face.triangles.shape == (898, 3)
    assert face.uv.min() >= 0
    assert face.uv.max() <= 1
    assert np.count_nonzero(face.procrustes_weights) == 33
    # Vertex 33 as MediaPipe publishes it in canonical_face_model.obj.
    np.testing.assert_allclose(face.vertices[33], (-4.445859, 2.663991, 3.173422), atol=1e-6)


def test_a_missing_file_and_a_wrong_archive_raise(tmp_path):
    with pytest.raises(AssetError, match=r"reading .* failed"):
        read_canonical_face(tmp_path / "none.task")
    (tmp_path / "text.task").write_text("no archive")
    with pytest.raises(AssetError, match="zip archive"):
        read_canonical_face(tmp_path / "text.task")
    with ZipFile(tmp_path / "other.task", "w") as bundle:
        bundle.writestr("other.tflite", b"")
    with pytest.raises(AssetError, match=MEMBER):
        read_canonical_face(tmp_path / "other.task")
