"""The planted-cue study: many trials, scored for every method."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from canonface._deprecated import renamed_parameters
from canonface.alignment import Aligner
from canonface.data.photos import Photos
from canonface.errors import ConfigurationChangedError, LabelsError, OptionError, RunError
from canonface.methods import Method
from canonface.progress import Progress, SettingOption, setting_callback
from canonface.studies.planted.model_maps import SIGNS, chosen_methods
from canonface.studies.planted.network import TrainingRecipe
from canonface.studies.planted.portraits import SIDE, Portraits, make_portraits
from canonface.studies.planted.result import Planted
from canonface.studies.planted.trial import (
    FEWEST_PHOTOS,
    Trial,
    TrialPlan,
    make_plans,
    read_trial,
    run_trial,
    save_trial,
)

QUICK_PHOTOS, QUICK_FACES, QUICK_EPOCHS = 400, 12, 15


@dataclass(frozen=True)
class PlantedDesign:
    """Design of the study: numbers of trials, photos and faces.

    Attributes:
        trials: number of networks that learn a mark.
        make_up: number of networks that learn eye make-up; None: a fourth of the trials.
        make_up_label: column of two values that the make-up goes with; None: labels are drawn.
        most_photos: number of photos, drawn at random; None: all.
        faces: largest number of held-out faces of each map.
        seed: seed of all random choices.
        quick: fewer epochs and faces and at most 400 photos: a trial run without valid results.
    """

    trials: int = 40
    make_up: int | None = None
    make_up_label: str | None = None
    most_photos: int | None = None
    faces: int = 30
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if self.trials < 0 or self.faces < 1 or (self.make_up is not None and self.make_up < 0):
            raise OptionError(
                f"A study has at least 0 trials and 1 face; got trials={self.trials}, make_up={self.make_up}, "
                f"faces={self.faces}."
            )

    @property
    def recipe(self) -> TrainingRecipe:
        """Recipe of the training."""
        return TrainingRecipe(epochs=QUICK_EPOCHS) if self.quick else TrainingRecipe()

    @property
    def map_faces(self) -> int:
        """Largest number of held-out faces of each map, also where the study is quick."""
        return min(self.faces, QUICK_FACES) if self.quick else self.faces

    @property
    def drawn_photos(self) -> int | None:
        """Number of photos to draw, also where the study is quick; None: all."""
        return min(self.most_photos or QUICK_PHOTOS, QUICK_PHOTOS) if self.quick else self.most_photos

    def plans(self, portraits: Portraits) -> list[TrialPlan]:
        """Draw the plans of all trials."""
        counts = {"mark": self.trials, "make-up": self.trials // 4 if self.make_up is None else self.make_up}
        return [
            plan for kind, count in counts.items() for plan in make_plans(portraits, kind, count, self.seed)
        ]


@renamed_parameters(told="progress")
def planted(
    photos: Photos,
    out: str | Path,
    *,
    design: PlantedDesign | None = None,
    labels: str | Path | None = None,
    identity: str = "identity",
    methods: Sequence[str] | None = None,
    aligner: Aligner | None = None,
    progress: SettingOption = None,
    **options: Any,
) -> Planted:
    """Train networks that each use one region of the face, and score the canonical maps of every method.

    Each finished trial is written at once. Called again with the same arguments, the study continues; a larger number
    of trials adds to the finished ones.

    Args:
        photos: real photos of faces, as `canonface.audit` takes them; at least several hundred.
        out: folder of the study; made if it is missing.
        design: numbers of trials, photos and faces; None: a `PlantedDesign` of ``options``.
        labels: CSV file with a column path; None: the photos' own, if they are a CSV file.
        identity: column that names the person; no person is both in training and held out. Without it, each photo is
            another person.
        methods: names of `canonface.methods.METHODS`; None: all. canonface's own maps are always made.
        aligner: finds the faces; by default the landmarker.
        progress: True for bars on stderr, or a function that is called after each photo and each trial.
        **options: fields of `PlantedDesign`: ``trials``, ``faces``, ``seed``, ``quick``, ...

    Raises:
        OptionError: an option cannot be used.
        LabelsError: the labels cannot be read, or the column of make-up does not have two values.
        ConfigurationChangedError: the folder holds a study with other arguments.
        RunError: there are too few photos, or the folder cannot be written to.
    """
    if design is not None and options:
        raise OptionError(f"A study has a design or its fields; got both design and {', '.join(options)}.")
    design = design or PlantedDesign(**options)
    folder = Path(out)
    chosen = chosen_methods(None if methods is None else list(methods))
    with setting_callback(progress) as report:
        portraits = make_portraits(
            photos,
            folder / "portraits",
            labels=labels,
            identity=identity,
            most=design.drawn_photos,
            seed=design.seed,
            aligner=aligner,
            progress=partial(report, "aligning"),
        )
        if len(portraits) < FEWEST_PHOTOS:
            raise RunError(
                f"A network learns a cue from at least {FEWEST_PHOTOS} photos with a face; got {len(portraits)}: "
                "give more."
            )
        classes = None if design.make_up_label is None else two_values(portraits, design.make_up_label)
        _check_same(folder / "study.json", _settings(design, portraits, chosen))
        trials = _trials(design, portraits, chosen, classes, folder / "trials", report)
    return Planted(portraits.mesh, tuple(trials), tuple(chosen), len(portraits), portraits.failed)


def _settings(
    design: PlantedDesign, portraits: Portraits, methods: Mapping[str, Method | None]
) -> dict[str, Any]:
    """Return the settings that all trials of a folder share, as ``study.json`` holds them."""
    return {
        "photos": sha256("\n".join(portraits.names).encode()).hexdigest(),
        "people": sha256("\n".join(portraits.people).encode()).hexdigest(),
        "side": SIDE,
        "seed": design.seed,
        "faces": design.map_faces,
        "recipe": asdict(design.recipe),
        "make_up_label": design.make_up_label,
        "methods": {
            name: {"sign": SIGNS[name]} | ({} if method is None else dict(method.describe()))
            for name, method in methods.items()
        },
    }


def _trials(
    design: PlantedDesign,
    portraits: Portraits,
    methods: Mapping[str, Method | None],
    labels: Bool[np.ndarray, "f"] | None,
    folder: Path,
    progress: Callable[[str, Progress], None],
) -> list[Trial]:
    """Run the trials that the folder does not hold, and return all."""
    plans = design.plans(portraits)
    done: list[Trial] = []
    resumed = 0
    for plan in plans:
        path = folder / f"{plan.name}.json"
        if path.exists():
            trial, resumed = read_trial(path), resumed + 1
        else:
            trial = run_trial(
                plan, portraits, methods, faces=design.map_faces, labels=labels, recipe=design.recipe
            )
            save_trial(trial, folder)
        done.append(trial)
        failed = sum(not one.counts for one in done)
        progress("trials", Progress(len(done), len(plans), failed=failed, resumed=resumed))
    return done


def two_values(portraits: Portraits, column: str) -> Bool[np.ndarray, "f"]:
    """Return True for each photo with the alphabetically first of a column's two values.

    Raises:
        LabelsError: the column does not exist, or it does not have two values.
    """
    if column not in portraits.labels:
        raise LabelsError(
            f"Make-up goes with a column of the labels; there is no column {column!r}: "
            f"{', '.join(portraits.labels) or 'there are none'}."
        )
    values = sorted(set(portraits.labels[column]))
    if len(values) != 2 or "" in values:
        raise LabelsError(
            f"Make-up goes with a column of two values, known for every photo; {column!r} has {len(values)}: "
            f"{', '.join(map(repr, values[:5]))}."
        )
    return np.array([value == values[0] for value in portraits.labels[column]])


def _check_same(path: Path, settings: dict[str, Any]) -> None:
    """Write the settings of a folder's trials, or raise ConfigurationChangedError if the folder has others."""
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        differ = [name for name in settings if before.get(name) != settings[name]]
        if differ:
            raise ConfigurationChangedError(
                f"A study continues with the arguments that it was started with; {path.parent} differs in "
                f"{', '.join(differ)}. Take another folder, or the same arguments."
            )
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"A study needs a folder that can be written to; {path} cannot be written: {error.strerror or error}."
        ) from error
