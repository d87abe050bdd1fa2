"""Trials: plant a cue, train a network on it, and score the map of every method."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import RunError
from canonface.files import atomic_write
from canonface.methods import Method
from canonface.statistics import json_value
from canonface.studies.planted.cue_scores import Chance, CueScore, chance, score
from canonface.studies.planted.cues import MAKE_UP, Cue, MakeUpCue, MarkCue, painted
from canonface.studies.planted.marks import Area, frontal_pixels, shown_pixels
from canonface.studies.planted.model_maps import model_maps
from canonface.studies.planted.network import HEADS, TrainingRecipe, as_model, probabilities, train
from canonface.studies.planted.portraits import Portraits
from canonface.studies.planted.reliance import Reliance, measure_reliance
from canonface.types import Mesh

SIZES = (0.5, 0.75, 1.0)
"""Shares of a region that the marks of a trial may cover."""
AGREEMENT = 0.95
"""Share of the training photos whose make-up goes with the label."""
LEAST_ACCURACY = 0.9
"""Accuracy on held-out photos below which a network has not learned its cue, and its trial does not count."""
LEAST_PIXELS = 40
"""Fewest pixels of a region in a frontal picture: on smaller regions a mark is a few pixels."""
LEAST_SHOWN = 0.5
"""Share of those pixels that a photo must show of the region to take part."""
FEWEST_PHOTOS = 150
TRAINING, VALIDATION = 0.7, 0.1
MAX_TESTED = 200


@dataclass(frozen=True)
class TrialPlan:
    """Random choices of a trial.

    Attributes:
        number: number of the trial among those of its kind.
        kind: ``mark`` or ``make-up``.
        region: region of the cue.
        size: share of the region that a mark covers.
        head: head of the network; see `canonface.studies.planted.network.HEADS`.
        seed: seed of all other random choices.
    """

    number: int
    kind: str
    region: str
    size: float
    head: str
    seed: int

    @property
    def name(self) -> str:
        """Name of the trial's files."""
        return f"{self.kind}-{self.number:03d}"


