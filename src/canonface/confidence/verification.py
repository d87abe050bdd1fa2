"""Verification: how surely two faces are rightly told to be one person, or two (eq. 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.confidence.base import BoundPairConfidence, CleanPrediction
from canonface.confidence.recognition import directed, refuse_other_than_embeddings
from canonface.confidence.targets import PREDICTED, label_column, labelled, make_plain
from canonface.confidence.threshold import Threshold
from canonface.errors import OptionError, TargetError
from canonface.functional import cosines, verification_confidences
from canonface.types import Outputs

SAME, DIFFERENT = "same", "different"
_MEANING = {
    **dict.fromkeys(("1", "true", "yes", "same", "genuine"), True),
    **dict.fromkeys(("0", "false", "no", "different", "impostor"), False),
}


@dataclass(frozen=True)
class VerificationConfidence:
    r"""How far the cosine of two faces lies on the right side of the threshold: $c\,(\cos - \tau)$, eq. 8.

    $c = 1$ for a pair that shows one person and $-1$ for one that shows two, so that the confidence rises as the
    decision grows surer and a drop is positive where the decision relied on what was hidden. The paper prints
    $c\,(\tau - \cos)$.

    Attributes:
        threshold: cosine $\tau$ from which two faces are taken for one person; a number, or a fitted `Threshold`.
        same: whether a pair shows one person: ``label:COLUMN`` for what the pair's labels say (1, true, yes, same or
            0, false, no, different), ``same`` or ``different`` for every pair, or ``predicted``, the model's own
            decision at the threshold.
        paper_sign: the letter of eq. 8; a drop is then negative where the decision relied on what was hidden.
    """

    threshold: float | Threshold
    same: str = "label:same"
    paper_sign: bool = False

    def __post_init__(self) -> None:
        make_plain(self, "threshold", "paper_sign")
        if not -1 <= self.value <= 1:
            raise OptionError(f"A threshold of the cosine lies within -1..1; got {self.value}.")
        if self.label_column_of_pairs is None and self.same != PREDICTED:
            _told(self.same)

    @property
    def value(self) -> float:
        """The threshold as a number."""
        return self.threshold.value if isinstance(self.threshold, Threshold) else float(self.threshold)

    @property
    def unit(self) -> str:
        """Words for a colour bar over pairs of one person and of two."""
        return "eq. 8 as printed" if self.paper_sign else "cosine on the right side of the threshold"

    @property
    def label_column_of_pairs(self) -> str | None:
        """Column of the pairs' labels that says whether they show one person; None if none does."""
        return label_column(self.same)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result, and what the threshold was fitted on."""
        fitted = dict(self.threshold.describe()) if isinstance(self.threshold, Threshold) else None
        return {
            "name": "verification",
            "target": self.same,
            "threshold": self.value,
            "fitted": fitted,
            "paper_sign": self.paper_sign,
        }

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:  # noqa: ARG002
        """Refuse what no pair could be asked.

        Raises:
            OptionError: the model does not return feature vectors.
        """
        refuse_other_than_embeddings(kind, "verification")

    def bind(self, first: CleanPrediction, second: CleanPrediction) -> BoundPairConfidence:
        """Fix for one pair whether it shows one person; see `canonface.confidence.PairConfidence.bind`."""
        self.check(first.kind, first.names)
        self.check(second.kind, second.names)
        same = self._same(first, second)
        threshold, paper_sign = self.value, self.paper_sign

        def of(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "_"]:
            return verification_confidences(directed(a), directed(b), same, threshold, paper_sign)

        unit = f"cosine {'above' if same else 'below'} the threshold"
        return BoundPairConfidence(SAME if same else DIFFERENT, self.unit if paper_sign else unit, of)

    def _same(self, first: CleanPrediction, second: CleanPrediction) -> bool:
        if self.same == PREDICTED:
            return bool(cosines(directed(first.outputs), directed(second.outputs))[0] >= self.value)
        column = self.label_column_of_pairs
        if column is None:
            return _told(self.same)
        told = {_told(labelled(face.labels, column, "ask for 'predicted'")) for face in (first, second)}
        if len(told) > 1:
            raise TargetError("Both faces of a pair hold the pair's labels; these two say different things.")
        return told.pop()


def is_same(text: str) -> bool | None:
    """What a label says of a pair: True for one person, False for two, None if it says neither.

    One person: 1, true, yes, same, genuine; two: 0, false, no, different, impostor.
    """
    said = text.strip().casefold()
    # A table that was written from numbers may say 1.0.
    return _MEANING.get(said.removesuffix(".0"))


def _told(text: str) -> bool:
    same = is_same(text)
    if same is None:
        raise TargetError(f"A pair is one of {', '.join(_MEANING)}; got {text!r}.")
    return same
