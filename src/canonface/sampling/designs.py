"""Which probes are asked of which face: a rule that knows nothing of the other faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError, near_names
from canonface.sampling.strata import strata_of

Sampler: TypeAlias = Callable[[int, int], np.ndarray]
"""Number of a photo, and of a face in it -> ascending indices of the probes that are asked."""
_GOLDEN = (np.sqrt(5) - 1) / 2
_SILVER = np.sqrt(2) - 1
_FEWEST = 2
"""Probes asked of a face, at least: what they disagree by is all that is known of a face's own error."""


def _random(places: Float[np.ndarray, "p 3"], count: int, seed: int) -> Sampler:
    def asked(photo: int, face: int) -> np.ndarray:
        return np.sort(_generator(seed, photo, face).choice(len(places), count, replace=False))

    return asked


def _stratified(places: Float[np.ndarray, "p 3"], count: int, seed: int) -> Sampler:
    strata = strata_of(places, count)

    def asked(photo: int, face: int) -> np.ndarray:
        at = _generator(seed, photo, face).random(count)
        return _at(strata, at)

    return asked


def _low_discrepancy(places: Float[np.ndarray, "p 3"], count: int, seed: int) -> Sampler:
    strata = strata_of(places, count)
    starts = _generator(seed).random(count)

    def asked(photo: int, face: int) -> np.ndarray:
        return _at(strata, (starts + photo * _GOLDEN + face * _SILVER) % 1.0)

    return asked


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(list(key))


def _at(strata: list[Int[np.ndarray, "_"]], at: Float[np.ndarray, "k"]) -> np.ndarray:
    """The member at a place from 0 to 1 of each stratum."""
    return np.sort([members[int(place * len(members))] for members, place in zip(strata, at, strict=True)])


DESIGNS: dict[str, Callable[[Float[np.ndarray, "p 3"], int, int], Sampler]] = {
    "random": _random,
    "stratified": _stratified,
    "low-discrepancy": _low_discrepancy,
}
"""Besides ``full``, which asks every probe."""


@dataclass(frozen=True)
class Design:
    """Which share of the probes is asked of each face, and how it is chosen.

    A face's probes follow from the design, the number of its photo and the number of the face in it, and from nothing
    else: runs can be resumed, split and merged.

    - ``full``: every probe of every face.
    - ``random``: a simple random sample of each face's probes, without replacement.
    - ``stratified``: the probes are cut into as many compact strata as a face is asked about, and one probe of each
      stratum is drawn (W. G. Cochran, "Sampling Techniques", 1977, chapter 5): no face leaves a place out.
    - ``low-discrepancy``: one probe of each stratum too, but face after face they walk through the stratum by the
      golden ratio, from a random start of each stratum (a Kronecker sequence under a Cranley-Patterson rotation:
      R. Cranley, T. Patterson, SIAM J. Numer. Anal. 13(6), 1976). Over faces, every probe is asked about equally
      often, and neighbouring faces are asked about different places.

    Attributes:
        name: of the design.
        share: of the probes that each face is asked about, above 0 and at most 1.
        seed: whole number, 0 or more; the same seed draws the same probes.
    """

    name: str = "full"
    share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name == "adaptive":
            raise OptionError(
                "design='adaptive' chooses the probes of one face by its answers, which would bias the mean of many: "
                f"use it with explain; many faces take {', '.join(DESIGNS)}."
            )
        if self.name != "full" and self.name not in DESIGNS:
            known = ["full", *DESIGNS]
            raise OptionError(f"A design has a known name; got {self.name!r}: {near_names(self.name, known)}")
        if not 0 < self.share <= 1:
            raise OptionError(
                f"A share of probes is a number above 0 and at most 1; got {self.share!r}: 0.05 asks one of twenty."
            )
        if self.name == "full" and self.share != 1:
            raise OptionError(
                f"design='full' asks every probe; got share={self.share!r}: name another design, one of "
                f"{', '.join(DESIGNS)}."
            )
        whole = isinstance(self.seed, (int, np.integer)) and not isinstance(self.seed, bool)
        if not whole or self.seed < 0:
            raise OptionError(f"A seed is a whole number, 0 or more; got {self.seed!r}.")

    @property
    def is_full(self) -> bool:
        """Whether every probe is asked."""
        return self.name == "full" or self.share == 1

    def count(self, probes: int) -> int:
        """How many of so many probes a face is asked about: at least two."""
        return probes if self.is_full else max(min(_FEWEST, probes), round(self.share * probes))

    def sampler(self, places: Float[np.ndarray, "p 3"]) -> Sampler:
        """The rule for probes at these places of the canonical mesh."""
        if self.is_full:
            everything = np.arange(len(places))
            return lambda _photo, _face: everything
        return DESIGNS[self.name](places, self.count(len(places)), self.seed)

    def asked(
        self, places: Float[np.ndarray, "p 3"], faces: list[tuple[int, int]]
    ) -> Bool[np.ndarray, "faces p"]:
        """Which probes are asked of each face, given by the numbers of its photo and of itself."""
        sampler = self.sampler(places)
        table = np.zeros((len(faces), len(places)), dtype=bool)
        for row, (photo, face) in enumerate(faces):
            table[row, sampler(photo, face)] = True
        return table

    def describe(self) -> dict[str, Any]:
        """The design for a manifest."""
        return {"name": self.name, "share": self.share, "seed": self.seed}


def make_design(name: str | None = None, share: float | None = None, seed: int = 0) -> Design:
    """A design from what was said: a share alone is of ``low-discrepancy``, a design alone has a share of 0.1.

    Raises:
        OptionError: there is no such design, or the share or the seed cannot be used.
    """
    if name is None:
        name = "full" if share is None or share == 1 else "low-discrepancy"
    if share is None:
        share = 1.0 if name == "full" else USUAL_SHARE
    return Design(name, float(share), seed)


USUAL_SHARE = 0.1
