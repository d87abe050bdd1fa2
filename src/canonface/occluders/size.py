"""Width of a patch in pixels of the model's input, percent of the eye distance, or centimetres of the face."""

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

    A width in pixels gives a square of the input. A width in percent or centimetres gives a square of the face in the
    photo, which is a rectangle of the input if the crop changes the photo's aspect ratio.

    A width in percent or centimetres is a length on the canonical mesh times the face's scale in the input: the
    hidden share of the face depends neither on the photo's resolution nor on the turn of the head.

    Attributes:
        amount: number of units.
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
        """Return the width in pixels of the input; for a rectangle, the side of the square of its area.

        Raises:
            OptionError: as for `pixels_xy`.
        """
        width, height = self.pixels_xy(shown)
        return width if width == height else float(np.sqrt(width * height))

    def pixels_xy(self, shown: ModelInput) -> tuple[float, float]:
        """Return width and height in pixels of the input, each at least 1: a patch hides the pixel that it lies on.

        Raises:
            OptionError: the size is in percent, and the mesh does not name the eyes.
        """
        if self.unit == "px":
            return self.amount, self.amount
        across, down = (self._canonical(shown.face.mesh) * face_scales(shown)).tolist()
        return max(across, 1.0), max(down, 1.0)

    def centimetres(self, shown: ModelInput) -> float:
        """Return the width on the canonical face.

        Raises:
            OptionError: as for `pixels`.
        """
        if self.unit == "px":
            return self.amount / face_scale(shown)
        return self._canonical(shown.face.mesh)

    def check(self, spec: InputSpec) -> None:
        """Raise OptionError if the patch is larger than the input."""
        if self.unit == "px" and self.amount > spec.size_hw[0]:
            raise OptionError(
                f"A patch is at most the input's height, {spec.size_hw[0]} pixels; got {self.amount:g}."
            )

    def _canonical(self, mesh: Mesh) -> float:
        return self.amount if self.unit == "cm" else self.amount / 100 * eye_distance(mesh)


def parse_size(patch: Patch) -> Size | None:
    """Return the size that a number or a text stands for; None stays None.

    Raises:
        OptionError: it stands for no size, or for an impossible one.
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
    """Return the distance between the centres of both eyes on the canonical face, in centimetres.

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


def size_or_default(patch: Patch, shown: ModelInput) -> Size:
    """Return the given size, or the default for this input."""
    return parse_size(patch) or Size(default_patch(shown.spec.size_hw[0]))


def default_patch(input_height: int) -> int:
    """Return the default side: 15 pixels for inputs of 90 to 224, a sixth of smaller ones, 15/224 of larger ones.

    15 pixels of 224 is the usual choice of the field. In a small input a patch of that share is a few pixels wide,
    and a network can guess what it hides: maps of one half of the photos then disagree with those of the other half
    (`docs/method.md` has the figures). The side is odd, so that the patch has a middle pixel.
    """
    side = max(input_height * 15 / 224, min(15.0, input_height / 6))
    return max(3, 2 * round((side - 1) / 2) + 1)
