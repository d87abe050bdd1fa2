"""Evaluation of a run's canonical maps and the maps of other methods on the run's own photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_parameters
from canonface.errors import CanonfaceError, ConfigurationChangedError, OptionError, RunError, near_names
from canonface.evaluation.controls import CONTROLS
from canonface.evaluation.metrics import Metric, chosen_metrics
from canonface.evaluation.model_maps import MethodMaps, ModelMaps
from canonface.evaluation.options import EvaluationOptions, evaluation_options
from canonface.evaluation.result import Evaluation
from canonface.evaluation.run_subjects import people_of, subject_maker, verified_model
from canonface.evaluation.scores import SubjectScores, score
from canonface.evaluation.subjects import Subject
from canonface.methods import AttributionFiles, make_method
from canonface.progress import Progress, ProgressOption, progress_callback
from canonface.run import Run

OURS = ("cms", "cis")
"""Names of the canonical maps."""


@renamed_parameters(level="confidence_level")
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
    options: EvaluationOptions | None = None,
    progress: ProgressOption = None,
    **keywords: Any,
) -> Evaluation:
    """Score a run's maps and those of other methods by their faithfulness to the model, on the run's own photos.

    The model map (``cms``, the paper's choice) and the photo's own map (``cis``) are drawn on each face in the
    model's input, every other method explains the same input, and all maps are scored alike. A photo that one method
    cannot explain is left out for all.

    Args:
        run: a run of single faces or of pairs, or its folder.
        model: the run's model, or anything that `canonface.load_model` accepts; None: the name in the run's manifest.
        against: names of `canonface.methods.METHODS`, ``random`` or ``centre`` (maps without information about the
            model), or method objects.
        photos: photos or pairs to score: their names (``path``, or ``face_id`` of a pair), or a number, drawn at
            random; None: all. The model map is that of the whole run.
        metrics: names of `canonface.evaluation.METRICS`; None: all that suit the run.
        confidence: the run's confidence, where it is more than a name and a target, e.g. with a gallery.
        by: column of the labels, or ``target``: each photo takes the model map of its own group. A run of pairs is
            always grouped by ``target``.
        held_out: leave a person's own photos out of the model map that is drawn on them.
        cluster: column of the labels that names the person; None: the run's own, else ``identity``.
        options: options of the metrics and intervals; None: the defaults.
        progress: True for a bar on stderr, or a function that is called after each photo.
        **keywords: single fields of `EvaluationOptions`, e.g. ``steps=10``; they replace those of ``options``.

    Raises:
        OptionError: an option, a method or a metric does not exist, or does not suit the model.
        ConfigurationChangedError: the model or the confidence differs from the run's.
        RunError: no photo could be scored.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    chosen = evaluation_options(options, keywords)
    measured = chosen_metrics(metrics, run.of_pairs)
    methods = make_methods(against)
    loaded = verified_model(run, model)
    for method in methods:
        method.check(loaded, None)
    subject_of, unit = subject_maker(run, loaded, confidence, chosen.batch)
    people, by_identity = people_of(run, cluster)
    maps = MethodMaps(ModelMaps(run, by, held_out, people), loaded, methods)
    rows = _rows(run, photos, chosen.seed)
    _check_files(methods, run, rows)
    with progress_callback(progress, run.model_name) as report:
        scored, failed = _score_rows(run, rows, subject_of, maps, measured, chosen, report)
    if not scored:
        raise RunError(
            f"An evaluation needs at least one photo; none of {len(rows)} of {run.folder} could be scored, e.g.: "
            + (failed[0][2] if failed else "the run holds no face")
        )
    names = (*OURS, *(method.name for method in methods))
    results = [one.scores for one in scored]
    return Evaluation(
        model=run.model_name,
        unit=unit,
        methods=names,
        metrics=measured,
        names=tuple(one.subject.name for one in scored),
        people=tuple(people[one.row] for one in scored),
        groups=tuple(one.subject.group for one in scored),
        scores={m.name: np.stack([one.scores[m.name] for one in results]) for m in measured},
        original=np.array([one.original for one in results]),
        left=_columns([one.left for one in results], names),
        taken=_columns([one.taken for one in results], names),
        choices=_describe(chosen, run, maps, len(rows)),
        of_pairs=run.of_pairs,
        by_identity=by_identity,
        failed=tuple((name, reason) for name, reason, _ in failed),
        confidence_level=chosen.confidence_level,
        draws=chosen.draws,
        seed=chosen.seed,
    )


def make_methods(against: Iterable[Any]) -> list[Any]:
    """Return method objects for names, controls and objects.

    Raises:
        OptionError: a name is unknown, names a canonical map, or comes twice.
    """
    given = [against] if isinstance(against, str) else list(against)
    made = []
    for one in given:
        if isinstance(one, str) and one in OURS:
            raise OptionError(f"{one!r} is scored in any case: leave it out of the methods to compare with.")
        made.append(CONTROLS[one]() if isinstance(one, str) and one in CONTROLS else make_method(one))
    names = [*OURS, *(method.name for method in made)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"Methods have different names; {', '.join(twice)} comes twice.")
    return made


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
    """Raise OptionError if two photos would take the same map file."""
    columns = [run.faces.column(name).to_pylist() for name in ("path", "path_b")[: 1 + run.of_pairs]]
    photos = sorted({column[row] for column in columns for row in rows})
    for method in methods:
        if isinstance(method, AttributionFiles):
            method.check_photos(photos)


class _ScoredRow(NamedTuple):
    row: int
    subject: Subject
    scores: SubjectScores


def _score_rows(
    run: Run,
    rows: Sequence[int],
    subject_of: Callable[[int], Subject],
    maps: MethodMaps,
    metrics: Sequence[Metric],
    options: EvaluationOptions,
    progress: Callable[[Progress], None],
) -> tuple[list[_ScoredRow], list[tuple[str, str, str]]]:
    """Return the scored rows, and name, reason and message of each row that failed."""
    scored: list[_ScoredRow] = []
    failed: list[tuple[str, str, str]] = []
    names = run.faces.column("face_id").to_pylist()
    for done, row in enumerate(rows, start=1):
        try:
            subject = subject_of(row)
            if not scored:
                for method in maps.methods:
                    method.check(maps.model, subject.views[0].confidence_fn)
            found = score(subject, maps.of(row, subject), metrics, options)
            scored.append(_ScoredRow(row, subject, found))
        except CanonfaceError as error:
            # A wrong option or model would fail on every photo.
            if isinstance(error, OptionError | ConfigurationChangedError):
                raise
            failed.append((names[row], error.reason, str(error)))
        progress(Progress(done, len(rows), len(failed), 0))
    return scored, failed


def _describe(options: EvaluationOptions, run: Run, maps: MethodMaps, photos: int) -> dict[str, Any]:
    """Return every option that decides the numbers, for JSON."""
    return options.describe() | {
        "against": [dict(method.describe()) for method in maps.methods],
        "maps": run.method or "canonical",
        "by": maps.model_maps.by,
        "held_out": maps.model_maps.held_out,
        "photos": photos,
        "draws": options.draws,
    }


def _columns(rows: Sequence[Any], names: Sequence[str]) -> Float[np.ndarray, "n m"]:
    return np.array([[row.get(name, np.nan) for name in names] for row in rows])
