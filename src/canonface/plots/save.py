"""Pictures and maps as files; the suffix says which kind."""

from __future__ import annotations

import io
import os
import re
import tempfile
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
    is_map = isinstance(result, CIS | CMS)
    if suffix not in (*PICTURES, *(MAPS if is_map else ())):
        raise OptionError(
            f"A {'map' if is_map else 'figure'} is saved as {', '.join((*PICTURES, *(MAPS if is_map else ())))}; "
            f"got {target.name!r}."
            + (" Save the map itself for that." if not is_map and suffix in MAPS else "")
        )
    _check_options(options, suffix, is_map)
    if suffix == ".npy":
        content = map_bytes(result)
    elif suffix == ".glb":
        content = glb_bytes(result, scale_of([result], options.get("limit")))
    else:
        content = picture_bytes(canonical(result, **options) if is_map else result, suffix)
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
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp lets only the owner read
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise RunError(
            f"A file is written into a folder that exists, can be written to and has room; {path} could not be: "
            f"{error.strerror or error}. Make the folder, or choose another path."
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _check_options(options: dict[str, Any], suffix: str, is_map: bool) -> None:
    known = {".npy": (), ".glb": ("limit",)}.get(suffix, ("face_picture", "limit", "title"))
    known = known if is_map else ()
    unknown = [name for name in options if name not in known]
    if unknown:
        raise OptionError(
            f"Options of a {suffix} file of {'a map' if is_map else 'a figure'} are: {', '.join(known) or 'none'}; "
            f"got {', '.join(unknown)}."
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
