"""Options that several commands share: each is declared once, and a command takes a group of them as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonface.errors import OptionError

if TYPE_CHECKING:
    from canonface.alignment import Aligner
    from canonface.explanation.options import Engine, Sampling
    from canonface.models import Model
    from canonface.plots import Style

FORMATS = ("png", "svg", "pdf")
RENAMED = {"--level": "--subdivision", "--max-questions": "--max-forward-passes"}
"""Option of version 0.1.0 -> option now."""

_CONFIDENCE = "What is explained"
_OCCLUSION = "What is occluded"
_FEWER = "Fewer forward passes"
_MODEL = "Model and engine"
_FACES = "Faces and mesh"
_OUTPUT = "Output"

Photos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTOS...", help="Folders, files, patterns in quotes, or CSV files with a column path."
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Directory for the result; made if it is missing.")]
Labels = Annotated[
    Path | None,
    typer.Option(help="CSV file with a column path and labels of the photos; default: PHOTOS, if it is one."),
]
By = Annotated[
    str | None,
    typer.Option(
        help="Also one map for each value of this label; or target, predicted, or pose-bin: nine bins over yaw and "
        "pitch."
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="A model of the zoo ([bold]canonface models[/]), a file (.onnx, TorchScript, .pt2, weights of a known "
        "network), or [bold]package.module:attribute[/]: a torch module, a callable or a function that makes one.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        help="A class by name or index; [bold]label:COLUMN[/], the class in the labels of each photo; "
        "[bold]predicted[/], the class that the model predicts for each face (the default).",
    ),
]
ConfidenceName = Annotated[
    str | None,
    typer.Option(
        "--confidence",
        help="The number whose drop is measured: probability (default), logit, log-odds, ... or "
        "[bold]package.module:attribute[/], a function of your own; docs/confidences.md lists them.",
    ),
]
Fill = Annotated[
    str | None,
    typer.Option(
        help="Content of the occluded patch: mean (default), black, blur, noise, inpaint, average, a colour like "
        "#7f7f7f, or several joined by +."
    ),
]
Share = Annotated[
    float | None,
    typer.Option(
        help="Share of the probes that is evaluated on each face, e.g. 0.1: the map is an estimate."
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="auto (native or dense, whichever is measured faster), dense, incremental or native.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Preset = Annotated[
    str,
    typer.Option(help="default, or paper: eq. 1-6 of the paper to the letter.", rich_help_panel=_CONFIDENCE),
]
Gallery = Annotated[
    Path | None,
    typer.Option(
        help="Photos of known people, for a recognition model: a folder for each person, or a CSV file with the "
        "columns path and identity. --target names the person.",
        rich_help_panel=_CONFIDENCE,
    ),
]
Identity = Annotated[
    str,
    typer.Option(
        help="Column, of the labels and of the gallery, that names the person.", rich_help_panel=_CONFIDENCE
    ),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="Another saliency method instead of occlusion: gradcam++, rise, ... (docs/other-methods.md lists them); "
        "[bold]files:FOLDER[/], maps made elsewhere, a .npy for each photo; or [bold]package.module:attribute[/].",
        rich_help_panel=_CONFIDENCE,
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        help="Layer of a class activation map, by its name in the network; default: the output of the last "
        "convolution with spatial extent.",
        rich_help_panel=_CONFIDENCE,
    ),
]
MethodOption = Annotated[
    list[str] | None,
    typer.Option(
        "--method-option",
        help="An option of the method, e.g. masks=1000; may be repeated.",
        metavar="NAME=VALUE",
        rich_help_panel=_CONFIDENCE,
    ),
]
Occluder = Annotated[
    str | None,
    typer.Option(
        help="Shape of the patch: square (default), disc or surface; in Python also an occluder of your own.",
        rich_help_panel=_OCCLUSION,
    ),
]
Patch = Annotated[
    str | None,
    typer.Option(
        help="Size of the patch: pixels of the model's input, a share of the distance between the eyes (50%), or a "
        "length on the face (3cm); default: 15 pixels, less for inputs under 90 pixels.",
        rich_help_panel=_OCCLUSION,
    ),
]
Stride = Annotated[
    int | None, typer.Option(help="Probe every k-th vertex of the mesh.", min=1, rich_help_panel=_OCCLUSION)
]
Spacing = Annotated[
    float | None,
    typer.Option(
        help="Distance of the probes on the canonical face in centimetres; default: a quarter of the patch.",
        min=0,
        rich_help_panel=_OCCLUSION,
    ),
]
NoNormalise = Annotated[
    bool,
    typer.Option(
        "--no-normalise",
        help="Do not divide by the density of probes (the paper's figure 4).",
        rich_help_panel=_OCCLUSION,
    ),
]
Unseen = Annotated[
    str | None,
    typer.Option(
        help="Pixels that a face hides: omit (left out of the mean, default) or zero (the paper).",
        rich_help_panel=_OCCLUSION,
    ),
]
Design = Annotated[
    str | None,
    typer.Option(
        help="Choice of the probes of each face: full (default), random, stratified or low-discrepancy.",
        rich_help_panel=_FEWER,
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        help="Stop as soon as the 95% band of the map is this narrow on either side, in the unit of the drop; photos "
        "are then taken in random order.",
        rich_help_panel=_FEWER,
    ),
]
PrecisionOf = Annotated[
    str, typer.Option(help="The band of --precision: map or regions.", rich_help_panel=_FEWER)
]
MaxForwardPasses = Annotated[
    int | None,
    typer.Option(help="Stop when the model has been shown this many images.", min=1, rich_help_panel=_FEWER),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Column of the labels that names the person; default: identity, if there is one.",
        rich_help_panel=_FEWER,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="Seed of the sampling design and of the order of photos.", min=0, rich_help_panel=_FEWER
    ),
]
Batch = Annotated[
    int,
    typer.Option(help="Occluded copies in one forward pass.", min=1, rich_help_panel=_MODEL),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=_MODEL)]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Weights for the network that [bold]package.module:function[/] makes: .safetensors, .pt, .pth, ...",
        rich_help_panel=_MODEL,
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(
        help="Network that a file of weights belongs to; default: recognised by the names of the weights.",
        rich_help_panel=_MODEL,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        help="The output to explain, by name or position, of a model that returns several.",
        rich_help_panel=_MODEL,
    ),
]
Outputs = Annotated[
    str | None,
    typer.Option(
        help="Kind of the model's outputs: logits, probabilities, embedding or values.",
        rich_help_panel=_MODEL,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a TorchScript file or a .pt2 program although it runs code of its own with your rights: only from "
        "people whom you trust.",
        rich_help_panel=_MODEL,
    ),
]
Subdivision = Annotated[
    int,
    typer.Option(
        help="Subdivision of the mesh: 0, 1, 2, 3, 4 = 468, 1833, 7257, 28881, 115233 vertices.",
        min=0,
        max=4,
        rich_help_panel=_FACES,
    ),
]
Halo = Annotated[
    bool,
    typer.Option(
        "--halo", help="Probe around the face too: hair, ears, neck and background.", rich_help_panel=_FACES
    ),
]
AlignerName = Annotated[
    str,
    typer.Option(
        "--aligner",
        help="landmarker, precomputed (with --vertices and --mesh), five-point or none.",
        rich_help_panel=_FACES,
    ),
]
Vertices = Annotated[
    Path | None,
    typer.Option(
        help="Folder with a file of vertices for each photo: .mat, .npz, .npy or .csv.",
        rich_help_panel=_FACES,
    ),
]
MeshFile = Annotated[
    Path | None, typer.Option("--mesh", help="Mesh of --vertices, an .npz file.", rich_help_panel=_FACES)
]
AllFaces = Annotated[
    bool,
    typer.Option("--all-faces", help="Every face of a photo, not only the largest.", rich_help_panel=_FACES),
]
AllowFailures = Annotated[
    bool,
    typer.Option("--allow-failures", help="Exit with 0 even if some photos failed.", rich_help_panel=_OUTPUT),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed", help="Explain again the photos that failed before.", rich_help_panel=_OUTPUT
    ),
]
DrawOn = Annotated[
    str,
    typer.Option(
        "--draw-on",
        help="The face that maps are drawn on: shaded (a render of the mesh), average (the mean face of the run's "
        "own photos), or the path of a photo.",
        rich_help_panel=_OUTPUT,
    ),
]
Format = Annotated[
    str, typer.Option("--format", help="Format of the pictures: png, svg or pdf.", rich_help_panel=_OUTPUT)
]


@dataclass(frozen=True)
class LoadOptions:
    """The way in which a model is loaded."""

    device: Device = "auto"
    weights: Weights = None
    architecture: Architecture = None
    output: Output = None
    outputs: Outputs = None
    trust: Trust = False

    def load(self, name: str) -> Model:
        """Load a model, and print its assumed input and outputs on stderr."""
        from canonface.cli.loading import loaded_model

        return loaded_model(name, **{field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True)
class PatchOptions:
    """The patch and the probes."""

    fill: Fill = None
    occluder: Occluder = None
    patch: Patch = None
    stride: Stride = None
    spacing: Spacing = None

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `canonface.Settings`; None where an option was not given."""
        return {field.name: getattr(self, field.name) for field in fields(PatchOptions)}


