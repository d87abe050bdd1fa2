"""``canonface study randomize``: maps of a model whose weights are randomised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from canonface.cli import options
from canonface.cli.groups import grouped
from canonface.cli.study.settings import listed
from canonface.cli.study.shared import SettingProgress, Shared

if TYPE_CHECKING:
    from canonface.studies.randomization import Verdict


@grouped
def randomize(
    shared: Shared,
    model: options.ModelName,
    methods: Annotated[
        str, typer.Option(help="Methods between commas: canonical, and others such as gradcam.")
    ] = "canonical",
    steps: Annotated[int, typer.Option(help="Largest number of groups of layers.", min=1)] = 5,
    draws: Annotated[int, typer.Option(help="Networks with all weights random.", min=1)] = 3,
    smooth: Annotated[
        int,
        typer.Option(help="Also maps averaged over this many noisy copies (smooth MPRT); 0: none.", min=0),
    ] = 0,
    noise: Annotated[
        float, typer.Option(help="Noise of the copies, as a share of the range of values.")
    ] = 0.1,
) -> None:
    """Randomise a model's weights, layer by layer: a map that stays does not depend on the model (figure 8).

    A few photos are enough. Exit code 1 if a method fails the check.

    Example: canonface study randomize photos/ -m expression -t happy --methods canonical,gradcam -o sanity
    """
    from canonface import plots, studies
    from canonface.cli.pictures import face_picture
    from canonface.cli.study.finishing import finish
    from canonface.run import Run

    shared.check()
    loaded = shared.loaded(model)
    with SettingProgress() as report:
        found = studies.randomize(
            shared.photos,
            loaded,
            shared.out,
            methods=listed(methods) or ["canonical"],
            steps=steps,
            draws=draws,
            smooth=smooth,
            noise=noise,
            progress=report,
            **shared.audit_options(),
        )
    first = next(iter(found.maps.values()))
    picture = plots.shaded_face(first.mesh, first.canvas)
    if shared.draw_on != "shaded":
        run = next(path.parent for path in sorted(shared.out.glob("*trained/run.json")))
        picture = face_picture(Run.open(run), shared.draw_on)
    figures = {
        "randomize"
        + (f"-{verdict.method}" if i else "")
        + ("-smooth" if verdict.smooth else ""): plots.randomization_figure(
            found, verdict.method, picture, smooth=verdict.smooth, title=_title(loaded.name, verdict)
        )
        for i, verdict in enumerate(found.verdicts)
    }
    finish(
        shared.out, "randomize", shared.picture_format, figures, {"randomize": found.table()}, found.words(),
        found.summary(), shared.as_json,
    )  # fmt: skip
    if any(verdict.passed is False for verdict in found.verdicts):
        raise typer.Exit(1)


def _title(model: str, verdict: Verdict) -> str:
    """Return the title of the figure, which names the method."""
    from canonface.methods import title_of
    from canonface.studies.randomization import CANONICAL

    by = "" if verdict.method == CANONICAL else f" by {title_of(verdict.method)}"
    return f"What is left of the {model} model's map{by} when the model forgets"
