"""A run's canonical maps against the maps of others, on the run's own photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.errors import CanonfaceError, ConfigurationChangedError, OptionError, RunError, near_names
from canonface.evaluation.asked import same_model, subject_maker
from canonface.evaluation.attributions import cis_attribution, cms_attribution
from canonface.evaluation.controls import CONTROLS
from canonface.evaluation.intervals import DRAWS, LEVEL, check_draws
from canonface.evaluation.metrics import Metric, chosen_metrics
from canonface.evaluation.result import Evaluation
from canonface.evaluation.scoring import Choices, Scored, score
from canonface.evaluation.subjects import Attributions, Subject, View
from canonface.maps import CMS
from canonface.methods import AttributionFiles, make_method
from canonface.models import Model
from canonface.pipeline import Progress
from canonface.run import Run
from canonface.run.estimate import cluster_names, cluster_of

OURS = ("cms", "cis")
"""The canonical maps, drawn on each photo."""


def evaluate(
    run: Run | str | Path,
    model: Any = None,
    against: Iterable[Any] = (),
    *,
    photos: int | Iterable[str] | None = None,
    metrics: Iterable[str] | None = None,
    confidence: Any = None,
    by: str | None = None,
    held_out: bool = False,
    cluster: str | None = None,
    total: str | float = "smallest",
    clip_negative: bool = False,
    deletion_fill: str = "mean",
    insertion_fill: str = "blur",
    steps: int = 20,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    batch: int = 64,
    progress: Callable[[Progress], None] | None = None,
) -> Evaluation:
    """How faithful a run's maps are to its model, beside those of other methods, on the run's own photos.

    For each photo the model map (``cms``, the paper's choice) and the photo's own map (``cis``) are drawn on the face
    in the model's input, every other method makes its map of the same input, and all are scored alike. A photo that
    one method cannot be asked about is left out for all.

    Args:
        run: a run of single faces or of pairs, or its folder.
        model: the run's model, or whatever `canonface.load_model` takes; None: the name that the run wrote down.
        against: names of `canonface.methods.METHODS`, ``random`` or ``centre`` (maps that know nothing of the model),
            or objects that are such methods.
        photos: which of the run's photos or pairs are scored: their names (``path``, or ``face_id`` of a pair), or
            how many, drawn at random; None: all. The model map is that of the whole run.
        metrics: names of `canonface.evaluation.METRICS`; None: all that suit the run.
        confidence: the run's confidence, where it is more than a name and a target: with a gallery, for instance.
        by: column of the labels, or ``target``: each photo takes the model map of its own group. A run of pairs does
            so by ``target`` in any case.
        held_out: leave a person's own photos out of the model map that is drawn on them.
        cluster: column of the labels that names the person; None: the run's own, else ``identity``.
        total: heat that every method hides in an image: ``smallest``, ``median`` or ``largest`` of the methods' own
            sums, ``cms``, or a share of the image (`canonface.evaluation.common_total`).
        clip_negative: set heat below 0 to 0 before eq. 9, as the authors' released code does.
        deletion_fill: what stands in for deleted pixels: ``mean``, ``black``, ``blur``, ``noise``, ``average``, or a
            colour ``#rrggbb``.
        insertion_fill: what stands in for pixels that are not inserted yet, likewise.
        steps: of deletion and insertion.
        level: of the intervals.
        draws: of the bootstrap.
        seed: of the draws, of ROAD's noise, of the order among pixels of equal heat, and of ``photos``.
        batch: how many inputs the model is shown at once.
        progress: called after each photo.

    Raises:
        OptionError: an option, a method or a metric does not exist, or does not suit the model.
        ConfigurationChangedError: the model or the confidence is another than the run's.
        RunError: no photo could be scored.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    choices = Choices(total, clip_negative, deletion_fill, insertion_fill, steps, seed=seed)
    choices.check()
    check_draws(level, draws)
    measured = chosen_metrics(metrics, run.of_pairs)
    methods = made_methods(against)
    loaded = same_model(run, model)
    for method in methods:
        method.check(loaded, None)
    subject_of, unit = subject_maker(run, loaded, confidence, batch)
    people, by_identity = people_of(run, cluster)
    model_maps = _ModelMaps(run, by, held_out, people)
    rows = _rows(run, photos, seed)
    _check_files(methods, run, rows)
    scored, failed = _scored_rows(
        rows, subject_of, _Maps(model_maps, loaded, methods), measured, choices, progress, run
    )
    if not scored:
        raise RunError(
            f"An evaluation needs at least one photo; none of {len(rows)} of {run.folder} could be scored, e.g.: "
            + (failed[0][2] if failed else "the run holds no face")
        )
    kept = [row for row, _, _ in scored]
    results = [one for _, _, one in scored]
    names = (*OURS, *(method.name for method in methods))
    stated = asdict(choices) | {
        "against": [dict(method.describe()) for method in methods],
        "maps": run.method or "canonical",
        "by": model_maps.by,
        "held_out": held_out,
        "photos": len(rows),
        "draws": draws,
    }
    return Evaluation(
        model=run.model_name,
        unit=unit,
        methods=names,
        metrics=measured,
        names=tuple(subject.name for _, subject, _ in scored),
        people=tuple(people[row] for row in kept),
        groups=tuple(subject.group for _, subject, _ in scored),
        scores={m.name: np.stack([one.scores[m.name] for one in results]) for m in measured},
        original=np.array([one.original for one in results]),
        left=_columns([one.left for one in results], names),
        taken=_columns([one.taken for one in results], names),
        choices=stated,
        of_pairs=run.of_pairs,
        by_identity=by_identity,
        failed=tuple((name, reason) for name, reason, _ in failed),
        level=level,
        draws=draws,
        seed=seed,
    )


def made_methods(against: Iterable[Any]) -> list[Any]:
    """Methods by name or as they are.

    Raises:
        OptionError: there is none of a name, it is one of the canonical maps, or it is named twice.
    """
    given = [against] if isinstance(against, str) else list(against)
    made = []
    for one in given:
        if isinstance(one, str) and one in OURS:
            raise OptionError(f"{one!r} is scored in any case: leave it out of the methods to compare with.")
        if isinstance(one, str) and one in CONTROLS:
            made.append(CONTROLS[one]())
        else:
            made.append(make_method(one))
    names = [*OURS, *(method.name for method in made)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"Methods are told apart by their names; {', '.join(twice)} comes twice.")
    return made


def people_of(run: Run, cluster: str | None) -> tuple[list[str], bool]:
    """Who each row of a run is independent of, and whether these are people whom the labels name.

    Pairs that share a photo belong together, and so do those that another pair connects.
    """
    if cluster is not None:
        known = run.labels(cluster)
        return [name or f"row {row}" for row, name in enumerate(known)], True
    column = cluster_of(run)
    if run.of_pairs:
        return _connected(run), False
    labelled = column is not None and f"label_{column}" in run.faces.column_names
    return cluster_names(run.faces, column), labelled


def _connected(run: Run) -> list[str]:
    found: dict[str, str] = {}

    def root(photo: str) -> str:
        while found.setdefault(photo, photo) != photo:
            photo = found[photo]
        return photo

    pairs = list(zip(*(run.faces.column(name).to_pylist() for name in ("sha256", "sha256_b")), strict=True))
    for first, second in pairs:
        found[root(second)] = root(first)
    return [root(first) for first, _ in pairs]


class _ModelMaps:
    """The model map for each row: of all, of its group, or of all people but its own.

    Args:
        run: the run.
        by: column of the groups.
        held_out: leave out the row's own person.
        people: of each row.
    """

    def __init__(self, run: Run, by: str | None, held_out: bool, people: Sequence[str]) -> None:
        self.by = "target" if run.of_pairs and by is None else by
        self.run, self.held_out, self.people = run, held_out, people
        if held_out and not run.design.is_full:
            raise OptionError(
                "A person is left out of a mean of measured maps; this run's map is an estimate from a part of the "
                "questions: make the run without --share, or leave --held-out away."
            )
        self.groups = None if self.by is None else run.labels(self.by)
        self.maps: dict[str, CMS] = run.cms(by=self.by) if self.by is not None else {"": run.cms()}
        self._others: dict[tuple[str, str], CMS] = {}

    def of(self, row: int) -> CMS:
        """The map for a row.

        Raises:
            OptionError: its group has no map.
        """
        group = "" if self.groups is None else self.groups[row]
        if group not in self.maps:
            raise RunError(f"A photo takes the map of its group; row {row} has no value in {self.by!r}.")
        return self.without(group, self.people[row]) if self.held_out else self.maps[group]

    def without(self, group: str, person: str) -> CMS:
        """The map of a group without one person."""
        key = (group, person)
        if key not in self._others:
            members = [
                row
                for row, name in enumerate(self.people)
                if name == person and (self.groups is None or self.groups[row] == group)
            ]
            self._others = {key: _minus(self.maps[group], self.run, members)}
        return self._others[key]


def _minus(cms: CMS, run: Run, rows: Sequence[int]) -> CMS:
    """A mean of measured maps without some of its faces."""
    from canonface import functional

    mine = CMS.empty(cms.mesh, cms.unit, cms.unseen, cms.canvas, cms.name, cms.model, cms.normalise)
    places, drops = cms.canvas.project(cms.mesh)[run.probes], run.drops()
    for row in rows:
        patch = float(run.canonical_patches[row])
        image, count = functional.cis(drops[row], places, cms.canvas.size_hw, patch, cms.normalise)
        mine = mine.add(image, count, patch)
    if mine.faces >= cms.faces:
        raise RunError(
            "A model map without one person needs photos of others; all of these show the same one."
        )
    seen = cms.seen - mine.seen
    # A sum of differences leaves about 1e-16 where nothing is left.
    return replace(
        cms,
        total=np.where(seen > 0, cms.total - mine.total, 0.0),
        squares=np.where(seen > 0, np.maximum(cms.squares - mine.squares, 0.0), 0.0),
        seen=seen,
        faces=cms.faces - mine.faces,
        patch_total=cms.patch_total - mine.patch_total,
    )


class _Maps:
    """Every method's map of a subject."""

    def __init__(self, model_maps: _ModelMaps, model: Model, methods: Sequence[Any]) -> None:
        self.model_maps, self.model, self.methods = model_maps, model, methods

    def of(self, row: int, subject: Subject) -> Attributions:
        cms = self.model_maps.of(row)
        attributions: dict[str, tuple[np.ndarray, ...]] = {
            "cms": tuple(cms_attribution(cms, view.shown) for view in subject.views),
            "cis": tuple(
                cis_attribution(view.cis, view.shown) for view in subject.views if view.cis is not None
            ),
        }
        for method in self.methods:
            attributions[method.name] = tuple(self._of_others(method, view) for view in subject.views)
        return attributions

    def _of_others(self, method: Any, view: View) -> Float[np.ndarray, "h w"]:
        # Maps that were made elsewhere go by the photo, and not by the input.
        if isinstance(method, AttributionFiles):
            return method.over_input(view.shown)
        attribution: Float[np.ndarray, "h w"] = method.attribute(self.model, view.shown.x, view.confidence_fn)
        return attribution


def _rows(run: Run, photos: int | Iterable[str] | None, seed: int) -> list[int]:
    count = run.faces.num_rows
    if photos is None:
        return list(range(count))
    if isinstance(photos, int):
        if photos < 1:
            raise OptionError(f"At least one photo is scored; got photos={photos}.")
        return sorted(np.random.default_rng(seed).permutation(count)[:photos].tolist())
    wanted = {photos} if isinstance(photos, str) else set(photos)
    names = [run.faces.column(column).to_pylist() for column in ("path", "face_id")]
    chosen = [row for row, known in enumerate(zip(*names, strict=True)) if wanted & set(known)]
    found = {name for row in chosen for name in (names[0][row], names[1][row])}
    if missing := sorted(wanted - found):
        raise OptionError(
            f"The photos to score are among those that the run has explained; it has no {missing[0]!r}: "
            f"{near_names(missing[0], names[0])}"
        )
    return chosen


def _check_files(methods: Sequence[Any], run: Run, rows: Sequence[int]) -> None:
    """Refuse maps from files of which one would be taken for two photos."""
    columns = [run.faces.column(name).to_pylist() for name in ("path", "path_b")[: 1 + run.of_pairs]]
    photos = sorted({column[row] for column in columns for row in rows})
    for method in methods:
        if isinstance(method, AttributionFiles):
            method.check_photos(photos)


_Row = tuple[int, Subject, Scored]


def _scored_rows(
    rows: Sequence[int],
    subject_of: Callable[[int], Subject],
    maps: _Maps,
    metrics: Sequence[Metric],
    choices: Choices,
    progress: Callable[[Progress], None] | None,
    run: Run,
) -> tuple[list[_Row], list[tuple[str, str, str]]]:
    """The rows that could be scored, and name, reason and message of those that could not."""
    scored: list[_Row] = []
    failed: list[tuple[str, str, str]] = []
    names = run.faces.column("face_id").to_pylist()
    for done, row in enumerate(rows, start=1):
        try:
            subject = subject_of(row)
            if not scored:
                for method in maps.methods:
                    method.check(maps.model, subject.views[0].confidence_fn)
            scored.append((row, subject, score(subject, maps.of(row, subject), metrics, choices)))
        except CanonfaceError as error:
            # What is wrong with the choices or the model would be wrong for every photo.
            if isinstance(error, OptionError | ConfigurationChangedError):
                raise
            failed.append((names[row], error.reason, str(error)))
        if progress is not None:
            progress(Progress(done, len(rows), len(failed), 0))
    return scored, failed


def _columns(rows: Sequence[Any], names: Sequence[str]) -> Float[np.ndarray, "n m"]:
    return np.array([[row.get(name, np.nan) for name in names] for row in rows])
