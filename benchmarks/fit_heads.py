"""Fit the heads on FaceNet that ship with canonface: `python benchmarks/fit_heads.py DATA [TASK ...] [-o FOLDER]`.

DATA is the folder of the data sets (see docs/zoo.md). Each head is stored in a folder of FOLDER, by default the
folder that ships; remove it to fit the head anew. A restarted script continues with the missing steps. Training data:
FairFace's training part (CC BY 4.0), for expressions also synthetic people (openpeople, MIT). Weights and figures
ship, photos do not. Sets with stricter terms are used for scoring only.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.finetuning import add_to_card, assess, finetune
from canonface.mesh import load_mesh
from canonface.models import checked_outputs, prepare
from canonface.models.finetuned import read_description

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("gender", "age", "pose", "expression")
FAIRFACE = "FairFace (K. Karkkainen, J. Joo, WACV 2021)"
OPENPEOPLE = "synthetic people of openpeople 0.1.2 (Prompt Haus)"
# The embedding holds little of pose and expression; the features before it hold more, and those after the network's
# second reduction still more. Chosen by cross-validation on the training photos.
BEFORE_THE_EMBEDDING = ("last_linear", "last_bn")
WITHOUT = dict.fromkeys(("gender", "age", "pose"), BEFORE_THE_EMBEDDING) | {
    "expression": ("repeat_3", "block8", *BEFORE_THE_EMBEDDING)
}
# Least probability of a label by the zoo's network.
SURE = 0.6
SEVEN = {
    **{"happy": "happy", "happiness": "happy", "smiling": "happy", "neutral": "neutral", "sad": "sad"},
    **{"sadness": "sad", "angry": "angry", "anger": "angry", "surprised": "surprise", "surprise": "surprise"},
    **{"disgusted": "disgust", "disgust": "disgust", "scared": "fear", "fear": "fear"},
}


def bar(what: str) -> Any:
    """Return a callback that prints the progress now and then."""

    def report(stage: str, done: int, total: int) -> None:
        if done == total or done % 200 == 0:
            print(f"{what}: {stage} {done} of {total}", flush=True)

    return report


def expression_table(data: Path, folder: Path) -> Path:
    """Write a table of photos with expressions: openpeople's own labels, and FairFace labelled by the zoo's network.

    A photo of FairFace is included if its likeliest expression has at least the probability `SURE`. P003 of
    openpeople resembles a real person and is left out.
    """
    table = folder / "expressions.csv"
    if table.is_file():
        return table
    rows = []
    for row in read(data / "openpeople_synth"):
        if row["expression"] in SEVEN and row["identity"] != "P003" and row["view"] == "front":
            path = data / "openpeople_synth" / row["path"]
            rows.append((path, row["identity"], SEVEN[row["expression"]], "openpeople", row["gender"]))
    teacher = canonface.load_model("expression", device="cpu")
    aligner = LandmarkerAligner(load_mesh(0))
    photos = read(data / "fairface_train1600")
    for number, row in enumerate(photos):
        path = data / "fairface_train1600" / row["path"]
        try:
            x = prepare(aligner(path)[0], teacher.spec).x
        except canonface.CanonfaceError:
            continue
        logits = checked_outputs(teacher, teacher.to_device(x[None]))[0].astype(float)
        chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        if chances.max() >= SURE:
            label = teacher.labels[int(chances.argmax())]
            rows.append((path, f"fairface {row['path']}", label, "fairface", row["gender"]))
        bar("labels by the zoo's expression")("photos", number + 1, len(photos))
    folder.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "identity", "expression", "source", "gender"])
        writer.writerows(rows)
    return table


def read(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a data set's labels.csv."""
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fit(task: str, data: Path, out: Path, cache: Path) -> None:
    """Fit one head and store it."""
    name = f"facenet-{task}"
    common: Mapping[str, Any] = {
        "without": WITHOUT[task],
        "device": "cpu",
        "name": name,
        "command": f"python benchmarks/fit_heads.py DATA {task}  # canonface {canonface.__version__}",
        "cache": cache,
        "progress": bar(name),
    }
    train = data / "fairface_train1600" / "labels.csv"
    if task == "expression":
        table = expression_table(data, cache)
        source = {
            "data": f"{OPENPEOPLE}, own labels, and {FAIRFACE}, training part, as the zoo's expression model labels "
            f"it where its probability is {SURE} or more",
            "licence": "MIT; CC BY 4.0; labels by a model under MIT",
            "by": ["source", "gender"],
            # Happy and neutral photos of FairFace far outnumber all others; with equal class weights, real photos
            # were given the classes of the synthetic people.
            "balance": False,
        }
        result = finetune(table, "facenet", task, **common, **source)
    else:
        source = {"data": f"{FAIRFACE}, training part", "licence": "CC BY 4.0", "by": ["gender", "race"]}
        result = finetune(train, "facenet", task, **common, **source)
    print(f"{name}: {result.scores.accuracy}", flush=True)
    result.save(out / name)


# For each task: title of the set, its folder, columns to report by. None of these photos is in the training data.
HELD_OUT: Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "gender": (
        ("FairFace validation", "fairface_val980", ("race", "age")),
        ("Congress", "congress_pd", ()),
        ("London", "london_frl", ()),
        ("LFW", "lfw_eval", ()),
    ),
    "age": (("FairFace validation", "fairface_val980", ("gender", "race")),),
    "pose": (("FairFace validation", "fairface_val980", ("gender", "race")),),
    "expression": (("London", "london_frl", ("gender",)), ("LFW", "lfw_eval", ("gender",))),
}


def score(
    task: str, data: Path, folder: Path, cache: Path, title: str, place: str, by: tuple[str, ...]
) -> None:
    """Score a stored head on one set and add the scores to its card."""
    report = bar(f"{folder.name} on {title}")
    means = SEVEN if task == "expression" else None
    table = data / place / "labels.csv"
    scores = assess(table, folder, task, by=by, means=means, cache=cache, progress=report)
    add_to_card(folder, title, scores)
    print(f"{folder.name} on {title}: {scores.accuracy}", flush=True)


def steps(tasks: Sequence[str], data: Path, out: Path, cache: Path) -> Iterator[Callable[[], None]]:
    """Yield the steps that are still missing, in order."""
    for task in tasks:
        folder = out / f"facenet-{task}"
        if not folder.exists():
            yield partial(fit, task, data, out, cache)
        for title, place, by in HELD_OUT[task]:
            if title not in read_description(folder).card.get("held_out", {}):
                yield partial(score, task, data, folder, cache, title, place, by)


def main() -> None:
    """Run the missing steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "src" / "canonface" / "assets")
    parser.add_argument("--cache", type=Path, default=Path("fit-heads-cache"), help="folder of features")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no further step after this time")
    given = parser.parse_args()
    start = time.monotonic()
    for step in steps(given.tasks, given.data, given.out, given.cache):
        if time.monotonic() - start > 60 * given.minutes:
            print("to be continued", flush=True)
            sys.exit(3)
        step()


if __name__ == "__main__":
    main()
