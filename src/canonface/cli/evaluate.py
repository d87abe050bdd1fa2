"""``canonface evaluate``: a run's maps and those of other methods, scored by the model's confidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped
from canonface.cli.loading import chosen_aligner, made_gallery
from canonface.errors import ModelError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from canonface.evaluation import Evaluation, Metric
    from canonface.run import Run

REFERENCE = "cms"
_WIDE = 13
"""Columns of the terminal that a metric takes."""
_METRICS = "Metrics"
_FILES = "Files"


@dataclass(frozen=True)
class MetricOptions:
    """The metrics, and the pixels that they occlude."""

    metrics: Annotated[
        str | None,
        typer.Option(
            help="Separated by commas: average-drop, increase, win (the paper's), drop, deletion, insertion, road; "
            "of pairs also deletion-accuracy, insertion-accuracy. Default: all."
        ),
    ] = None
    total: Annotated[
        str,
        typer.Option(
            help="Total attribution occluded by every method in an image: smallest, median or largest of their own, "
            "cms (the released code's), or a share of the image such as 0.1.",
            rich_help_panel=_METRICS,
        ),
    ] = "smallest"
    clip_negative: Annotated[
        bool,
        typer.Option(
            "--clip-negative",
            help="Set negative attributions to 0 first, as the released code does.",
            rich_help_panel=_METRICS,
        ),
    ] = False
    deletion_fill: Annotated[
        str,
        typer.Option(
            help="Content of deleted pixels: mean, black, blur, noise, #rrggbb.", rich_help_panel=_METRICS
        ),
    ] = "mean"
    insertion_fill: Annotated[
        str, typer.Option(help="Content of pixels not yet inserted, likewise.", rich_help_panel=_METRICS)
    ] = "blur"
    steps: Annotated[
        int, typer.Option(help="Steps of deletion and insertion.", min=1, rich_help_panel=_METRICS)
    ] = 20

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `canonface.evaluate`."""
        return {
            "metrics": None if self.metrics is None else _listed(self.metrics),
            "total": _total(self.total),
            "clip_negative": self.clip_negative,
            "deletion_fill": self.deletion_fill,
            "insertion_fill": self.insertion_fill,
            "steps": self.steps,
        }


@dataclass(frozen=True)
class FileOptions:
    """The files that the result is written to."""

    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the table to this file.", rich_help_panel=_FILES)
    ] = None
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Write every photo's scores to this CSV file.", rich_help_panel=_FILES),
    ] = None
    latex: Annotated[
        Path | None, typer.Option("--latex", help="Write the table as LaTeX.", rich_help_panel=_FILES)
    ] = None
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure", help="Draw the bars of figures 10 to 12: .png, .svg or .pdf.", rich_help_panel=_FILES
        ),
    ] = None


