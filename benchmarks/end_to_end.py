"""Model map of a VGG-16, end to end: time by the paper's code and by canonface.

    python benchmarks/end_to_end.py congress_pd/labels.csv --write docs/performance.md

The network is VGG-16 with its published layout, convolutions drawn at random (He et al. 2015) and a last layer fitted
by ridge regression to the labels' column ``gender`` of people who are not explained: weights of VGG-Face may not be
redistributed, and the cost of a forward pass does not depend on them. One photo per person is explained, so that
halves of the photos are halves of the people. Three runs:

- *the paper's way*: every probe of every face, a copy of the photo and a forward pass for each, in batches of 16. It
  would take hours, so a part of the forward passes is timed, in turns with the others, and the rest is extrapolated;
- *all probes* by canonface, the same forward passes of the same photos;
- *a share of the probes*, of more photos.

The quality of a map is its split-half reliability: the correlation, over the probes, of the maps of two halves of the
photos, the mean over random halves; with Spearman and Brown's step up to all photos (2 r / (1 + r)).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from networks import network
from pages import insert, machine_words
from ways import paper_loop

import canonface
from canonface.errors import CanonfaceError
from canonface.functional import occlusion_boxes
from canonface.models import TorchModel, prepare
from canonface.run import Run
from canonface.run.estimate import estimate_rows
from canonface.types import InputSpec

BATCH = 16
CLASSES = ("female", "male")
LEVEL, SPACING = 2, 0.3
"""Mesh subdivision, and spacing of the probes in centimetres: some 2,000 per face."""
SPLITS = 10
RIDGE = 0.1
"""Of the mean square of the features."""
TIMED = 32
"""Forward passes of the paper's way that are timed, per face."""


def main() -> None:
    """Measure, print, and write."""
    options = _options()
    train, others = _split(options.photos, options.train)
    explained = list({row["identity"]: row for row in others}.values())
    model, accuracy = fitted(train, others)
    result: dict[str, Any] = {
        "accuracy": accuracy,
        "others": len(others),
        "photos": options.photos.parent.name,
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        canonface.explain(canonface.align(Path(explained[0]["path"]))[0], model)  # compiled once, for both
        full, result["full"] = run_of(explained[: options.full], model, place / "full")
        result["paper"] = papers_way(full, model, explained[: options.full], result["full"])
        _, result["share"] = run_of(explained[: options.sampled], model, place / "share", share=options.share)
    result["share"]["share"] = options.share
    text = page(result)
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2))
    if options.write is not None:
        insert(options.write, "benchmarks/end_to_end.py", text)


def fitted(train: Sequence[dict[str, str]], held_out: Sequence[dict[str, str]]) -> tuple[TorchModel, float]:
    """Return a VGG-16 with a fitted last layer, and its accuracy on other people's photos, averaged over classes."""
    import torch

    module, _ = network("vgg16")
    spec = InputSpec(size_hw=(224, 224), scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    last = module.classifier[-1]
    module.classifier[-1] = torch.nn.Identity()
    features, truth = _features(module, spec, train)
    mean, spread = features.mean(0), features.std(0) + 1e-6
    scaled = (features - mean) / spread
    target = np.where(truth == 0, 1.0, -1.0)
    # Ridge regression in the space of the photos, which are fewer than features; both classes weigh the same.
    kernel = scaled @ scaled.T
    weights = len(truth) / (len(CLASSES) * np.bincount(truth)[truth])
    ridge = RIDGE * np.trace(kernel) / len(kernel) * np.diag(1 / weights)
    weight = scaled.T @ np.linalg.solve(kernel + ridge, target) / spread
    layer = torch.nn.Linear(last.in_features, len(CLASSES))
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(np.stack([weight, -weight])))
        layer.bias.copy_(torch.as_tensor(np.array([-mean @ weight, mean @ weight])))
    module.classifier[-1] = layer
    logits, known = _features(module, spec, held_out)
    right = logits.argmax(1) == known
    accuracy = float(np.mean([right[known == number].mean() for number in range(len(CLASSES))]))
    return TorchModel(module, "vgg16", spec, CLASSES), accuracy


