"""Options of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from canonface.errors import OptionError, near_names
from canonface.evaluation.attributions import check_total
from canonface.evaluation.curves import step_counts
from canonface.evaluation.intervals import CONFIDENCE_LEVEL, DRAWS, check_draws
from canonface.evaluation.road import NOISE, SHARES
from canonface.occluders.fills import check_fill

NO_WHOLE_FILLS = ("inpaint",)
"""Fills made from the surroundings of a patch; a whole input has none."""


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of the metrics and of their intervals.

    Attributes:
        total: attribution that every method removes from a negative explanation image: ``smallest``, ``median`` or
            ``largest`` of the methods' own sums, ``cms``, or a share of the image
            (`canonface.evaluation.common_total`).
        clip_negative: set negative attribution to 0 before eq. 9, as in the authors' released code.
        deletion_fill: content of deleted pixels: ``mean``, ``black``, ``blur``, ``noise``, ``average``, or a colour
            ``#rrggbb``.
        insertion_fill: content of pixels that are not inserted yet; the same names.
        steps: steps of deletion and insertion.
        road_shares: shares of the pixels that ROAD removes.
        road_noise: standard deviation of ROAD's noise, in the range of a pixel, 0..1.
        seed: of ROAD's noise, of the order among pixels of equal attribution, of drawn photos and of the bootstrap.
        confidence_level: probability that an interval holds the mean.
        draws: number of draws of the bootstrap.
        batch: inputs per forward pass.
    """

    total: str | float = "smallest"
    clip_negative: bool = False
    deletion_fill: str = "mean"
    insertion_fill: str = "blur"
    steps: int = 20
    road_shares: tuple[float, ...] = SHARES
    road_noise: float = NOISE
    seed: int = 0
    confidence_level: float = CONFIDENCE_LEVEL
    draws: int = DRAWS
    batch: int = 64

    def check(self) -> None:
        """Raise if an option cannot be used, before the first forward pass.

        Raises:
            OptionError: a total, a fill, a number of steps or draws, a share or a level has an unusable value.
        """
        check_total(self.total)
        step_counts(1, self.steps)
        check_draws(self.confidence_level, self.draws)
        for fill in (self.deletion_fill, self.insertion_fill):
            names = check_fill(fill)
            if len(names) > 1 or names[0] in NO_WHOLE_FILLS:
                raise OptionError(
                    f"A whole input is replaced by one fill, and not by 'inpaint'; got {fill!r}."
                )
        if not self.road_shares or not all(0 < share < 1 for share in self.road_shares):
            raise OptionError(f"ROAD removes shares between 0 and 1; got {self.road_shares}.")
        if self.road_noise < 0:
            raise OptionError(f"The spread of ROAD's noise is 0 or more; got {self.road_noise}.")

    def describe(self) -> dict[str, Any]:
        """Return the options that decide the scores; those of the intervals and of the batch are left out."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("confidence_level", "draws", "batch")
        }


def evaluation_options(options: EvaluationOptions | None, keywords: Mapping[str, Any]) -> EvaluationOptions:
    """Return checked options, with the keywords replacing single values.

    Raises:
        OptionError: a keyword is no option, or a value cannot be used.
    """
    known = [field.name for field in fields(EvaluationOptions)]
    for name in keywords:
        if name not in known:
            raise OptionError(f"An option has a known name; got {name!r}: {near_names(name, known)}")
    chosen = replace(options or EvaluationOptions(), **keywords)
    chosen.check()
    return chosen
