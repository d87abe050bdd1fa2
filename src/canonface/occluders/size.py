"""How wide a patch is: in pixels of the model's input, percent of the eye distance, or centimetres of the face."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from canonface.errors import OptionError
from canonface.geometry import face_scale, face_scales
from canonface.types import InputSpec, Mesh, ModelInput

Patch = float | str | None
"""``15`` or ``"15px"``: pixels of the model's input; ``"20%"``: of the distance between the eyes; ``"1.2cm"``: a
length on the canonical face, ``"r0.6cm"`` the same as a radius; None: the occluder's own default."""

Unit = Literal["px", "%", "cm"]

_TEXT = re.compile(r"(r?)\s*(\d+\.?\d*|\.\d+)\s*(px|%|cm|)", re.IGNORECASE)
_MOST = {"px": np.inf, "%": 400.0, "cm": 30.0}


@dataclass(frozen=True)
class Size:
    """Width of a patch: the side of a square, the diameter of a disc or of a surface patch.

    Pixels make a square of the input; percent and centimetres a square of the face as the photo shows it, which is a
    rectangle of the input where the crop does not keep the photo's aspect.

    A width in percent or centimetres follows the face: it is a length on the canonical mesh times the face's scale in
    the input, so that neither a photo's resolution nor the turn of the head changes how much of the face is hidden.

    Attributes:
        amount: how many of the unit.
        unit: ``px`` of the model's input, ``%`` of the distance between the eyes, ``cm`` of the canonical face.
    """

    amount: float
    unit: Unit = "px"

    def __post_init__(self) -> None:
        if self.unit == "px" and not 1 <= self.amount < np.inf:
            raise OptionError(
                f"A patch has a side of at least 1 pixel of the model's input; got {self.amount}."
            )
        if not 0 < self.amount <= _MOST[self.unit]:
            raise OptionError(
                f"A patch is more than 0 and at most {_MOST[self.unit]:g}{self.unit}; got {self}: more than "
                "that hides the whole face."
            )

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"

    def pixels(self, shown: ModelInput) -> float:
        """Width in pixels of the input; where it is not the height, the side of the square of the same area.

        Raises:
            OptionError: as `pixels_xy`.
        """
        width, height = self.pixels_xy(shown)
        return width if width == height else float(np.sqrt(width * height))

    def pixels_xy(self, shown: ModelInput) -> tuple[float, float]:
        """Width and height in pixels of the input, each at least 1: a patch hides the pixel that it lies on.

        Raises:
            OptionError: the size is in percent, and the mesh does not name the eyes.
        """
        if self.unit == "px":
            return self.amount, self.amount
        across, down = (self._canonical(shown.face.mesh) * face_scales(shown)).tolist()
        return max(across, 1.0), max(down, 1.0)

    def centimetres(self, shown: ModelInput) -> float:
        """Width on the canonical face.

        Raises:
            OptionError: as `pixels`.
        """
        if self.unit == "px":
            return self.amount / face_scale(shown)
        return self._canonical(shown.face.mesh)

    def check(self, spec: InputSpec) -> None:
        """Refuse pixels that such an input does not have.

        Raises:
            OptionError: the patch is larger than the input.
        """
        if self.unit == "px" and self.amount > spec.size_hw[0]:
            raise OptionError(
                f"A patch is at most the input's height, {spec.size_hw[0]} pixels; got {self.amount:g}."
            )

    def _canonical(self, mesh: Mesh) -> float:
        return self.amount if self.unit == "cm" else self.amount / 100 * eye_distance(mesh)


def parse_size(patch: Patch) -> Size | None:
    """The size that a number or a text means; None stays None.

    Raises:
        OptionError: it means none, or one that cannot be.
    """
    if patch is None:
        return None
    if isinstance(patch, str):
        match = _TEXT.fullmatch(patch.strip())
        if match is None:
            raise OptionError(
                "The size of a patch is a number of pixels, or text like '20%' (of the eye distance), '1.2cm' (on "
                f"the canonical face) or 'r0.6cm' (its radius); got {patch!r}."
            )
        radius, amount, unit = match.groups()
        return Size(float(amount) * (2 if radius else 1), unit.lower() or "px")  # type: ignore[arg-type]
    if isinstance(patch, bool) or not isinstance(patch, int | float):
        raise OptionError(f"The size of a patch is a number or a text like '20%'; got {patch!r}.")
    return Size(patch)


def eye_distance(mesh: Mesh) -> float:
    """Distance between the middles of both eyes on the canonical face, in centimetres.

    Raises:
        OptionError: the mesh does not name the eyes.
    """
    if not {"right_eye", "left_eye"} <= set(mesh.landmarks):
        raise OptionError(
            f"A patch in percent needs a mesh that names the points right_eye and left_eye; {mesh.name!r} names "
            f"{', '.join(mesh.landmarks) or 'none'}. Give the patch in pixels or in cm."
        )
    right, left = (mesh.vertices[mesh.landmarks[name]].mean(axis=0) for name in ("right_eye", "left_eye"))
    return float(np.linalg.norm(left - right))
