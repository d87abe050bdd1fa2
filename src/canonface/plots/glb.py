"""Binary glTF file (.glb) of the canonical mesh with its map, for any 3D viewer.

Written without a library, since two defaults go wrong silently: colours in glTF are linear light, and the default
material is metal. Source: glTF 2.0 specification, sections 3.7 (meshes), 3.9 (materials), 4 (GLB).
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.maps import CIS, vertex_values
from canonface.plots.frontal import smooth_normals, vertex_tones
from canonface.plots.panels import Result, seen_count
from canonface.plots.style import BACKGROUND, Scale

_FLOAT, _UINT32 = 5126, 5125
_VERTICES, _INDICES = 34962, 34963
_PALE = 0.5


def vertex_colours(result: Result, scale: Scale) -> Float[np.ndarray, "v 3"]:
    """Return the colour of every vertex as on the canonical face: sRGB, 0..1; pale where the map has no value."""
    values, tones = (
        vertex_values(result.map, seen_count(result), result.mesh, result.canvas),
        vertex_tones(result.mesh),
    )
    seen = ~np.isnan(values)
    pale = np.repeat((tones * (1 - _PALE) + BACKGROUND * _PALE)[:, None], 3, axis=1)
    return np.asarray(np.where(seen[:, None], scale.blend(tones, np.where(seen, values, 0.0)), pale))


def glb_bytes(result: Result, scale: Scale) -> bytes:
    """Return a map on its mesh as the bytes of a .glb file.

    Positions are in the mesh's centimetres, y up, z to the viewer. ``COLOR_0`` holds the colours of the scale in
    linear light. ``_VALUE`` holds the map in the unit of confidence. ``_SEEN`` is 1 where it has a value and 0
    elsewhere; there ``_VALUE`` is 0, since glTF has no NaN. ``extras`` of the mesh name the unit and the limit of
    the colours.

    Args:
        result: map of one face or of many.
        scale: its colours.
    """
    mesh, values = result.mesh, vertex_values(result.map, seen_count(result), result.mesh, result.canvas)
    # The halo has no triangles, so only the face is written.
    count = mesh.face_count
    buffer = _Buffer()
    attributes = {
        "POSITION": buffer.add(mesh.vertices[:count], "VEC3", bounds=True),
        "NORMAL": buffer.add(smooth_normals(mesh)[:count], "VEC3"),
        "COLOR_0": buffer.add(_linear(vertex_colours(result, scale)[:count]), "VEC3"),
        "_VALUE": buffer.add(np.nan_to_num(values[:count]), "SCALAR"),
        "_SEEN": buffer.add(~np.isnan(values[:count]), "SCALAR"),
    }
    indices = buffer.add(mesh.triangles.ravel(), "SCALAR", indices=True)
    extras: dict[str, Any] = {"unit": result.unit, "limit": scale.limit, "mesh": mesh.name}
    extras["faces"] = 1 if isinstance(result, CIS) else result.faces
    surface = {"metallicFactor": 0.0, "roughnessFactor": 0.9}
    document = {
        "asset": {"version": "2.0", "generator": "canonface"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "canonical face"}],
        "meshes": [
            {
                "name": "canonical face",
                "primitives": [{"attributes": attributes, "indices": indices, "material": 0}],
                "extras": extras,
            }
        ],
        "materials": [{"name": "map", "pbrMetallicRoughness": surface, "doubleSided": True}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    return _container(json.dumps(document, separators=(",", ":")).encode(), bytes(buffer.data))


class _Buffer:
    """Binary part of the file, with a view and an accessor for each array."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: np.ndarray, kind: str, bounds: bool = False, indices: bool = False) -> int:
        """Append an array and return the number of its accessor."""
        values = np.ascontiguousarray(array, dtype="<u4" if indices else "<f4")
        target = _INDICES if indices else _VERTICES
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes, "target": target}
        self.views.append(view)
        self.data += values.tobytes()
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": _UINT32 if indices else _FLOAT,
            "count": len(values),
            "type": kind,
        }
        if bounds:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _container(document: bytes, binary: bytes) -> bytes:
    """Return the two chunks of a GLB file, each padded to four bytes."""
    document += b" " * (-len(document) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<II", len(document), 0x4E4F534A) + document
    chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def _linear(srgb: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Return the linear light of sRGB values (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
