"""Contract tests of every aligner of the registry."""

from __future__ import annotations

import shutil
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from contract import AlignerContract, Case
from PIL import Image
from position_networks import save_position_onnx, save_texels
from scipy.io import savemat

from canonface.alignment import ALIGNERS, finder, make_aligner, read_photo
from canonface.assets import asset_path
from canonface.mesh import five_point_mesh, load_mesh, pixel_mesh

PHOTOS = files("canonface.demo") / "photos"
STUDIO = read_photo((PHOTOS / "op_P001_studio.jpg").read_bytes())
ASTRONAUT = read_photo((PHOTOS / "nasa_astronaut.jpg").read_bytes())
CROWD = np.hstack([np.asarray(Image.fromarray(x).resize((400, 400))) for x in (ASTRONAUT, STUDIO)])
MESH = load_mesh(0)
HALO = load_mesh(0, halo=True)


def other_task(folder: Path) -> Path:
    """Write the package's weights file with a note at its end: another file that works as well."""
    path = folder / "other.task"
    shutil.copyfile(asset_path("face_landmarker.task"), path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("note.txt", "another")
    return path


def with_other_task(folder: Path, make):
    """Build an aligner of a package that ships another weights file."""
    with pytest.MonkeyPatch.context() as patch:
        path = other_task(folder)
        patch.setattr(finder, "asset_path", lambda name: path)
        return make()


def landmarker(folder: Path) -> Case:
    return Case(
        make=lambda: make_aligner("landmarker", HALO),
        mesh=HALO,
        photo=STUDIO,
        two=(lambda: make_aligner("landmarker", HALO, faces="all"), CROWD),
        others={
            "weights": lambda: make_aligner("landmarker", HALO, weights=other_task(folder)),
            "min_score": lambda: make_aligner("landmarker", HALO, min_score=0.7),
        },
        bad={
            "mesh": (lambda: make_aligner("landmarker", pixel_mesh(4)), "base has 468 vertices; .* has 16"),
            "weights": (
                lambda: make_aligner("landmarker", MESH, weights=folder / "none.task"),
                "zip archive",
            ),
        },
    )


def five_point(folder: Path) -> Case:
    mesh = five_point_mesh(9)
    return Case(
        make=lambda: make_aligner("five-point", mesh),
        mesh=mesh,
        photo=STUDIO,
        two=(lambda: make_aligner("five-point", mesh, faces="all"), CROWD),
        others={
            "weights": lambda: with_other_task(folder, lambda: make_aligner("five-point", mesh)),
            "min_score": lambda: make_aligner("five-point", mesh, min_score=0.7),
        },
        bad={"mesh": (lambda: make_aligner("five-point", pixel_mesh(4)), "lacks right_eye, left_eye")},
    )


def none(folder: Path) -> Case:
    mesh = pixel_mesh(8)
    return Case(
        make=lambda: make_aligner("none", mesh),
        mesh=mesh,
        photo=STUDIO,
        blank=False,
        others={"size": lambda: make_aligner("none", mesh, max_megapixels=1)},
    )


def precomputed(folder: Path) -> Case:
    vertices = MESH.vertices * (12, -12, 12) + (200, 200, 0)
    savemat(folder / "me_mesh.mat", {"vertices": vertices})
    savemat(folder / "few_mesh.mat", {"vertices": vertices[::2]})
    savemat(folder / "away_mesh.mat", {"vertices": vertices + 5000})

    def other(name: str, values: np.ndarray):
        (folder / name).mkdir()
        savemat(folder / name / "me_mesh.mat", {"vertices": values})
        return make_aligner("precomputed", HALO, vertices=folder / name)

    def align(name: str):
        return lambda: make_aligner("precomputed", HALO, vertices=folder)(STUDIO, name)

    return Case(
        make=lambda: make_aligner("precomputed", HALO, vertices=folder),
        mesh=HALO,
        photo=STUDIO,
        others={
            "folder": lambda: other("moved", vertices),
            "content": lambda: other("changed", vertices + 1),
            "memory": lambda: make_aligner("precomputed", HALO, vertices={"me": vertices}),
            "other memory": lambda: make_aligner("precomputed", HALO, vertices={"me": vertices + 1}),
            "depth": lambda: make_aligner("precomputed", HALO, vertices=folder, depth="away"),
        },
        bad={
            "folder": (
                lambda: make_aligner("precomputed", HALO, vertices=folder / "none"),
                "is not a folder",
            ),
            "missing": (align("you.jpg"), "for you.jpg there is none in .*you_mesh.mat"),
            "count": (align("few.jpg"), "468 vertices; .* has 234, .*every 2th vertex: use a mesh"),
            "place": (align("away.jpg"), "none within away.jpg of 400 x 400"),
        },
    )


def position_map(folder: Path) -> Case:
    save_position_onnx(folder / "net.onnx", MESH)
    save_texels(folder / "texels.txt", 468)
    (folder / "no.onnx").write_bytes(b"no network")

    save_position_onnx(folder / "other.onnx", load_mesh(1))
    save_texels(folder / "others.txt", 469)
    texels = (folder / "others.txt").read_text().split()[1:]
    (folder / "others.txt").write_text(" ".join(texels))

    def make(network: str = "net.onnx", mesh=HALO, indices: str = "texels.txt", **options):
        return make_aligner(
            "position-map", mesh, network=folder / network, indices=folder / indices, **options
        )

    return Case(
        make=make,
        mesh=HALO,
        photo=STUDIO,
        two=(lambda: make(faces="all"), CROWD),
        others={
            "network": lambda: make("other.onnx"),
            "indices": lambda: make(indices="others.txt"),
            "weights": lambda: with_other_task(folder, make),
            "factor": lambda: make(factor=1.58),
        },
        bad={
            "network": (lambda: make("no.onnx"), "is not a whole ONNX file"),
            "mesh": (lambda: make(mesh=pixel_mesh(4)), "has 16 vertices, .* 468 texels"),
            "missing": (lambda: make("none.onnx"), "there is no .*none.onnx"),
        },
    )


CASES = {
    "landmarker": landmarker,
    "precomputed": precomputed,
    "position-map": position_map,
    "five-point": five_point,
    "none": none,
}


def test_every_aligner_has_a_case():
    assert set(CASES) == set(ALIGNERS)


@pytest.mark.parametrize("name", sorted(ALIGNERS))
class TestAligners(AlignerContract):
    @pytest.fixture
    def case(self, name, tmp_path):
        return CASES[name](tmp_path)

    def test_name_is_its_key_in_the_registry(self, name, case):
        assert case.make().name == name
