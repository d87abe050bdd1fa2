"""Figures of the paper: the commands that make each from a user's photos, and the data that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from canonface.errors import OptionError, near_names
from canonface.studies.photo_sets import PhotoSet
from canonface.studies.tables import write_csv

Line: TypeAlias = tuple[str, ...]
"""Words of a command line, without ``canonface``."""
GENDER = ("gender", "female")
BACKBONE_TASKS = (
    ("facenet", "face recognition"),
    ("facenet-gender=female", "gender"),
    ("facenet-age", "age"),
    ("facenet-pose", "head pose"),
    ("facenet-expression=happy", "expression"),
)
STAND_INS = {
    "facenet-gender=female": "gender=female",
    "facenet-age": "age",
    "facenet-expression=happy": "expression=happy",
}
GALLERY_PEOPLE = 25


@dataclass(frozen=True)
class FigureRequest:
    """Request for a figure: photos, folder, model and target.

    Attributes:
        data: the photos.
        out: folder of the figure.
        model: model, where a figure is about one.
        target: its target.
        photos: largest number of photos.
        seed: seed of the choice of photos.
        zoo: names of the models that can be fetched.
    """

    data: PhotoSet
    out: Path
    model: str = GENDER[0]
    target: str | None = GENDER[1]
    photos: int = 200
    seed: int = 0
    zoo: Sequence[str] = ()

    def listed(self, name: str = "photos", most: int | None = None) -> str:
        """Write the drawn photos as a CSV file into the figure's folder, and return its path."""
        count = self.photos if most is None else min(most, self.photos)
        return str(write_list(self.data.sample(count, self.seed), self.out / f"{name}.csv"))

    @property
    def model_options(self) -> Line:
        """Options of the command line for the model and its target."""
        return ("--model", self.model, *(("--target", self.target) if self.target else ()))


