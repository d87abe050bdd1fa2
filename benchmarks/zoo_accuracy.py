"""Accuracy of the zoo's classifiers on labelled photos: `python benchmarks/zoo_accuracy.py DATA [--tune]`.

DATA is the folder of the data sets (see docs/zoo.md). `--tune` prints the accuracy on the tuning sets for several
margins of the face crop; without it the margins of the cards are measured on the held-out sets. Accuracy is over the
photos in which the aligner accepts a face, with its 95% Wilson interval. `--models` names the models to measure;
`--limit` takes a fixed random choice of that many photos of each set, for large models.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import platform
import random
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

import canonface
from canonface.alignment import LandmarkerAligner, Photo
from canonface.models import Model, checked_outputs, prepare

Row = dict[str, str]
MARGINS = (-0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
EXPRESSIONS = {
    **{"happy": "happy", "happiness": "happy", "smiling": "happy", "neutral": "neutral", "sad": "sad"},
    **{"sadness": "sad", "angry": "angry", "anger": "angry", "surprised": "surprise", "surprise": "surprise"},
    **{"disgusted": "disgust", "disgust": "disgust", "scared": "fear", "fear": "fear"},
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """Labelled photo with the model's probabilities, None if no face was found."""

    row: Row
    probabilities: np.ndarray | None


def rows_of(folder: Path, keep: Callable[[Row], bool] = bool, limit: int | None = None) -> list[Row]:
    """Return the rows of a data set's labels.csv; a limit takes a fixed random choice."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if keep(row)]
    return rows if limit is None else random.Random(0).sample(rows, min(limit, len(rows)))


def predict(
    aligner: LandmarkerAligner, folder: Path, rows: Sequence[Row], models: Sequence[Model]
) -> list[list[Sample]]:
    """Return the samples of each model; every photo is aligned once, and models run in batches."""
    found: list[list[Sample]] = [[] for _ in models]
    for start in range(0, len(rows), 64):
        chunk = rows[start : start + 64]
        faces = [aligned(aligner, folder / row["path"]) for row in chunk]
        for model, samples in zip(models, found, strict=True):
            shown = iter(probabilities(model, [face for face in faces if face is not None]))
            samples += [
                Sample(row, None if f is None else next(shown)) for row, f in zip(chunk, faces, strict=True)
            ]
    return found


def aligned(aligner: LandmarkerAligner, photo: Photo) -> canonface.Face | None:
    """Return the largest face of a photo, or None."""
    try:
        return aligner(photo)[0]
    except canonface.CanonfaceError:
        return None


def probabilities(model: Model, faces: Sequence[canonface.Face]) -> np.ndarray:
    """Return the softmax of the logits, one row per face."""
    if not faces:
        return np.zeros((0, len(model.labels)))
    batch = model.to_device(np.stack([prepare(face, model.spec).x for face in faces]))
    logits = checked_outputs(model, batch).astype(float)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def interval(hits: int, n: int) -> str:
    """Format a share in percent with its 95% Wilson interval."""
    if n == 0:
        return "-"
    z, p = 1.96, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{100 * p:.1f} ({100 * (centre - half):.1f}-{100 * (centre + half):.1f})"


def accuracy_row(title: str, samples: Sequence[Sample], hit: Callable[[Sample], bool]) -> str:
    """Return a Markdown row: set, photos, aligned, accuracy."""
    predicted = [s for s in samples if s.probabilities is not None]
    return f"| {title} | {len(samples)} | {len(predicted)} | {interval(sum(map(hit, predicted)), len(predicted))} |"


def by_group(
    title: str, samples: Sequence[Sample], hit: Callable[[Sample], bool], *columns: str
) -> list[str]:
    """Return a row for all and one for each value of each column."""
    lines = [accuracy_row(title, samples, hit)]
    for column in columns:
        for value in sorted({s.row[column] for s in samples}):
            chosen = [s for s in samples if s.row[column] == value]
            lines.append(accuracy_row(f"{title}: {column} {value}", chosen, hit))
    return lines


def is_gender(model: Model) -> Callable[[Sample], bool]:
    """Return True if the likeliest gender is the labelled one."""
    return lambda s: model.labels[int(np.argmax(s.probabilities))] == s.row["gender"]


def is_expression(model: Model, among: Sequence[str] = ()) -> Callable[[Sample], bool]:
    """Return True if the likeliest expression, of all or among some, is the labelled one."""
    chosen = [model.labels.index(label) for label in among or model.labels]
    return lambda s: (
        model.labels[chosen[int(np.argmax(s.probabilities[chosen]))]] == EXPRESSIONS[s.row["expression"]]
    )


def years_of(model: Model) -> np.ndarray:
    """Return the year of each output; the authors of dlib's network count class 0 as a quarter."""
    years = np.array(model.labels, dtype=float)
    return np.maximum(years, 0.25) if model.name == "age" else years


def age_row(title: str, samples: Sequence[Sample], truth: Callable[[Row], float], model: Model) -> str:
    """Return a Markdown row: set, photos, aligned, mean absolute, mean and median absolute error."""
    predicted = [s for s in samples if s.probabilities is not None]
    if not predicted:
        return f"| {title} | {len(samples)} | 0 | - | - | - |"
    years = years_of(model)
    errors = np.array([float(s.probabilities @ years) - truth(s.row) for s in predicted])
    return (
        f"| {title} | {len(samples)} | {len(errors)} | {np.abs(errors).mean():.1f} | {errors.mean():+.1f} | "
        f"{np.median(np.abs(errors)):.1f} |"
    )


def midpoint(row: Row) -> float:
    """Return the middle of an age range; the open one counts as 70 to 79."""
    low, _, high = row["age"].replace("more than 70", "70-79").replace("70+", "70-79").partition("-")
    return (float(low) + float(high) + 1) / 2


