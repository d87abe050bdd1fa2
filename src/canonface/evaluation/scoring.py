"""All metrics of all methods on one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError
from canonface.evaluation.attributions import common_total
from canonface.evaluation.curves import CURVES, Curve, area_under, curve_inputs
from canonface.evaluation.metrics import Metric
from canonface.evaluation.ranking import first_masks, hottest_first
from canonface.evaluation.road import NOISE, SHARES, noisy_linear_imputation
from canonface.evaluation.subjects import Attributions, Subject
from canonface.functional import negative_explanation, normalised_attribution, relative_drops, wins
from canonface.occluders.fills import check_fill, content
from canonface.types import InputSpec, ModelInput

LEVEL_WITHIN = 1e-6
"""Confidences that differ by less are level: single precision and the place in a batch move them by as much."""
BLUR_SHARE = 0.25
"""Size of what a blurred input has lost, as a share of its shorter side."""
NO_FILLS = ("inpaint",)
"""Fills that take what they put from around the patch: around a whole input is nothing."""


@dataclass(frozen=True)
class Choices:
    """What decides the metrics.

    Attributes:
        total: heat that is hidden in a negative explanation image, as of `canonface.evaluation.common_total`.
        clip_negative: heat below 0 is set to 0 before eq. 9, as in the authors' released code.
        deletion_fill: what stands in for a deleted pixel.
        insertion_fill: what stands in for one that is not inserted yet.
        steps: of both curves.
        road_shares: of the pixels that ROAD removes.
        road_noise: spread of its noise, in the range of a pixel, 0..1.
        seed: of ROAD's noise and of the order among pixels of equal heat.
    """

    total: str | float = "smallest"
    clip_negative: bool = False
    deletion_fill: str = "mean"
    insertion_fill: str = "blur"
    steps: int = 20
    road_shares: tuple[float, ...] = SHARES
    road_noise: float = NOISE
    seed: int = 0

    def check(self) -> None:
        """Refuse choices that cannot be used, before anything is asked.

        Raises:
            OptionError: one cannot.
        """
        from canonface.evaluation.attributions import check_total
        from canonface.evaluation.ranking import first_counts

        check_total(self.total)
        first_counts(1, self.steps)
        for fill in (self.deletion_fill, self.insertion_fill):
            names = check_fill(fill)
            if len(names) > 1 or names[0] in NO_FILLS:
                raise OptionError(
                    f"A whole input is replaced by one fill, and not by 'inpaint'; got {fill!r}."
                )
        if not self.road_shares or not all(0 < share < 1 for share in self.road_shares):
            raise OptionError(f"ROAD removes shares between 0 and 1; got {self.road_shares}.")
        if self.road_noise < 0:
            raise OptionError(f"The spread of ROAD's noise is 0 or more; got {self.road_noise}.")


def pixels_of(shown: ModelInput) -> Float[np.ndarray, "h w 3"]:
    """What the model sees as an RGB picture in 0..1, unrounded; grey is repeated."""
    spec = shown.spec
    values = shown.x.astype(np.float64).transpose(1, 2, 0) * np.asarray(spec.std) + np.asarray(spec.mean)
    pixels = np.clip(values / spec.scale / 255, 0, 1)
    if spec.colour == "grey":
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels if spec.colour == "rgb" else pixels[:, :, ::-1])


def whole_fill(fill: str, shown: ModelInput) -> Float[np.ndarray, "c h w"]:
    """An input that is nothing but fill."""
    height, width = shown.spec.size_hw
    boxes = np.array([[0, 0, width, height]])
    made = content(fill, shown, max(1.0, BLUR_SHARE * min(height, width)), boxes)
    array = made[0] if isinstance(made, list | tuple) else made
    return np.broadcast_to(np.asarray(array, dtype=np.float32), shown.x.shape)


@dataclass(frozen=True)
class Scored:
    """What one subject gave.

    Attributes:
        original: confidence in it as it is.
        left: method -> confidence in its negative explanation image.
        taken: method -> share of the image's light that its heat takes out of a white image.
        scores: metric -> ``(m,)`` one number a method; NaN where the metric says nothing of this subject.
    """

    original: float
    left: Mapping[str, float]
    taken: Mapping[str, float]
    scores: Mapping[str, Float[np.ndarray, "m"]]


def score(
    subject: Subject, attributions: Attributions, metrics: Sequence[Metric], choices: Choices
) -> Scored:
    """All metrics of all methods on one subject.

    Args:
        subject: a face or a pair; both faces of a pair lose their heat at once.
        attributions: method -> its map of each view.
        metrics: what is measured.
        choices: how.

    Raises:
        OptionError: a map does not fit the input.
        ModelError: the model failed.
    """
    return _Scoring(subject, attributions, tuple(metrics), choices).result()


class _Scoring:
    def __init__(
        self, subject: Subject, attributions: Attributions, metrics: tuple[Metric, ...], choices: Choices
    ) -> None:
        self.subject, self.metrics, self.choices = subject, metrics, choices
        self.attributions = {
            name: tuple(
                _checked(name, attribution, view.shown.spec)
                for attribution, view in zip(maps, subject.views, strict=True)
            )
            for name, maps in attributions.items()
        }
        self.needs = {metric.needs for metric in metrics}

    def result(self) -> Scored:
        original = self.subject.original()
        columns: dict[str, Float[np.ndarray, "m"]] = {}
        left: dict[str, float] = {}
        taken: dict[str, float] = {}
        if "hiding" in self.needs:
            hidden, shares = self.occluder_fn()
            left, taken = (dict(zip(self.attributions, v.tolist(), strict=True)) for v in (hidden, shares))
            columns |= _hiding_scores(original, hidden)
        if self.needs & {"curves", "decisions"}:
            for curve in CURVES:
                heights = [self.curve(name, curve) for name in self.attributions]
                columns[curve] = np.array([area_under(points.mean(axis=0)) for points in heights])
                right = [area_under(100.0 * self.rightly(points).mean(axis=0)) for points in heights]
                columns[f"{curve}-accuracy"] = np.array(right)
        if "road" in self.needs:
            columns["road"] = np.array([self.road(name) for name in self.attributions])
        return Scored(original, left, taken, {metric.name: columns[metric.name] for metric in self.metrics})

    def occluder_fn(self) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
        """Confidence in each negative explanation image, and the share of light that is gone."""
        inputs = []
        taken = np.zeros(len(self.attributions))
        for position, view in enumerate(self.subject.views):
            maps = {
                name: self._signed(attributions[position]) for name, attributions in self.attributions.items()
            }
            total = common_total(maps, self.choices.total)
            image, spec = pixels_of(view.shown), view.shown.spec
            pictures = [negative_explanation(image, attribution, total) for attribution in maps.values()]
            inputs.append(np.stack([spec.from_pixels(255 * picture) for picture in pictures]))
            white = np.ones_like(image)
            taken += [
                1 - negative_explanation(white, attribution, total).mean() for attribution in maps.values()
            ]
        return self.subject.ask(inputs), taken / len(self.subject.views)

    def _signed(self, attribution: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        # NaN stays NaN: np.maximum hands it on.
        return np.maximum(attribution, 0.0) if self.choices.clip_negative else attribution

    @cached_property
    def _fills(self) -> Mapping[Curve, tuple[Float[np.ndarray, "c h w"], ...]]:
        names = {"deletion": self.choices.deletion_fill, "insertion": self.choices.insertion_fill}
        return {
            curve: tuple(whole_fill(names[curve], view.shown) for view in self.subject.views)
            for curve in CURVES
        }

    def curve(self, method: str, curve: Curve) -> Float[np.ndarray, "v k"]:
        """Confidence at each step of a curve, one row a view; of a pair the other face stays as it is.

        Two faces that are both all fill are the same picture, and any model would call them one person.
        """
        inputs = [
            curve_inputs(
                view.shown.x, fill, hottest_first(attribution, self.choices.seed), self.choices.steps, curve
            )
            for view, fill, attribution in zip(
                self.subject.views, self._fills[curve], self.attributions[method], strict=True
            )
        ]
        as_they_are = [view.shown.x[None] for view in self.subject.views]
        rows = [
            self.subject.ask([batch if i == changed else as_they_are[i] for i, batch in enumerate(inputs)])
            for changed in range(len(inputs))
        ]
        return np.stack(rows)

    def rightly(self, confidences: Float[np.ndarray, "v k"]) -> Float[np.ndarray, "v k"]:
        """Whether a pair is rightly told: its confidence is not below 0, or above 0 if two persons are shown."""
        right = confidences > 0 if self.subject.group == "different" else confidences >= 0
        return right.astype(np.float64)

    def road(self, method: str) -> float:
        """Mean confidence without the coldest pixels, less that without the hottest, over the shares."""
        inputs = [
            np.concatenate([self._imputed(view.shown, attribution, coldest) for coldest in (True, False)])
            for view, attribution in zip(self.subject.views, self.attributions[method], strict=True)
        ]
        without_coldest, without_hottest = np.split(self.subject.ask(inputs), 2)
        return float(without_coldest.mean() - without_hottest.mean())

    def _imputed(
        self, shown: ModelInput, attribution: Float[np.ndarray, "h w"], coldest: bool
    ) -> Float[np.ndarray, "k c h w"]:
        order = hottest_first(attribution, self.choices.seed)
        counts = np.rint(np.array(self.choices.road_shares) * len(order)).astype(np.int64)
        masks = first_masks(order[::-1] if coldest else order, counts, shown.spec.size_hw)
        picture = pixels_of(shown).transpose(2, 0, 1)
        noise, seed = self.choices.road_noise, self.choices.seed
        filled = [np.clip(noisy_linear_imputation(picture, mask, noise, seed), 0, 1) for mask in masks]
        return np.stack([shown.spec.from_pixels(255 * one.transpose(1, 2, 0)) for one in filled])


def _hiding_scores(original: float, hidden: Float[np.ndarray, "m"]) -> dict[str, Float[np.ndarray, "m"]]:
    """What eq. 11-13 take the mean of, in percent, and the plain drop."""
    before = np.full(len(hidden), original)
    # A share of a negative confidence is none: such an image takes no part in the mean.
    shares = relative_drops(before, hidden) if original >= 0 else np.full(len(hidden), np.nan)
    return {
        "average-drop": 100 * shares,
        "increase": 100.0 * (hidden > original + LEVEL_WITHIN),
        "win": 100 * wins(hidden[None], LEVEL_WITHIN)[0],
        "drop": original - hidden,
    }


def _checked(name: str, attribution: Float[np.ndarray, "h w"], spec: InputSpec) -> Float[np.ndarray, "h w"]:
    """A method's map as ``float64``, if it fits the input."""
    values = np.asarray(attribution, dtype=np.float64)
    if values.shape != tuple(spec.size_hw):
        raise OptionError(
            f"A method's map has one number for each of the input's {spec.size_hw[0]} x {spec.size_hw[1]} pixels; "
            f"{name!r} gave shape {values.shape}."
        )
    normalised_attribution(values)
    return values
