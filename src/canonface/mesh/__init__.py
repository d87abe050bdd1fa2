"""The canonical mesh and what is defined on it."""

from __future__ import annotations

from canonface.mesh.canonical import load_mesh
from canonface.mesh.canvas import Canvas
from canonface.mesh.probes import probe_vertices
from canonface.mesh.topology import adjacency, boundary_loop, mesh_edges, vertex_normals

__all__ = [
    "Canvas",
    "adjacency",
    "boundary_loop",
    "load_mesh",
    "mesh_edges",
    "probe_vertices",
    "vertex_normals",
]
