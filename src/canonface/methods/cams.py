"""Class activation maps through torchcam: GradCAM, GradCAM++ and ScoreCAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence
from canonface.methods.base import SCORES, ScoreKind, checked_attribution, one_of, whole_number
from canonface.methods.borrowing import (
    as_torch_model,
    borrowed,
    check_gradient,
    grey_input,
    require_package,
)
from canonface.models import Model


@dataclass(frozen=True)
class _ByGradients:
    """Activations of a layer, weighted by gradients of the score; subclasses say how.

    Attributes:
        layer: by its name in ``module.named_modules()``; None: the last convolution with spatial extent.
        score: see `Gradient`.
    """

    layer: str | None = None
    score: ScoreKind = "auto"
    name: ClassVar[str]

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)

    @staticmethod
    def extractor(score: Any, layer: Any) -> Any:
        """The method of torchcam."""
        raise NotImplementedError

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        _check_layer(self, model, confidence_fn)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        return _activation_map(self, self.extractor, model, x, confidence_fn)


@dataclass(frozen=True)
class GradCam(_ByGradients):
    """Activations of a layer, weighted by the mean gradient of each of its maps; what is negative in the end is cut.

    R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
    ICCV 2017, eq. 1-2. Enlarged to the input by bilinear interpolation, and not normalised.

    Attributes:
        layer: by its name in ``module.named_modules()``; None: the last convolution with spatial extent.
        score: see `Gradient`.
    """

    name: ClassVar[str] = "gradcam"

    @staticmethod
    def extractor(score: Any, layer: Any) -> Any:
        """The method of torchcam."""
        from torchcam.methods import GradCAM

        return GradCAM(score, layer)


@dataclass(frozen=True)
class GradCamPlusPlus(_ByGradients):
    """Activations of a layer, weighted by its positive gradients, each by how little else its map needs (eq. 19).

    A. Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
    Networks", WACV 2018. See `canonface.methods.plus_plus` for the weights.

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`.
    """

    name: ClassVar[str] = "gradcam++"

    @staticmethod
    def extractor(score: Any, layer: Any) -> Any:
        """The method of torchcam, its weights as the paper has them."""
        from canonface.methods.plus_plus import PaperGradCamPlusPlus

        return PaperGradCamPlusPlus(score, layer)


@dataclass(frozen=True)
class ScoreCam:
    """Activations of a layer, weighted by the softmax over the scores of the input seen through each of its maps.

    H. Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR workshops
    2020. It needs activations, no gradients; one question for each channel of the layer.

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`. The softmax is nearly flat over confidences, which differ by less than 1.
        batch: copies at once.
    """

    layer: str | None = None
    score: ScoreKind = "auto"
    batch: int = 32
    name: ClassVar[str] = "scorecam"

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        whole_number("batch", self.batch)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        asked = as_torch_model(self.name, model, "the activations")
        require_package(self.name, "torchcam")
        from canonface.methods.layers import target_layer
        from canonface.methods.scoring import logit_index

        if confidence_fn is not None:
            logit_index(asked, confidence_fn, self.score)
        with borrowed(self.name, asked):
            target_layer(asked, grey_input(asked), self.layer)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""

        def extractor(score: Any, layer: Any) -> Any:
            from torchcam.methods import ScoreCAM

            return ScoreCAM(score, layer, batch_size=self.batch)

        return _activation_map(self, extractor, model, x, confidence_fn, needs="the activations")


_Cam = _ByGradients | ScoreCam


def _check_layer(method: _ByGradients, model: Model, confidence_fn: BoundConfidence | None) -> None:
    asked = check_gradient(method.name, model, confidence_fn, method.score, "torchcam")
    from canonface.methods.layers import target_layer

    with borrowed(method.name, asked):
        target_layer(asked, grey_input(asked), method.layer)


def _activation_map(
    method: _Cam,
    extractor: Callable[[Any, Any], Any],
    model: Model,
    x: Float[np.ndarray, "c h w"],
    confidence_fn: BoundConfidence,
    needs: str = "the gradients",
) -> Float[np.ndarray, "h w"]:
    """What torchcam makes of a score and a layer, enlarged to the input."""
    asked = as_torch_model(method.name, model, needs)
    require_package(method.name, "torchcam")
    import torch
    from torch.nn.functional import interpolate

    from canonface.methods.layers import copied_output, target_layer
    from canonface.methods.scoring import Score

    by_gradient = not isinstance(method, ScoreCam)
    with borrowed(method.name, asked):
        score = Score(asked, confidence_fn, method.score)
        given = asked.to_device(x)[None].requires_grad_(by_gradient)
        if by_gradient:
            score.require_slope(given)
        _, layer = target_layer(asked, given, method.layer)
        with torch.set_grad_enabled(by_gradient), extractor(score, layer) as cam, copied_output(layer):
            attribution = cam(0, score(given), normalized=False)[0].detach()
        found = interpolate(attribution[:, None], x.shape[1:], mode="bilinear", align_corners=False)
    return checked_attribution(method.name, found[0, 0].cpu().double().numpy(), x.shape[1:])