@grouped
def evaluate(
    *,
    run: Annotated[Path, typer.Argument(help="Folder of a run, made by canonface audit or verify.")],
    against: Annotated[
        str,
        typer.Option(
            help="Methods to compare with, separated by commas: gradcam, gradcam++, scorecam, gradient, ..., and "
            "[bold]random[/] and [bold]centre[/], maps that do not depend on the model."
        ),
    ] = "random,centre",
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The run's model, where its name alone does not identify it."),
    ] = None,
    metrics: MetricOptions,
    most: Annotated[
        int | None, typer.Option(help="Score this many photos, drawn at random. Default: all.", min=1)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Column of the labels, or target: each photo takes the model map of its own group, not that of all."
        ),
    ] = None,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", help="Leave a person's own photos out of the model map drawn on them."),
    ] = False,
    cluster: Annotated[
        str | None, typer.Option(help="Column that names the person; default: the run's own, or identity.")
    ] = None,
    people: options.GalleryOptions,
    subdivision: options.Subdivision = 1,
    loading: options.LoadOptions,
    batch: options.Batch = 64,
    seed: Annotated[
        int, typer.Option(help="Seed of the photos drawn (--most), of noise and of the intervals.", min=0)
    ] = 0,
    files: FileOptions,
    allow_failures: options.AllowFailures = False,
    as_json: options.Json = False,
) -> None:
    """Score a run's maps and those of other methods by the confidence without the pixels that they mark.

    The model map (cms) and each photo's own map (cis) are compared with the other methods' maps. All methods occlude
    the same total attribution in the same photo. docs/evaluation.md explains each number.

    Example: canonface evaluate my-run --against gradcam,gradcam++,scorecam,random --figure bars.png
    """
    from canonface.evaluation import evaluate as evaluated
    from canonface.evaluation import tables
    from canonface.evaluation.run_subjects import unknown_name
    from canonface.run import Run

    _check_files(files.figure, files.csv, files.scores, files.latex)
    opened = Run.open(run)
    try:
        loaded = loading.load(model or opened.model_name)
    except ModelError as error:
        raise error if model else unknown_name(opened, error) from error
    confidence = None if people.gallery is None else _recognition(opened, loaded, people, subdivision)
    what = "pairs" if opened.of_pairs else "photos"
    with console.photo_progress(loaded.name, what, kept=False) as progress:
        found = evaluated(
            opened,
            loaded,
            _listed(against),
            photos=most,
            confidence=confidence,
            by=by,
            held_out=held_out,
            cluster=cluster,
            seed=seed,
            batch=batch,
            progress=progress,
            **metrics.keywords(),
        )
    for name, reason in found.failed:
        console.error(f"{name}: {reason}")
    _write(found, files.csv, files.scores, files.latex, files.figure)
    if as_json:
        console.print_json(tables.content(found))
    else:
        _show(found)
    if found.failed and not allow_failures:
        raise typer.Exit(1)


def _check_files(figure: Path | None, *others: Path | None) -> None:
    """Raise OptionError if a file cannot be written; before the first forward pass."""
    from canonface.plots.files import PICTURES

    if figure is not None and figure.suffix.lower() not in PICTURES:
        raise OptionError(f"A figure is saved as {' or '.join(PICTURES)}; got {figure.name!r}.")
    for path in (figure, *others):
        if path is not None and not path.absolute().parent.is_dir():
            raise OptionError(
                f"A file is written into a folder that exists; there is no {path.absolute().parent}."
            )


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _total(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _recognition(run: Run, model: Any, people: options.GalleryOptions, subdivision: int) -> Any:
    """Return the confidence of a run that compared faces with known people."""
    from canonface.confidence import RecognitionConfidence

    stated = run.settings["confidence"]
    aligner = chosen_aligner("landmarker", subdivision, False, bool(run.mesh.halo), None, None)
    assert people.gallery is not None
    made = made_gallery(people.gallery, model, people.identity, aligner, None)
    return RecognitionConfidence(made, stated.get("target"), stated.get("form", "closest"))


def _write(
    found: Evaluation, csv: Path | None, scores: Path | None, latex: Path | None, figure: Path | None
) -> None:
    from canonface.evaluation import tables
    from canonface.files import atomic_write
    from canonface.plots.files import save

    makers: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (csv, lambda: tables.csv_text(found)),
        (scores, lambda: tables.image_scores_text(found)),
        (latex, lambda: tables.latex_text(found, method_titles())),
    )
    for path, made in makers:
        if path is not None:
            atomic_write(path, made())
            console.note(f"written: {path}")
    if figure is not None:
        from canonface.plots.bars import bars

        console.note(f"written: {save(bars(found, method_titles()), figure)}")


def method_titles() -> dict[str, str]:
    """Return the titles of the methods."""
    from canonface.methods import TITLES
    from canonface.plots.bars import TITLES as OURS

    return {**TITLES, **OURS}


def _show(found: Evaluation) -> None:
    from canonface.evaluation import tables

    out = console.stdout()
    out.print(f"[bold]{found.model}[/], {found.unit}", soft_wrap=True)
    out.print(tables.caption(found))
    for group in found.group_names:
        part = found.of_group(group)
        if group:
            out.print(f"\n[bold]{group}[/]: {len(part)} pairs")
        for metrics in _blocks(found, out.width):
            out.print()
            out.print(_means(part, metrics))
            out.print(
                "[dim]difference CMS minus method on the same images; CMS is better or worse where the interval "
                "excludes 0[/]"
            )
            out.print(_differences(part, metrics))
        if part.ties == part.ties:
            out.print(f"\nwins shared between methods: {part.ties:.1f}% of the images")
    for line in remarks(found):
        out.print(line, soft_wrap=True)


