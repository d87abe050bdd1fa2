"""Guided backpropagation through captum, alone and times a class activation map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence
from canonface.methods.base import SCORES, ScoreKind, checked_attribution, one_of, title_of
from canonface.methods.borrowing import (
    as_torch_model,
    borrowed,
    check_gradient,
    grey_input,
    require_package,
)
from canonface.methods.cams import GradCam, GradCamPlusPlus
from canonface.methods.reducing import REDUCTIONS, over_channels
from canonface.models import Model


@dataclass(frozen=True)
class GuidedBackprop:
    """The gradient with its negative parts taken out at every ReLU on the way back.

    J. T. Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR workshop 2015.

    Attributes:
        score: see `Gradient`.
        reduce: see `Gradient`.
    """

    score: ScoreKind = "auto"
    reduce: str = "max-abs"
    name: ClassVar[str] = "guided-backprop"

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        asked = check_gradient(self.name, model, confidence_fn, self.score, "captum")
        from canonface.methods.rectifying import Rectified
        from canonface.methods.scoring import Score

        anything = BoundConfidence("", "", fn=lambda outputs: outputs.sum(axis=1).astype(np.float64))
        with borrowed(self.name, asked):
            score = Score(asked, anything)
            Rectified(score).require_all(grey_input(asked), asked.name, title_of(self.name))

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        asked = as_torch_model(self.name, model, "the gradients")
        require_package(self.name, "captum")
        from captum import attr

        from canonface.methods.rectifying import Rectified
        from canonface.methods.scoring import Score

        with borrowed(self.name, asked):
            score = Score(asked, confidence_fn, self.score)
            given = asked.to_device(x)[None].requires_grad_()
            score.require_slope(given)
            rectified = Rectified(score)
            rectified.require_all(given, asked.name, title_of(self.name))
            found = attr.GuidedBackprop(rectified).attribute(given, target=0)
        values = found.detach()[0].cpu().double().numpy()
        return checked_attribution(self.name, over_channels(values, self.reduce), x.shape[1:])


@dataclass(frozen=True)
class _Product:
    """Guided backpropagation times a map of activations, pixel by pixel; subclasses say which.

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`.
        reduce: see `Gradient`.
    """

    layer: str | None = None
    score: ScoreKind = "auto"
    reduce: str = "max-abs"
    name: ClassVar[str]
    activations: ClassVar[type[GradCam | GradCamPlusPlus]]

    def __post_init__(self) -> None:
        self._factors()

    def _factors(self) -> tuple[GuidedBackprop, GradCam | GradCamPlusPlus]:
        return GuidedBackprop(self.score, self.reduce), self.activations(self.layer, self.score)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        as_torch_model(self.name, model, "the gradients")
        for factor in self._factors():
            factor.check(model, confidence_fn)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`.

        The map of activations is never negative, so that the order of steps does not matter.
        """
        as_torch_model(self.name, model, "the gradients")
        guided, activations = (factor.attribute(model, x, confidence_fn) for factor in self._factors())
        return np.asarray(guided * activations)


@dataclass(frozen=True)
class GuidedGradCam(_Product):
    """Guided backpropagation times GradCAM, pixel by pixel (Selvaraju et al. 2017, section 3.2).

    The product of both maps is taken here, and not captum's ``GuidedGradCam``, so that GradCAM++ is joined alike and
    the map of activations is enlarged as it is alone.

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`.
        reduce: see `Gradient`.
    """

    name: ClassVar[str] = "guided-gradcam"
    activations: ClassVar[type[GradCam | GradCamPlusPlus]] = GradCam


@dataclass(frozen=True)
class GuidedGradCamPlusPlus(_Product):
    """Guided backpropagation times GradCAM++, pixel by pixel (Chattopadhay et al. 2018, section 3.3).

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`.
        reduce: see `Gradient`.
    """

    name: ClassVar[str] = "guided-gradcam++"
    activations: ClassVar[type[GradCam | GradCamPlusPlus]] = GradCamPlusPlus
