"""Accuracy of the zoo's models on labelled photos: `python benchmarks/zoo_accuracy.py DATA [--tune]`.

DATA is the folder of the data sets (see docs/models.md). `--tune` prints the accuracy on the tuning sets for several
margins of the face crop; without it the margins of the cards are measured on the held-out sets. A photo without a
face that the aligner accepts is not answered; accuracy is over the answered ones, with its 95% Wilson interval.
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
from canonface.alignment import LandmarkerAligner
from canonface.models import Model, checked_outputs, prepare

Row = dict[str, str]
MARGINS = (-0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
EXPRESSIONS = {
    **{"happy": "happy", "happiness": "happy", "smiling": "happy", "neutral": "neutral", "sad": "sad"},
    **{"sadness": "sad", "angry": "angry", "anger": "angry", "surprised": "surprise", "surprise": "surprise"},
    **{"disgusted": "disgust", "disgust": "disgust", "scared": "fear", "fear": "fear"},
}
# Years that stand for the outputs of the age network; its authors let class 0 count as a quarter.
YEARS = np.array([0.25, *range(1, 81)])


@dataclasses.dataclass(frozen=True)
class Sample:
    """One labelled photo and the model's probabilities, None where no face was found."""

    row: Row
    probabilities: np.ndarray | None


