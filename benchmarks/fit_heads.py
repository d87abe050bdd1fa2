"""Fit the heads on FaceNet that ship with canonface: `python benchmarks/fit_heads.py DATA [TASK ...] [-o FOLDER]`.

DATA is the folder of the data sets (see docs/models.md). A head's folder in FOLDER (src/canonface/assets) is made if it is
missing: remove it to fit it anew; started again, it goes on with what is missing. Fitted to: FairFace's training part (CC BY 4.0), for expressions also synthetic
people (openpeople, MIT). What ships are weights and figures, no photo. Sets that forbid it are judged on alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
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
BEFORE_THE_EMBEDDING = ("last_linear", "last_bn")
SURE = 1.0
SEVEN = {
    **{"happy": "happy", "happiness": "happy", "smiling": "happy", "neutral": "neutral", "sad": "sad"},
    **{"sadness": "sad", "angry": "angry", "anger": "angry", "surprised": "surprise", "surprise": "surprise"},
    **{"disgusted": "disgust", "disgust": "disgust", "scared": "fear", "fear": "fear"},
}


def bar(what: str) -> Any:
    """Says now and then how far it is."""

    def told(stage: str, done: int, total: int) -> None:
        if done == total or done % 200 == 0:
            print(f"{what}: {stage} {done} of {total}", flush=True)

    return told


def expression_table(data: Path, folder: Path, sure: float) -> Path:
    """Photos with an expression: openpeople's own labels, and FairFace's photos as the zoo's network labels them.

    Of FairFace those count whose likeliest expression has a probability of ``sure``; P003 of openpeople looks like
    somebody and is left out.
    """
    rows = []
    for row in read(data / "openpeople_synth"):
        if row["expression"] in SEVEN and row["identity"] != "P003" and row["view"] == "front":
            path = data / "openpeople_synth" / row["path"]
            rows.append((path, row["identity"], SEVEN[row["expression"]], "openpeople", row["gender"]))
    if sure < 1:
        teacher = canonface.load_model("expression", device="cpu")
        aligner = LandmarkerAligner(load_mesh(0))
        for number, row in enumerate(read(data / "fairface_train1600")):
            path = data / "fairface_train1600" / row["path"]
            try:
                x = prepare(aligner(path)[0], teacher.spec).x
            except canonface.CanonfaceError:
                continue
            logits = checked_outputs(teacher, teacher.to_device(x[None]))[0].astype(float)
            chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            if chances.max() >= sure:
                label = teacher.labels[int(chances.argmax())]
                rows.append((path, f"fairface {row['path']}", label, "fairface", row["gender"]))
            bar("labels by the zoo's expression")("photos", number + 1, 10**9)
    table = folder / "expressions.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "identity", "expression", "source", "gender"])
        writer.writerows(rows)
    return table


def read(folder: Path) -> list[dict[str, str]]:
    """Rows of a data set's labels.csv."""
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fit(task: str, data: Path, out: Path, scratch: Path) -> None:
    """Fit one head, judge it on sets that it was not fitted to, store it."""
    name = f"facenet-{task}"
    common: Mapping[str, Any] = {
        "without": BEFORE_THE_EMBEDDING,
        "device": "cpu",
        "name": name,
        "command": f"python benchmarks/fit_heads.py DATA {task}  # canonface {canonface.__version__}",
        "progress": bar(name),
    }
    train = data / "fairface_train1600" / "labels.csv"
    if task == "expression":
        table = expression_table(data, scratch, SURE)
        source = {"data": OPENPEOPLE, "licence": "MIT", "by": ["gender"]}
        result = finetune(table, "facenet", task, **common, **source)
    else:
        source = {"data": f"{FAIRFACE}, training part", "licence": "CC BY 4.0", "by": ["gender", "race"]}
        result = finetune(train, "facenet", task, **common, **source)
    print(f"{name}: {result.scores.accuracy}", flush=True)
    result.save(out / name)


# Of each task: title of the set, its folder, what the accuracy is told by. None of these photos is fitted to.
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


def judge(task: str, data: Path, folder: Path, title: str, place: str, by: tuple[str, ...]) -> None:
    """Judge a stored head on one set, and write it into its card."""
    told = bar(f"{folder.name} on {title}")
    means = SEVEN if task == "expression" else None
    table = data / place / "labels.csv"
    scores = assess(table, folder, task, by=by, means=means, progress=told)
    add_to_card(folder, title, scores)
    print(f"{folder.name} on {title}: {scores.accuracy}", flush=True)


def steps(tasks: Sequence[str], data: Path, out: Path, scratch: Path) -> Iterator[Callable[[], None]]:
    """What is still to do, one after the other."""
    for task in tasks:
        folder = out / f"facenet-{task}"
        if not folder.exists():
            yield partial(fit, task, data, out, scratch)
        for title, place, by in HELD_OUT[task]:
            if title not in read_description(folder).card.get("held_out", {}):
                yield partial(judge, task, data, folder, title, place, by)


def main() -> None:
    """Do what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "src" / "canonface" / "assets")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further step after so long")
    given = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for step in steps(given.tasks, given.data, given.out, Path(scratch)):
            if time.monotonic() - start > 60 * given.minutes:
                print("to be continued", flush=True)
                sys.exit(3)
            step()


if __name__ == "__main__":
    main()