@dataclass(frozen=True, eq=False)
class Trial:
    """Result of a trial.

    Attributes:
        plan: its random choices.
        reason: reason for which it does not count; empty if it counts.
        photos: numbers of photos that show enough of the region: for training, validation and held out.
        epochs: epochs of the training.
        accuracy: accuracy of the network on the held-out photos.
        reliance: the direct test of the network; None where no network was trained.
        faces: number of faces of the maps.
        chance: expected scores of a map without information.
        scores: method -> score; empty where the trial does not count.
        values: method -> ``(V,)`` its map at the vertices; NaN where no face shows the vertex.
        seconds: time of the training and of each method.
    """

    plan: TrialPlan
    reason: str
    photos: tuple[int, int, int]
    epochs: int = 0
    accuracy: float = float("nan")
    reliance: Reliance | None = None
    faces: int = 0
    chance: Chance | None = None
    scores: Mapping[str, CueScore] = field(default_factory=dict)
    values: Mapping[str, Float[np.ndarray, "v"]] = field(default_factory=dict, repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def counts(self) -> bool:
        """True where the scores are part of the result."""
        return not self.reason


def make_plans(portraits: Portraits, kind: str, count: int, seed: int) -> list[TrialPlan]:
    """Draw plans whose regions, sizes and heads each occur equally often, as far as the number allows.

    A larger number of plans begins with the plans of a smaller number.
    """
    rng = np.random.default_rng([seed, 2 if kind == "mark" else 3])
    regions = paintable(portraits) if kind == "mark" else ["eyelids"]
    columns = [_dealt(options, count, rng) for options in (regions, SIZES, HEADS)]
    return [
        TrialPlan(i, kind, str(region), float(size), str(head), seed)
        for i, (region, size, head) in enumerate(zip(*columns, strict=True))
    ]


def _dealt(options: Any, count: int, rng: np.random.Generator) -> list[Any]:
    """Draw options in random order, all of them before any repeats."""
    own = np.random.default_rng(rng.integers(2**63))
    dealt: list[Any] = []
    while len(dealt) < count:
        dealt += [options[i] for i in own.permutation(len(options))]
    return dealt[:count]


def paintable(portraits: Portraits) -> list[str]:
    """Return the names of the face's regions that are large enough for a mark."""
    mesh, side = portraits.mesh, portraits.side
    areas = [
        Area.named(mesh, name) for name, members in mesh.regions.items() if members.min() < mesh.face_count
    ]
    return [area.name for area in areas if frontal_pixels(mesh, area, side) >= LEAST_PIXELS]


def area_of(plan: TrialPlan, mesh: Mesh) -> Area:
    """Return the area of a plan's cue."""
    return Area.named(mesh, MAKE_UP if plan.kind == "make-up" else plan.region)


def cue_of(plan: TrialPlan, portraits: Portraits) -> Cue:
    """Return the cue of a plan."""
    if plan.kind == "make-up":
        return MakeUpCue.on(portraits.mesh, plan.size)
    return MarkCue.on(portraits.mesh, plan.region, plan.size, paintable(portraits))


def run_trial(
    plan: TrialPlan,
    portraits: Portraits,
    methods: Mapping[str, Method | None],
    *,
    faces: int = 30,
    labels: Bool[np.ndarray, "f"] | None = None,
    recipe: TrainingRecipe | None = None,
) -> Trial:
    """Run a trial.

    Args:
        plan: its random choices.
        portraits: all faces.
        methods: see `canonface.studies.planted.model_maps.chosen_methods`.
        faces: largest number of held-out faces with the cue for the maps.
        labels: ``(f,)`` labels of all faces for make-up; None: labels are drawn.
        recipe: recipe of the training; None: its defaults.
    """
    start = perf_counter()
    rng = np.random.default_rng([plan.seed, plan.number, 4 if plan.kind == "mark" else 5])
    cue = cue_of(plan, portraits)
    least = LEAST_SHOWN * frontal_pixels(portraits.mesh, cue.area, portraits.side)
    shown = np.flatnonzero(shown_pixels(portraits.triangle, cue.area) >= least)
    people = tuple(portraits.people[i] for i in shown)
    parts = [shown[part] for part in split_by_person(people, (TRAINING, VALIDATION), rng)]
    training, validation, held = parts
    photos = (len(training), len(validation), len(held))
    if len(shown) < FEWEST_PHOTOS or not min(photos):
        return Trial(plan, f"only {len(shown)} photos show enough of the region", photos)
    agreement = AGREEMENT if plan.kind == "make-up" else 1.0
    known = labels if plan.kind == "make-up" else None
    trained = train(
        portraits, cue, plan.head, training, validation, rng, labels=known, agreement=agreement, recipe=recipe
    )
    present = _half(len(held), rng)
    pixels = painted(portraits, cue, held, present, rng)
    accuracy = float(((probabilities(trained.network, pixels) > 0.5) == present).mean())
    reliance = measure_reliance(portraits, cue, trained.network, held[:MAX_TESTED], rng)
    seconds = {"training": perf_counter() - start}
    so_far = Trial(plan, "", photos, trained.epochs, accuracy, reliance, seconds=seconds)
    if accuracy < LEAST_ACCURACY:
        return replace(so_far, reason=f"accuracy {accuracy:.3f} on held-out photos")
    explained = np.flatnonzero(present)[:faces]
    model = as_model(trained.network, portraits.side, plan.name)
    maps, took = model_maps(portraits, held[explained].tolist(), pixels[explained], model, methods)
    return replace(
        so_far,
        faces=len(explained),
        chance=chance(next(iter(maps.values())), cue.area),
        scores={name: score(cms, cue.area) for name, cms in maps.items()},
        values={name: cms.vertex_values for name, cms in maps.items()},
        seconds=seconds | took,
    )


def split_by_person(
    people: tuple[str, ...], shares: tuple[float, ...], rng: np.random.Generator
) -> list[Int[np.ndarray, "_"]]:
    """Split photos into parts without a common person, and return the indices of each part.

    Args:
        people: person of each photo.
        shares: share of the people in each part but the last, which takes the rest.
        rng: draws the order of people.
    """
    names, who = np.unique(np.array(people), return_inverse=True)
    place = rng.permutation(len(names))[who]
    ends = np.cumsum(np.array(shares) * len(names))
    return [
        np.flatnonzero(np.searchsorted(ends, place, side="right") == part) for part in range(len(shares) + 1)
    ]


def _half(count: int, rng: np.random.Generator) -> Bool[np.ndarray, "n"]:
    """Return True for half of the entries, in random order."""
    return np.asarray(rng.permutation(count) < count / 2)


def save_trial(trial: Trial, folder: Path) -> None:
    """Write a trial's maps as .npz and then its results as JSON next to them: a JSON file implies its maps.

    Raises:
        RunError: the folder cannot be written to.
    """
    content = {
        "plan": asdict(trial.plan),
        "reason": trial.reason,
        "photos": list(trial.photos),
        "epochs": trial.epochs,
        "accuracy": json_value(trial.accuracy),
        "reliance": None if trial.reliance is None else asdict(trial.reliance),
        "faces": trial.faces,
        "chance": None if trial.chance is None else asdict(trial.chance),
        "scores": {name: one.describe() for name, one in trial.scores.items()},
        "seconds": {name: round(value, 3) for name, value in trial.seconds.items()},
    }
    path = folder / f"{trial.plan.name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.asarray(value, dtype=np.float32) for name, value in trial.values.items()}
        atomic_write(
            path.with_suffix(".npz"), lambda file: np.savez_compressed(file, allow_pickle=False, **arrays)
        )
        atomic_write(path, json.dumps(content, indent=1, allow_nan=False))
    except OSError as error:
        raise RunError(
            f"A study needs a folder that can be written to; {path} cannot be written: {error.strerror or error}."
        ) from error


def read_trial(path: Path) -> Trial:
    """Read a trial that `save_trial` wrote.

    Raises:
        RunError: the file or its maps cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            values = {name: file[name].astype(np.float64) for name in file.files}
        return Trial(
            plan=TrialPlan(**content["plan"]),
            reason=content["reason"],
            photos=tuple(content["photos"]),
            epochs=content["epochs"],
            accuracy=np.nan if content["accuracy"] is None else content["accuracy"],
            reliance=None if content["reliance"] is None else Reliance(**content["reliance"]),
            faces=content["faces"],
            chance=None if content["chance"] is None else Chance(**content["chance"]),
            scores={name: CueScore.read(one) for name, one in content["scores"].items()},
            values=values,
            seconds=content["seconds"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"A trial is a JSON file with an .npz file of its maps next to it; {path} cannot be read: {error}. "
            "Delete both files, and the trial is run again."
        ) from error
