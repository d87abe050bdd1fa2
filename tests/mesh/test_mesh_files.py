"""Mesh files: exact round trip, and rejection of damaged or foreign files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.mesh import load_mesh, make_mesh, mesh_digest, read_mesh, save_mesh

ARRAYS = ("vertices", "triangles", "uv", "mirror", "procrustes_weights")


def small_mesh():
    xyz = np.array([[-1.0, 0, 0], [1, 0, 0], [0, 1, 0.5], [0, -1, 0]])
    return make_mesh(
        "square/1", xyz, np.array([[0, 3, 2], [3, 1, 2]]), regions={"top": [2]}, landmarks={"right": [0, 2]}
    )


@pytest.mark.parametrize("mesh", [load_mesh(0), load_mesh(2), small_mesh()], ids=lambda mesh: mesh.name)
def test_round_trip_is_exact(mesh, tmp_path):
    again = read_mesh(save_mesh(mesh, tmp_path / "mesh.npz"))
    assert (again.name, again.halo, again.face_count) == (mesh.name, mesh.halo, mesh.face_count)
    for name in ARRAYS:
        mine, theirs = getattr(mesh, name), getattr(again, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
        with pytest.raises(ValueError, match="read-only"):
            theirs[0] = 0
    assert mesh_digest(again) == mesh_digest(mesh)
    assert (again.from_base != mesh.from_base).nnz == 0
    for table in ("regions", "landmarks"):
        assert list(getattr(again, table)) == list(getattr(mesh, table))
        for name, members in getattr(mesh, table).items():
            np.testing.assert_array_equal(getattr(again, table)[name], members)
    pickle.loads(pickle.dumps(again))


def test_a_mesh_without_triangles_regions_or_landmarks(tmp_path):
    mesh = make_mesh("points", np.eye(3))
    again = read_mesh(save_mesh(mesh, tmp_path / "points.npz"))
    assert again.triangles.shape == (0, 3)
    assert dict(again.regions) == dict(again.landmarks) == {}


def tampered(tmp_path, **changes):
    path = save_mesh(small_mesh(), tmp_path / "mesh.npz")
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    np.savez(path, **{name: value for name, value in (content | changes).items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array("another/1")}, "its format is 'another/1'"),
        ({"vertices": np.zeros((3, 3))}, "has shape"),
        ({"uv": None}, "uv"),
        ({"triangles": np.array([[0, 1, 9]])}, "triangles has vertex indices beyond the 4 vertices"),
        ({"regions_lengths": np.array([2])}, "the lengths of the regions are inconsistent"),
        ({"mirror": np.array([0, 1, 2, -1])}, "mirror has vertex indices beyond the 4 vertices"),
        ({"from_base_indptr": np.array([0, 1, 2, 3, 9])}, "is not one or is damaged"),
        ({"name": np.array([object()])}, "allow_pickle=False"),
        ({"name": np.array(["one", "two"])}, "its name is not text"),
        ({"vertices": np.full((4, 3), np.nan)}, "vertices must hold finite"),
        ({"vertices": np.zeros((4, 3), np.int64)}, "vertices must hold finite floating-point"),
        ({"uv": np.full((4, 2), np.inf)}, "uv must hold finite"),
        ({"from_base_data": np.full(4, np.nan)}, "from_base_data must hold finite"),
        ({"mirror": np.array([1.0, 0.0, 2.0, 3.0])}, "mirror must hold integers; it holds float64"),
        ({"halo": np.array(0.5)}, "halo must hold integers"),
        ({"halo": np.array(-1)}, "halo is not a number of vertices"),
        ({"regions_members": np.array([2.0])}, "regions_members must hold integers"),
        ({"regions_members": np.array([7])}, "regions_members has vertex indices beyond the 4 vertices"),
        (
            {"landmarks_lengths": np.array([3, -1]), "landmarks_names": np.array(["a", "b"])},
            "the lengths of the landmarks are inconsistent",
        ),
    ],
)
def test_inconsistent_files_raise(tmp_path, changes, message):
    with pytest.raises(OptionError, match=message):
        read_mesh(tampered(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut", pickle.dumps({"vertices": 1})])
def test_files_of_other_types_raise(tmp_path, content):
    (tmp_path / "mesh.npz").write_bytes(content)
    with pytest.raises(OptionError, match="A mesh file is written by"):
        read_mesh(tmp_path / "mesh.npz")


def test_a_flipped_byte_raises_or_changes_nothing(tmp_path):
    whole = save_mesh(small_mesh(), tmp_path / "mesh.npz").read_bytes()
    known, rejected = mesh_digest(small_mesh()), 0
    for place in range(0, len(whole), 7):
        for flip in (0x01, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= flip
            (tmp_path / "damaged.npz").write_bytes(damaged)
            try:
                assert mesh_digest(read_mesh(tmp_path / "damaged.npz")) == known
            except OptionError:
                rejected += 1
    assert rejected > 100


def test_a_file_that_unpacks_to_too_much_raises(tmp_path, monkeypatch):
    monkeypatch.setattr("canonface.mesh.files.MAX_BYTES", 2**20)
    np.savez_compressed(tmp_path / "mesh.npz", vertices=np.zeros((100_000, 3)))
    with pytest.raises(OptionError, match="unpacks to 2 MiB, more than 1"):
        read_mesh(tmp_path / "mesh.npz")


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(OptionError, match=r"none\.npz"):
        read_mesh(tmp_path / "none.npz")
    with pytest.raises(OptionError, match="in a folder that exists"):
        save_mesh(small_mesh(), tmp_path / "no" / "mesh.npz")
    assert list(tmp_path.iterdir()) == []
