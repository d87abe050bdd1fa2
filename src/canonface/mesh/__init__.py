"""The canonical mesh and the data defined on it.

``load_mesh`` returns the mesh at a subdivision, ``Canvas`` describes the canonical frontal image, ``probe_vertices``
and ``poisson_probes`` select the vertices at which patches are centred, and ``region_mask`` selects named regions.
"""

from __future__ import annotations

from canonface.mesh.canonical import is_named, load_mesh, mesh_named
from canonface.mesh.canvas import Canvas
from canonface.mesh.custom import make_mesh
from canonface.mesh.files import mesh_digest, read_mesh, save_mesh
from canonface.mesh.fit import fitted_mesh
from canonface.mesh.grids import five_point_mesh, pixel_mesh
from canonface.mesh.halo import HALO_SOURCES, add_halo
from canonface.mesh.probes import poisson_probes, probe_vertices
from canonface.mesh.regions import (
    REGION_GROUPS,
    groups_of,
    region_area_px,
    region_mask,
    region_sources,
    region_triangles,
    regions_of,
)
from canonface.mesh.topology import adjacency, boundary_loop, mesh_edges, vertex_normals
from canonface.mesh.transfer import frontal_alignment, round_trip_loss, transfer

__all__ = [
    "HALO_SOURCES",
    "REGION_GROUPS",
    "Canvas",
    "add_halo",
    "adjacency",
    "boundary_loop",
    "fitted_mesh",
    "five_point_mesh",
    "frontal_alignment",
    "groups_of",
    "is_named",
    "load_mesh",
    "make_mesh",
    "mesh_digest",
    "mesh_edges",
    "mesh_named",
    "pixel_mesh",
    "poisson_probes",
    "probe_vertices",
    "read_mesh",
    "region_area_px",
    "region_mask",
    "region_sources",
    "region_triangles",
    "regions_of",
    "round_trip_loss",
    "save_mesh",
    "transfer",
    "vertex_normals",
]
