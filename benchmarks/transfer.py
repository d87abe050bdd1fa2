"""Loss of maps in transfer between meshes, and agreement of two alignments of the same photos.

    python benchmarks/transfer.py                   # round trips, bundled photos
    python benchmarks/transfer.py --data FOLDER     # and the paper's 51 photos with its own meshes

Round trips: the mean map of the bundled photos at the vertices of subdivision 1, to another mesh and back. Two
alignments: the poses of the faces, and the mean map of one model, on the photos of ``csm_celeba100``, once on the
vertices that the paper's authors publish (every 20th of PRNet's 43,867), once on the landmarker's, after transfer to
those of subdivision 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import canonface
from canonface.alignment import Aligner, LandmarkerAligner, PrecomputedAligner
from canonface.demo import demo_folder
from canonface.maps import CMS
from canonface.mesh import fitted_mesh, five_point_mesh, load_mesh, round_trip_loss, transfer
from canonface.types import Mesh

QUESTIONS = ("expression", "gender", "age")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder that holds csm_celeba100")
    parser.add_argument("--stride", type=int, default=2, help="probe every stride-th vertex")
    options = parser.parse_args()
    meshes = {
        "subdivision 0": load_mesh(0),
        "subdivision 2": load_mesh(2),
        "five-point grid, 33 x 33": five_point_mesh(33),
    }
    if options.data:
        meshes["PRNet, every 20th vertex"] = prnet_mesh(options.data / "csm_celeba100")
    photos = sorted((demo_folder() / "photos").glob("*.jpg"))
    base = load_mesh(1)
    maps = {
        name: mean_map(name, photos, LandmarkerAligner(base), options.stride).vertex_values
        for name in QUESTIONS
    }
    print_round_trips(maps, base, meshes)
    if options.data:
        folder = options.data / "csm_celeba100"
        print_poses(folder, meshes["PRNet, every 20th vertex"])
        print_agreement(folder, meshes["PRNet, every 20th vertex"], options.stride)


def prnet_mesh(folder: Path) -> Mesh:
    """Fit the paper's mesh to the default one by our own alignment of its frontal face."""
    from scipy.io import loadmat

    content = loadmat(folder / "frontal_mesh.mat")
    [face] = LandmarkerAligner(load_mesh(1))(folder / "frontal.jpg")
    vertices, triangles = content["vertices"], content["triangles"]
    return fitted_mesh("prnet-43867", vertices, triangles, load_mesh(1), face.vertices_xy, stride=20)


def mean_map(name: str, photos: list[Path], aligner: Aligner, stride: int) -> CMS:
    """Return the model's map over the photos that can be aligned, in log-odds of the predicted class."""
    model, result = canonface.load_model(name), None
    for photo in photos:
        try:
            [face] = aligner(photo)
        except canonface.CanonfaceError:
            continue
        cis = canonface.explain(face, model, "predicted", confidence="log-odds", stride=stride)
        result = result or CMS.empty(cis.mesh, "log-odds of the choice", canvas=cis.canvas)
        result = result.add(cis.map, cis.count, cis.canonical_patch)
    if result is None:
        raise SystemExit("no photo could be aligned")
    return result


def print_round_trips(maps: dict[str, np.ndarray], base: Mesh, meshes: dict[str, Mesh]) -> None:
    """Print one line per mesh and model."""
    print(
        "| from subdivision 1 to | vertices | map | correlation | error, share of the map's spread | came back |"
    )
    print("|---|---|---|---|---|---|")
    for where, mesh in meshes.items():
        for name, values in maps.items():
            loss = round_trip_loss(values, base, mesh)
            print(
                f"| {where} | {len(mesh.vertices)} | {name} | {loss['correlation']:.4f} | {loss['error']:.3f} "
                f"| {loss['covered']:.1%} |"
            )


def print_poses(folder: Path, mesh: Mesh) -> None:
    """Print mean and standard deviation of the pose difference between both alignments."""
    theirs, ours = PrecomputedAligner(mesh, folder / "meshes"), LandmarkerAligner(load_mesh(0))
    photos = sorted((folder / "images").glob("*.jpg"))
    offsets = np.array([np.subtract(theirs(photo)[0].pose_deg, ours(photo)[0].pose_deg) for photo in photos])
    parts = zip(("yaw", "pitch", "roll"), offsets.mean(axis=0), offsets.std(axis=0), strict=True)
    shown = ", ".join(f"{name} {mean:+.1f} (standard deviation {spread:.1f})" for name, mean, spread in parts)
    print(f"\nPRNet's pose minus ours in degrees, {len(photos)} photos: {shown}")


def print_agreement(folder: Path, mesh: Mesh, stride: int) -> None:
    """Compare the maps of one model on both meshes, from the same photos."""
    base, photos = load_mesh(1), sorted((folder / "images").glob("*.jpg"))
    print(
        "\n| model | faces | correlation at the vertices of subdivision 1 | peaks apart, cm | highest: PRNet, ours |"
    )
    print("|---|---|---|---|---|")
    for name in QUESTIONS:
        theirs = mean_map(name, photos, PrecomputedAligner(mesh, folder / "meshes"), stride)
        ours = mean_map(name, photos, LandmarkerAligner(base), stride)
        carried, own = transfer(theirs.vertex_values, mesh, base), ours.vertex_values
        both = np.isfinite(carried) & np.isfinite(own)
        tops = [np.where(both, values, -np.inf).argmax() for values in (carried, own)]
        apart = float(np.linalg.norm(np.subtract(*base.vertices[tops, :2])))
        regions = (next(iter(cms.region_values())) for cms in (theirs, ours))
        print(
            f"| {name} | {theirs.faces}, {ours.faces} | {np.corrcoef(carried[both], own[both])[0, 1]:.3f} "
            f"| {apart:.2f} | {', '.join(regions)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