@dataclass(frozen=True)
class FigurePlan:
    """Command lines that make a figure.

    Attributes:
        lines: the commands, in order; empty where the figure cannot be made.
        missing: data or models that are missing, and their replacements.
    """

    lines: tuple[Line, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper.

    Attributes:
        number: number of the figure.
        shows: its content.
        command: our commands that make it, for a list.
        plan: function from the request to the command lines.
        differs: difference to the paper that no data of the user removes.
        by_photo: True where each photo is explained by itself, for its predicted class: in another class a model has
            almost no confidence to lose.
    """

    number: int
    shows: str
    command: str
    plan: Callable[[FigureRequest], FigurePlan] = field(repr=False)
    differs: str = "The paper's fine-tuned networks are not available: --model names another one."
    by_photo: bool = False


def write_list(rows: Iterable[Mapping[str, str]], path: Path) -> Path:
    """Write photos, or pairs of photos, with their labels as a CSV file.

    Raises:
        RunError: the file cannot be written.
    """
    return write_csv(rows, path, "A list of photos")


def figure_of(number: str) -> PaperFigure:
    """Return a figure by its number.

    Raises:
        OptionError: no figure has that number.
    """
    text = number.lower().removeprefix("figure").removeprefix("fig").strip(" .-")
    known = {str(item): figure for item, figure in FIGURES.items()}
    if text not in known:
        raise OptionError(
            f"A figure of the paper that can be made has a known number; got {number!r}: "
            f"{near_names(text, known)}"
        )
    return known[text]


def _tasks(request: FigureRequest) -> FigurePlan:
    chosen, missing = [], []
    for task, name in BACKBONE_TASKS:
        model = task.partition("=")[0]
        if model in request.zoo:
            chosen.append(task)
        elif (instead := STAND_INS.get(task)) is not None:
            chosen.append(instead)
            missing.append(f"{model}: no head for {name} on the recognition backbone; {instead} stands in")
        else:
            missing.append(f"{model}: no head for {name} on the recognition backbone; left out")
    words = [word for task in chosen for word in ("--task", task)]
    line = ("study", "tasks", request.listed(), *words, "-o", str(request.out))
    return FigurePlan((line,), tuple(missing))


def _methods(request: FigureRequest) -> FigurePlan:
    rows = request.data.sample(3, request.seed)
    photos = tuple(row["path"] for row in rows)
    return FigurePlan((("compare-methods", *photos, *request.model_options, "-o", str(request.out)),))


def _study(name: str, *more: str, most: int | None = None) -> Callable[[FigureRequest], FigurePlan]:
    def plan(request: FigureRequest) -> FigurePlan:
        return FigurePlan(
            (
                (
                    "study",
                    name,
                    request.listed(most=most),
                    *request.model_options,
                    *more,
                    "-o",
                    str(request.out),
                ),
            )
        )

    return plan


def _audit(request: FigureRequest, *more: str) -> Line:
    out = str(request.out / "run")
    return ("audit", request.listed(), *request.model_options, *more, "--allow-failures", "-o", out)


def _convergence(request: FigureRequest) -> FigurePlan:
    missing = []
    if len(request.data.rows) < 1000:
        missing.append(f"the paper has up to 1000 photos and more; here are {len(request.data.rows)}")
    if request.photos < min(len(request.data.rows), 1000):
        missing.append(f"only {request.photos} are taken: --photos takes more")
    study = ("study", "convergence", str(request.out / "run"), "-o", str(request.out))
    return FigurePlan((_audit(request), study), tuple(missing))


def _columns(request: FigureRequest) -> FigurePlan:
    return FigurePlan((_audit(request),))


def _poses(request: FigureRequest) -> FigurePlan:
    return FigurePlan((_audit(request, "--by", "pose-bin"),))


def _recognition(request: FigureRequest) -> FigurePlan:
    people = request.data.of_people(GALLERY_PEOPLE, 2, request.seed)
    if len(people) < 2:
        known = len(request.data.people())
        return FigurePlan(
            (),
            (
                f"recognition needs two photos each of at least two people; the labels name {known} people, "
                f"{len(request.data.people(2))} of them with two (a column identity, or a folder for each person)",
            ),
        )
    gallery = write_list((rows[0] for _, rows in people), request.out / "gallery.csv")
    probes = write_list((rows[1] for _, rows in people), request.out / "probes.csv")
    pairs, missing = _pairs(request, people)
    table = write_list(pairs, request.out / "pairs.csv")
    audit = ("audit", str(probes), "--model", "facenet", "--gallery", str(gallery), "--confidence",
             "recognition-margin", "--allow-failures", "-o", str(request.out / "recognition"))  # fmt: skip
    verify = ("verify", str(table), "--model", "facenet", "--threshold", "0.4", "--allow-failures", "-o",
              str(request.out / "verification"))  # fmt: skip
    return FigurePlan((audit, verify), missing)


def _pairs(
    request: FigureRequest, people: Sequence[tuple[str, tuple[Mapping[str, str], ...]]]
) -> tuple[list[Mapping[str, str]], tuple[str, ...]]:
    """Return genuine and impostor pairs: those of the data set, else one of each kind per person."""
    if request.data.pairs:
        kinds = ([p for p in request.data.pairs if p["same"] == same] for same in ("1", "0"))
        return [pair for kind in kinds for pair in kind[:GALLERY_PEOPLE]], ()
    pairs: list[Mapping[str, str]] = []
    for i, (_, rows) in enumerate(people):
        other = people[(i + 1) % len(people)][1]
        pairs.append({"path_a": rows[0]["path"], "path_b": rows[1]["path"], "same": "1"})
        pairs.append({"path_a": rows[0]["path"], "path_b": other[0]["path"], "same": "0"})
    return pairs, ("no list of pairs: each person is paired with itself and with the next",)


def _metrics(request: FigureRequest) -> FigurePlan:
    table, bars = (str(request.out / f"metrics.{suffix}") for suffix in ("csv", "png"))
    evaluate = ("evaluate", str(request.out / "run"), "--against", "gradcam,gradcam++,scorecam", "--metrics",
                "average-drop,increase,win", "--csv", table, "--figure", bars)  # fmt: skip
    return FigurePlan((_audit(request), evaluate))


def _models(request: FigureRequest) -> FigurePlan:
    family = {"gender": ("gender", "gender-wrn"), "age": ("age", "age-wrn")}.get(request.model)
    known = [name for name in family or () if name in request.zoo]
    if len(known) < 2:
        return FigurePlan(
            (),
            (
                f"two models of the task of {request.model!r}: the zoo has one; run canonface study models with "
                "your own models",
            ),
        )
    target = ("--target", request.target) if request.target and request.model == GENDER[0] else ()
    words = [word for name in known for word in ("--model", name)]
    line = ("study", "models", request.listed(), *words, *target, "--patch", "2cm", "-o", str(request.out))
    return FigurePlan((line,))


_ALIGNMENT = PaperFigure(
    20,
    "maps without alignment, by five points, canonical",
    "study alignment",
    _study("alignment", "--scored", "50"),
)
FIGURES: dict[int, PaperFigure] = {
    figure.number: figure
    for figure in (
        PaperFigure(1, "five tasks on one backbone", "study tasks", _tasks),
        PaperFigure(2, "methods side by side, one row per photo", "compare-methods", _methods, by_photo=True),
        PaperFigure(4, "with and without normalisation", "study density", _study("density", most=100)),
        PaperFigure(5, "the map against the number of images", "audit, study convergence", _convergence),
        PaperFigure(6, "photo, its map, the model's map, the latter on the photo", "audit", _columns),
        PaperFigure(7, "recognition and verification", "audit --gallery, verify", _recognition),
        PaperFigure(8, "weights randomised layer by layer", "study randomize", _study("randomize", most=12)),
        PaperFigure(10, "Average Drop of methods", "evaluate", _metrics),
        PaperFigure(11, "Increase in confidence and Win of methods", "evaluate", _metrics),
        PaperFigure(12, "models of one task side by side", "study models", _models),
        PaperFigure(13, "models of one task side by side", "study models", _models),
        PaperFigure(
            18, "sizes and strides of the occluder", "study patch", _study("patch", "--strides", "5,20")
        ),
        PaperFigure(19, "maps by head pose", "audit --by pose-bin", _poses),
        _ALIGNMENT,
        PaperFigure(21, _ALIGNMENT.shows, _ALIGNMENT.command, _ALIGNMENT.plan),
    )
}
