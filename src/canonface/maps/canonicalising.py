"""Any saliency map on the canonical face: GradCAM's, RISE's, an eye tracker's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from canonface.errors import OptionError
from canonface.functional import sample
from canonface.maps.cis import CIS
from canonface.maps.patch import canonical_side
from canonface.mesh import Canvas, probe_vertices
from canonface.models import without_pixels
from canonface.types import Face, InputSpec


def canonicalise(
    map: ArrayLike,
    face: Face,
    *,
    spec: InputSpec | None = None,
    name: str = "saliency",
    target: str = "",
    patch: float | None = None,
    stride: int = 1,
    normalise: bool = True,
) -> CIS:
    """A saliency map in pixels, sampled at the mesh: the same result as `canonface.explain` gives.

    Maps of many faces make a canonical model map: ``CMS.of(canonicalise(map, face) for ...)``.

    Args:
        map: ``(h, w)`` one number a pixel, of the photo, or of the model's input if ``spec`` is given; NaN where
            nothing is known.
        face: the face that the map is about.
        spec: how the model was shown the face; its size is the map's. None: the map lies on ``face.image``.
        name: what made the map; written on pictures.
        target: what it is about, e.g. a class.
        patch: side of the square that each sample is spread over, in pixels of the map; None: a fifteenth of the
            side of the face's box.
        stride: every stride-th vertex of the mesh is sampled.
        normalise: divide by the density of samples (eq. 5).

    Returns:
        The map at every visible vertex, bilinear, in the map's own unit; NaN where the face hides the vertex.

    Raises:
        OptionError: the map's shape is not that of the photo or the input, or it holds infinity.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"canonicalise takes a map and the face that it is about, in this order; got a {type(map).__name__} and "
            f"a {type(face).__name__}."
        )
    values = np.asarray(map, dtype=np.float64)
    height, width = face.image.shape[:2]
    shown = without_pixels(face, spec or InputSpec(size_hw=(height, width), crop="image"))
    if values.shape != shown.spec.size_hw:
        where = "the photo" if spec is None else "the model's input"
        hint = "" if spec is not None else " For a map of the model's input, give its spec=."
        raise OptionError(
            f"A map has one number for each of {where}'s {shown.spec.size_hw[0]} x {shown.spec.size_hw[1]} pixels; "
            f"got shape {values.shape}.{hint}"
        )
    if np.isinf(values).any():
        raise OptionError(
            f"A map holds numbers or NaN; {int(np.isinf(values).sum())} of {values.size} are infinite."
        )
    probes = probe_vertices(face.mesh, stride)
    drops = np.full(len(probes), np.nan)
    seen = shown.visible[probes]
    drops[seen] = sample(values, shown.vertices_xy[probes[seen]])
    box = float(np.ptp(shown.vertices_xy[: face.mesh.face_count], axis=0).max())
    side = box / 15 if patch is None else float(patch)
    canvas = Canvas.of(face.mesh)
    return CIS(
        face=face,
        mesh=face.mesh,
        probes=probes,
        drops=drops,
        confidence=np.nan,
        target=target,
        unit=f"{name} of {target}" if target else name,
        patch=side,
        patch_in_photo=side / float(np.sqrt(abs(np.linalg.det(shown.matrix[:, :2])))),
        canonical_patch=canonical_side(side, shown, canvas),
        input_height=shown.spec.size_hw[0],
        model=name,
        outputs=np.empty(0),
        normalise=normalise,
        canvas=canvas,
        method=name,
    )
