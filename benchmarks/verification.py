"""Accuracy of the zoo's recognition models on pairs of photos: `python benchmarks/verification.py DATA [--tune]`.

DATA is the folder of the data sets (see docs/zoo.md). The protocol is that of Labeled Faces in the Wild: ten
folds, the threshold of each is the most accurate one on the other nine. Pairs with a photo without an accepted face
are left out; accuracy is over the other pairs, with its 95% Wilson interval. `--tune` compares
crops on photos that the reported figures do not use: those of LFW that are in no pair, and half of Congress.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from zoo_accuracy import aligned, interval, rows_of

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.models import Model, checked_outputs, prepare
from canonface.types import Crop

MODELS = ("facenet", "dlib-face")
CROPS: dict[str, tuple[tuple[Crop, float], ...]] = {
    "facenet": (
        *(("face", margin) for margin in (0.1, 0.3)),
        *(("facenet", margin) for margin in (0.0, 0.1, 0.2, 0.3)),
    ),
    "dlib-face": (("face", 0.0), ("dlib", 0.4), ("dlib", 0.5), ("dlib", 0.6)),
}
FOLDS = 10
Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two photos, and True if they show one person."""

    paths: tuple[str, str]
    same: bool
    group: str


def pairs_of(folder: Path) -> list[Pair]:
    """Return the rows of a data set's pairs.csv; the group is the gender of both, or `mixed`."""
    genders = {row["path"]: row["gender"] or "unknown" for row in rows_of(folder)}
    with (folder / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = []
    for row in rows:
        both = (row["path_a"], row["path_b"])
        found = {genders[path] for path in both}
        pairs.append(Pair(both, row["same"] == "1", found.pop() if len(found) == 1 else "mixed"))
    return pairs


def embeddings(
    aligner: LandmarkerAligner, folder: Path, paths: Sequence[str], models: Sequence[Model]
) -> list[dict[str, np.ndarray]]:
    """Return the embedding of each photo with a face, for each model; every photo is aligned once."""
    found: list[dict[str, np.ndarray]] = [{} for _ in models]
    for start in range(0, len(paths), 32):
        faces = {path: central(aligner, folder / path) for path in paths[start : start + 32]}
        shown = {path: face for path, face in faces.items() if face is not None}
        for model, into in zip(models, found, strict=True):
            batch = model.to_device(np.stack([prepare(face, model.spec).x for face in shown.values()]))
            into.update(zip(shown, checked_outputs(model, batch).astype(float), strict=True))
    return found


def central(aligner: LandmarkerAligner, path: Path) -> canonface.Face | None:
    """Return the face at the centre of a photo, which LFW labels; None without a face.

    Other faces are only detected if the largest is off the centre.
    """
    largest = aligned(aligner, path)
    if largest is None or off_centre(largest) < 0.2:
        return largest
    everyone = LandmarkerAligner(aligner.mesh, faces="all")
    try:
        return min(everyone(path), key=off_centre)
    except canonface.CanonfaceError:
        return largest


def off_centre(face: canonface.Face) -> float:
    """Return the distance of a face's centre from the photo's, as a share of the photo's longer side."""
    size_wh = np.array(face.image.shape[1::-1])
    middle = (face.vertices_xy.min(axis=0) + face.vertices_xy.max(axis=0)) / 2
    return float(np.linalg.norm(middle - size_wh / 2) / size_wh.max())


def mirrored_too(
    aligner: LandmarkerAligner, folder: Path, paths: Sequence[str], model: Model
) -> dict[str, np.ndarray]:
    """Return the embeddings of each photo and its mirror image, joined, as in FaceNet's published protocol."""

    def both(batch: np.ndarray) -> np.ndarray:
        turned = np.ascontiguousarray(batch[..., ::-1])
        return np.hstack([checked_outputs(model, model.to_device(x)) for x in (batch, turned)])

    twice = canonface.load_model(both, spec=model.spec, outputs="embedding", name=model.name)
    return embeddings(aligner, folder, paths, [twice])[0]


def centred(pairs: Sequence[Pair], found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the embeddings less their mean over all photos of the pairs.

    The published protocol uses the mean of nine folds; over all ten it differs by little, and no labels are used.
    """
    mean = np.mean([found[path] for pair in pairs for path in pair.paths if path in found], axis=0)
    return {path: vector - mean for path, vector in found.items()}


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of the angle between rows."""
    return np.sum(a * b, axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def nearness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return minus the Euclidean distance, which dlib recommends."""
    return -np.linalg.norm(a - b, axis=-1)


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the most accurate threshold: the middle of the best gap between scores."""
    ordered = np.sort(scores)
    candidates = np.concatenate([[ordered[0] - 1], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    right = [np.sum((scores > candidate) == same) for candidate in candidates]
    return float(np.median(candidates[right == np.max(right)]))


def ten_folds(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the correctness of each pair at the threshold of the other folds, and these thresholds.

    Pairs are distributed over the folds in turn, separately for one person and for two.
    """
    fold = np.empty(len(scores), int)
    for kind in (True, False):
        fold[same == kind] = np.arange(np.sum(same == kind)) % FOLDS
    right, thresholds = np.empty(len(scores), bool), np.empty(FOLDS)
    for number in range(FOLDS):
        here = fold == number
        thresholds[number] = best_threshold(scores[~here], same[~here])
        right[here] = (scores[here] > thresholds[number]) == same[here]
    return right, thresholds


def match_rate(scores: np.ndarray, same: np.ndarray, false_match_rate: float) -> float:
    """Return the share of genuine pairs above the threshold with this false match rate."""
    others = np.sort(scores[~same])[::-1]
    allowed = int(np.floor(false_match_rate * len(others)))
    return float(np.mean(scores[same] > others[allowed]))


def report(title: str, pairs: Sequence[Pair], found: dict[str, np.ndarray], similarity: Similarity) -> str:
    """Return Markdown rows: all pairs, and the pairs of each group."""
    usable = [pair for pair in pairs if all(path in found for path in pair.paths)]
    scores = similarity(*(np.array([found[pair.paths[i]] for pair in usable]) for i in (0, 1)))
    same = np.array([pair.same for pair in usable])
    right, thresholds = ten_folds(scores, same)
    lines = [
        f"| {title} | {len(pairs)} | {len(usable)} | {interval(int(right.sum()), len(right))} | "
        f"{100 * match_rate(scores, same, 0.01):.1f} | {100 * match_rate(scores, same, 0.05):.1f} | "
        f"{np.mean(thresholds):.3f} ± {np.std(thresholds):.3f} |"
    ]
    for group in sorted({pair.group for pair in pairs}):
        here = np.array([pair.group == group for pair in usable])
        if here.sum() < 10:
            continue
        kinds = f"{np.sum(here & same)} same, {np.sum(here & ~same)} different"
        lines.append(
            f"| {title}: {group} ({kinds}) | {sum(p.group == group for p in pairs)} | {here.sum()} | "
            f"{interval(int(right[here].sum()), int(here.sum()))} | | | |"
        )
    return "\n".join(lines)


def hold_out(data: Path, aligner: LandmarkerAligner) -> None:
    """Print the table of docs/zoo.md."""
    folder = data / "lfw_eval"
    pairs = pairs_of(folder)
    paths = sorted({path for pair in pairs for path in pair.paths})
    models = [canonface.load_model(name, device="cpu") for name in MODELS]
    dlib_face = embeddings(aligner, folder, paths, models[1:])[0]
    twice = mirrored_too(aligner, folder, paths, models[0])
    facenet = {path: vector[: len(vector) // 2] for path, vector in twice.items()}
    print(
        "| LFW | pairs | aligned | accuracy % (95%) | matched at 1% false % | at 5% | threshold |\n"
        "|---|---|---|---|---|---|---|"
    )
    print(report("`facenet`, cosine", pairs, facenet, cosine))
    print(report("`facenet`, mirrored too, less the mean", pairs, centred(pairs, twice), cosine))
    print(report("`dlib-face`, cosine", pairs, dlib_face, cosine))
    print(report("`dlib-face`, distance", pairs, dlib_face, nearness))


def tune(data: Path, aligner: LandmarkerAligner) -> None:
    """Print the separation of all pairs within each tuning set, for each crop."""
    models = [
        canonface.load_model(model, spec=dataclasses.replace(model.spec, crop=crop, margin=margin))
        for model in (canonface.load_model(name, device="cpu") for name in MODELS)
        for crop, margin in CROPS[model.name]
    ]
    print(
        "| photos | model | crop | margin | n | matched at 0.1% false % | at 1% | separation |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    rest = rows_of(data / "lfw_eval", lambda row: row["in_pairs"] == "0")
    congress = rows_of(data / "congress_pd")
    every_second = sorted({row["identity"] for row in congress})[::2]
    some = [row for row in congress if row["identity"] in every_second]
    for name, rows in (("lfw_eval", rest), ("congress_pd", some)):
        who = {row["path"]: row["identity"] for row in rows}
        for model, found in zip(models, embeddings(aligner, data / name, list(who), models), strict=True):
            print(
                f"| {name} | {model.name} | {model.spec.crop} | {model.spec.margin:g} | {len(found)} | "
                f"{separated(found, who)} |",
                flush=True,
            )


def separated(found: dict[str, np.ndarray], who: dict[str, str]) -> str:
    """Return match rates at 0.1% and 1% false matches, and the distance of mean cosines in pooled deviations."""
    vectors = np.array(list(found.values()))
    people = np.array([who[path] for path in found])
    i, j = np.triu_indices(len(vectors), 1)
    scores, same = cosine(vectors[i], vectors[j]), people[i] == people[j]
    spread = np.sqrt((scores[same].var() + scores[~same].var()) / 2)
    rates = (f"{100 * match_rate(scores, same, false):.1f}" for false in (1e-3, 1e-2))
    return f"{' | '.join(rates)} | {(scores[same].mean() - scores[~same].mean()) / spread:.2f}"


def main() -> None:
    """Print the tables and the versions behind them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    aligner = LandmarkerAligner(canonface.load_mesh(0))
    print(f"canonface {canonface.__version__}, Python {platform.python_version()}, {platform.machine()}\n")
    (tune if options.tune else hold_out)(options.data, aligner)


if __name__ == "__main__":
    main()
