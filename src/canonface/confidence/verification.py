"""Verification of pairs: signed distance of the cosine from the threshold (eq. 8)."""

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
    r"""Signed distance of the cosine of two faces from the threshold: $c\,(\cos - \tau)$, eq. 8.

    $c = 1$ for a pair of one person and $-1$ for a pair of two. The confidence rises with the margin of a correct
    decision, and a drop is positive where the decision relied on the hidden part. The paper prints
    $c\,(\tau - \cos)$.

    Attributes:
        threshold: cosine $\tau$ from which two faces are accepted as one person; a number, or a fitted `Threshold`.
        same: source of the truth: ``label:COLUMN``, a label of the pair (1, true, yes, same or 0, false, no,
            different); ``same`` or ``different`` for every pair; or ``predicted``, the model's own decision at the
            threshold.
        paper_sign: use eq. 8 as printed; a drop is then negative where the decision relied on the hidden part.
    """

    threshold: float | Threshold
    same: str = "label:same"
    paper_sign: bool = False

    def __post_init__(self) -> None:
        make_plain(self, "threshold", "paper_sign")
        if not -1 <= self.value <= 1:
            raise OptionError(f"A threshold of the cosine lies within -1..1; got {self.value}.")
        if self.label_column_of_pairs is None and self.same != PREDICTED:
            _same_of(self.same)

    @property
    def value(self) -> float:
        """The threshold as a number."""
        return self.threshold.value if isinstance(self.threshold, Threshold) else float(self.threshold)

    @property
    def unit(self) -> str:
        """Text for a colour bar over pairs of one person and of two."""
        return "eq. 8 as printed" if self.paper_sign else "cosine on the right side of the threshold"

    @property
    def label_column_of_pairs(self) -> str | None:
        """Column of the pairs' labels that holds the truth; None if the truth is no label."""
        return label_column(self.same)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result, and the fit of the threshold."""
        fitted = dict(self.threshold.describe()) if isinstance(self.threshold, Threshold) else None
        return {
            "name": "verification",
            "target": self.same,
            "threshold": self.value,
            "fitted": fitted,
            "paper_sign": self.paper_sign,
        }

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:  # noqa: ARG002
        """Raise OptionError unless the model returns feature vectors."""
        refuse_other_than_embeddings(kind, "verification")

    def bind(self, first: CleanPrediction, second: CleanPrediction) -> BoundPairConfidence:
        """Return the confidence with the truth of one pair; see `canonface.confidence.PairConfidence.bind`."""
        self.check(first.kind, first.names)
        self.check(second.kind, second.names)
        same = self._same(first, second)
        threshold, paper_sign = self.value, self.paper_sign

        def confidence_fn(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "_"]:
            return verification_confidences(directed(a), directed(b), same, threshold, paper_sign)

        unit = f"cosine {'above' if same else 'below'} the threshold"
        return BoundPairConfidence(
            SAME if same else DIFFERENT, self.unit if paper_sign else unit, confidence_fn
        )

    def _same(self, first: CleanPrediction, second: CleanPrediction) -> bool:
        if self.same == PREDICTED:
            return bool(cosines(directed(first.outputs), directed(second.outputs))[0] >= self.value)
        column = self.label_column_of_pairs
        if column is None:
            return _same_of(self.same)
        stated = {_same_of(labelled(face.labels, column, "use 'predicted'")) for face in (first, second)}
        if len(stated) > 1:
            raise TargetError("Both faces of a pair hold the pair's labels; these two say different things.")
        return stated.pop()


def is_same(text: str) -> bool | None:
    """Return True if a label means one person, False if it means two, None otherwise.

    One person: 1, true, yes, same, genuine; two: 0, false, no, different, impostor.
    """
    word = text.strip().casefold()
    # A table that was written from numbers may hold 1.0.
    return _MEANING.get(word.removesuffix(".0"))


def _same_of(text: str) -> bool:
    same = is_same(text)
    if same is None:
        raise TargetError(f"A pair is one of {', '.join(_MEANING)}; got {text!r}.")
    return same
