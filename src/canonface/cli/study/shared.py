"""Options and ending of every study that audits photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonface.cli import console, options

if TYPE_CHECKING:
    from canonface.models import Model
    from canonface.pipeline import Progress
    from canonface.studies.comparison import SettingComparison

Splits = Annotated[int, typer.Option(help="Random halves for the reliability.", min=1)]


@dataclass(frozen=True)
class Shared:
    """Options of every study that audits photos."""

    photos: options.Photos
    out: options.Out
    labels: options.Labels = None
    target: options.Target = None
    confidence: options.ConfidenceName = None
    fill: options.Fill = None
    share: options.Share = None
    engine: options.EngineName = "auto"
    splits: Splits = 100
    gallery: options.Gallery = None
    occluder: options.Occluder = None
    patch: options.Patch = None
    stride: options.Stride = None
    spacing: options.Spacing = None
    cluster: options.Cluster = None
    seed: options.Seed = 0
    batch: options.Batch = 64
    device: options.Device = "auto"
    subdivision: options.Subdivision = 1
    draw_on: options.DrawOn = "shaded"
    picture_format: options.Format = "png"
    as_json: options.Json = False

    def audit_options(self, *left_out: str) -> dict[str, Any]:
        """Return the keywords of `canonface.audit` that were given, without some."""
        names = {
            "labels", "target", "confidence", "gallery", "occluder", "patch", "fill", "stride", "spacing",
            "subdivision", "share", "batch", "engine", "cluster", "seed",
        } - set(left_out)  # fmt: skip
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def loaded(self, model: str) -> Model:
        """Return the model of a name or a path, on the device."""
        from canonface.cli.loading import loaded_model

        return loaded_model(model, self.device)

    def check(self) -> None:
        """Raise OptionError if the pictures cannot be drawn; before the first forward pass."""
        from canonface.cli.options import check_draw_on, check_format

        check_format(self.picture_format)
        check_draw_on(self.draw_on)


class SettingProgress:
    """Progress bars for one setting after the other."""

    def __init__(self) -> None:
        self._name = ""
        self._bar: Any = None
        self._report: Callable[[Progress], None] | None = None

    def __enter__(self) -> SettingProgress:
        return self

    def __exit__(self, *error: object) -> bool:
        return self._end(*error)

    def __call__(self, name: str, progress: Progress) -> None:
        """Show the progress of the run of a setting."""
        if name != self._name or self._report is None:
            self._end(None, None, None)
            self._name, self._bar = name, console.photo_progress(name)
            self._report = self._bar.__enter__()
        self._report(progress)

    def _end(self, *error: object) -> bool:
        bar, self._bar, self._report = self._bar, None, None
        return bool(bar.__exit__(*error)) if bar is not None else False


def draw_comparison(
    found: SettingComparison, shared: Shared, title: str, pictures: Mapping[str, Any] | None = None
) -> None:
    """Write and print the figure, the tables and the findings of a study that compares settings.

    Args:
        found: the study.
        shared: its options.
        title: of the figure.
        pictures: setting -> face that its map is drawn on; None: that of ``--draw-on``.
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
