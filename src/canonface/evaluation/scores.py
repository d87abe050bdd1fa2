"""All metrics of all methods on one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError
from canonface.evaluation.attributions import common_total
from canonface.evaluation.curves import (
    CURVES,
    Curve,
    area_under,
    curve_inputs,
    leading_masks,
    most_relevant_first,
)
from canonface.evaluation.metrics import Metric
from canonface.evaluation.options import EvaluationOptions
from canonface.evaluation.road import noisy_linear_imputation
from canonface.evaluation.subjects import Attributions, Subject
from canonface.functional import negative_explanation, normalised_attribution, relative_drops, wins
from canonface.occluders.fills import content
from canonface.types import InputSpec, ModelInput

TIED_WITHIN = 1e-6
"""Confidences that differ by less are tied: single precision and the position in a batch change them by as much."""
BLUR_SHARE = 0.25
"""Size of the details that a blurred input has lost, as a share of its shorter side."""


def pixels_of(shown: ModelInput) -> Float[np.ndarray, "h w 3"]:
    """Return the model's input as an RGB picture in 0..1, not rounded; grey is repeated."""
    spec = shown.spec
    values = shown.x.astype(np.float64).transpose(1, 2, 0) * np.asarray(spec.std) + np.asarray(spec.mean)
    pixels = np.clip(values / spec.scale / 255, 0, 1)
    if spec.colour == "grey":
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels if spec.colour == "rgb" else pixels[:, :, ::-1])


def whole_fill(fill: str, shown: ModelInput) -> Float[np.ndarray, "c h w"]:
    """Return an input that consists of fill alone."""
    height, width = shown.spec.size_hw
    boxes = np.array([[0, 0, width, height]])
    made = content(fill, shown, max(1.0, BLUR_SHARE * min(height, width)), boxes)
    array = made[0] if isinstance(made, list | tuple) else made
    return np.broadcast_to(np.asarray(array, dtype=np.float32), shown.x.shape)


@dataclass(frozen=True)
class SubjectScores:
    """Confidences and scores of one subject.

    Attributes:
        original: confidence in the unchanged subject.
        left: method -> confidence in its negative explanation image.
        taken: method -> share of the light that its map removes from a white image.
        scores: metric -> ``(m,)`` one number per method; NaN where the metric is undefined for this subject.
    """

    original: float
    left: Mapping[str, float]
    taken: Mapping[str, float]
    scores: Mapping[str, Float[np.ndarray, "m"]]


@renamed_parameters(heats="attributions", choices="options")
def score(
    subject: Subject, attributions: Attributions, metrics: Sequence[Metric], options: EvaluationOptions
) -> SubjectScores:
    """Score every method's map of one subject by every metric.

    Args:
        subject: a face or a pair; a negative explanation changes both faces of a pair.
        attributions: method -> its map of each view.
        metrics: to compute.
        options: options of the metrics.

    Raises:
        OptionError: a map does not fit the input.
        ModelError: the model failed.
    """
    return _Scorer(subject, attributions, tuple(metrics), options).result()


