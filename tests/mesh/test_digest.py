"""Mesh digest: equal for equal meshes however they are stored, different if any part differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from canonface.mesh import load_mesh, mesh_digest

MESH = load_mesh(0, halo=True)


def changed(name):
    """Return the mesh with the smallest change of one part."""
    value = getattr(MESH, name)
    if name == "name":
        return replace(MESH, name="another")
    if name == "halo":
        return replace(MESH, halo=MESH.halo - 1)
    if name == "from_base":
        other = value.copy()
        other.data = value.data.copy()
        other.data[3] = np.nextafter(other.data[3], 0)
        return replace(MESH, from_base=other)
    if name in ("regions", "landmarks"):
        first = next(iter(value))
        return replace(MESH, **{name: {**value, first: value[first][:-1]}})
    other = value.copy()
    other.flat[5] = np.nextafter(other.flat[5], 9) if other.dtype.kind == "f" else other.flat[5] + 1
    return replace(MESH, **{name: other})


PARTS = ("name", "vertices", "triangles", "uv", "mirror", "regions", "landmarks", "halo", "from_base",
         "procrustes_weights")  # fmt: skip


def test_every_field_of_a_mesh_is_a_part():
    assert set(PARTS) == set(type(MESH).__dataclass_fields__)


@pytest.mark.parametrize("name", PARTS)
def test_every_part_counts(name):
    assert mesh_digest(changed(name)) != mesh_digest(MESH)


def test_region_names_count_and_their_order_does_not():
    names = list(MESH.regions)
    turned = replace(MESH, regions={name: MESH.regions[name] for name in reversed(names)})
    assert mesh_digest(turned) == mesh_digest(MESH)
    swapped = dict(MESH.regions) | {names[0]: MESH.regions[names[1]], names[1]: MESH.regions[names[0]]}
    assert mesh_digest(replace(MESH, regions=swapped)) != mesh_digest(MESH)
    as_landmarks = replace(MESH, regions={}, landmarks=MESH.regions)
    assert mesh_digest(as_landmarks) != mesh_digest(replace(MESH, landmarks={}))


def test_number_types_and_sparse_layout_do_not_count():
    dense = MESH.from_base.toarray()
    rows, columns = np.indices(dense.shape).reshape(2, -1)
    full = csr_array((dense.ravel(), (rows, columns)), shape=dense.shape)
    assert full.nnz > MESH.from_base.nnz
    stored = replace(
        MESH,
        triangles=MESH.triangles.astype(np.int32),
        vertices=np.asfortranarray(MESH.vertices),
        from_base=full,
    )
    assert mesh_digest(stored) == mesh_digest(MESH)
    assert full.nnz > MESH.from_base.nnz  # and the caller's is left as it is
