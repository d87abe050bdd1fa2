"""Guided backpropagation through captum, alone and multiplied by a class activation map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.confidence.targets import one_of
from canonface.methods.attribution import REDUCTIONS, checked_attribution, over_channels
from canonface.methods.autograd_context import (
    as_torch_model,
    autograd_context,
    check_gradient,
    grey_input,
    require_package,
)
from canonface.methods.base import SCORES, ScoreKind, title_of
from canonface.methods.cams import GradCam, GradCamPlusPlus
from canonface.models import Model


@dataclass(frozen=True)
class GuidedBackprop:
    """Gradient whose negative parts are set to 0 at every ReLU of the backward pass.

    J. T. Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR workshop 2015.

    Attributes:
        score: see `Gradient`.
        reduce: see `Gradient`.
    """

    score: ScoreKind = "auto"
    reduce: str = "max-abs"
    name: ClassVar[str] = "guided-backprop"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no map can be made; see `canonface.methods.Method.check`."""
        torch_model = check_gradient(self.name, model, confidence_fn, self.score, "captum")
        from canonface.methods.score import RectifiedScore, Score

        any_confidence = BoundConfidence("", "", fn=lambda outputs: outputs.sum(axis=1).astype(np.float64))
        with autograd_context(self.name, torch_model):
            score = Score(torch_model, any_confidence)
            RectifiedScore(score).require_all(grey_input(torch_model), torch_model.name, title_of(self.name))

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map; see `canonface.methods.Method.attribute`."""
        torch_model = as_torch_model(self.name, model, "the gradients")
        require_package(self.name, "captum")
        from captum import attr

        from canonface.methods.score import RectifiedScore, Score

        with autograd_context(self.name, torch_model):
            score = Score(torch_model, confidence_fn, self.score)
            given = torch_model.to_device(x)[None].requires_grad_()
            score.require_slope(given)
            rectified = RectifiedScore(score)
            rectified.require_all(given, torch_model.name, title_of(self.name))
            found = attr.GuidedBackprop(rectified).attribute(given, target=0)
        values = found.detach()[0].cpu().double().numpy()
        return checked_attribution(self.name, over_channels(values, self.reduce), x.shape[1:])


@dataclass(frozen=True)
class _Product:
    """Guided backpropagation times an activation map, pixel by pixel; subclasses name the map.

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

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        self._factors()

    def _factors(self) -> tuple[GuidedBackprop, GradCam | GradCamPlusPlus]:
        return GuidedBackprop(self.score, self.reduce), self.activations(self.layer, self.score)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no map can be made; see `canonface.methods.Method.check`."""
        as_torch_model(self.name, model, "the gradients")
        for factor in self._factors():
            factor.check(model, confidence_fn)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the product of both maps; see `canonface.methods.Method.attribute`.

        The activation map is never negative, so that the channels may be reduced before the product.
        """
        as_torch_model(self.name, model, "the gradients")
        guided, activations = (factor.attribute(model, x, confidence_fn) for factor in self._factors())
        return np.asarray(guided * activations)


@dataclass(frozen=True)
class GuidedGradCam(_Product):
    """Guided backpropagation times GradCAM, pixel by pixel (Selvaraju et al. 2017, section 3.2).

    The product is computed here instead of by captum's ``GuidedGradCam``: GradCAM++ works in the same way, and the
    activation map is enlarged as it is alone.

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