class _Scorer:
    def __init__(
        self,
        subject: Subject,
        attributions: Attributions,
        metrics: tuple[Metric, ...],
        options: EvaluationOptions,
    ) -> None:
        self.subject, self.metrics, self.options = subject, metrics, options
        self.attributions = {
            name: tuple(
                _checked(name, attribution, view.shown.spec)
                for attribution, view in zip(maps, subject.views, strict=True)
            )
            for name, maps in attributions.items()
        }
        self.needs = {metric.needs for metric in metrics}

    def result(self) -> SubjectScores:
        original = self.subject.original()
        columns: dict[str, Float[np.ndarray, "m"]] = {}
        left: dict[str, float] = {}
        taken: dict[str, float] = {}
        if "removal" in self.needs:
            hidden, shares = self.removal()
            left, taken = (dict(zip(self.attributions, v.tolist(), strict=True)) for v in (hidden, shares))
            columns |= _removal_scores(original, hidden)
        if self.needs & {"curves", "decisions"}:
            for curve in CURVES:
                heights = [self.curve(name, curve) for name in self.attributions]
                columns[curve] = np.array([area_under(points.mean(axis=0)) for points in heights])
                correct = [area_under(100.0 * self.correct(points).mean(axis=0)) for points in heights]
                columns[f"{curve}-accuracy"] = np.array(correct)
        if "road" in self.needs:
            columns["road"] = np.array([self.road(name) for name in self.attributions])
        return SubjectScores(
            original, left, taken, {metric.name: columns[metric.name] for metric in self.metrics}
        )

    def removal(self) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
        """Return the confidence in each negative explanation image, and the share of light that it lost."""
        inputs = []
        taken = np.zeros(len(self.attributions))
        for position, view in enumerate(self.subject.views):
            maps = {name: self._clipped(views[position]) for name, views in self.attributions.items()}
            total = common_total(maps, self.options.total)
            image, spec = pixels_of(view.shown), view.shown.spec
            pictures = [negative_explanation(image, attribution, total) for attribution in maps.values()]
            inputs.append(np.stack([spec.from_pixels(255 * picture) for picture in pictures]))
            white = np.ones_like(image)
            taken += [
                1 - negative_explanation(white, attribution, total).mean() for attribution in maps.values()
            ]
        return self.subject.confidences(inputs), taken / len(self.subject.views)

    def _clipped(self, attribution: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        # np.maximum keeps NaN.
        return np.maximum(attribution, 0.0) if self.options.clip_negative else attribution

    @cached_property
    def _fills(self) -> Mapping[Curve, tuple[Float[np.ndarray, "c h w"], ...]]:
        names = {"deletion": self.options.deletion_fill, "insertion": self.options.insertion_fill}
        return {
            curve: tuple(whole_fill(names[curve], view.shown) for view in self.subject.views)
            for curve in CURVES
        }

    def curve(self, method: str, curve: Curve) -> Float[np.ndarray, "v k"]:
        """Return the confidence at each step of a curve, one row per view; of a pair the other face is unchanged.

        Two faces that consist of fill alone are the same picture, which any model would call one person.
        """
        inputs = [
            curve_inputs(
                view.shown.x,
                fill,
                most_relevant_first(attribution, self.options.seed),
                self.options.steps,
                curve,
            )
            for view, fill, attribution in zip(
                self.subject.views, self._fills[curve], self.attributions[method], strict=True
            )
        ]
        unchanged = [view.shown.x[None] for view in self.subject.views]
        rows = [
            self.subject.confidences(
                [batch if i == changed else unchanged[i] for i, batch in enumerate(inputs)]
            )
            for changed in range(len(inputs))
        ]
        return np.stack(rows)

    def correct(self, confidences: Float[np.ndarray, "v k"]) -> Float[np.ndarray, "v k"]:
        """Return 1 where the decision on a pair is correct: confidence >= 0 for one person, > 0 for two."""
        right = confidences > 0 if self.subject.group == "different" else confidences >= 0
        return right.astype(np.float64)

    def road(self, method: str) -> float:
        """Return the mean confidence without the lowest pixels minus that without the highest, over the shares."""
        inputs = [
            np.concatenate([self._imputed(view.shown, attribution, lowest) for lowest in (True, False)])
            for view, attribution in zip(self.subject.views, self.attributions[method], strict=True)
        ]
        without_lowest, without_highest = np.split(self.subject.confidences(inputs), 2)
        return float(without_lowest.mean() - without_highest.mean())

    def _imputed(
        self, shown: ModelInput, attribution: Float[np.ndarray, "h w"], lowest: bool
    ) -> Float[np.ndarray, "k c h w"]:
        order = most_relevant_first(attribution, self.options.seed)
        counts = np.rint(np.array(self.options.road_shares) * len(order)).astype(np.int64)
        masks = leading_masks(order[::-1] if lowest else order, counts, shown.spec.size_hw)
        picture = pixels_of(shown).transpose(2, 0, 1)
        noise, seed = self.options.road_noise, self.options.seed
        filled = [np.clip(noisy_linear_imputation(picture, mask, noise, seed), 0, 1) for mask in masks]
        return np.stack([shown.spec.from_pixels(255 * one.transpose(1, 2, 0)) for one in filled])


def _removal_scores(original: float, hidden: Float[np.ndarray, "m"]) -> dict[str, Float[np.ndarray, "m"]]:
    """Return the terms whose mean is taken in eq. 11-13, in percent, and the plain drop."""
    before = np.full(len(hidden), original)
    # A negative confidence has no share to lose: such an image is left out of the mean.
    shares = relative_drops(before, hidden) if original >= 0 else np.full(len(hidden), np.nan)
    return {
        "average-drop": 100 * shares,
        "increase": 100.0 * (hidden > original + TIED_WITHIN),
        "win": 100 * wins(hidden[None], TIED_WITHIN)[0],
        "drop": original - hidden,
    }


def _checked(name: str, attribution: Float[np.ndarray, "h w"], spec: InputSpec) -> Float[np.ndarray, "h w"]:
    """Return a method's map as ``float64``; raise OptionError if it does not fit the input."""
    values = np.asarray(attribution, dtype=np.float64)
    if values.shape != tuple(spec.size_hw):
        raise OptionError(
            f"A method's map has one number for each of the input's {spec.size_hw[0]} x {spec.size_hw[1]} pixels; "
            f"{name!r} gave shape {values.shape}."
        )
    normalised_attribution(values)
    return values
