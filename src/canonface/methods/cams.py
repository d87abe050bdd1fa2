"""Class activation maps through torchcam: GradCAM, GradCAM++ and ScoreCAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.confidence.targets import one_of
from canonface.methods.attribution import checked_attribution
from canonface.methods.autograd_context import (
    as_torch_model,
    autograd_context,
    check_gradient,
    grey_input,
    require_package,
)
from canonface.methods.base import SCORES, ScoreKind, whole_number
from canonface.models import Model


@dataclass(frozen=True)
class _GradientCam:
    """Activations of a layer, weighted by gradients of the score; subclasses define the weights.

    Attributes:
        layer: name of a layer in ``module.named_modules()``; None: the last convolution with spatial extent.
        score: see `Gradient`.
    """

    layer: str | None = None
    score: ScoreKind = "auto"
    name: ClassVar[str]

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)

    @staticmethod
    def extractor(score: Any, layer: Any) -> Any:
        """Return torchcam's extractor for a score and a layer."""
        raise NotImplementedError

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no map can be made; see `canonface.methods.Method.check`."""
        _check_layer(self, model, confidence_fn)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map, enlarged to the input; see `canonface.methods.Method.attribute`."""
        return _activation_map(self, self.extractor, model, x, confidence_fn)


@dataclass(frozen=True)
class GradCam(_GradientCam):
    """GradCAM: the ReLU of a layer's channels, each weighted by its mean gradient.

    R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
    ICCV 2017, eq. 1-2. The map is enlarged to the input by bilinear interpolation and not normalised.

    Attributes:
        layer: name of a layer in ``module.named_modules()``; None: the last convolution with spatial extent.
        score: see `Gradient`.
    """

    name: ClassVar[str] = "gradcam"

    @staticmethod
    def extractor(score: Any, layer: Any) -> Any:
        """Return torchcam's extractor for a score and a layer."""
        from torchcam.methods import GradCAM

        return GradCAM(score, layer)


@dataclass(frozen=True)
class GradCamPlusPlus(_GradientCam):
    """GradCAM++: the ReLU of a layer's channels, weighted by their positive gradients (eq. 19).

    A. Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
    Networks", WACV 2018. torchcam 0.5.0 computes other weights than eq. 19; here they are those of the paper.

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`.
    """

    name: ClassVar[str] = "gradcam++"

    @staticmethod
    def extractor(score: Any, layer: Any) -> Any:
        """Return torchcam's extractor for a score and a layer, with the weights of the paper."""
        return _paper_grad_cam_plus_plus()(score, layer)


@dataclass(frozen=True)
class ScoreCam:
    """ScoreCAM: the ReLU of a layer's channels, weighted by the scores of the input masked by each of them.

    H. Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR workshops
    2020. The weights are the softmax of the scores. It needs no gradients; each channel costs a forward pass.

    Attributes:
        layer: see `GradCam`.
        score: see `Gradient`. Over confidences, which differ by less than 1, the softmax is nearly flat.
        batch: masked copies in one forward pass.
    """

    layer: str | None = None
    score: ScoreKind = "auto"
    batch: int = 32
    name: ClassVar[str] = "scorecam"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        whole_number("batch", self.batch)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no map can be made; see `canonface.methods.Method.check`."""
        torch_model = as_torch_model(self.name, model, "the activations")
        require_package(self.name, "torchcam")
        from canonface.methods.layers import target_layer
        from canonface.methods.score import logit_index

        if confidence_fn is not None:
            logit_index(torch_model, confidence_fn, self.score)
        with autograd_context(self.name, torch_model):
            target_layer(torch_model, grey_input(torch_model), self.layer)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map, enlarged to the input; see `canonface.methods.Method.attribute`."""

        def extractor(score: Any, layer: Any) -> Any:
            from torchcam.methods import ScoreCAM

            return ScoreCAM(score, layer, batch_size=self.batch)

        return _activation_map(self, extractor, model, x, confidence_fn, needs="the activations")


_Cam = _GradientCam | ScoreCam


@cache
def _paper_grad_cam_plus_plus() -> Any:
    """Return torchcam's GradCAM++ class with the weights of eq. 19; a function, since torchcam is loaded late."""
    import torch
    from torchcam.methods import GradCAMpp

    def weights(gradient: Any, activation: Any) -> Any:
        # In float64, since gradients are cubed.
        g, kept = gradient.double(), activation.double()
        total = torch.relu(kept).sum(dim=(2, 3), keepdim=True)
        # relu(g) is a factor of the weight, so alpha counts only where the gradient is positive.
        alpha = torch.where(g > 0, 1 / (2 + g * total), torch.zeros_like(g))
        return (alpha * torch.relu(g)).sum(dim=(2, 3)).to(activation)

    class PaperGradCamPlusPlus(GradCAMpp):
        r"""GradCAM++ of torchcam with the weights of eq. 19 of the paper.

        $w_k = \sum_{ij} \alpha^k_{ij}\, \mathrm{relu}(g^k_{ij})$ with
        $\alpha^k_{ij} = (g^k_{ij})^2 / (2 (g^k_{ij})^2 + (g^k_{ij})^3 \sum_{ab} A^k_{ab})$.

        torchcam 0.5.0 divides a copy, so that its $\alpha$ stays $(g^k_{ij})^2$. The paper's activations have passed
        a ReLU. Here the sum runs over the positive parts of $A^k$: the same for such activations, and the denominator
        stays away from 0 where a convolution's own output is used.
        """

        def _get_weights(self, class_idx: Any, scores: Any, eps: float = 0.0, **kwargs: Any) -> list[Any]:  # noqa: ARG002
            self._backprop(scores, class_idx, **kwargs)
            return [weights(grad, kept) for grad, kept in zip(self.hook_g, self.hook_a, strict=True)]

    return PaperGradCamPlusPlus


def _check_layer(method: _GradientCam, model: Model, confidence_fn: BoundConfidence | None) -> None:
    torch_model = check_gradient(method.name, model, confidence_fn, method.score, "torchcam")
    from canonface.methods.layers import target_layer

    with autograd_context(method.name, torch_model):
        target_layer(torch_model, grey_input(torch_model), method.layer)


def _activation_map(
    method: _Cam,
    extractor: Callable[[Any, Any], Any],
    model: Model,
    x: Float[np.ndarray, "c h w"],
    confidence_fn: BoundConfidence,
    needs: str = "the gradients",
) -> Float[np.ndarray, "h w"]:
    """Return torchcam's map of a score and a layer, enlarged to the input."""
    torch_model = as_torch_model(method.name, model, needs)
    require_package(method.name, "torchcam")
    import torch
    from torch.nn.functional import interpolate

    from canonface.methods.layers import copied_output, target_layer
    from canonface.methods.score import Score

    by_gradient = not isinstance(method, ScoreCam)
    with autograd_context(method.name, torch_model):
        score = Score(torch_model, confidence_fn, method.score)
        given = torch_model.to_device(x)[None].requires_grad_(by_gradient)
        if by_gradient:
            score.require_slope(given)
        _, layer = target_layer(torch_model, given, method.layer)
        with torch.set_grad_enabled(by_gradient), extractor(score, layer) as cam, copied_output(layer):
            attribution = cam(0, score(given), normalized=False)[0].detach()
        found = interpolate(attribution[:, None], x.shape[1:], mode="bilinear", align_corners=False)
    return checked_attribution(method.name, found[0, 0].cpu().double().numpy(), x.shape[1:])