def congress_age(row: Row) -> float:
    """Return the age when the portrait was collected: an upper bound of the age that it shows."""
    return float(row["collected"]) - float(row["birth_year"])


def with_margin(model: Model, margin: float) -> Model:
    """Return the model with another margin of its crop."""
    return canonface.load_model(model, spec=dataclasses.replace(model.spec, margin=margin))


def tune(
    data: Path,
    aligner: LandmarkerAligner,
    models: Sequence[Model],
    limit: int | None,
    margins: Sequence[float],
) -> None:
    """Return the accuracy on the tuning sets for each margin."""
    for model in models:
        task = task_of(model)
        folder = data / ("openpeople_synth" if task == "expression" else "fairface_train1600")
        rows = rows_of(folder, TUNING_PHOTOS[task], limit or 800)
        print(f"\n{model.name}, {folder.name}\n{HEADS[task]}")
        variants = [with_margin(model, margin) for margin in margins]
        for variant, samples in zip(variants, predict(aligner, folder, rows, variants), strict=True):
            title = f"{variant.spec.margin:g}"
            print(
                age_row(title, samples, midpoint, model)
                if task == "age"
                else accuracy_row(title, samples, HITS[task](model))
            )


def hold_out(data: Path, aligner: LandmarkerAligner, models: Sequence[Model], limit: int | None) -> None:
    """Return the tables of docs/zoo.md."""
    sets = {
        "gender": ("fairface_val980", "congress_pd", "london_frl", "lfw_eval"),
        "age": ("fairface_val980", "congress_pd", "london_frl"),
        "expression": ("london_frl", "lfw_eval"),
    }
    found: dict[tuple[str, str], list[Sample]] = {}
    for name in sorted({name for task in sets.values() for name in task}):
        chosen = [model for model in models if name in sets[task_of(model)]]
        rows = rows_of(data / name, limit=limit)
        if chosen:
            predicted = predict(aligner, data / name, rows, chosen)
            found |= {(model.name, name): samples for model, samples in zip(chosen, predicted, strict=True)}
    for model in models:
        task = task_of(model)
        print(f"\n## {model.name}\n{HEADS[task]}")
        for name in sets[task]:
            print("\n".join(TABLES[task](model, name, found[model.name, name])))


def gender_rows(model: Model, name: str, samples: Sequence[Sample]) -> list[str]:
    """Return rows for all photos of a set, and for each group of it."""
    known = [s for s in samples if s.row["gender"] in model.labels]
    columns = ("gender", "race", "age") if name == "fairface_val980" else ("gender",)
    return by_group(TITLES[name], known, is_gender(model), *columns)


def age_rows(model: Model, name: str, samples: Sequence[Sample]) -> list[str]:
    """Return rows for all photos of a set; for FairFace, for each range too."""
    if name == "congress_pd":
        dated = [s for s in samples if s.row["birth_year"] and s.row["collected"]]
        return [age_row(TITLES[name], dated, congress_age, model)]
    if name == "london_frl":
        return [age_row(TITLES[name], samples, lambda row: float(row["age"]), model)]
    ranges = sorted({s.row["age"] for s in samples}, key=lambda value: midpoint({"age": value}))
    title = TITLES[name]
    return [age_row(f"{title} (middle of the range)", samples, midpoint, model)] + [
        age_row(f"{title}: {value}", [s for s in samples if s.row["age"] == value], midpoint, model)
        for value in ranges
    ]


def expression_rows(model: Model, name: str, samples: Sequence[Sample]) -> list[str]:
    """Return rows over seven classes, and over the two with many photos."""
    title = TITLES[name]
    named = [s for s in samples if s.row["expression"] in EXPRESSIONS]
    pair = [s for s in named if EXPRESSIONS[s.row["expression"]] in ("happy", "neutral")]
    both = is_expression(model, ("happy", "neutral"))
    return [
        *by_group(f"{title}, seven classes", named, is_expression(model), "expression"),
        *by_group(f"{title}, happy or neutral", pair, both, "expression", "gender"),
    ]


def task_of(model: Model) -> str:
    """Return the first word of a model's name."""
    return model.name.partition("-")[0]


ACCURACY_HEAD = "| photos | n | aligned | accuracy % (95%) |\n|---|---|---|---|"
HEADS = {
    "gender": ACCURACY_HEAD,
    "expression": ACCURACY_HEAD,
    "age": "| photos | n | aligned | mean abs. error | mean error | median abs. error |\n|---|---|---|---|---|---|",
}
TABLES = {"gender": gender_rows, "age": age_rows, "expression": expression_rows}
HITS = {"gender": is_gender, "expression": is_expression}
TITLES = {
    **{"fairface_val980": "FairFace validation", "congress_pd": "Congress"},
    **{"london_frl": "London", "lfw_eval": "LFW"},
}
TUNING_PHOTOS: dict[str, Callable[[Row], bool]] = {
    "gender": bool,
    "age": bool,
    "expression": lambda row: row["expression"] in EXPRESSIONS and row["view"] == "front",
}


def main() -> None:
    """Print the tables and the versions they were made with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--models", nargs="+", default=["gender", "age", "expression"])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--margins", nargs="+", type=float, default=MARGINS)
    options = parser.parse_args()
    aligner = LandmarkerAligner(canonface.load_mesh(0))
    models = [canonface.load_model(name, device="cpu") for name in options.models]
    print(f"canonface {canonface.__version__}, Python {platform.python_version()}, {platform.machine()}")
    if options.tune:
        tune(options.data, aligner, models, options.limit, options.margins)
    else:
        hold_out(options.data, aligner, models, options.limit)


if __name__ == "__main__":
    main()