def _blocks(found: Evaluation, width: int) -> list[tuple[Metric, ...]]:
    """Return the metrics in groups that fit the width of the terminal, the paper's first."""
    from canonface.evaluation import PAPER

    longest = max(len(name) for name in method_titles().values())
    fit = max(1, (width - longest) // (_WIDE + 2))
    parts = [
        [metric for metric in found.metrics if (metric.name in PAPER) == paper] for paper in (True, False)
    ]
    return [tuple(part[i : i + fit]) for part in parts for i in range(0, len(part), fit)]


def _table(metrics: tuple[Metric, ...], heading: str) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(heading)
    for metric in metrics:
        table.add_column(f"{metric.title} {metric.arrow}", justify="right", min_width=_WIDE, no_wrap=True)
    return table


def _means(part: Evaluation, metrics: tuple[Metric, ...]) -> Any:
    from canonface.evaluation import tables

    estimates = {(e.metric.name, e.method): e.interval for e in part.estimates()}
    best = {metric.name: tables.best_methods(part, metric) for metric in metrics}
    table, titles = _table(metrics, "method"), method_titles()
    for method in part.methods:
        cells = []
        for metric in metrics:
            value, low, high = tables.words(estimates[metric.name, method], metric)
            cells.append(_cell(value, low, high, method in best[metric.name]))
        table.add_row(titles.get(method, method), *cells)
    return table


def _differences(part: Evaluation, metrics: tuple[Metric, ...]) -> Any:
    from canonface.evaluation import tables

    found = {(d.metric.name, d.method): d for d in part.differences(REFERENCE)}
    table, titles = _table(metrics, "CMS less"), method_titles()
    for method in part.methods:
        if method == REFERENCE:
            continue
        cells = []
        for metric in metrics:
            one = found[metric.name, method]
            value, low, high = tables.words(one.interval, metric)
            signed = f"+{value}" if one.interval.value > 0 else value
            if one.clear:
                signed = f"{'better' if one.better else 'worse'} {signed}"
            cells.append(_cell(signed, low, high, one.clear))
        table.add_row(titles.get(method, method), *cells)
    return table


def _cell(value: str, low: str, high: str, bold: bool) -> str:
    if not value:
        return "-"
    shown = f"[bold]{value}[/]" if bold else value
    return f"{shown}\n[dim]{low} to {high}[/]" if low else f"{shown}\n[dim]no interval[/]"


def remarks(found: Evaluation) -> list[str]:
    """Return the notes on the numbers."""
    import numpy as np

    lines = []
    if len(found.people) and found.taken.size and np.isfinite(found.taken).any():
        means = np.nanmean(found.taken, axis=0)
        if means.max() - means.min() > 0.005:
            shares = ", ".join(f"{m} {v:.0%}" for m, v in zip(found.methods, means, strict=True))
            lines.append(
                f"Some methods had too few pixels with an attribution and occluded less: {shares} of an image."
            )
        else:
            lines.append(f"Every method occluded {means.mean():.1%} of an image on average.")
    negative = int((found.original < 0).sum())
    if negative and any(metric.name == "average-drop" for metric in found.metrics):
        lines.append(
            f"Average Drop leaves out {negative} images whose confidence is negative: no share of it can be taken."
        )
    if not found.of_pairs and len(set(found.groups)) > 1 and found.choices.get("by") is None:
        kinds = ", ".join(sorted(set(found.groups))[:4])
        lines.append(
            f"The photos have different targets ({kinds}), and CMS is the mean over all of them: with "
            "--by target each photo takes the map of its own target."
        )
    if not found.choices.get("held_out"):
        lines.append("CMS was made from these photos too; --held-out leaves a person's own out.")
    return lines
