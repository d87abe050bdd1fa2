"""Options that several commands share, each explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="A model of the zoo ([bold]canonface models[/]), a file (.onnx, TorchScript, .pt2, weights of a known "
        "network), or [bold]package.module:attribute[/], a torch module, a callable or a function that makes one.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        help="A class by name or index; [bold]label:COLUMN[/], the class that the labels name for each photo; "
        "[bold]predicted[/], the model's own choice for each face (the default).",
    ),
]
Preset = Annotated[str, typer.Option(help="default, or paper: eq. 1-6 of the paper to the letter.")]
ConfidenceName = Annotated[
    str | None,
    typer.Option(
        "--confidence",
        help="What number is asked for: probability (default), logit, log-odds, ... or "
        "[bold]package.module:attribute[/], one of your own; docs/confidences.md lists them.",
    ),
]
Occluder = Annotated[
    str | None,
    typer.Option(
        help="Shape of what hides a place: square (default), disc or surface; from Python also one of your own."
    ),
]
Patch = Annotated[
    str | None,
    typer.Option(
        help="Size of the occluder: pixels of the model's input, a share of the distance between the eyes (50%), or "
        "a length on the face (3cm); default: 15 pixels, less for inputs under 90 pixels."
    ),
]
Fill = Annotated[
    str | None,
    typer.Option(
        help="What hides the patch: mean (default), black, blur, noise, inpaint, average, a colour like #7f7f7f, or "
        "several joined by +."
    ),
]
AllowFailures = Annotated[
    bool, typer.Option("--allow-failures", help="Exit with 0 even if some photos failed.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask again about photos that failed.")]
Unseen = Annotated[
    str | None,
    typer.Option(help="What a face hides: omit (left out of the mean, default) or zero (the paper)."),
]
Stride = Annotated[int | None, typer.Option(help="Probe every k-th vertex of the mesh.", min=1)]
Spacing = Annotated[
    float | None,
    typer.Option(
        help="Probe vertices so many centimetres apart on the canonical face; default: a quarter of the patch.",
        min=0,
    ),
]
Level = Annotated[
    int, typer.Option(help="Mesh: 0, 1, 2, 3, 4 = 468, 1833, 7257, 28881, 115233 vertices.", min=0, max=4)
]
Batch = Annotated[int, typer.Option(help="Occluded copies that the model is shown at once.", min=1)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Weights for what [bold]package.module:function[/] makes: .safetensors, .pt, .pth, ..."
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(help="Network that a file of weights belongs to; default: recognised by its names."),
]
Output = Annotated[
    str | None,
    typer.Option(help="Which output to explain, by name or position, of a model that returns several."),
]
Outputs = Annotated[
    str | None,
    typer.Option(help="What the model's numbers are: logits, probabilities, embedding or values."),
]
Engine = Annotated[
    str,
    typer.Option(
        help="How the model is asked: auto (native or dense, whichever is measured faster), dense, incremental, "
        "or native."
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a TorchScript file or a .pt2 program though it runs code that it holds, which may do all that you "
        "may: only from those whom you trust.",
    ),
]
AlignerName = Annotated[
    str,
    typer.Option(
        "--aligner", help="landmarker, precomputed (with --vertices and --mesh), five-point or none."
    ),
]
Vertices = Annotated[
    Path | None, typer.Option(help="Folder with a file of vertices for each photo: .mat, .npz, .npy or .csv.")
]
MeshFile = Annotated[Path | None, typer.Option("--mesh", help="Mesh of --vertices, an .npz file.")]
Halo = Annotated[
    bool, typer.Option("--halo", help="Probe around the face too: hair, ears, neck and background.")
]
Design = Annotated[
    str | None,
    typer.Option(
        help="Which places are asked of which face: full (default), random, stratified or low-discrepancy; the map "
        "is then an estimate with a band."
    ),
]
Share = Annotated[
    float | None,
    typer.Option(help="Share of the places that each face is asked about, e.g. 0.1; with a design."),
]
Seed = Annotated[int, typer.Option(help="Of the design and of the order of photos.", min=0)]
AllFaces = Annotated[bool, typer.Option("--all-faces", help="Every face of a photo, not the largest only.")]
NoNormalise = Annotated[
    bool,
    typer.Option("--no-normalise", help="Do not divide by the density of probes (the paper's figure 4)."),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="A saliency method of others instead of hiding places: gradcam++, rise, ... (docs/other-methods.md "
        "lists them); [bold]files:FOLDER[/], maps made elsewhere, a .npy for each photo; or "
        "[bold]package.module:attribute[/].",
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        help="Layer that a class activation map is read from, by its name in the network; default: what the last "
        "convolution with spatial extent ends in."
    ),
]
MethodOption = Annotated[
    list[str] | None,
    typer.Option(
        "--method-option",
        help="An option of the method, e.g. masks=1000; several times for several.",
        metavar="NAME=VALUE",
    ),
]
DrawOn = Annotated[
    str,
    typer.Option(
        "--draw-on",
        help="The face that maps are drawn on: shaded (a render of the mesh), average (the mean face of the run's "
        "own photos), or the path of a photo.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Format = Annotated[str, typer.Option("--format", help="Suffix of the pictures: png or svg.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Directory for the result; made if it is missing.")]