def _features(module: Any, spec: InputSpec, rows: Sequence[dict[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    import torch

    inputs, truth = [], []
    for row in rows:
        try:
            inputs.append(prepare(canonface.align(Path(row["path"]))[0], spec).x)
        except CanonfaceError:
            continue
        truth.append(CLASSES.index(row["gender"]))
    with torch.inference_mode():
        parts = [module(torch.as_tensor(np.stack(inputs[i : i + 8]))) for i in range(0, len(inputs), 8)]
    return torch.cat(parts).double().numpy(), np.array(truth)


def run_of(
    rows: Sequence[dict[str, str]], model: TorchModel, out: Path, **options: Any
) -> tuple[Run, dict[str, Any]]:
    """Return a run over photos, with its seconds from the first photo to the map and the map's reliability."""
    photos = out.with_suffix(".csv")
    with photos.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    start = time.perf_counter()
    run = canonface.audit(photos, model, out, target="female", subdivision=LEVEL, spacing=SPACING, **options)
    run.cms()
    seconds = time.perf_counter() - start
    half = reliability(run)
    return run, {
        "faces": len(run.faces),
        "probes": len(run.probes),
        "forward_passes": run.estimate().probed,
        "seconds": seconds,
        "half": half,
        "whole": 2 * half / (1 + half),
    }


def reliability(run: Run) -> float:
    """Return the correlation of the maps of two halves of the photos, averaged over random halves."""
    rng = np.random.default_rng(0)
    faces, found = len(run.faces), []
    for _ in range(SPLITS):
        first = np.zeros(faces, dtype=bool)
        first[rng.permutation(faces)[: faces // 2]] = True
        a, b = (estimate_rows(run, chosen, None, "people", 0.95).map.values for chosen in (first, ~first))
        both = np.isfinite(a) & np.isfinite(b)
        found.append(np.corrcoef(a[both], b[both])[0, 1])
    return float(np.mean(found))


def papers_way(
    run: Run, model: TorchModel, rows: Sequence[dict[str, str]], full: dict[str, Any]
) -> dict[str, Any]:
    """Extrapolate the time of a run with one copy and one forward pass per probe."""
    import torch

    seconds, aligning = [], []
    for row in rows[:6]:
        start = time.perf_counter()
        try:
            face = canonface.align(Path(row["path"]), subdivision=LEVEL)[0]
        except CanonfaceError:
            continue
        shown = prepare(face, model.spec)
        aligning.append(time.perf_counter() - start)
        x = torch.as_tensor(shown.x)
        points = shown.vertices_xy[run.probes][:TIMED]
        run_loop = paper_loop(lambda batch: torch.softmax(model.module(batch), 1)[:, 0], x,
                                  occlusion_boxes(points, 15, model.spec.size_hw), 0.0, BATCH)  # fmt: skip
        start = time.perf_counter()
        run_loop(TIMED)
        seconds.append((time.perf_counter() - start) / TIMED)
    per_pass = float(np.median(seconds))
    return {
        "seconds_per_pass": per_pass,
        "seconds": per_pass * full["forward_passes"] + float(np.median(aligning)) * full["faces"],
        "timed": TIMED * len(seconds),
    }


def page(result: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    paper, full, share = result["paper"], result["full"], result["share"]
    lines = [
        machine_words(),
        "",
        f"VGG-16, last layer fitted to gender ({result['accuracy']:.0%} right, the mean of both classes, on "
        f"{result['others']} photos of other people of {result['photos']}), {full['probes']} probes.",
        "",
        "| method | photos | forward passes | time | faster | reliability: halves, all |",
        "|---|---|---|---|---|---|",
    ]
    for label, seconds, of in (
        (
            f"the paper's way ({paper['timed']} forward passes timed, {paper['seconds_per_pass'] * 1e3:.0f} ms each)",
            paper["seconds"],
            full,
        ),
        ("canonface, all probes", full["seconds"], full),
        (f"canonface, {share['share']:.0%} of the probes", share["seconds"], share),
    ):
        lines.append(
            f"| {label} | {of['faces']} | {of['forward_passes']:,} | {seconds:,.0f} s | "
            f"{paper['seconds'] / seconds:.0f}x | {of['half']:.3f}, {of['whole']:.3f} |"
        )
    return "\n".join(lines)


def _split(path: Path, count: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Split labelled photos into those of ``count`` people and all others, both in a fixed random order."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["gender"] in CLASSES]
    for row in rows:
        row["path"] = str(path.parent.resolve() / row["path"])
    rng = random.Random(0)
    people = sorted({row["identity"] for row in rows})
    rng.shuffle(people)
    rng.shuffle(rows)
    chosen = set(people[:count])
    of_chosen = [row for row in rows if row["identity"] in chosen]
    return of_chosen, [row for row in rows if row["identity"] not in chosen]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="CSV file with the columns path, identity, gender")
    parser.add_argument(
        "--train", type=int, default=130, help="people whose photos the last layer is fitted to"
    )
    parser.add_argument("--full", type=int, default=32, help="photos with all probes")
    parser.add_argument("--sampled", type=int, default=96, help="photos with a share of the probes")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