@dataclass(frozen=True)
class GalleryOptions:
    """A gallery of known people."""

    gallery: Gallery = None
    identity: Identity = "identity"


@dataclass(frozen=True)
class MethodOptions:
    """Another saliency method."""

    method: MethodName = None
    layer: Layer = None
    method_option: MethodOption = None

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `canonface.Settings`.

        Raises:
            OptionError: an option of the method has another form than NAME=VALUE.
        """
        from canonface.cli.loading import method_options

        return {"method": self.method, "method_options": method_options(self.layer, self.method_option)}


@dataclass(frozen=True)
class MeanOptions:
    """The treatment of probes and pixels in the map."""

    no_normalise: NoNormalise = False
    unseen: Unseen = None

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `canonface.Settings`."""
        return {"normalise": False if self.no_normalise else None, "unseen": self.unseen}


@dataclass(frozen=True)
class FailureOptions:
    """The treatment of photos that fail."""

    allow_failures: AllowFailures = False
    retry_failed: RetryFailed = False


@dataclass(frozen=True)
class SamplingOptions:
    """Sampling of the probes, and the early stop."""

    share: Share = None
    design: Design = None
    precision: Precision = None
    precision_of: PrecisionOf = "map"
    max_forward_passes: MaxForwardPasses = None
    cluster: Cluster = None
    seed: Seed = 0

    def sampling(self) -> Sampling:
        """Return the sampling of a run."""
        from canonface.explanation.options import Sampling

        return Sampling(**{field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True)
class EngineOptions:
    """The engine and its batch size."""

    engine: EngineName = "auto"
    batch: Batch = 64

    def value(self) -> Engine:
        """Return the engine.

        Raises:
            OptionError: there is no engine of that name.
        """
        from canonface.explanation.options import Engine

        return Engine(self.engine, self.batch)


@dataclass(frozen=True)
class AlignerOptions:
    """The aligner and its mesh."""

    subdivision: Subdivision = 1
    halo: Halo = False
    aligner: AlignerName = "landmarker"
    vertices: Vertices = None
    mesh: MeshFile = None

    def make(self, all_faces: bool = False) -> Aligner:
        """Return the aligner.

        Raises:
            OptionError: there is no aligner of that name, or options are given that it does not have.
        """
        from canonface.cli.loading import chosen_aligner

        return chosen_aligner(self.aligner, self.subdivision, all_faces, self.halo, self.mesh, self.vertices)


Cmap = Annotated[
    str | None,
    typer.Option(
        help="Colour map of matplotlib, e.g. RdBu_r; default: red and blue over the bare face.",
        rich_help_panel=_OUTPUT,
    ),
]
Limit = Annotated[
    float | None,
    typer.Option(
        help="Value of the strongest colours of a map, in its unit, so that maps of several runs can be compared; "
        "default: its largest value.",
        rich_help_panel=_OUTPUT,
    ),
]
Dpi = Annotated[
    float | None, typer.Option(help="Pixels per inch of the pictures; default: 160.", rich_help_panel=_OUTPUT)
]
Title = Annotated[str | None, typer.Option(help="Title of the pictures.", rich_help_panel=_OUTPUT)]


@dataclass(frozen=True)
class ChartOptions:
    """Format and look of pictures without a colour scale.

    Attributes:
        picture_format: png, svg or pdf.
        dpi: pixels per inch.
        title: title of the pictures.
    """

    picture_format: Format = "png"
    dpi: Dpi = None
    title: Title = None

    def check(self) -> None:
        """Raise OptionError if an option cannot be used; before the first forward pass."""
        check_format(self.picture_format)
        self.style()

    def style(self) -> Style:
        """Return the options that plots take.

        Raises:
            OptionError: one of them cannot be used.
        """
        from canonface.plots import Style

        return Style(dpi=self.dpi, title=self.title)


@dataclass(frozen=True)
class StyleOptions(ChartOptions):
    """Format and look of pictures of maps.

    Attributes:
        cmap: see `canonface.plots.Style`.
        limit: limit of the map's scale; examples keep their own.
    """

    cmap: Cmap = None
    limit: Limit = None

    def style(self) -> Style:
        """Return the options that plots take.

        Raises:
            OptionError: one of them cannot be used.
        """
        from canonface.plots import Style

        return Style(self.cmap, self.limit, self.dpi, self.title)


@dataclass(frozen=True)
class PictureOptions:
    """Pictures of a run: the face under the maps, format and look."""

    draw_on: DrawOn = "shaded"
    look: StyleOptions = StyleOptions()

    def check(self) -> None:
        """Raise OptionError if an option cannot be used; before the first forward pass."""
        self.look.check()
        check_draw_on(self.draw_on)


def check_format(suffix: str) -> str:
    """Return the format of pictures if it is known.

    Raises:
        OptionError: it is not.
    """
    if suffix not in FORMATS:
        raise OptionError(
            f"Pictures are saved as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}; got {suffix!r}."
        )
    return suffix


def check_draw_on(draw_on: str) -> str:
    """Return the name or path of the face under the maps if it can be used.

    Raises:
        OptionError: it is no known name, nor a file.
    """
    if draw_on not in ("shaded", "average") and not Path(draw_on).is_file():
        raise OptionError(f"Maps are drawn on 'shaded', 'average' or the photo at a path; got {draw_on!r}.")
    return draw_on
