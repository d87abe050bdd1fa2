"""Pictures and maps as files; the suffix says which kind."""

from __future__ import annotations

import contextlib
import io
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.errors import OptionError, RunError
from canonface.maps import CIS, CMS
from canonface.plots.glb import glb_bytes
from canonface.plots.panels import Result, seen_count
from canonface.plots.pictures import canonical, scale_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

PICTURES = (".png", ".svg")
MAPS = (".npy", ".glb")


def save(result: Result | Figure, path: str | Path, **options: Any) -> Path:
    """Write a map, or a figure of one, to a file; the suffix says how.

    ``.png`` and ``.svg`` hold the figure, or the map drawn by `canonical`; ``.npy`` the map itself, ``float64``
    in confidence units on the canonical picture, NaN where nothing was asked; ``.glb`` the canonical mesh with
    the values, see `glb_bytes`. The file is whole or absent, and the same input gives the same bytes.

    Args:
        result: a `CIS`, a `CMS` or a figure.
        path: of the file; its folder exists.
        **options: of `canonical` for a picture of a map; ``limit`` of the colours for ``.glb``.

    Returns:
        The path.

    Raises:
        OptionError: the suffix is unknown or does not go with the result, or an option does not.
        RunError: the folder is missing or read-only, the disk full, or the like.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if isinstance(result, CIS | CMS):
        content = _map_content(result, suffix, target.name, options)
    else:
        _check(suffix, PICTURES, target.name, options, ())
        content = picture_bytes(result, suffix)
    write_whole(target, content)
    return target


def map_bytes(result: Result) -> bytes:
    """A canonical map as the bytes of an .npy file: ``(h, w)`` ``float64``, NaN where nothing was asked."""
    buffer = io.BytesIO()
    np.save(buffer, np.where(seen_count(result) > 0, result.map, np.nan), allow_pickle=False)
    return buffer.getvalue()


def picture_bytes(figure: Figure, suffix: str) -> bytes:
    """A figure as the bytes of a .png or .svg file, without dates: the same figure gives the same bytes."""
    buffer = io.BytesIO()
    if suffix == ".png":
        figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
        return buffer.getvalue()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "canonface"})
    return _stable_names(buffer.getvalue().decode()).encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its folder, then rename it: it is whole or absent.

    Raises:
        RunError: the folder is missing or read-only, the disk is full, or the like.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        raise RunError(
            f"A file is written into a folder that exists, can be written to and has room; {path} could not be: "
            f"{error.strerror or error}. Make the folder, or choose another path."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _map_content(result: Result, suffix: str, name: str, options: dict[str, Any]) -> bytes:
    known = {".npy": (), ".glb": ("limit",)}.get(suffix, ("face_picture", "limit", "title"))
    _check(suffix, (*PICTURES, *MAPS), name, options, known)
    if suffix == ".npy":
        return map_bytes(result)
    if suffix == ".glb":
        return glb_bytes(result, scale_of([result], options.get("limit")))
    return picture_bytes(canonical(result, **options), suffix)


def _check(
    suffix: str, suffixes: tuple[str, ...], name: str, options: dict[str, Any], known: tuple[str, ...]
) -> None:
    """Refuse a suffix or an option that does not go with the result."""
    if suffix not in suffixes:
        hint = " Save the map itself for that." if suffix in MAPS else ""
        kind = "map" if MAPS[0] in suffixes else "figure"
        raise OptionError(f"A {kind} is saved as {', '.join(suffixes)}; got {name!r}.{hint}")
    unknown = [option for option in options if option not in known]
    if unknown:
        raise OptionError(
            f"Options of this {suffix} file are: {', '.join(known) or 'none'}; got {', '.join(unknown)}."
        )


def _stable_names(svg: str) -> str:
    """The SVG with its random element names, such as ``p0123456789``, replaced by numbers in order.

    matplotlib's own way, ``svg.hashsalt``, is a global setting.
    """
    names: dict[str, str] = {}
    for match in re.finditer(r'id="([a-z]+)([0-9a-f]{10})"', svg):
        names.setdefault(match[1] + match[2], f"{match[1]}_{len(names)}")
    if not names:
        return svg
    return re.sub("|".join(map(re.escape, names)), lambda match: names[match[0]], svg)
