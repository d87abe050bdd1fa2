"""Draw the pictures of ``docs/reading-maps.md`` with the bundled photos: ``python docs/scripts/draw_plots.py``.

The maps are of the expression model: its log-odds of "happy" on the bundled happy faces. Weights are fetched on first
use; runs go to a temporary folder.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import canonface
from canonface import plots
from canonface.demo import demo_folder

IMAGES = Path(__file__).parents[1] / "images"
PROFILE = "op_P009_view_profile_a.jpg"
SHOWN = ("op_P006_emo_happy", "op_P005_emo_happy")


def main() -> None:
    """Write ``docs/images/plots_*.png``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=IMAGES)
    output = parser.parse_args().output
    model = canonface.load_model("expression")
    with tempfile.TemporaryDirectory() as folder:
        happy = audit(
            model, sorted((demo_folder() / "photos").glob("*_happy.jpg")), Path(folder, "happy"), "happy"
        )
        side = audit(model, [demo_folder() / "photos" / PROFILE], Path(folder, "side"), "predicted").cis(0)
        draw(happy, side, output)


def audit(model: canonface.Model, photos: list[Path], folder: Path, target: str) -> canonface.Run:
    """Audit the model on some photos."""
    labels = demo_folder() / "labels.csv"
    return canonface.audit(
        photos, model, folder, target=target, confidence="log-odds", labels=labels, subdivision=1
    )


def draw(happy: canonface.Run, side: canonface.CIS, output: Path) -> None:
    """Draw every kind of picture once."""
    cms, average = happy.cms(), plots.run_face(happy)
    rows = {Path(path).stem: row for row, path in enumerate(happy.faces.column("path").to_pylist())}
    faces = [happy.cis(rows[name]) for name in SHOWN]
    plots.save(plots.canonical(cms), output / "plots_cms.png")
    plots.save(plots.canonical(cms, average), output / "plots_cms_average_face.png")
    plots.save(plots.overlay(faces[0]), output / "plots_overlay.png")
    plots.save(plots.canonical(side), output / "plots_cis_profile.png")
    plots.save(plots.reprojection(cms, faces[1].face), output / "plots_reprojection.png")
    plots.save(plots.figure6(faces, cms, average), output / "plots_figure6.png")
    plots.save(plots.groups(happy.cms(by="gender")), output / "plots_groups.png")


if __name__ == "__main__":
    main()
