"""Options of every study that audits photos, stated once: commands take them as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from canonface.cli import console, options

if TYPE_CHECKING:
    from canonface.models import Model
    from canonface.pipeline import Progress
    from canonface.studies.comparison import Comparison

Photos = Annotated[
    list[str], typer.Argument(help="Folders, files, patterns in quotes, or CSV files with a column path.")
]
Labels = Annotated[Path | None, typer.Option(help="CSV file with a column path and labels of the photos.")]
Gallery = Annotated[
    Path | None,
    typer.Option(help="Photos of known people, for recognition: a folder for each, or a CSV file."),
]
Cluster = Annotated[
    str | None,
    typer.Option(help="Column of the labels that names the person; default: identity, if there is one."),
]
Splits = Annotated[int, typer.Option(help="Random halves for the reliability.", min=1)]


@dataclass(frozen=True)
class Shared:
    """What every study of photos can be told; a field is a parameter of the command, its default the parameter's."""

    photos: Photos
    out: options.Out
    labels: Labels = None
    target: options.Target = None
    confidence: options.ConfidenceName = None
    gallery: Gallery = None
    occluder: options.Occluder = None
    patch: options.Patch = None
    fill: options.Fill = None
    stride: options.Stride = None
    spacing: options.Spacing = None
    level: options.Level = 1
    share: options.Share = None
    batch: options.Batch = 64
    engine: options.Engine = "auto"
    device: options.Device = "auto"
    cluster: Cluster = None
    splits: Splits = 100
    seed: options.Seed = 0
    draw_on: options.DrawOn = "shaded"
    picture_format: options.Format = "png"
    as_json: options.Json = False

    def audit_options(self, *left_out: str) -> dict[str, Any]:
        """Those that `canonface.audit` takes, as far as they were given, without some."""
        names = {
            "labels", "target", "confidence", "gallery", "occluder", "patch", "fill", "stride", "spacing", "level",
            "share", "batch", "engine", "cluster", "seed",
        } - set(left_out)  # fmt: skip
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def loaded(self, model: str) -> Model:
        """The model of a name or a path, on the device."""
        from canonface.cli.loading import loaded_model

        return loaded_model(model, self.device)

    def check(self) -> None:
        """Refuse what cannot be drawn before anything is asked.

        Raises:
            OptionError: the format of pictures, or what to draw on.
        """
        from canonface.cli.pictures import check_draw_on, check_format

        check_format(self.picture_format)
        check_draw_on(self.draw_on)


def with_shared(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter, a `Shared`, becomes one option a field.

    The fields' own annotations and defaults are what typer sees, those without a default first, so that each option
    is explained in one place.
    """
    [first, *own] = list(inspect.signature(command).parameters.values())
    hints = get_type_hints(command, include_extras=True)
    shared_hints = get_type_hints(Shared, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            item.name,
            kind,
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
            annotation=shared_hints[item.name],
        )
        for item in fields(Shared)
    ]
    parameters += [parameter.replace(annotation=hints[parameter.name], kind=kind) for parameter in own]
    parameters.sort(key=lambda parameter: parameter.default is not inspect.Parameter.empty)

    def called(**values: Any) -> None:
        taken = {item.name: values.pop(item.name) for item in fields(Shared)}
        command(**{first.name: Shared(**taken)}, **values)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


class Telling:
    """A progress bar for one setting after the other."""

    def __init__(self) -> None:
        self._name = ""
        self._bar: Any = None
        self._told: Callable[[Progress], None] | None = None

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, *error: object) -> bool:
        return self._end(*error)

    def __call__(self, name: str, progress: Progress) -> None:
        """Show how far the run of a setting is."""
        if name != self._name or self._told is None:
            self._end(None, None, None)
            self._name, self._bar = name, console.photo_progress(name)
            self._told = self._bar.__enter__()
        self._told(progress)

    def _end(self, *error: object) -> bool:
        bar, self._bar, self._told = self._bar, None, None
        return bool(bar.__exit__(*error)) if bar is not None else False


def draw_comparison(
    found: Comparison, shared: Shared, title: str, pictures: Mapping[str, Any] | None = None
) -> None:
    """End a study that compares settings: its figure, its tables, its words.

    Args:
        found: the study.
        shared: its options.
        title: of the figure.
        pictures: setting -> what its map is drawn on; None: what ``--draw-on`` says.
    """
    from canonface import plots
    from canonface.cli.pictures import face_picture
    from canonface.cli.study.finishing import finish

    if pictures is None:
        pictures = dict.fromkeys(found.names, face_picture(found.columns[0].run, shared.draw_on))
    figure = plots.comparison_figure(found, pictures, title=title)
    name = found.study
    tables = {name: found.table(), f"{name}-regions": found.regions()}
    words, summary = found.words(), found.summary()
    finish(shared.out, name, shared.picture_format, {name: figure}, tables, words, summary, shared.as_json)
