"""Maps of other saliency methods on the canonical face: GradCAM's, RISE's, an eye tracker's."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from canonface._deprecated import warn_renamed
from canonface.errors import OptionError
from canonface.functional import sample
from canonface.maps.cis import CIS
from canonface.maps.patch import canonical_side
from canonface.mesh import Canvas, probe_vertices
from canonface.models import without_pixels
from canonface.types import Face, InputSpec, ModelInput


@dataclass(frozen=True, eq=False, repr=False)
class AttributionMap(CIS):
    """Another method's saliency on the canonical face: ``values`` are attributions in that method's own unit.

    It is drawn, averaged and compared as a map of drops is; ``method`` says whose it is.
    """

    def __post_init__(self) -> None:
        if not self.method:
            raise OptionError(
                "An AttributionMap names its method; got ''. A map of drops of confidence is a CIS."
            )

    @classmethod
    def of(cls, cis: CIS, method: str) -> AttributionMap:
        """Return the map with the same fields whose values come from a method."""
        return cls(**{item.name: getattr(cis, item.name) for item in fields(cis)} | {"method": method})

    @property
    def drops(self) -> Float[np.ndarray, "n"]:
        """Former name of ``values``; deprecated, since attributions are no drops."""
        warn_renamed("AttributionMap.drops", "AttributionMap.values")
        return self.values


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
) -> AttributionMap:
    """Sample a saliency map in pixels at the mesh of a face.

    Maps of many faces make a canonical model map: ``CMS.of(canonicalise(map, face) for ...)``.

    Args:
        map: ``(h, w)`` one number per pixel, of the photo, or of the model's input if ``spec`` is given; NaN where
            nothing is known.
        face: the face in the map.
        spec: input of the model; its size is the map's. None: the map lies on ``face.image``.
        name: the method that made the map; written on pictures.
        target: the output that the map explains, e.g. a class.
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
    height, width = face.image.shape[:2]
    shown = without_pixels(face, spec or InputSpec(size_hw=(height, width), crop="image"))
    image = _checked(map, shown, of_input=spec is not None)
    probes = probe_vertices(face.mesh, stride)
    values = np.full(len(probes), np.nan)
    seen = shown.visible[probes]
    values[seen] = sample(image, shown.vertices_xy[probes[seen]])
    box = float(np.ptp(shown.vertices_xy[: face.mesh.face_count], axis=0).max())
    side = box / 15 if patch is None else float(patch)
    canvas = Canvas.of(face.mesh)
    return AttributionMap(
        face=face,
        mesh=face.mesh,
        probes=probes,
        values=values,
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


def _checked(map: ArrayLike, shown: ModelInput, of_input: bool) -> Float[np.ndarray, "h w"]:
    """Return the map as ``float64``; raise OptionError unless it has a finite number or NaN for each pixel."""
    values = np.asarray(map, dtype=np.float64)
    if values.shape != shown.spec.size_hw:
        where = "the model's input" if of_input else "the photo"
        hint = "" if of_input else " For a map of the model's input, give its spec=."
        raise OptionError(
            f"A map has one number for each of {where}'s {shown.spec.size_hw[0]} x {shown.spec.size_hw[1]} pixels; "
            f"got shape {values.shape}.{hint}"
        )
    if np.isinf(values).any():
        raise OptionError(
            f"A map holds numbers or NaN; {int(np.isinf(values).sum())} of {values.size} are infinite."
        )
    return values
