"""Gradients of a score in the pixels, through captum: plain, smoothed and integrated."""

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
    require_package,
    seed_noise,
)
from canonface.methods.base import SCORES, ScoreKind, number_within, whole_number
from canonface.models import Model
from canonface.occluders.fills import check_plain_fill, plain_fill


@dataclass(frozen=True)
class Gradient:
    """Gradient of the score in each pixel.

    K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks", ICLR workshop 2014.

    Attributes:
        score: the scalar that is differentiated; see `canonface.methods.ScoreKind`.
        reduce: reduction of the channels; see `canonface.methods.attribution.over_channels`.
    """

    score: ScoreKind = "auto"
    reduce: str = "max-abs"
    name: ClassVar[str] = "gradient"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no gradient reaches the input; see `canonface.methods.Method.check`."""
        check_gradient(self.name, model, confidence_fn, self.score, "captum")

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map; see `canonface.methods.Method.attribute`."""
        return _attributed(self, model, x, confidence_fn, {})


@dataclass(frozen=True)
class SmoothGrad:
    """Mean gradient over noisy copies of the input.

    D. Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017: 50 copies, noise of 10-20%.

    Attributes:
        samples: number of copies.
        noise: standard deviation of the noise, as a share of the input's range.
        seed: seed of the noise.
        batch: copies in one forward pass.
        score: see `Gradient`.
        reduce: see `Gradient`.
    """

    samples: int = 50
    noise: float = 0.15
    seed: int = 0
    batch: int = 10
    score: ScoreKind = "auto"
    reduce: str = "max-abs"
    name: ClassVar[str] = "smoothgrad"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)
        whole_number("samples", self.samples)
        whole_number("batch", self.batch)
        whole_number("seed", self.seed, 0)
        number_within("noise", self.noise, 0, 10)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no gradient reaches the input; see `canonface.methods.Method.check`."""
        check_gradient(self.name, model, confidence_fn, self.score, "captum")

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map; see `canonface.methods.Method.attribute`."""
        options = {
            "nt_type": "smoothgrad",
            "nt_samples": self.samples,
            "nt_samples_batch_size": min(self.batch, self.samples),
            "stdevs": float(self.noise * (x.max() - x.min())),
        }
        return _attributed(self, model, x, confidence_fn, options)


@dataclass(frozen=True)
class IntegratedGradients:
    """Gradient integrated along the line from a plain input to this one, times their difference.

    The map adds up to the change of the score. M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep
    Networks", ICML 2017.

    Attributes:
        steps: number of steps of the integral (Gauss-Legendre).
        baseline: the plain input: ``black``, ``mean`` or a colour; see `canonface.occluders.fills.plain_fill`.
        batch: steps in one forward pass.
        score: see `Gradient`.
        reduce: see `Gradient`; only ``sum`` keeps the sign and the total.
    """

    steps: int = 50
    baseline: str = "black"
    batch: int = 10
    score: ScoreKind = "auto"
    reduce: str = "sum"
    name: ClassVar[str] = "integrated-gradients"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)
        whole_number("steps", self.steps)
        whole_number("batch", self.batch)
        check_plain_fill("baseline", self.baseline)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if no gradient reaches the input; see `canonface.methods.Method.check`."""
        check_gradient(self.name, model, confidence_fn, self.score, "captum")

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map; see `canonface.methods.Method.attribute`."""
        start = np.broadcast_to(plain_fill(self.baseline, x, model.spec), x.shape)
        options = {
            "baselines": model.to_device(start)[None],
            "n_steps": self.steps,
            "internal_batch_size": self.batch,
        }
        return _attributed(self, model, x, confidence_fn, options)


def _attributed(
    method: Gradient | SmoothGrad | IntegratedGradients,
    model: Model,
    x: Float[np.ndarray, "c h w"],
    confidence_fn: BoundConfidence,
    options: Mapping[str, Any],
) -> Float[np.ndarray, "h w"]:
    """Return captum's attribution of a score, one number per pixel."""
    torch_model = as_torch_model(method.name, model, "the gradients")
    require_package(method.name, "captum")
    from captum import attr

    from canonface.methods.score import Score

    with autograd_context(method.name, torch_model):
        score = Score(torch_model, confidence_fn, method.score)
        given = torch_model.to_device(x)[None].requires_grad_()
        if isinstance(method, IntegratedGradients):
            found = attr.IntegratedGradients(score).attribute(given, target=0, **options)
        elif isinstance(method, SmoothGrad):
            seed_noise(torch_model, method.seed)
            tunnel = attr.NoiseTunnel(attr.Saliency(score))
            found = tunnel.attribute(given, target=0, abs=False, **options)
        else:
            score.require_slope(given)
            found = attr.Saliency(score).attribute(given, target=0, abs=False)
    values = found.detach()[0].cpu().double().numpy()
    return checked_attribution(method.name, over_channels(values, method.reduce), x.shape[1:])
