"""Agreement of the model maps of two halves of the photos, by the size of the patch.

    python benchmarks/patch_size.py                                   # the bundled photos
    python benchmarks/patch_size.py --photos FOLDER --limit 40        # others

The table has a row for each model and target (happy; the predicted gender) and each patch: the correlation of the two
halves' maps over the canonical pixels that both show, stepped up to the full number of photos by the Spearman-Brown
formula `2 r / (1 + r)`, the largest drop, and the region of the peak. Alternate photos form the halves.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import numpy as np

import canonface
from canonface.data import find_photos
from canonface.demo import demo_folder
from canonface.maps import CMS

TASKS = (("expression", "happy", (5, 7, 9, 11, 13, 15)), ("gender", "predicted", (3, 5, 7, 9)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=demo_folder() / "photos")
    parser.add_argument("--limit", type=int, default=40, help="number of photos, spread over the folder")
    parser.add_argument("--stride", type=int, default=2)
    options = parser.parse_args()
    found = find_photos(options.photos)
    chosen = np.unique(np.linspace(0, len(found) - 1, min(options.limit, len(found))).round().astype(int))
    faces = []
    for index in chosen:
        try:
            faces += canonface.align(found.path(found.names[index]))
        except canonface.CanonfaceError as error:
            print(f"left out: {found.names[index]} ({error.reason})")
    print(f"{len(faces)} faces of {options.photos.name}, stride {options.stride}, canonface {canonface.__version__}, "
          f"{platform.machine()}")  # fmt: skip
    print("| model, target | patch | of the input | split-half r | full length | largest drop | highest at |")
    print("|---|---|---|---|---|---|---|")
    for name, target, patches in TASKS:
        model = canonface.load_model(name)
        kept = _faces_of(faces, model, target)
        for patch in patches:
            print(_row(kept, model, target, patch, options.stride), flush=True)


def _faces_of(faces: list[canonface.Face], model: canonface.Model, target: str) -> list[canonface.Face]:
    """Return the faces for which the model predicts the target: on others it has no confidence to lose."""
    if target == "predicted":
        return faces
    coarse = {"stride": 1833, "patch": 3}
    return [face for face in faces if canonface.explain(face, model, target, **coarse).confidence > 0.5]


def _row(faces: list[canonface.Face], model: canonface.Model, target: str, patch: int, stride: int) -> str:
    maps = [canonface.explain(face, model, target, patch=patch, stride=stride) for face in faces]
    halves = [CMS.empty(maps[0].mesh, "") for _ in range(2)]
    for number, cis in enumerate(maps):
        halves[number % 2] = halves[number % 2].add(cis.map, cis.count, cis.canonical_patch)
    whole = halves[0].merge(halves[1])
    both = (halves[0].seen > 0) & (halves[1].seen > 0)
    r = float(np.corrcoef(halves[0].map[both], halves[1].map[both])[0, 1])
    peak = whole.peak()
    share = patch / model.spec.size_hw[0]
    name = f"{model.name}, {target} ({len(faces)} faces)"
    cells = (name, patch, f"{share:.0%}", f"{r:.2f}", f"{2 * r / (1 + r):.2f}", f"{peak.value:.3f}")
    return f"| {' | '.join(map(str, cells))} | {', '.join(peak.regions)} |"


if __name__ == "__main__":
    main()
