"""Planted cues by construction: the map of a model that reads one region has values only there, at any pose."""

import csv

import numpy as np
import pytest

import planted
from canonface.errors import AlignmentError
from canonface.explanation import explain
from canonface.maps import CMS
from canonface.mesh import Canvas, load_mesh
from canonface.models import load_model, prepare
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(112, 112))
PATCH = 7.0
CANVAS = Canvas()
CANONICAL_PATCH = PATCH * 512 / 112


def regions():
    """Return the named regions that are at least as large as a patch."""
    mesh = load_mesh(1)
    xy = CANVAS.project(mesh)
    masks = {name: planted.area(mesh, name, xy, (512, 512)) for name in mesh.regions}
    return {name: mask for name, mask in masks.items() if planted.holds_a_patch(mask, CANONICAL_PATCH)}


def explain_planted(face, mesh, name):
    """Return the map of a model that reads one region of a face; None where the face hides most of it."""
    shown = prepare(face, SPEC)
    all_of_it = planted.area(mesh, name, shown.vertices_xy, (112, 112))
    seen = planted.visible_triangles(mesh, name, shown.visible)
    mask = planted.area(mesh, name, shown.vertices_xy, (112, 112), seen)
    if mask.sum() < max(9, 0.5 * all_of_it.sum()):
        return None
    model = load_model(planted.region_reader(shown.x, mask), spec=SPEC, labels=("there", "gone"), name=name)
    return explain(face, model, target="there", patch=PATCH, fill="black", batch=256)


def find_everywhere(faces):
    """Return, for each region, the share of faces with the peak in it, and whether the model map's peak is in it."""
    mesh = load_mesh(1)
    found = {}
    for name, mask in regions().items():
        near = planted.grown(mask, CANONICAL_PATCH)
        cms = CMS.empty(mesh, "", canvas=CANVAS)
        hits = []
        for face in faces:
            cis = explain_planted(face, mesh, name)
            if cis is None:
                continue
            x, y = cis.peak().xy
            hits.append(bool(near[round(y), round(x)]))
            cms = cms.add(cis.map, cis.count, cis.canonical_patch)
        x, y = cms.peak().xy
        # values farther than a whole patch from the region are near 0
        far = ~planted.grown(mask, 3 * CANONICAL_PATCH)
        dark = float(np.nanmax(np.abs(cms.map[far])) / np.nanmax(cms.map))
        found[name] = (np.mean(hits), len(hits), bool(near[round(y), round(x)]), dark)
    return found


def check(found):
    for name, (share, count, model_map, dark) in found.items():
        where = "in" if model_map else "OUT"
        print(
            f"{name:24s} CIS peak inside {share:6.1%} of {count:3d}; CMS peak {where}; elsewhere {dark:.1%}"
        )
    total = sum(count for _, count, _, _ in found.values())
    hit = sum(share * count for share, count, _, _ in found.values())
    print(f"all regions: CIS peak inside {hit / total:.2%} of {total}; CMS {sum(f[2] for f in found.values())}"
          f" of {len(found)}")  # fmt: skip
    assert all(model_map for _, _, model_map, _ in found.values())
    assert all(share >= 0.95 for share, _, _, _ in found.values())
    assert all(dark < 0.05 for _, _, _, dark in found.values())


def test_on_the_bundled_photos(demo_faces):
    assert len(regions()) >= 20
    found = find_everywhere(demo_faces[::4])
    check(found)


@pytest.mark.slow
@pytest.mark.data
def test_on_a_hundred_photos(data, aligner):
    """Check studio photos, synthetic people from front to profile, and faces in the wild."""
    faces = []
    for folder, step, wanted in (
        ("london_frl", 3, 28),
        ("openpeople_synth", 5, 36),
        ("fairface_val980", 10, 36),
    ):
        found = []
        with (data / folder / "labels.csv").open(newline="") as file:
            paths = [data / folder / row["path"] for row in list(csv.DictReader(file))[::step]]
        for path in paths:
            try:
                found += aligner(path)
            except AlignmentError:
                print(f"no face in {folder}/{path.name}")
        faces += found[:wanted]
    assert len(faces) == 100
    check(find_everywhere(faces))


def test_the_map_of_a_constant_model_is_zero(demo_faces):
    model = load_model(lambda batch: np.zeros((len(batch), 2)), spec=SPEC)
    cis = explain(demo_faces[0], model)
    assert np.nanmax(np.abs(cis.drops)) == 0.0
    assert not cis.map.any()
