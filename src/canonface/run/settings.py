"""What is asked, of which model input, in which way: the choices that define a map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from canonface.confidence import PREDICTED, ClassConfidence
from canonface.errors import OptionError, near_names
from canonface.functional import Unseen
from canonface.occluders import Square, default_patch


@dataclass(frozen=True)
class Settings:
    """The choices that define a map; a run writes them down.

    Attributes:
        target: class by name or index, ``label:COLUMN``, or ``predicted``; see `ClassConfidence`.
        confidence: ``probability``, ``logit`` or ``log-odds``.
        patch: side of the square occluder in pixels of the model's input; None: 15, less for inputs below 90
            pixels and more above 224 (`default_patch`).
        fill: what hides the patch: ``mean``, ``black``, ``blur`` or a colour ``#rrggbb``.
        stride: every stride-th vertex of the mesh is a probe.
        normalise: divide by the density of probes (eq. 5).
        unseen: how a model map treats what a face hides: ``omit`` or ``zero``.
    """

    target: str | int = PREDICTED
    confidence: str = "probability"
    patch: float | None = None
    fill: str = "mean"
    stride: int = 1
    normalise: bool = True
    unseen: Unseen = "omit"

    def __post_init__(self) -> None:
        for name in ("target", "patch", "stride"):
            value = getattr(self, name)
            if isinstance(value, np.generic):
                object.__setattr__(self, name, value.item())
        # Each part checks its own options, in its own words.
        self.question()
        Square(1 if self.patch is None else self.patch, self.fill)
        if self.unseen not in ("omit", "zero"):
            raise OptionError(f"unseen is 'omit' or 'zero'; got {self.unseen!r}.")
        if isinstance(self.stride, bool) or not isinstance(self.stride, int) or self.stride < 1:
            raise OptionError(f"stride is a whole number, at least 1; got {self.stride!r}.")

    def question(self) -> ClassConfidence:
        """The confidence that is asked for."""
        return ClassConfidence(self.target, self.confidence)

    def occluder(self, input_height: int) -> Square:
        """The occluder for a model's input of that height.

        Raises:
            OptionError: the patch is larger than the input.
        """
        if self.patch is not None and self.patch > input_height:
            raise OptionError(
                f"A patch is at most the input's height, {input_height} pixels; got {self.patch:g}."
            )
        return Square(default_patch(input_height) if self.patch is None else self.patch, self.fill)


PRESETS: dict[str, Settings] = {
    "default": Settings(),
    "paper": Settings(fill="black", unseen="zero"),
}
"""``paper`` follows eq. 1-6 to the letter: pixels multiplied by 0, hidden pixels counted as 0."""


def make_settings(preset: str = "default", **options: Any) -> Settings:
    """Settings of a preset with some choices replaced; an option that is None keeps the preset's.

    Raises:
        OptionError: the preset or an option does not exist, or a value cannot be used.
    """
    if preset not in PRESETS:
        raise OptionError(f"A preset has a known name; got {preset!r}: {near_names(preset, PRESETS)}")
    known = Settings.__dataclass_fields__
    for name in options:
        if name not in known:
            raise OptionError(f"An option has a known name; got {name!r}: {near_names(name, known)}")
    return replace(PRESETS[preset], **{name: value for name, value in options.items() if value is not None})
