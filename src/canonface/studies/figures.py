"""The paper's figures: which command of ours makes each, of the photos that a user has, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from canonface.errors import OptionError, near_names
from canonface.studies.photo_sets import PhotoSet, write_rows

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
class Wanted:
    """What the user asks for.

    Attributes:
        data: the photos.
        out: folder of the figure.
        model: asked where a figure is about one model.
        target: likewise.
        photos: at most so many.
        seed: of the photos drawn.
        zoo: names of the models that can be fetched.
        commands: names of the commands that there are.
    """

    data: PhotoSet
    out: Path
    model: str = GENDER[0]
    target: str | None = GENDER[1]
    photos: int = 200
    seed: int = 0
    zoo: Sequence[str] = ()
    commands: Sequence[str] = ()

    def listed(self, name: str = "photos", most: int | None = None) -> str:
        """The photos drawn, as a CSV file in the figure's folder."""
        count = self.photos if most is None else min(most, self.photos)
        return str(write_rows(self.data.sample(count, self.seed), self.out / f"{name}.csv"))

    @property
    def confidence_fn(self) -> Line:
        """The words that say which model is asked what."""
        return ("--model", self.model, *(("--target", self.target) if self.target else ()))


@dataclass(frozen=True)
class Plan:
    """How a figure is made here.

    Attributes:
        lines: the commands, in order; empty where it cannot be made.
        missing: what is not there, and what is done instead.
    """

    lines: tuple[Line, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class PaperFigure:
    """One figure of the paper.

    Attributes:
        number: of the figure.
        shows: what it shows.
        command: of ours that makes it, for a list.
        plan: from what the user wants to the command lines.
        differs: what no data of the user's can change.
        by_photo: whether each photo is looked at by itself: asked about a class that the photo is not of, a model has
            next to no confidence to lose.
    """

    number: int
    shows: str
    command: str
    plan: Callable[[Wanted], Plan] = field(repr=False)
    differs: str = "The paper's fine-tuned networks cannot be had: --model names the one that is asked."
    by_photo: bool = False


def figure_of(number: str) -> PaperFigure:
    """A figure by its number.

    Raises:
        OptionError: there is none.
    """
    text = number.lower().removeprefix("figure").removeprefix("fig").strip(" .-")
    known = {str(item): figure for item, figure in FIGURES.items()}
    if text not in known:
        raise OptionError(
            f"A figure of the paper that can be made has a known number; got {number!r}: "
            f"{near_names(text, known)}"
        )
    return known[text]


def _tasks(wanted: Wanted) -> Plan:
    chosen, missing = [], []
    for task, name in BACKBONE_TASKS:
        model = task.partition("=")[0]
        if model in wanted.zoo:
            chosen.append(task)
        elif (instead := STAND_INS.get(task)) is not None:
            chosen.append(instead)
            missing.append(f"{model}: no head for {name} on the recognition backbone; {instead} stands in")
        else:
            missing.append(f"{model}: no head for {name} on the recognition backbone; left out")
    words = [word for task in chosen for word in ("--task", task)]
    line = ("study", "tasks", wanted.listed(), *words, "-o", str(wanted.out))
    return Plan((line,), tuple(missing))


def _methods(wanted: Wanted) -> Plan:
    rows = wanted.data.sample(3, wanted.seed)
    if "compare-methods" not in wanted.commands:
        return Plan((), ("the command compare-methods is not part of this version",))
    photos = tuple(row["path"] for row in rows)
    return Plan((("compare-methods", *photos, *wanted.confidence_fn, "-o", str(wanted.out)),))


def _study(name: str, *more: str, most: int | None = None) -> Callable[[Wanted], Plan]:
    def plan(wanted: Wanted) -> Plan:
        return Plan(
            (("study", name, wanted.listed(most=most), *wanted.confidence_fn, *more, "-o", str(wanted.out)),)
        )

    return plan


def _audit(wanted: Wanted, *more: str) -> Line:
    out = str(wanted.out / "run")
    return ("audit", wanted.listed(), *wanted.confidence_fn, *more, "--allow-failures", "-o", out)


def _convergence(wanted: Wanted) -> Plan:
    missing = []
    if len(wanted.data.rows) < 1000:
        missing.append(f"the paper goes to 1000 photos and more; here are {len(wanted.data.rows)}")
    if wanted.photos < min(len(wanted.data.rows), 1000):
        missing.append(f"only {wanted.photos} are taken: ask for more with --photos")
    study = ("study", "convergence", str(wanted.out / "run"), "-o", str(wanted.out))
    return Plan((_audit(wanted), study), tuple(missing))


def _columns(wanted: Wanted) -> Plan:
    return Plan((_audit(wanted),))


def _poses(wanted: Wanted) -> Plan:
    return Plan((_audit(wanted, "--by", "pose-bin"),))


def _recognition(wanted: Wanted) -> Plan:
    people = wanted.data.of_people(GALLERY_PEOPLE, 2, wanted.seed)
    if len(people) < 2:
        known = len(wanted.data.people())
        return Plan(
            (),
            (
                f"recognition needs two photos each of at least two people; the labels name {known} people, "
                f"{len(wanted.data.people(2))} of them with two (a column identity, or a folder for each person)",
            ),
        )
    gallery = write_rows((rows[0] for _, rows in people), wanted.out / "gallery.csv")
    probes = write_rows((rows[1] for _, rows in people), wanted.out / "probes.csv")
    pairs, missing = _pairs(wanted, people)
    table = write_rows(pairs, wanted.out / "pairs.csv")
    audit = ("audit", str(probes), "--model", "facenet", "--gallery", str(gallery), "--confidence",
             "recognition-margin", "--allow-failures", "-o", str(wanted.out / "recognition"))  # fmt: skip
    verify = ("verify", str(table), "--model", "facenet", "--threshold", "0.4", "--allow-failures", "-o",
              str(wanted.out / "verification"))  # fmt: skip
    return Plan((audit, verify), missing)


def _pairs(
    wanted: Wanted, people: Sequence[tuple[str, tuple[Mapping[str, str], ...]]]
) -> tuple[list[Mapping[str, str]], tuple[str, ...]]:
    """Genuine and impostor pairs: the data set's own, else each person with itself and with the next."""
    if wanted.data.pairs:
        kinds = ([p for p in wanted.data.pairs if p["same"] == same] for same in ("1", "0"))
        return [pair for kind in kinds for pair in kind[:GALLERY_PEOPLE]], ()
    pairs: list[Mapping[str, str]] = []
    for i, (_, rows) in enumerate(people):
        other = people[(i + 1) % len(people)][1]
        pairs.append({"path_a": rows[0]["path"], "path_b": rows[1]["path"], "same": "1"})
        pairs.append({"path_a": rows[0]["path"], "path_b": other[0]["path"], "same": "0"})
    return pairs, ("no list of pairs: each person is paired with itself and with the next",)


def _metrics(wanted: Wanted) -> Plan:
    if "evaluate" not in wanted.commands:
        return Plan((), ("the command evaluate is not part of this version",))
    table, bars = (str(wanted.out / f"metrics.{suffix}") for suffix in ("csv", "png"))
    evaluate = ("evaluate", str(wanted.out / "run"), "--against", "gradcam,gradcam++,scorecam", "--metrics",
                "average-drop,increase,win", "--csv", table, "--figure", bars)  # fmt: skip
    return Plan((_audit(wanted), evaluate))


def _models(wanted: Wanted) -> Plan:
    family = {"gender": ("gender", "gender-wrn"), "age": ("age", "age-wrn")}.get(wanted.model)
    known = [name for name in family or () if name in wanted.zoo]
    if len(known) < 2:
        return Plan(
            (),
            (
                f"two models of the task of {wanted.model!r}: the zoo has one; ask canonface study models with "
                "models of your own",
            ),
        )
    target = ("--target", wanted.target) if wanted.target and wanted.model == GENDER[0] else ()
    words = [word for name in known for word in ("--model", name)]
    line = ("study", "models", wanted.listed(), *words, *target, "--patch", "2cm", "-o", str(wanted.out))
    return Plan((line,))


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
        PaperFigure(2, "methods side by side, a row a photo", "compare-methods", _methods, by_photo=True),
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
