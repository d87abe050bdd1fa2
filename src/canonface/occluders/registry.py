"""Occluders by name."""

from __future__ import annotations

from collections.abc import Callable

from canonface.errors import OptionError, near_names
from canonface.occluders.base import Occluder
from canonface.occluders.disc import Disc
from canonface.occluders.size import Patch
from canonface.occluders.square import Square
from canonface.occluders.surface import Surface

OCCLUDERS: dict[str, Callable[[Patch, str], Occluder]] = {"square": Square, "disc": Disc, "surface": Surface}
"""Name -> class, called with the size of the patch (None: the occluder's own default) and the fill."""


def make_occluder(
    occluder: str | Occluder = "square", patch: Patch = None, fill: str | None = None
) -> Occluder:
    """Return an occluder by name, of a size and fill; an occluder object is returned unchanged.

    Raises:
        OptionError: the name, size or fill is unknown, or a size or fill is given with an object.
    """
    if isinstance(occluder, str):
        if occluder not in OCCLUDERS:
            raise OptionError(
                f"An occluder has a known name; got {occluder!r}: {near_names(occluder, OCCLUDERS)}"
            )
        return OCCLUDERS[occluder](patch, "mean" if fill is None else fill)
    if not isinstance(occluder, Occluder) or isinstance(occluder, type):
        raise OptionError(
            f"An occluder is a name ({', '.join(OCCLUDERS)}) or an object with the methods of "
            f"canonface.occluders.Occluder; got {occluder!r}."
        )
    if patch is not None or fill is not None:
        raise OptionError("An occluder that is an object holds its own patch and fill: leave them out.")
    return occluder