def rows_of(folder: Path, keep: Callable[[Row], bool] = bool, limit: int | None = None) -> list[Row]:
    """Rows of a data set's labels.csv; a limit takes a fixed random choice."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if keep(row)]
    return rows if limit is None else random.Random(0).sample(rows, min(limit, len(rows)))


def answers(
    aligner: LandmarkerAligner, folder: Path, rows: Sequence[Row], models: Sequence[Model]
) -> list[list[Sample]]:
    """Samples of each model; every photo is aligned once, and models are asked in batches."""
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


def aligned(aligner: LandmarkerAligner, path: Path) -> canonface.Face | None:
    """The largest face of a photo, None where there is none."""
    try:
        return aligner(path)[0]
    except canonface.CanonfaceError:
        return None


def probabilities(model: Model, faces: Sequence[canonface.Face]) -> np.ndarray:
    """Softmax of the logits, a row a face."""
    if not faces:
        return np.zeros((0, len(model.labels)))
    batch = model.to_device(np.stack([prepare(face, model.spec).x for face in faces]))
    logits = checked_outputs(model, batch).astype(float)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def interval(hits: int, n: int) -> str:
    """Share in percent with its 95% Wilson interval."""
    if n == 0:
        return "-"
    z, p = 1.96, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{100 * p:.1f} ({100 * (centre - half):.1f}-{100 * (centre + half):.1f})"


def accuracy_row(title: str, samples: Sequence[Sample], hit: Callable[[Sample], bool]) -> str:
    """A Markdown row: set, photos, answered, accuracy."""
    answered = [s for s in samples if s.probabilities is not None]
    return (
        f"| {title} | {len(samples)} | {len(answered)} | {interval(sum(map(hit, answered)), len(answered))} |"
    )


def by_group(
    title: str, samples: Sequence[Sample], hit: Callable[[Sample], bool], *columns: str
) -> list[str]:
    """A row for all and one for each value of each column."""
    lines = [accuracy_row(title, samples, hit)]
    for column in columns:
        for value in sorted({s.row[column] for s in samples}):
            chosen = [s for s in samples if s.row[column] == value]
            lines.append(accuracy_row(f"{title}: {column} {value}", chosen, hit))
    return lines


def is_gender(model: Model) -> Callable[[Sample], bool]:
    """Whether the likeliest gender is the labelled one."""
    return lambda s: model.labels[int(np.argmax(s.probabilities))] == s.row["gender"]


def is_expression(model: Model, among: Sequence[str] = ()) -> Callable[[Sample], bool]:
    """Whether the likeliest expression, of all or among some, is the labelled one."""
    chosen = [model.labels.index(label) for label in among or model.labels]
    return lambda s: (
        model.labels[chosen[int(np.argmax(s.probabilities[chosen]))]] == EXPRESSIONS[s.row["expression"]]
    )


def age_of(sample: Sample) -> float:
    """Expected age in years."""
    return float(sample.probabilities @ YEARS)


def age_row(title: str, samples: Sequence[Sample], truth: Callable[[Row], float]) -> str:
    """A Markdown row: set, photos, answered, mean absolute error, mean error, median absolute error."""
    errors = np.array([age_of(s) - truth(s.row) for s in samples if s.probabilities is not None])
    return (
        f"| {title} | {len(samples)} | {len(errors)} | {np.abs(errors).mean():.1f} | {errors.mean():+.1f} | "
        f"{np.median(np.abs(errors)):.1f} |"
    )


def midpoint(row: Row) -> float:
    """Middle of an age range; the open one counts as 70 to 79."""
    low, _, high = row["age"].replace("more than 70", "70-79").replace("70+", "70-79").partition("-")
    return (float(low) + float(high) + 1) / 2


def congress_age(row: Row) -> float:
    """Age when the portrait was collected: an upper bound of the age that it shows."""
    return float(row["collected"]) - float(row["birth_year"])


def with_margin(model: Model, margin: float) -> Model:
    """The model shown wider or narrower crops."""
    return canonface.load_model(model, spec=dataclasses.replace(model.spec, margin=margin))


def tune(data: Path, aligner: LandmarkerAligner) -> None:
    """Accuracy on the tuning sets for each margin."""
    gender, age, expression = (
        canonface.load_model(name, device="cpu") for name in ("gender", "age", "expression")
    )
    folder = data / "fairface_train1600"
    rows = rows_of(folder, limit=800)
    models = [with_margin(m, margin) for m in (gender, age) for margin in MARGINS]
    found = answers(aligner, folder, rows, models)
    print("gender, FairFace train subset\n| margin | photos | answered | % |")
    for margin, samples in zip(MARGINS, found[: len(MARGINS)], strict=True):
        print(accuracy_row(f"{margin:g}", samples, is_gender(gender)))
    print(
        "\nage, the same\n| margin | photos | answered | mean abs. error | mean error | median abs. error |"
    )
    for margin, samples in zip(MARGINS, found[len(MARGINS) :], strict=True):
        print(age_row(f"{margin:g}", samples, midpoint))
    folder = data / "openpeople_synth"
    rows = rows_of(folder, lambda row: row["expression"] in EXPRESSIONS and row["view"] == "front")
    found = answers(aligner, folder, rows, [with_margin(expression, margin) for margin in MARGINS])
    print("\nexpression, openpeople, seven classes\n| margin | photos | answered | % |")
    for margin, samples in zip(MARGINS, found, strict=True):
        print(accuracy_row(f"{margin:g}", samples, is_expression(expression)))


def hold_out(data: Path, aligner: LandmarkerAligner) -> None:
    """The tables of docs/models.md."""
    gender, age, expression = (
        canonface.load_model(name, device="cpu") for name in ("gender", "age", "expression")
    )

    def ask(name: str, models: Sequence[Model], keep: Callable[[Row], bool] = bool) -> list[list[Sample]]:
        return answers(aligner, data / name, rows_of(data / name, keep), models)

    fairface = ask("fairface_val980", [gender, age])
    congress = ask("congress_pd", [gender, age])
    studio = ask("london_frl", [gender, age, expression])
    lfw = ask("lfw_eval", [gender, expression])
    print("## gender\n| photos | n | answered | accuracy % (95%) |\n|---|---|---|---|")
    print("\n".join(by_group("FairFace validation", fairface[0], is_gender(gender), "gender", "race", "age")))
    print("\n".join(by_group("Congress", congress[0], is_gender(gender), "gender")))
    print("\n".join(by_group("London", studio[0], is_gender(gender), "gender")))
    known = [s for s in lfw[0] if s.row["gender"] in gender.labels]
    print("\n".join(by_group("LFW", known, is_gender(gender), "gender")))
    print(
        "\n## age\n| photos | n | answered | mean abs. error | mean error | median abs. error |\n"
        "|---|---|---|---|---|---|"
    )
    print(age_row("FairFace validation (middle of the range)", fairface[1], midpoint))
    for value in sorted({s.row["age"] for s in fairface[1]}, key=lambda v: midpoint({"age": v})):
        print(
            age_row(
                f"FairFace validation: {value}", [s for s in fairface[1] if s.row["age"] == value], midpoint
            )
        )
    dated = [s for s in congress[1] if s.row["birth_year"] and s.row["collected"]]
    print(age_row("Congress", dated, congress_age))
    print(age_row("London", studio[1], lambda row: float(row["age"])))
    print("\n## expression\n| photos | n | answered | accuracy % (95%) |\n|---|---|---|---|")
    print("\n".join(by_group("London, seven classes", studio[2], is_expression(expression), "expression")))
    both = is_expression(expression, ("happy", "neutral"))
    print("\n".join(by_group("London, happy or neutral", studio[2], both, "expression", "gender")))
    named = [s for s in lfw[1] if s.row["expression"] in EXPRESSIONS]
    print("\n".join(by_group("LFW, seven classes", named, is_expression(expression), "expression")))
    pair = [s for s in named if EXPRESSIONS[s.row["expression"]] in ("happy", "neutral")]
    print("\n".join(by_group("LFW, happy or neutral", pair, both, "expression", "gender")))


def main() -> None:
    """Print the tables and what they were made with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    aligner = LandmarkerAligner(canonface.load_mesh(0))
    print(f"canonface {canonface.__version__}, Python {platform.python_version()}, {platform.machine()}\n")
    (tune if options.tune else hold_out)(options.data, aligner)


if __name__ == "__main__":
    main()
