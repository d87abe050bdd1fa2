"""Names that only the package's own meshes bear: whoever reads such a name may rebuild the mesh from it."""

from __future__ import annotations

import re

from canonface.errors import OptionError

_OWN = re.compile(r"(landmarker-468|landmarker-468\+halo|five-point|pixels)/\d+")


def check_free(name: str) -> None:
    """Refuse a name that `canonface.mesh.mesh_named` may know.

    Raises:
        OptionError: it is one.
    """
    if _OWN.fullmatch(name):
        raise OptionError(
            f"A mesh of your own has a name of its own; {name!r} is that of one that comes with canonface. Name "
            f"yours, say, 'my-{name}'."
        )
