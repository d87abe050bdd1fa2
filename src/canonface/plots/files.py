"""Pictures and maps as files; the suffix names the format."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.errors import OptionError, RunError
from canonface.files import atomic_write
from canonface.maps import CIS, CMS
from canonface.plots.glb import glb_bytes
from canonface.plots.panels import Result, seen_count
from canonface.plots.pictures import canonical, scale_of
from canonface.plots.style import check_dpi

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

PICTURES = (".png", ".svg", ".pdf")
PICTURE_OPTIONS = ("face_picture", "cmap", "dpi", "limit", "title")
MAPS = (".npy", ".glb")


def save(result: Result | Figure, path: str | Path, **options: Any) -> Path:
    """Write a map, or a figure, to a file in the format of its suffix.

    ``.png``, ``.svg`` and ``.pdf`` hold the figure, or the map drawn by `canonical`; text in SVG and PDF stays text.
    ``.npy`` holds the map itself: ``float64`` on the canonical picture, in confidence units, NaN where nothing was
    probed. ``.glb`` holds the canonical mesh with the values, see `glb_bytes`. The file is whole or absent, and the
    same input gives the same bytes.

    Args:
        result: a map (`CIS`, `CMS`) or a figure.
        path: path of the file; its folder exists.
        **options: for a picture of a map the options of `canonical`: ``face_picture``, ``cmap``, ``dpi``, ``limit``
            and ``title``; for a figure ``dpi``; for ``.glb`` ``cmap`` and ``limit``.

    Returns:
        The path.

    Raises:
        OptionError: the suffix or an option is unknown or does not suit the result.
        RunError: the folder is missing or read-only, the disk full, or the like.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if isinstance(result, CIS | CMS):
        content = _map_content(result, suffix, target.name, options)
    else:
        _check(suffix, PICTURES, target.name, options, ("dpi",))
        content = picture_bytes(result, suffix, **options)
    write_whole(target, content)
    return target


def map_bytes(result: Result) -> bytes:
    """Return a canonical map as the bytes of an .npy file: ``(h, w)`` ``float64``, NaN where nothing was probed."""
    buffer = io.BytesIO()
    np.save(buffer, np.where(seen_count(result) > 0, result.map, np.nan), allow_pickle=False)
    return buffer.getvalue()


def picture_bytes(figure: Figure, suffix: str, dpi: float | None = None) -> bytes:
    """Return a figure as the bytes of a picture file; the same figure gives the same bytes.

    Text stays text: SVG names the font, PDF embeds it as TrueType.

    Args:
        figure: the figure.
        suffix: ``.png``, ``.svg`` or ``.pdf``.
        dpi: pixels per inch; None: the figure's own.

    Raises:
        OptionError: the dpi is out of range.
    """
    from matplotlib import rc_context

    if dpi is not None:
        check_dpi(dpi)
    metadata = {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": "canonface"},
        ".pdf": {"CreationDate": None, "Creator": "canonface", "Producer": None},
    }[suffix]
    # Element names in an SVG are hashes; with a fixed salt they are the same in every process.
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "canonface", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=suffix[1:], dpi=dpi or figure.dpi, metadata=metadata)
    content = buffer.getvalue()
    if suffix == ".svg":  # a viewer without matplotlib's font takes one of its shapes
        content = content.replace(
            b"font-family: 'DejaVu Sans'", b"font-family: 'DejaVu Sans', Verdana, sans-serif"
        )
    return content


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or absent.

    Raises:
        RunError: the folder is missing or read-only, the disk is full, or the like.
    """
    try:
        atomic_write(path, content)
    except OSError as error:
        raise RunError(
            f"A file is written into a folder that exists, can be written to and has room; {path} could not be: "
            f"{error.strerror or error}. Make the folder, or choose another path."
        ) from error


def _map_content(result: Result, suffix: str, name: str, options: dict[str, Any]) -> bytes:
    known = {".npy": (), ".glb": ("cmap", "limit")}.get(suffix, PICTURE_OPTIONS)
    _check(suffix, (*PICTURES, *MAPS), name, options, known)
    if suffix == ".npy":
        return map_bytes(result)
    if suffix == ".glb":
        return glb_bytes(result, scale_of([result], options.get("limit"), cmap=options.get("cmap")))
    return picture_bytes(canonical(result, **options), suffix)


def _check(
    suffix: str, suffixes: tuple[str, ...], name: str, options: dict[str, Any], known: tuple[str, ...]
) -> None:
    """Raise OptionError if the suffix or an option does not suit the result."""
    if suffix not in suffixes:
        hint = " Save the map itself for that." if suffix in MAPS else ""
        kind = "map" if MAPS[0] in suffixes else "figure"
        raise OptionError(f"A {kind} is saved as {', '.join(suffixes)}; got {name!r}.{hint}")
    unknown = [option for option in options if option not in known]
    if unknown:
        raise OptionError(
            f"Options of this {suffix} file are: {', '.join(known) or 'none'}; got {', '.join(unknown)}."
        )
