"""Gradients of a score in the pixels, through captum: as they are, smoothed, and integrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence
from canonface.methods.base import (
    SCORES,
    ScoreKind,
    checked_attribution,
    number_within,
    one_of,
    whole_number,
)
from canonface.methods.borrowing import (
    as_torch_model,
    borrowed,
    check_gradient,
    require_package,
    seed_noise,
)
from canonface.methods.plain import check_plain, plain
from canonface.methods.reducing import REDUCTIONS, over_channels
from canonface.models import Model


@dataclass(frozen=True)
class Gradient:
    """Vanilla gradients: how the score moves with each pixel.

    K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks", ICLR workshop 2014.

    Attributes:
        score: what the gradient is taken of; see `canonface.methods.ScoreKind`.
        reduce: how the channels become one number; see `canonface.methods.reducing.over_channels`.
    """

    score: ScoreKind = "auto"
    reduce: str = "max-abs"
    name: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        check_gradient(self.name, model, confidence_fn, self.score, "captum")

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        return _attributed(self, model, x, confidence_fn, {})


@dataclass(frozen=True)
class SmoothGrad:
    """The mean gradient over noisy copies of the input.

    D. Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017: 50 copies, noise of 10-20%.

    Attributes:
        samples: copies.
        noise: standard deviation of the noise, as a share of the input's range.
        seed: of the noise.
        batch: copies at once.
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

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)
        whole_number("samples", self.samples)
        whole_number("batch", self.batch)
        whole_number("seed", self.seed, 0)
        number_within("noise", self.noise, 0, 10)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        check_gradient(self.name, model, confidence_fn, self.score, "captum")

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        options = {
            "nt_type": "smoothgrad",
            "nt_samples": self.samples,
            "nt_samples_batch_size": min(self.batch, self.samples),
            "stdevs": float(self.noise * (x.max() - x.min())),
        }
        return _attributed(self, model, x, confidence_fn, options)


@dataclass(frozen=True)
class IntegratedGradients:
    """The gradient integrated from a plain input to this one, times the way: it adds up to the change of the score.

    M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.

    Attributes:
        steps: of the integral (Gauss-Legendre).
        baseline: the input that the way starts from: ``black``, ``mean`` or a colour; see `canonface.methods.plain`.
        batch: steps at once.
        score: see `Gradient`.
        reduce: see `Gradient`; ``sum`` keeps the sign and the total.
    """

    steps: int = 50
    baseline: str = "black"
    batch: int = 10
    score: ScoreKind = "auto"
    reduce: str = "sum"
    name: ClassVar[str] = "integrated-gradients"

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("reduce", self.reduce, REDUCTIONS)
        whole_number("steps", self.steps)
        whole_number("batch", self.batch)
        check_plain("baseline", self.baseline)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """See `canonface.methods.Method.check`."""
        check_gradient(self.name, model, confidence_fn, self.score, "captum")

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        start = np.broadcast_to(plain(self.baseline, x, model.spec), x.shape)
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
    """What captum makes of a score, one number a pixel."""
    asked = as_torch_model(method.name, model, "the gradients")
    require_package(method.name, "captum")
    from captum import attr

    from canonface.methods.scoring import Score

    with borrowed(method.name, asked):
        score = Score(asked, confidence_fn, method.score)
        given = asked.to_device(x)[None].requires_grad_()
        if isinstance(method, IntegratedGradients):
            found = attr.IntegratedGradients(score).attribute(given, target=0, **options)
        elif isinstance(method, SmoothGrad):
            seed_noise(asked, method.seed)
            tunnel = attr.NoiseTunnel(attr.Saliency(score))
            found = tunnel.attribute(given, target=0, abs=False, **options)
        else:
            score.require_slope(given)
            found = attr.Saliency(score).attribute(given, target=0, abs=False)
    values = found.detach()[0].cpu().double().numpy()
    return checked_attribution(method.name, over_channels(values, method.reduce), x.shape[1:])
